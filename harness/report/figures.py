"""The picture beside a verdict: from a claim's ``Figure`` to JSON, and from JSON to inline SVG.

The JSON travels in the row, so that a page can be drawn from ``claims.json`` alone.  The SVG has no colours of its own: text,
lines and series carry classes, which the page's style sheet colours for light and for dark.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from harness.errors import ClaimError
from harness.evidence import Figure, TooMuchError
from harness.report import lanes as tidy
from harness.report import svg, text
from harness.report.lanes import FigureStyle
from harness.report.rows import plain
from harness.report.sheet import Sheet

if TYPE_CHECKING:
    import pandas as pd

KINDS: tuple[str, ...] = ("scatter", "lines", "paired", "strip", "bars")
MAX_ROWS = 1500  # 77 figures of this many points still make a page that a browser opens at once
MAX_HUES = 12  # colours beyond this cannot be told apart
MAX_PANELS = 24  # panels beyond this do not go onto one screen
IDENTITY: tuple[str, ...] = (
    "architecture",
    "regime",
    "seed",
    "member",
)  # so that a reader gets down to one model

_NUMERIC_X = ("scatter", "lines")  # the other kinds have categories on the horizontal axis
_READING = {
    "scatter": "One mark a row.",
    "lines": "Line: mean; band: one standard deviation either side.",
    "paired": "One thin line a pair; the thick line joins the means.",
    "strip": "One mark a row; the bar is the mean.",
    "bars": "Bar: mean; whisker: one standard deviation either side.",
}
_SINGLE = {"lines": "One row at each place of a line.", "bars": "One row a bar."}  # nothing is averaged, and nothing spreads


def figure_from_evidence(figure: Figure) -> dict[str, Any]:
    """The figure as JSON: its fields, and ``data`` with the columns that it uses.

    Besides the columns that are drawn, ``data`` keeps those that say which model a row is (architecture,
    regime, seed, member), if the table has them.  NaN and infinity become None.

    Raises:
        ClaimError: a column is missing, or a column drawn as numbers holds something else.
        TooMuchError: there are more rows, colours or panels than can be read.
    """
    if figure.kind not in KINDS:
        raise ClaimError(f"a figure of kind {figure.kind!r} cannot be drawn; the kinds are {', '.join(KINDS)}")
    drawn = [name for name in (figure.x, figure.y, figure.hue, figure.facet, figure.pair) if name is not None]
    columns = [str(name) for name in figure.table.columns]
    if missing := sorted(set(drawn) - set(columns)):
        raise ClaimError(f"the figure names the columns {', '.join(missing)}; its table has {', '.join(columns)}")
    if figure.kind == "paired" and figure.pair is None:
        raise ClaimError("a figure of kind 'paired' needs pair=…, the column that identifies a pair")
    if (rows := len(figure.table)) > MAX_ROWS:
        raise TooMuchError(
            f"the figure has {rows:,} rows, and at most {MAX_ROWS:,} can be read or drawn: "
            "aggregate them first (a mean per seed, a quantile per bin), the full table stays in the evidence"
        )
    kept = list(dict.fromkeys([*drawn, *(name for name in IDENTITY if name in columns)]))
    data = {name: _values(figure.table[name]) for name in kept}
    _check_columns(figure, data)
    _check_rings(figure)
    if figure.through is not None and not all(each > 0 for each in figure.through):
        raise ClaimError(f"the guide line goes through {figure.through!r}; its logarithmic axes show positive numbers only")
    fields = {name: plain(getattr(figure, name)) for name in Figure.__dataclass_fields__ if name != "table"}
    for name in ("through", "ringed"):  # of few figures
        if not fields[name]:
            del fields[name]
    return {**fields, "data": data}


class UndrawableError(ValueError):
    """A figure of which nothing can be drawn; the message says why, for the card that stands without it."""


def draw(figure: Mapping[str, Any], key: str) -> str:
    """The figure as one ``<svg>``: deterministic, without colours, its ids beginning with ``key``.

    Args:
        figure: what :func:`figure_from_evidence` returned.
        key: letters, digits and hyphens; one per figure of a page.

    Raises:
        UndrawableError: no row has a place in it, or its numbers are such that no axis can show them.
        ValueError, KeyError, TypeError: the figure is not one that :func:`figure_from_evidence` makes.
    """
    drawable = _drawable(figure)
    if not any(drawable):
        rows = text.counted(len(drawable), "row", "rows")
        log = ", positive where the axis is logarithmic," if figure["log_x"] or figure["log_y"] else ""
        raise UndrawableError(f"none of its {rows} has a number{log} in every column that it draws")
    try:
        sheet = Sheet.of(figure, tidy.where(figure["data"], drawable), key)
        size, panels = (sheet.wide, sheet.high), json.dumps(sheet.boxes(), separators=(",", ":"))
        inside = sheet.write()
    except OverflowError:
        raise UndrawableError("its numbers are too large, or too far apart, for an axis: give them in another unit") from None
    return svg.whole(
        inside,
        key=key,
        size=size,
        title=str(figure["title"]),
        description=describe(figure),
        more={"data_panels": panels},
    )


def lanes(figure: Mapping[str, Any]) -> dict[str, Any]:
    """Where rows lie inside a panel: the order of panels, categories and colours, and each colour's shift from its category."""
    style = FigureStyle.of(figure)
    facets = tidy.levels(figure["data"][figure["facet"]]) if figure["facet"] else []
    return {
        "facets": facets, "hues": list(style.hues), "categories": list(style.categories) if style.categorical else None,
        "lanes": [round(style.lane(position), 4) for position in range(len(style.hues))],
    }  # fmt: skip


