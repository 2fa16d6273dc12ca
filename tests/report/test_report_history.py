"""What a folder remembers of its runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from harness.report import ReportError, write_reports
from harness.report.history import NAME, History, append, read_history, record

OF_A_CLAIM = ["verdict", "label", "grade", "effect", "interval", "alpha", "n", "digest"]
LINE = {
    "type": "object",
    "required": ["started", "seconds", "commit", "dirty", "scale", "device", "claims"],
    "additionalProperties": False,
    "properties": {
        "started": {}, "seconds": {}, "commit": {}, "dirty": {}, "device": {"type": "string"},
        "scale": {"enum": ["smoke", "reduced", "full"]},
        "claims": {
            "type": "object",
            "additionalProperties": {
                "type": "object",
                "required": OF_A_CLAIM,
                "additionalProperties": False,
                "properties": {name: {} for name in OF_A_CLAIM},
            },
        },
    },
}  # fmt: skip


def later(run: dict[str, Any], started: str) -> dict[str, Any]:
    return run | {"provenance": run["provenance"] | {"started": started}}


def test_a_run_is_one_line_with_every_verdict(bare: dict[str, Any], tmp_path: Path) -> None:
    append(record(bare), tmp_path)
    (line,) = (tmp_path / NAME).read_text(encoding="utf-8").splitlines()
    held = json.loads(line)
    jsonschema.validate(held, LINE)
    row = bare["rows"][0]
    assert held["claims"][row["id"]]["interval"] == row["interval"]
    assert {id: each["verdict"] for id, each in held["claims"].items()} == {row["id"]: row["verdict"] for row in bare["rows"]}


def test_every_run_adds_a_line_and_drawing_it_again_none(bare: dict[str, Any], tmp_path: Path) -> None:
    second = later(bare, "2026-04-01T00:00:00+00:00")
    for run in (bare, bare, second, second, bare):
        write_reports(run, tmp_path)
    assert read_history(tmp_path).records == (record(bare), record(second))


def test_a_page_does_not_show_its_own_run_as_past(bare: dict[str, Any], tmp_path: Path) -> None:
    for _ in range(2):
        page = write_reports(bare, tmp_path)["claims.html"].read_text(encoding="utf-8")
        assert "Earlier runs" not in page
    page = write_reports(later(bare, "2026-04-01T00:00:00+00:00"), tmp_path)["claims.html"].read_text(encoding="utf-8")
    assert "Earlier runs at this scale" in page


def test_a_claim_is_followed_within_its_scale(bare: dict[str, Any]) -> None:
    others = [record(bare | {"scale": scale, "device": scale}) for scale in ("smoke", "full", "reduced")]
    (found,) = History(tuple(others)).of(bare["rows"][0]["id"], "reduced")
    assert (found["device"], found["verdict"]) == ("reduced", "supported")
    assert History(tuple(others)).of("slt/unknown", "reduced") == []


@pytest.mark.parametrize("broken", ["{", "[]", '{"scale": "full"}', '{"scale": "full", "claims": {"a": {}}}', "\udcff"])
def test_a_line_that_is_none_is_counted_and_costs_no_other(bare: dict[str, Any], tmp_path: Path, broken: str) -> None:
    append(record(bare), tmp_path)
    with (tmp_path / NAME).open("a", encoding="utf-8", errors="surrogateescape") as file:
        file.write(broken)  # without an end of line: the machine went down
    append(record(later(bare, "2026-04-01")), tmp_path)
    history = read_history(tmp_path)
    assert (len(history.records), history.unreadable) == (2, 1)
    write_reports(bare, tmp_path)


def test_a_folder_without_history_has_none(tmp_path: Path) -> None:
    assert read_history(tmp_path) == read_history(tmp_path / "none") == History()


def test_a_history_that_cannot_be_read_is_named(bare: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / NAME).mkdir()
    with pytest.raises(ReportError, match="cannot write the report into the folder"):
        write_reports(bare, tmp_path)
