"""The data behind a figure as a page carries them."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_samples import column, figures

from harness.report.behind import address, embedded
from harness.report.figures import draw, figure_from_evidence, lanes

DRAWN = {name: figure_from_evidence(figure) for name, figure in figures().items()}


def unpacked(figure: dict[str, Any]) -> dict[str, list[Any]]:
    held = json.loads(str(embedded(figure)))
    return {name: column(each) for name, each in held["columns"]}


@given(st.lists(st.none() | st.floats(allow_infinity=False, allow_nan=False) | st.integers(-99, 99), min_size=1, max_size=90))
def test_every_value_comes_back_to_four_digits(values: list[Any]) -> None:
    figure = DRAWN["strip"] | {"x": "y", "hue": None, "y": "y", "data": {"y": values}}
    found = unpacked(figure)["y"]
    assert all(
        back == (one if one is None else pytest.approx(one, rel=6e-4, abs=0)) for back, one in zip(found, values, strict=True)
    )


@given(st.integers(1, 5), st.integers(1, 5), st.integers(1, 4), st.integers(0, 3))
def test_a_crossed_design_comes_back_and_one_that_is_cut_too(levels: int, run: int, times: int, cut: int) -> None:
    values = [f"level {level}" for _ in range(times) for level in range(levels) for _ in range(run)][cut:]
    figure = DRAWN["strip"] | {"x": "y", "hue": None, "y": "y", "data": {"y": values}}
    assert unpacked(figure)["y"] == values


@pytest.mark.parametrize("name", DRAWN)
def test_all_rows_come_back_with_the_model_in_front(name: str) -> None:
    data, columns = DRAWN[name]["data"], unpacked(DRAWN[name])
    assert set(columns) == set(data)
    for each, values in columns.items():
        for value, whole in zip(values, data[each], strict=True):
            assert value == (pytest.approx(whole, rel=6e-4) if isinstance(whole, float) else whole)
    known = [column for column in ("architecture", "regime", "seed") if column in data]
    assert list(columns)[: len(known)] == known


def test_repeated_values_are_written_once() -> None:
    assert str(embedded(DRAWN["strip"])).count("64×3") == 2  # a level of the column, and a category of the drawing


def test_nothing_in_the_data_ends_the_block() -> None:
    hostile = "</script><!-- &"
    figure = DRAWN["strip"] | {"data": DRAWN["strip"]["data"] | {"regime": [hostile] * len(DRAWN["strip"]["data"]["regime"])}}
    text = str(embedded(figure))
    assert not set("<>&") & set(text)
    assert unpacked(figure)["regime"][0] == hostile


def test_no_figure_has_no_data() -> None:
    assert embedded(None) is None


FIGURE = {"data": {"architecture": ["8×1", "16×1"], "regime": ["robust", "8×1"], "seed": [0, 1], "llc": [0.1, 0.2]}}


class TestAddress:
    @pytest.mark.parametrize(
        ("stratum", "expected"),
        [
            ("16×1", "architecture=16%C3%971"),
            ("16×1, robust", "architecture=16%C3%971&regime=robust"),
            ("1", "seed=1"),
            ("8×1", None),  # of two columns
            ("robust, robust", None),
            ("32×1", None),
            ("0.1", None),  # no column that says which model it is
        ],
    )
    def test_names_columns_where_the_data_tell_which(self, stratum: str, expected: str | None) -> None:
        assert address(stratum, FIGURE) == expected

    def test_without_a_figure_there_is_none(self) -> None:
        assert address("8×1", None) is None


class TestPlaces:
    def boxes(self, name: str) -> list[list[float]]:
        svg = draw(DRAWN[name], "k")
        return json.loads(svg.split('data-panels="')[1].split('"')[0])

    def test_every_panel_has_a_box_inside_the_drawing(self) -> None:
        assert len(self.boxes("facets")) == len(lanes(DRAWN["facets"])["facets"]) == 3
        for left, top, width, height, *_ in self.boxes("facets"):
            assert 0 < left < left + width < 9.0 * 144
            assert 0 < top < top + height < 2.9 * 144

    def test_a_mark_lies_where_box_and_ranges_say(self) -> None:
        (box,) = self.boxes("paired")
        left, top, width, height, x0, x1, y0, y1 = box
        data, how = DRAWN["paired"]["data"], lanes(DRAWN["paired"])
        at = how["categories"].index(data["regime"][0]) + how["lanes"][0]
        place = (left + width * (at - x0) / (x1 - x0), top + height * (1 - (data["llc"][0] - y0) / (y1 - y0)))
        svg = draw(DRAWN["paired"], "k")
        x = y = 0
        marks = []
        for right, down in re.findall(r"[Ml](-?\d+) ?(-?\d+)", svg.split('class="pair ')[1].split("/>")[0].replace("m", "l")):
            x, y = x + int(right), y + int(down)
            marks.append((x, y))
        assert min(max(abs(x - place[0]), abs(y - place[1])) for x, y in marks) <= 0.6  # whole units, and a box to a tenth

    def test_colours_have_lanes_beside_their_category(self) -> None:
        assert lanes(DRAWN["strip"])["lanes"] == [-0.24, 0.0, 0.24]
        assert lanes(DRAWN["scatter"]) | {"lanes": [0.0] * 3, "categories": None} == lanes(DRAWN["scatter"])
