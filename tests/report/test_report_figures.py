"""Figures: from a table to JSON, and from JSON to an SVG that belongs to the page."""

from __future__ import annotations

import dataclasses
import itertools
import json
import re
import subprocess
import sys
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_samples import figures, strokes_of

from harness.errors import ClaimError
from harness.evidence import Figure
from harness.report.figures import MAX_ROWS, UndrawableError, draw, figure_from_evidence, reading
from harness.report.lanes import FigureStyle
from harness.report.panels import _scattered, _spread
from harness.report.svg import MARKERS, SERIES

FIGURES = figures()


def simple(**changes: Any) -> Figure:
    table = pd.DataFrame({"x": [1.0, 2.0, 4.0], "y": [1.0, 3.0, 2.0], "seed": [0, 1, 2], "unused": ["a", "b", "c"]})
    return dataclasses.replace(Figure("scatter", table, "x", "y", "A title.", "x", "y"), **changes)


def texts(svg: str) -> list[str]:
    return [element.text or "" for element in ET.fromstring(svg).iter("text")]


class TestFromEvidence:
    @pytest.mark.parametrize("name", FIGURES)
    def test_is_strict_json(self, name: str) -> None:
        figure = figure_from_evidence(FIGURES[name])
        assert json.loads(json.dumps(figure, allow_nan=False)) == figure

    def test_keeps_what_it_draws_and_which_model_a_row_is(self) -> None:
        assert list(figure_from_evidence(simple())["data"]) == ["x", "y", "seed"]

    def test_missing_and_infinite_values_are_null(self) -> None:
        table = pd.DataFrame({"x": pd.array([1, None, 3], dtype="Int64"), "y": [np.nan, np.inf, 2.0]})
        assert figure_from_evidence(simple(table=table))["data"] == {
            "x": [1, None, 3],
            "y": [None, None, 2.0],
        }

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"kind": "pie"}, "kind 'pie' cannot be drawn; the kinds are scatter, lines"),
            ({"hue": "regime"}, "names the columns regime; its table has x, y, seed, unused"),
            ({"kind": "paired"}, "needs pair="),
            ({"y": "unused"}, "column 'unused' on an axis of numbers"),
            ({"x": "unused"}, "column 'unused' on an axis of numbers"),
            ({"table": pd.DataFrame({"x": range(MAX_ROWS + 1), "y": 0.0})}, "1,501 rows, and at most 1,500"),
            ({"table": pd.DataFrame({"x": range(13), "y": 0.0}), "hue": "x"}, "hue 'x' has 13 levels; at most 12"),
            ({"table": pd.DataFrame({"x": range(25), "y": 0.0}), "facet": "x"}, "facet 'x' has 25 levels; at most 24"),
        ],
    )
    def test_says_what_cannot_be_drawn(self, changes: dict[str, Any], message: str) -> None:
        with pytest.raises(ClaimError, match=re.escape(message)):
            figure_from_evidence(simple(**changes))


