"""Every mark is right: captions say what is drawn, names are words in the order of their numbers, colours are told apart."""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_samples import claim_of, figures, run_of_rows

import harness.report
from harness.evidence import Figure
from harness.report import base_row, figure_from_evidence, render
from harness.report.cards import by_number
from harness.report.figures import draw, reading
from harness.report.rows import blank_row

STYLE = (Path(harness.report.__file__).parent / "style.css").read_text(encoding="utf-8")


def line_of(values: list[float], **more: Any) -> dict[str, Any]:
    table = pd.DataFrame(
        {"x": [i // 2 for i in range(len(values))], "y": values, "line_of": [i % 2 for i in range(len(values))]}
    )
    return figure_from_evidence(Figure(table=table, **({"kind": "lines", "x": "x", "y": "y", "title": "t", "x_label": "x",
                                                        "y_label": "y"} | more)))  # fmt: skip


class TestReading:
    @pytest.mark.parametrize("kind", ["lines", "bars"])
    def test_one_row_at_each_place_has_no_band(self, kind: str) -> None:
        said = reading(line_of([1.0, 2.0, 3.0, 4.0], hue="line_of", kind=kind))
        assert "standard deviation" not in said
        assert "mean" not in said

    def test_equal_rows_have_no_band(self) -> None:
        assert "standard deviation" not in reading(line_of([1.0, 1.0, 3.0, 3.0]))

    @pytest.mark.parametrize("kind", ["lines", "bars"])
    def test_several_rows_have_one(self, kind: str) -> None:
        assert "standard deviation" in reading(line_of([1.0, 2.0, 3.0, 4.0], kind=kind))


def test_a_legend_is_titled_in_words() -> None:
    drawn = draw(line_of([1.0, 2.0, 3.0, 4.0], hue="line_of"), "f0")
    assert ">line of<" in drawn
    assert "line_of" not in drawn


@pytest.mark.parametrize("facet", [None, "line_of"])
def test_a_long_label_is_wrapped_and_stays_inside_the_drawing(facet: str | None) -> None:
    label = "mean change from a test image to its adversarial example, in units of the largest one"
    drawn = draw(line_of([1.0, 2.0, 3.0, 4.0], facet=facet, y_label=label, x_label=label), "f0")
    words = re.findall(r">([^<>]*(?:mean change|adversarial|largest one)[^<>]*)<", drawn.partition("</desc>")[2])
    assert len(words) >= 3, "several lines"
    assert " ".join(words).count("largest one") == 2


@given(st.lists(st.integers(1, 5000), unique=True, min_size=2), st.sampled_from(["", ", trained", ", 5.0"]))
def test_strata_stand_in_the_order_of_their_numbers(sizes: list[int], end: str) -> None:
    strata = [{"name": f"{size}{end}"} for size in sorted(sizes, key=str)]
    assert [one["name"] for one in by_number(strata)] == [f"{size}{end}" for size in sorted(sizes)]


@pytest.mark.parametrize("names", [["robust", "standard"], ["8 × start → 4 × start", "4 × start → 2 × start"], ["large", "2"]])
def test_strata_that_are_no_numbers_keep_their_order(names: list[str]) -> None:
    assert [one["name"] for one in by_number([{"name": name} for name in names])] == names


# Machado, Oliveira & Fernandes (2009), doi 10.1109/TVCG.2009.113, severity 1.0
VISION = {
    "normal": np.eye(3),
    "deuteranope": np.array([[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]]),
    "protanope": np.array([[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]),
}


def linear(colour: str) -> Any:
    channels = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)


def lab(light: Any) -> Any:
    """CIE L*a*b* of linear sRGB."""
    to_xyz = np.array([[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.072175], [0.0193339, 0.119192, 0.9503041]])
    scaled = to_xyz @ np.clip(light, 0, 1) / np.array([0.95047, 1, 1.08883])
    f = np.where(scaled > 0.008856, np.cbrt(scaled), 7.787 * scaled + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("vision", VISION)
@pytest.mark.parametrize("ground", [0, 1], ids=["light", "dark"])
def test_verdicts_are_told_apart_by_colour_alone(vision: str, ground: int) -> None:
    """As far apart as 18 in CIE 1976, some eight times what is just noticed side by side."""
    colours = {name: re.findall(rf"--{name}: (#[0-9a-f]{{6}})", STYLE)[ground]
               for name in ("supported", "refuted", "inconclusive", "invalid", "error")}  # fmt: skip
    seen = {name: lab(VISION[vision] @ linear(colour)) for name, colour in colours.items()}
    for one, other in itertools.combinations(seen, 2):
        assert np.linalg.norm(seen[one] - seen[other]) > 18, (one, other)


def test_a_run_without_claims_says_so() -> None:
    page = render(run_of_rows())
    assert "This run has no claims." in page


def test_a_claim_that_broke_was_not_answered_by_the_store() -> None:
    row = blank_row() | {"id": "slt/a", "document": "slt", "seconds": 0.01, "cached": True, "digest": "d"}
    assert "from the store" not in render(run_of_rows(row))
    sound = base_row(claim_of("slt/b"), "slt/b") | {"verdict": "supported", "seconds": 0.01, "cached": True}
    assert "from the store" in render(run_of_rows(sound))


@pytest.mark.parametrize("name", sorted(figures()))
def test_every_sample_is_still_drawn(name: str) -> None:
    assert draw(figure_from_evidence(figures()[name]), "f1").startswith("<svg")
