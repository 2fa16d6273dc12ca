"""The picture beside a verdict: from a claim's ``Figure`` to JSON, and from JSON to inline SVG.

The JSON travels in the row, so that a page can be drawn from ``claims.json`` alone.  The SVG holds no
colour of its
own: text, lines and series carry classes, which the page's style sheet colours for light and for dark.
"""

from __future__ import annotations

import io
import math
import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from harness.claim import ClaimError, Figure
from harness.report.rows import plain

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

KINDS: tuple[str, ...] = ("scatter", "lines", "paired", "strip", "bars")
MAX_ROWS = 1500  # 77 figures of this many points still make a page that a browser opens at once
MAX_LEVELS = 12  # colours and panels beyond this cannot be told apart
IDENTITY: tuple[str, ...] = (
    "architecture",
    "regime",
    "seed",
    "member",
)  # so that a reader gets down to one model

_READING = {
    "scatter": "One mark a row.",
    "lines": "Line: mean; band: one standard deviation either side.",
    "paired": "One thin line a pair; the thick line joins the means.",
    "strip": "One mark a row; the bar is the mean.",
    "bars": "Bar: mean; whisker: one standard deviation either side.",
}
_SIZES = {
    1: (5.6, 3.3),
    2: (7.6, 3.1),
}  # inches of (whole figure) by the number of columns; more: three columns


def figure_from_evidence(figure: Figure) -> dict[str, Any]:
    """The figure as JSON: its fields, and ``data`` with the columns that it uses.

    Beside the columns that are drawn, ``data`` keeps those that say which model a row is (architecture,
    regime, seed, member), where the table has them.  NaN and infinity become None.

    Raises:
        ClaimError: a column is missing or is not a number where one is drawn, or there is more than can be
            read.
    """
    if figure.kind not in KINDS:
        raise ClaimError(
            f"a figure of kind {figure.kind!r} cannot be drawn; the kinds are {', '.join(KINDS)}"
        )
    drawn = [name for name in (figure.x, figure.y, figure.hue, figure.facet, figure.pair) if name is not None]
    columns = [str(name) for name in figure.table.columns]
    if missing := sorted(set(drawn) - set(columns)):
        raise ClaimError(
            f"the figure names the columns {', '.join(missing)}; its table has {', '.join(columns)}"
        )
    if figure.kind == "paired" and figure.pair is None:
        raise ClaimError("a figure of kind 'paired' needs pair=…, the column that identifies a pair")
    if (rows := len(figure.table)) > MAX_ROWS:
        raise ClaimError(
            f"the figure has {rows:,} rows, and at most {MAX_ROWS:,} can be read or drawn: "
            "aggregate them first (a mean per seed, a quantile per bin), the full table stays in the evidence"
        )
    kept = list(dict.fromkeys([*drawn, *(name for name in IDENTITY if name in columns)]))
    data: dict[str, list[Any]] = {name: plain(figure.table[name].tolist()) for name in kept}
    _check_columns(figure, data)
    fields = {name: plain(getattr(figure, name)) for name in Figure.__dataclass_fields__ if name != "table"}
    return {**fields, "data": {name: [_missing_is_none(v) for v in values] for name, values in data.items()}}


def draw(figure: Mapping[str, Any], key: str) -> str:
    """The figure as one ``<svg>``: deterministic, without colours of its own, ids beginning with ``key``.

    Args:
        figure: what :func:`figure_from_evidence` returned.
        key: letters, digits and hyphens; one per figure of a page.

    Raises:
        ValueError, KeyError, TypeError: the figure is not one that :func:`figure_from_evidence` makes.
    """
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    from harness.report import panels
    from harness.report.svg import themed

    out = io.StringIO()
    with warnings.catch_warnings(), mpl.rc_context({**panels.STYLE, "svg.hashsalt": key}):
        # A letter that the measuring font lacks is only measured wrongly: the browser draws the text.
        warnings.simplefilter("ignore")
        canvas = FigureCanvasSVG(_compose(figure))
        canvas.print_svg(out, metadata={"Date": None})
    return themed(out.getvalue(), key=key, title=str(figure["title"]), description=describe(figure))