class TestDraw:
    @pytest.mark.parametrize("name", FIGURES)
    def test_is_one_accessible_svg_without_colours_of_its_own(self, name: str) -> None:
        svg = draw(figure_from_evidence(FIGURES[name]), "k")
        root = ET.fromstring(svg)
        assert (root.tag, root.get("role")) == ("svg", "img")
        assert root[0].tag == "title"
        assert root[0].text == FIGURES[name].title
        assert root[1].tag == "desc"
        assert "rows" in (root[1].text or "")
        assert root.get("aria-labelledby") == f"{root[0].get('id')} {root[1].get('id')}"
        assert not re.search(r"#[0-9a-f]{6}|rgb\(|font-family|style=\"(?!--natural|marker)", svg)
        ids = [element.get("id") for element in root.iter() if element.get("id")]
        assert len(ids) == len(set(ids))
        assert all(str(id).startswith("k-") for id in ids)
        used = re.findall(r'(?:href="#|url\(#)([\w-]+)', svg)
        assert set(used) == {id for id in ids if id not in ("k-title", "k-text")}

    @pytest.mark.parametrize("name", FIGURES)
    def test_is_the_same_byte_for_byte(self, name: str) -> None:
        figure = figure_from_evidence(FIGURES[name])
        assert draw(figure, "k") == draw(figure, "k")

    def test_has_a_mark_a_row(self) -> None:
        root = ET.fromstring(draw(figure_from_evidence(simple()), "k"))
        (marks,) = (line for line in root.iter("path") if line.get("class") == "dots l-s1")
        (shape,) = (marker for marker in root.iter("marker") if f"marker:url(#{marker.get('id')})" == marks.get("style"))
        assert shape.get("class") == "f-s1 rim"
        (places,) = strokes_of(marks.get("d") or "")
        assert len(places) == 3
        (x1, y1), (x2, y2), (x3, y3) = places
        assert x3 - x2 == pytest.approx(2 * (x2 - x1), abs=2)  # rows 1, 2 and 4 of a linear axis
        assert y1 - y2 == pytest.approx(2 * (y1 - y3), abs=2)  # 1, 3 and 2, upwards

    def test_the_networks_of_a_line_are_thin_lines_that_the_caption_names(self) -> None:
        figure = figure_from_evidence(FIGURES["lines"])
        root = ET.fromstring(draw(figure, "k"))
        threads = [strokes_of(one.get("d") or "") for one in root.iter("path") if (one.get("class") or "").startswith("thread")]
        assert [len(each) for each in threads] == [4] * 6  # seeds of two regimes in three panels
        assert all(len(stroke) == 20 for each in threads for stroke in each)  # epochs
        assert reading(figure) == "Thick line: mean; thin lines: one network each."

    def test_panels_share_their_axes_unless_they_have_their_own(self) -> None:
        apart = pd.DataFrame({"x": [1.0, 2.0, 100.0, 200.0], "y": [1.0, 2.0, 3.0, 4.0], "f": ["a", "a", "b", "b"]})
        shared, own = (
            texts(draw(figure_from_evidence(simple(table=apart, facet="f", own_axes=each)), "k")) for each in (False, True)
        )
        assert {"1.25", "1.5"} & set(own)
        assert not {"1.25", "1.5"} & set(shared)

    def test_labels_levels_and_guides_are_text(self) -> None:
        words = texts(draw(figure_from_evidence(FIGURES["facets"]), "k"))
        assert {"8×1", "16×1", "64×3", "standard", "robust", "finetuned", "regime"} <= set(words)
        assert "slope −1" in texts(draw(figure_from_evidence(FIGURES["log"]), "k"))
        assert "chance (0.33)" in texts(draw(figure_from_evidence(FIGURES["scatter"]), "k"))

    def test_takes_labels_literally(self) -> None:
        words = texts(draw(figure_from_evidence(simple(x_label="cost in $ or $^2 <script>", title="<b>&")), "k"))
        assert "cost in $ or $^2 <script>" in words

    def test_draws_a_label_in_any_script_without_a_warning(self) -> None:
        assert "尺寸" in texts(draw(figure_from_evidence(simple(x_label="尺寸")), "k"))

    def test_says_how_many_rows_it_could_not_draw(self) -> None:
        table = pd.DataFrame({"x": [1.0, np.nan, 3.0, 4.0], "y": [1.0, 2.0, -3.0, 4.0]})
        svg = draw(figure_from_evidence(simple(table=table, log_y=True)), "k")
        assert "2 rows are not drawn (missing, or not positive on a logarithmic axis)" in svg

    @pytest.mark.parametrize("kind", ["scatter", "lines", "paired", "strip", "bars"])
    @pytest.mark.parametrize("rows", [0, 2])
    def test_axes_without_a_mark_are_no_figure(self, kind: str, rows: int) -> None:
        """They would look like a result: numbers from 0 to 1 that nobody measured."""
        empty = pd.DataFrame({"x": [None, None], "y": [np.nan, np.nan], "p": [1, 2], "f": [None, None]})[:rows]
        figure = figure_from_evidence(simple(kind=kind, table=empty, pair="p", hue="f", facet="f"))
        with pytest.raises(UndrawableError, match=f"none of its {rows} rows has a number in every column that it draws"):
            draw(figure, "k")

    @pytest.mark.parametrize("log", [False, True])
    @pytest.mark.parametrize("kind", ["scatter", "lines", "strip", "bars"])
    def test_numbers_that_no_axis_can_show_are_said_to_be_that(self, kind: str, log: bool) -> None:
        table = pd.DataFrame({"x": [1.0, 1.0, 2.0], "y": [1e-300, 1e300, 1.7e308]})
        with pytest.raises(UndrawableError, match="too large, or too far apart"):
            draw(figure_from_evidence(simple(kind=kind, table=table, log_y=log)), "k")

    @pytest.mark.parametrize("panels", range(1, 7))
    @pytest.mark.parametrize("own_axes", [False, True])
    def test_words_are_legible_on_a_card_of_one_screen(self, panels: int, own_axes: bool) -> None:
        """The style sheet holds a figure on a short screen to 352 of its pixels, beside text of about 400."""
        table = pd.DataFrame(
            [(f"p{f}", x, x * x, h) for f in range(panels) for x in range(4) for h in "ab"], columns=list("fxyh")
        )
        figure = figure_from_evidence(simple(table=table, facet="f", hue="h", own_axes=own_axes))
        told = {"words": "w" * 90, "verdict": "supported", "zone": [60, 100], "centre": 20, "effect": 50, "low": 40, "high": 60,
                "outside": False}  # fmt: skip
        root = ET.fromstring(draw({**figure, "judged": told}, "k"))
        _, _, wide, high = map(float, (root.get("viewBox") or "").split())
        assert 16 * min(730 / wide, 352 / high) >= 8

    @pytest.mark.parametrize("crowded", ["first", "last"])
    @pytest.mark.parametrize("log", [False, True])
    def test_the_name_of_a_guide_stands_where_fewer_marks_lie_behind_it(self, crowded: str, log: bool) -> None:
        x = np.arange(1.0, 41.0)
        near = x < 15 if crowded == "first" else x > 26
        table = pd.DataFrame({"x": x, "y": np.where(near, 1.02, 2.0)})
        drawn = draw(figure_from_evidence(simple(table=table, reference={"chance": 1.0}, log_y=log)), "k")
        (name,) = [one for one in ET.fromstring(drawn).iter("text") if (one.text or "").startswith("chance")]
        assert ("end" in (name.get("class") or "").split()) is (crowded == "first")

    @given(st.lists(st.text("abc d", min_size=1, max_size=24), min_size=2, max_size=9, unique=True), st.integers(1, 5))
    def test_names_of_categories_never_run_into_each_other(self, names: list[str], panels: int) -> None:
        rows = [(f"p{f}", name, place) for f in range(panels) for place, name in enumerate(names)]
        table = pd.DataFrame(rows, columns=["f", "x", "y"])
        figure = figure_from_evidence(simple(kind="strip", table=table, facet="f"))
        said = [one for one in ET.fromstring(draw(figure, "k")).iter("text") if one.text in names]
        turned = {one.get("transform") is not None for one in said}
        assert len(turned) == 1
        if turned == {False}:
            places = [(float(one.get("x") or 0), 0.6 * 16 * len(one.text or "")) for one in said[: len(names)]]
            assert all(x - a / 2 - (w + b / 2) >= 12 for (w, b), (x, a) in itertools.pairwise(places))

    @pytest.mark.parametrize("kind", ["strip", "bars", "paired"])
    def test_categories_may_be_numbers_booleans_or_words(self, kind: str) -> None:
        for x in (
            [32, 64, 32, 64],
            [True, False, True, False],
            ["a very long name of a category"] * 2 + ["b"] * 2,
        ):
            table = pd.DataFrame({"x": x, "y": [1.0, 2.0, 3.0, 4.0], "p": [0, 0, 1, 1]})
            assert "<svg" in draw(figure_from_evidence(simple(kind=kind, table=table, pair="p")), "k")

    def test_a_regime_has_its_colour_whatever_else_is_drawn(self) -> None:
        def paints(*regimes: str) -> dict[str, int]:
            table = pd.DataFrame({"x": 1.0, "y": 1.0, "regime": regimes})
            style = FigureStyle.of(figure_from_evidence(simple(table=table, hue="regime")))
            return dict(zip(style.hues, style.paints, strict=True))

        assert paints("robust", "standard") == {"standard": 0, "robust": 1}
        assert paints("finetuned", "lazy", "free", "robust") == {"finetuned": 2, "lazy": 0, "free": 3, "robust": 1}

    def test_twelve_series_differ_in_colour_or_marker(self) -> None:
        looks = {(SERIES[index % len(SERIES)], MARKERS[index % len(MARKERS)]) for index in range(12)}
        assert len(looks) == 12


