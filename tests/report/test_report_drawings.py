"""Drawings that are kept: the same as drawn anew, and drawn again where anything that decides one is another."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from report_samples import figures as samples

from harness.report import drawings, figures, render, write_reports
from harness.report.drawings import NAME, Drawings

FIGURES = {name: figures.figure_from_evidence(each) for name, each in samples().items()}


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Keys of the figures that were drawn."""
    made: list[str] = []
    real = figures.draw

    def counting(figure: Any, key: str) -> str:
        made.append(key)
        return real(figure, key)

    monkeypatch.setattr(figures, "draw", counting)
    return made


def kept(folder: Path) -> dict[str, str]:
    opened = Drawings(folder)
    found = {name: opened.svg(figure, name) for name, figure in FIGURES.items()}
    opened.keep()
    return found


def test_what_is_kept_is_what_is_drawn_and_is_drawn_once(tmp_path: Path, drawn: list[str]) -> None:
    anew = {name: figures.draw(figure, name) for name, figure in FIGURES.items()}
    drawn.clear()
    assert kept(tmp_path) == anew
    assert drawn == list(FIGURES)
    assert kept(tmp_path) == anew
    assert drawn == list(FIGURES)


@pytest.mark.parametrize("field", sorted(set(FIGURES["scatter"]) - {"kind", "data", "hue", "facet", "pair", "x", "y"}))
def test_every_field_of_a_figure_decides_it(tmp_path: Path, drawn: list[str], field: str) -> None:
    figure = FIGURES["scatter"]
    others = {"title": "Another.", "x_label": "x", "y_label": "y", "log_x": True, "log_y": True, "own_axes": True,
              "slope": 2.0, "reference": {"a half": 0.5}}  # fmt: skip
    opened = Drawings(tmp_path)
    opened.svg(figure, "k")
    opened.svg(figure | {field: others[field]}, "k")
    opened.svg(figure, "another")
    assert drawn == ["k", "k", "another"]


def test_one_number_of_the_data_decides_it(tmp_path: Path, drawn: list[str]) -> None:
    opened, figure = Drawings(tmp_path), FIGURES["scatter"]
    for row in range(3):
        values = list(figure["data"]["llc"])
        values[row] += 1e-9
        opened.svg(figure | {"data": figure["data"] | {"llc": values}}, "k")
    assert len(drawn) == 3


def test_another_code_draws_all_again(tmp_path: Path, drawn: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    before = kept(tmp_path)
    monkeypatch.setattr(drawings, "code_digest", lambda *_: "another")
    assert kept(tmp_path) == before
    assert drawn == 2 * list(FIGURES)


SPOILED: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"",
    "cut short": lambda whole: whole[: len(whole) // 2],
    "edited": lambda whole: whole.replace(b"<title", b"<script", 1),
    "no object": lambda _: b"[]",
    "no drawings": lambda whole: json.dumps(json.loads(whole) | {"drawings": None}).encode(),
    "nested": lambda _: b"[" * 100_000,
}


@pytest.mark.parametrize("spoil", SPOILED)
def test_a_file_that_is_spoiled_is_made_again(tmp_path: Path, drawn: list[str], spoil: str) -> None:
    before, file = kept(tmp_path), tmp_path / NAME
    file.write_bytes(SPOILED[spoil](file.read_bytes()))
    assert kept(tmp_path) == before
    assert kept(tmp_path) == before
    assert drawn == 2 * list(FIGURES)


def test_a_folder_that_cannot_be_written_costs_no_report(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    assert kept(tmp_path / "file") == {name: figures.draw(figure, name) for name, figure in FIGURES.items()}


def test_those_that_were_not_asked_for_the_longest_go_first(
    tmp_path: Path, drawn: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drawings, "_MOST", 2)
    for keys in ("ab", "ac", "ac", "b"):
        opened = Drawings(tmp_path)
        for key in keys:
            opened.svg(FIGURES["paired"], key)
        opened.keep()
    assert drawn == ["a", "b", "c", "b"]


def test_a_report_is_the_same_with_kept_drawings(run: dict[str, Any], tmp_path: Path, drawn: list[str]) -> None:
    for folder in ("one", "two"):
        page = write_reports(run, tmp_path / folder, Drawings(tmp_path))["claims.html"].read_text(encoding="utf-8")
        assert page == render(run)
    assert len(drawn) == sum(row["figure"] is not None for row in run["rows"])