def describe(figure: Mapping[str, Any]) -> str:
    """What the picture shows, in words, for those who cannot see it."""
    rows = len(figure["data"][figure["y"]])
    what = f"{figure['y_label']} against {figure['x_label']}"
    said = f"{figure['kind'].capitalize()} figure of {rows} rows: {what}"
    for role, name in (("colours", figure["hue"]), ("panels", figure["facet"])):
        if name is not None:
            said += f"; {role} by {text.worded(name)}: {', '.join(map(str, tidy.levels(figure['data'][name])))}"
    return f"{said}. {reading(figure)}"


def reading(figure: Mapping[str, Any]) -> str:
    """How to read a figure of this kind, and how many rows it could not draw."""
    single = figure["kind"] in _SINGLE and not _spreads(figure)
    said = (_SINGLE if single else _READING)[figure["kind"]]
    if figure["kind"] == "lines" and (looks := _looks(figure)) & {"thread"}:
        said = "Thick line: mean; thin lines: one network each."
        said += " Band: one standard deviation either side." if "band" in looks else ""
    if figure.get("margin") and Sheet.of(figure, tidy.where(figure["data"], _drawable(figure)), "").lengths():
        said += f" The bar at the right edge is as long as the margin, {text.number(figure['margin'])}."
    if rings := list(figure.get("ringed") or ()):
        said += f" Ringed: {', '.join(rings)}."
    if lost := len(figure["data"][figure["y"]]) - sum(_drawable(figure)):
        log = figure["log_x"] or figure["log_y"]
        why = "missing, or not positive on a logarithmic axis" if log else "missing"
        said += f" {lost} {'row is' if lost == 1 else 'rows are'} not drawn ({why})."
    return said


def _looks(figure: Mapping[str, Any]) -> set[str]:
    """How the marks of a figure look, over all panels."""
    sheet = Sheet.of(figure, tidy.where(figure["data"], _drawable(figure)), "")
    return {shape.look for panel in sheet.panels for shape in panel.shapes}


def _spreads(figure: Mapping[str, Any]) -> bool:
    """Whether anywhere several rows with different values are drawn as their mean."""
    data = tidy.where(figure["data"], _drawable(figure))
    places = zip(*(data[name] for name in (figure["x"], figure["hue"], figure["facet"]) if name is not None), strict=True)
    found: dict[tuple[Any, ...], Any] = {}
    return any(found.setdefault(place, value) != value for place, value in zip(places, data[figure["y"]], strict=True))


def _drawable(figure: Mapping[str, Any]) -> list[bool]:
    """Which rows have a value in every column that is drawn, positive where the axis is logarithmic."""
    data = figure["data"]
    named = [figure[role] for role in ("x", "y", "hue", "facet", "pair") if figure[role] is not None]
    log = [data[figure["y"]]] if figure["log_y"] else []
    if figure["log_x"] and figure["kind"] in _NUMERIC_X:
        log.append(data[figure["x"]])
    return [
        all(data[name][row] is not None for name in named) and all(column[row] > 0 for column in log)
        for row in range(len(data[figure["y"]]))
    ]


def _check_rings(figure: Figure) -> None:
    """Raise a ClaimError where a ring has no place in the figure."""
    for label, place in figure.ringed.items():
        wanted = [name for name in (figure.x, figure.y, figure.facet) if name is not None]
        if not isinstance(place, Mapping) or set(place) != set(wanted):
            raise ClaimError(f"the ring {label!r} needs a value for each of {', '.join(wanted)}, and for nothing else")
        for name, log in ((figure.y, figure.log_y), *([(figure.x, figure.log_x)] if figure.kind in _NUMERIC_X else [])):
            value = place[name]
            if (
                isinstance(value, bool)
                or not isinstance(value, int | float)
                or not math.isfinite(value)
                or (log and value <= 0)
            ):
                need = "a positive number" if log else "a number"
                raise ClaimError(f"the ring {label!r} lies at {name} = {value!r}; give {need}, which its axis can show")
        for name in (*([] if figure.kind in _NUMERIC_X else [figure.x]), *([figure.facet] if figure.facet else [])):
            if place[name] not in list(figure.table[name]):
                raise ClaimError(f"the ring {label!r} lies at {name} = {place[name]!r}, which the figure's table does not have")


def _check_columns(figure: Figure, data: Mapping[str, Sequence[Any]]) -> None:
    numeric = [figure.y, *([figure.x] if figure.kind in _NUMERIC_X else [])]
    for name in numeric:
        if any(value is not None and not isinstance(value, int | float) for value in data[name]):
            raise ClaimError(f"the figure draws column {name!r} on an axis of numbers, and it holds other values")
    for role, column, most in (("hue", figure.hue, MAX_HUES), ("facet", figure.facet, MAX_PANELS)):
        if column is not None and (count := len(tidy.levels(data[column]))) > most:
            raise TooMuchError(f"the figure's {role} {column!r} has {count} levels; at most {most} can be told apart")


def _values(column: pd.Series[Any]) -> list[Any]:
    """A column as JSON; whatever pandas counts as missing (NaN, NA, NaT) is None, and so is infinity."""
    present = column.astype(object).where(column.notna(), None)
    return list(plain(present.tolist()))
