"""Axes, paths and sheets, over many inputs: round ticks inside the range, points where they belong, everything on the paper."""

from __future__ import annotations

import itertools
import json
import math
import re
from typing import Any
from xml.etree import ElementTree as ET

import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from report_samples import figures, strokes_of

from harness.evidence import Figure
from harness.report import figure_from_evidence, svg
from harness.report.axes import Scale
from harness.report.figures import draw

VALUES = st.floats(-1e9, 1e9, allow_nan=False).map(lambda value: 0.0 if abs(value) < 1e-9 else value)
STROKE = st.lists(st.tuples(st.floats(-2000, 2000), st.floats(-2000, 2000)), min_size=1, max_size=20)
POSITIVE = st.floats(-9, 9).map(lambda power: 10.0**power)


def corners(data: str) -> list[tuple[int, int]]:
    """The points of all strokes of a path."""
    return [place for stroke in strokes_of(data) for place in stroke]


@given(st.lists(VALUES, min_size=1, max_size=6), st.integers(2, 8))
@example([0.0], 5)
@example([1e9, 1e9], 5)
@example([1.0, 1 + 1e-11], 5)
@example([1.0, 1 + 2e-9], 8)
def test_a_linear_axis_has_round_ticks_inside_of_it(values: list[float], most: int) -> None:
    scale = Scale.around(values, 0.06)
    assert all(0 <= scale.share(value) <= 1 for value in values)
    ticks = scale.ticks(most)
    assert 1 <= len(ticks) <= most
    places = [value for value, _ in ticks]
    assert all(-1e-6 <= scale.share(value) <= 1 + 1e-6 for value in places)
    steps = [after - before for before, after in itertools.pairwise(places)]
    for step in steps:
        assert math.isclose(step, steps[0], rel_tol=1e-3)
        digits = f"{step:.2e}"[:4]
        assert digits in ("1.00", "2.00", "2.50", "5.00"), digits
    assert len({words for _, words in ticks}) == len(ticks), "no two ticks read alike"


@given(st.lists(POSITIVE, min_size=1, max_size=6), st.integers(3, 8))
@example([1.0, 10.0**0.00390625], 3)
@example([1.0, 1 + 2e-9], 5)
def test_a_logarithmic_axis_has_ticks_that_read_as_what_they_are(values: list[float], most: int) -> None:
    scale = Scale.around(values, 0.04, log=True)
    assert all(-1e-9 <= scale.share(value) <= 1 + 1e-9 for value in values)
    ticks = scale.ticks(most)
    assert ticks
    assert all(-1e-6 <= scale.share(value) <= 1 + 1e-6 for value, _ in ticks)
    assert len({words for _, words in ticks}) == len(ticks)


@given(st.lists(STROKE, min_size=1, max_size=5), st.booleans())
def test_a_path_goes_through_its_points_to_half_a_unit(strokes: list[list[tuple[float, float]]], closed: bool) -> None:
    given_places = [place for stroke in strokes for place in stroke]
    found = corners(svg.path(strokes, closed))
    assert len(found) == len(given_places)
    assert all(abs(a - x) <= 0.5 and abs(b - y) <= 0.5 for (a, b), (x, y) in zip(found, given_places, strict=True))


@pytest.mark.parametrize("kind", svg.MARKERS)
def test_a_mark_lies_around_its_place(kind: str) -> None:
    drawn = ET.fromstring(svg.marker(kind, 10))
    if drawn.tag == "circle":
        return
    places = [(float(x), float(y)) for x, y in re.findall(r"[ML](-?[\d.]+) (-?[\d.]+)", drawn.get("d") or "")]
    assert len(places) >= 3
    assert max(math.hypot(x, y) for x, y in places) < 8
    assert abs(sum(x for x, _ in places)) / len(places) < 0.5


@st.composite
def drawn_figures(draw: st.DrawFn) -> dict[str, Any]:
    """Any figure that a claim may hand over."""
    rows = draw(st.integers(1, 30))
    kind = draw(st.sampled_from(["scatter", "lines", "paired", "strip", "bars"]))
    log_x, log_y, facets, hues = draw(st.booleans()), draw(st.booleans()), draw(st.integers(0, 7)), draw(st.integers(0, 12))
    values = st.lists(POSITIVE if log_y else VALUES, min_size=rows, max_size=rows)
    table = pd.DataFrame({
        "x": draw(st.lists(POSITIVE if log_x else VALUES, min_size=rows, max_size=rows))
             if kind in ("scatter", "lines") else [f"category {row % 4}" for row in range(rows)],
        "y": draw(values), "f": [f"panel {row % max(facets, 1)}" for row in range(rows)],
        "h": [f"series {row % max(hues, 1)}" for row in range(rows)], "p": [row // 2 for row in range(rows)],
    })  # fmt: skip
    words = st.text(st.characters(categories=["L", "P", "Z"]), min_size=1, max_size=120)
    return figure_from_evidence(Figure(
        kind, table, "x", "y", "t", draw(words), draw(words), hue="h" if hues else None, facet="f" if facets else None,
        pair="p", log_x=log_x, log_y=log_y, own_axes=draw(st.booleans()),
    ))  # fmt: skip


@given(drawn_figures())
def test_marks_lie_in_their_panel_and_panels_beside_each_other(figure: dict[str, Any]) -> None:
    root = ET.fromstring(draw(figure, "k"))
    _, _, wide, high = map(float, (root.get("viewBox") or "").split())
    boxes = [panel[:4] for panel in json.loads(root.get("data-panels") or "")]
    for left, top, width, height in boxes:
        assert width > 100, "a panel is no sliver"
        assert height > 60
        assert 0 <= left < left + width <= wide
        assert 0 <= top < top + height <= high
    for (a, b, c, d), (e, f, g, h) in itertools.combinations(boxes, 2):
        assert a + c <= e or e + g <= a or b + d <= f or f + h <= b
    for mark in root.iter("path"):
        look = (mark.get("class") or "none").split()[0]
        if look not in ("dots", "pair", "line", "mean", "band", "bar") or mark.get("d", "").endswith("h0"):
            continue
        places = corners(mark.get("d") or "")
        held = [all(a - 1 <= x <= a + c + 1 and b - 1 <= y <= b + d + 1 for x, y in places) for a, b, c, d in boxes]
        above = all(y < boxes[0][1] for _, y in places)  # a sample in the legend
        assert any(held) or above, (look, places[:3], boxes)


@pytest.mark.parametrize("name", sorted(figures()))
def test_words_stay_on_the_paper(name: str) -> None:
    root = ET.fromstring(draw(figure_from_evidence(figures()[name]), "k"))
    _, _, wide, high = map(float, (root.get("viewBox") or "").split())
    places = [(float(one.get("x") or 0), float(one.get("y") or 0)) for one in root.iter("text")]
    assert len(places) > 5
    assert all(0 <= x <= wide and 0 <= y <= high for x, y in places)