def describe(figure: Mapping[str, Any]) -> str:
    """What the picture shows, in words, for those who cannot see it."""
    rows = len(figure["data"][figure["y"]])
    what = f"{figure['y_label']} against {figure['x_label']}"
    text = f"{figure['kind'].capitalize()} figure of {rows} rows: {what}"
    for role, name in (("colours", figure["hue"]), ("panels", figure["facet"])):
        if name is not None:
            text += f"; {role} by {name}: {', '.join(map(str, levels(figure['data'][name])))}"
    return f"{text}. {reading(figure)}"


def reading(figure: Mapping[str, Any]) -> str:
    """How to read a figure of this kind, and how many rows it could not draw."""
    text = _READING[figure["kind"]]
    if lost := len(figure["data"][figure["y"]]) - sum(_drawable(figure)):
        why = (
            "missing, or not positive on a logarithmic axis"
            if figure["log_x"] or figure["log_y"]
            else "missing"
        )
        text += f" {lost} {'row is' if lost == 1 else 'rows are'} not drawn ({why})."
    return text


def levels(values: Sequence[Any]) -> list[Any]:
    """The distinct values of a column: numbers ascending, anything else in order of appearance."""
    found = list(dict.fromkeys(value for value in values if value is not None))
    return sorted(found) if all(_is_number(value) for value in found) else found


def _compose(figure: Mapping[str, Any]) -> Canvas:
    """A matplotlib figure with one panel per level of the facet; no pyplot, so no global state."""
    from matplotlib.figure import Figure as Canvas

    from harness.report import panels

    data, drawable = figure["data"], _drawable(figure)
    table = {
        name: [v for v, keep in zip(values, drawable, strict=True) if keep] for name, values in data.items()
    }
    facets = levels(data[figure["facet"]]) if figure["facet"] else [None]
    across = min(len(facets), 2 if len(facets) in (2, 4) else 3)
    down = math.ceil(len(facets) / across)
    width, height = _SIZES.get(across, (9.0, 2.9))
    canvas = Canvas(figsize=(width, 0.5 + (height - 0.5) * down), layout="constrained")
    axes = canvas.subplots(down, across, sharex=True, sharey=True, squeeze=False).flatten()
    look = panels.Look.of(figure, levels)
    for axis, level in zip(axes, facets, strict=False):
        here = (
            [level is None or value == level for value in table[figure["facet"]]] if figure["facet"] else None
        )
        rows = (
            {n: [v for v, keep in zip(c, here, strict=True) if keep] for n, c in table.items()}
            if here
            else table
        )
        panels.draw(axis, rows, look)
        if level is not None:
            axis.set_title(f"{figure['facet']} {level}" if _is_number(level) else str(level))
    for axis in axes[len(facets) :]:
        axis.set_visible(False)
    panels.label(canvas, axes[: len(facets)], across, look)
    return canvas


def _drawable(figure: Mapping[str, Any]) -> list[bool]:
    """Which rows have a value in every column that is drawn, positive where the axis is logarithmic."""
    data = figure["data"]
    named = [figure[role] for role in ("x", "y", "hue", "facet", "pair") if figure[role] is not None]
    log = [
        data[figure[axis]]
        for axis in ("x", "y")
        if figure[f"log_{axis}"] and (axis == "y" or _numeric_x(figure))
    ]
    return [
        all(data[name][row] is not None for name in named) and all(column[row] > 0 for column in log)
        for row in range(len(data[figure["y"]]))
    ]


def _numeric_x(figure: Mapping[str, Any]) -> bool:
    return figure["kind"] in ("scatter", "lines")


def _check_columns(figure: Figure, data: Mapping[str, Sequence[Any]]) -> None:
    numeric = [figure.y, *([figure.x] if figure.kind in ("scatter", "lines") else [])]
    for name in numeric:
        if any(value is not None and not isinstance(value, int | float) for value in data[name]):
            raise ClaimError(
                f"the figure draws column {name!r} on an axis of numbers, and it holds other values"
            )
    for role, column in (("hue", figure.hue), ("facet", figure.facet)):
        if column is not None and (count := len(levels(data[column]))) > MAX_LEVELS:
            raise ClaimError(
                f"the figure's {role} {column!r} has {count} levels; at most {MAX_LEVELS} can be told apart"
            )


def _missing_is_none(value: Any) -> Any:
    """Pandas' own marks of a missing value (NA, NaT), which :func:`plain` has turned into text."""
    return None if isinstance(value, str) and value in ("<NA>", "NaT") else value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