class TestArithmetic:
    def test_mean_and_one_standard_deviation(self) -> None:
        assert _spread([1.0, 2.0, 3.0], log=False) == (2.0, 1.0, 3.0)

    def test_of_the_logarithms_on_a_logarithmic_axis(self) -> None:
        assert _spread([0.1, 1.0, 10.0], log=True) == pytest.approx((1.0, 0.1, 10.0))

    def test_one_value_has_no_spread(self) -> None:
        assert _spread([4.0], log=False) == (4.0, 4.0, 4.0)

    def test_marks_of_a_category_stay_in_its_lane_and_apart(self) -> None:
        places = _scattered([1] * 20, [0.5] * 20, 0.1, 0.2)
        assert all(1.0 <= place <= 1.2 for place in places)
        assert len(set(places)) == 20


def test_drawing_needs_neither_matplotlib_nor_torch() -> None:
    code = (
        "import sys, pandas as pd\nfrom harness.evidence import Figure\nfrom harness.report import figures\n"
        "t = pd.DataFrame({'x': [1.0], 'y': [1.0]})\nassert 'matplotlib' not in sys.modules\n"
        "figures.draw(figures.figure_from_evidence(Figure('scatter', t, 'x', 'y', 't', 'x', 'y')), 'k')\n"
        "assert 'matplotlib' not in sys.modules and 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


class TestGuide:
    """The dashed line of a slope."""

    def end(self, **given: Any) -> tuple[float, float]:
        """Values of x and y at the line's lower end."""
        figure = simple(log_x=True, log_y=True, slope=1.0, **given)
        root = ET.fromstring(draw(figure_from_evidence(figure), "k"))
        ((left, top, wide, high, x0, x1, y0, y1),) = json.loads(root.get("data-panels") or "")
        (guide,) = (line for line in root.iter("path") if line.get("class") == "guide")
        ((x, y), _), *_ = strokes_of(guide.get("d") or "")
        return x0 * (x1 / x0) ** ((x - left) / wide), y0 * (y1 / y0) ** (1 - (y - top) / high)

    @pytest.mark.parametrize("through", [(1.0, 1.0), (2.0, 1.5), (0.1, 0.3)])
    def test_it_goes_through_its_point(self, through: tuple[float, float]) -> None:
        x, y = self.end(through=through)
        assert x == pytest.approx(1.0, rel=0.01)  # where the data begin
        assert y == pytest.approx(through[1] / through[0], rel=0.02)

    def test_without_a_point_through_the_middle_of_the_data(self) -> None:
        x, y = self.end()
        assert y / x == pytest.approx(6 ** (1 / 3) / 8 ** (1 / 3), rel=0.02)  # geometric means of 1, 3, 2 and of 1, 2, 4

    def test_a_point_that_no_logarithm_has_is_refused(self) -> None:
        with pytest.raises(ClaimError, match="positive numbers only"):
            figure_from_evidence(simple(slope=1.0, through=(0.0, 1.0)))


class TestRings:
    """Places that a figure rings, such as a counterexample."""

    def test_a_ring_lies_at_its_place_and_says_what_it_is(self) -> None:
        figure = figure_from_evidence(simple(ringed={"counterexample": {"x": 2.0, "y": 3.0}}))
        root = ET.fromstring(draw(figure, "k"))
        (ring,) = (one for one in root.iter("circle") if one.get("class") == "ring")
        (marks,) = (line for line in root.iter("path") if line.get("class") == "dots l-s1")
        assert (int(ring.get("cx") or ""), int(ring.get("cy") or "")) == strokes_of(marks.get("d") or "")[0][1]
        assert "counterexample" in texts(draw(figure, "k"))
        assert reading(figure).endswith("Ringed: counterexample.")

    @pytest.mark.parametrize("x", [-50.0, 300.0])
    def test_one_beyond_all_marks_is_on_the_paper_with_its_words(self, x: float) -> None:
        root = ET.fromstring(draw(figure_from_evidence(simple(ringed={"counterexample": {"x": x, "y": 99.0}})), "k"))
        (ring,) = (one for one in root.iter("circle") if one.get("class") == "ring")
        (words,) = (one for one in root.iter("text") if one.text == "counterexample")
        wide, high = map(float, (root.get("viewBox") or "").split()[2:])
        assert 0 < int(ring.get("cx") or "") < wide
        assert 0 < int(ring.get("cy") or "") < high
        assert ("end" in (words.get("class") or "")) == (x > 0)  # on the side of the panel that has room
        long = 10 * len("counterexample")
        left = int(words.get("x") or "") - (long if x > 0 else 0)
        assert 0 <= left <= left + long <= wide

    def test_it_lies_in_its_own_panel_only(self) -> None:
        figure = simple(ringed={"that": {"x": 1.0, "y": 1.0, "unused": "b"}}, facet="unused")
        root = ET.fromstring(draw(figure_from_evidence(figure), "k"))
        panels = json.loads(root.get("data-panels") or "")
        (ring,) = (one for one in root.iter("circle") if one.get("class") == "ring")
        left, top, wide, high = panels[1][:4]
        assert left <= int(ring.get("cx") or "") <= left + wide
        assert top <= int(ring.get("cy") or "") <= top + high

    def test_a_figure_without_one_says_nothing_of_rings(self) -> None:
        assert "ringed" not in figure_from_evidence(simple())

    @pytest.mark.parametrize(
        ("place", "said"),
        [
            ({"x": 1.0}, "needs a value for each of x, y"), ({"x": 1.0, "y": float("nan")}, "give a number"),
            ({"x": "one", "y": 1.0}, "give a number"), ({"x": 1.0, "y": 1.0, "z": 2.0}, "for nothing else"),
            (None, "needs a value"),
        ],
    )  # fmt: skip
    def test_a_ring_without_a_place_is_refused(self, place: Any, said: str) -> None:
        with pytest.raises(ClaimError, match=said):
            figure_from_evidence(simple(ringed={"that": place}))
