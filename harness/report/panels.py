"""The five kinds of panel, drawn with matplotlib in one style.

Colours are only placeholders: the SVG's post-processing (:mod:`harness.report.svg`) turns each into a class.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from harness.report import text
from harness.report.lanes import Columns, FigureStyle, at_level
from harness.report.svg import GRID, GUIDE, INK, PAPER, SERIES, SOFT

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

STYLE: dict[str, Any] = {
    "svg.fonttype": "none", "text.parse_math": False, "axes.unicode_minus": True,
    "font.family": "DejaVu Sans", "font.size": 8.5, "axes.titlesize": 8.5, "axes.labelsize": 8.5,
    "xtick.labelsize": 8, "ytick.labelsize": 8, "legend.fontsize": 8, "legend.title_fontsize": 8,
    "text.color": INK, "axes.labelcolor": INK, "axes.titlecolor": INK, "xtick.labelcolor": INK,
    "ytick.labelcolor": INK, "axes.edgecolor": SOFT, "xtick.color": SOFT, "ytick.color": SOFT,
    "axes.linewidth": 0.7, "xtick.major.width": 0.7, "ytick.major.width": 0.7, "xtick.major.size": 3,
    "ytick.major.size": 3, "xtick.minor.size": 0, "ytick.minor.size": 0, "axes.spines.top": False,
    "axes.spines.right": False, "axes.grid": True, "axes.grid.axis": "y", "grid.color": GRID,
    "grid.linewidth": 0.6, "axes.axisbelow": True, "axes.facecolor": "none", "figure.facecolor": "none",
    "axes.titlelocation": "left", "axes.xmargin": 0.04, "axes.ymargin": 0.06,
    "legend.frameon": False, "legend.borderaxespad": 0.0, "legend.handletextpad": 0.4,
    "legend.columnspacing": 1.4, "legend.handlelength": 1.6,
}  # fmt: skip
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "p", "h", "*")
DASHES = ("-", (0, (5, 1.6)), (0, (1.4, 1.4)), (0, (5, 1.4, 1.4, 1.4)))


def draw(axis: Axes, rows: Columns, style: FigureStyle) -> None:
    """Draw one panel of ``style.figure`` from ``rows``: axes first, so that marks lie above guides."""
    figure = style.figure
    _prepare(axis, style)
    {"scatter": _scatter, "lines": _lines, "paired": _paired, "strip": _strip, "bars": _bars}[figure["kind"]](axis, rows, style)
    for name, height in figure["reference"].items():
        axis.axhline(height, color=GUIDE, lw=0.9, ls=(0, (4, 3)), zorder=1.5)
        axis.annotate(
            f"{name} ({text.number(height)})", (1, height), (0, 2), xycoords=("axes fraction", "data"),
            textcoords="offset points", ha="right", va="bottom", fontsize=7.5, color=SOFT,
        )  # fmt: skip
    if figure["slope"] is not None:
        _guide(axis, rows, figure)


def label(canvas: Canvas, axes: Sequence[Axes], across: int, style: FigureStyle) -> None:
    """Axis labels on the outer panels only, and one legend above all of them."""
    wide, high = canvas.get_figwidth(), canvas.get_figheight()
    across_label, up_label = _wrapped(style.figure["x_label"], wide - 1.0), _wrapped(style.figure["y_label"], high - 1.1)
    if len(axes) == 1:
        axes[0].set(xlabel=across_label, ylabel=up_label)
    else:
        canvas.supxlabel(across_label, fontsize=STYLE["axes.labelsize"])
        canvas.supylabel(up_label, fontsize=STYLE["axes.labelsize"])
    for axis in axes[-across:]:
        axis.tick_params(labelbottom=True)  # a shorter last row leaves panels without a neighbour below
    if style.hues == (None,):
        return
    handles: dict[str, Any] = {}
    for axis in axes:
        for handle, name in zip(*axis.get_legend_handles_labels(), strict=True):
            handles.setdefault(name, handle)
    if not handles:
        return
    room = canvas.get_figwidth() * 72 - 60
    columns = max(1, min(len(handles), int(room // (28 + 4.6 * max(map(len, handles))))))
    canvas.legend(
        handles.values(), handles.keys(), loc="outside upper left", ncols=columns, title=text.worded(style.figure["hue"]),
        alignment="left",
    )  # fmt: skip


def _wrapped(label: str, inches: float) -> str:
    """A label in as many lines as it needs beside an axis of this length."""
    return textwrap.fill(label, max(12, int(inches * 72 / (0.56 * STYLE["axes.labelsize"]))))


def _prepare(axis: Axes, style: FigureStyle) -> None:
    figure = style.figure
    for name, log in (("x", figure["log_x"] and not style.categorical), ("y", figure["log_y"])):
        if log:
            axis.set(**{f"{name}scale": "log"})
            chosen, values = (
                getattr(axis, f"{name}axis"),
                [v for v in figure["data"][figure[name]] if v and v > 0],
            )
            narrow = values and math.log10(max(values) / min(values)) < 2.2
            chosen.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if narrow else (1.0,), numticks=7))
            chosen.set_major_formatter(FuncFormatter(lambda value, _: text.number(float(value), 1)))
            chosen.set_minor_formatter(NullFormatter())
    if not figure["log_y"]:
        axis.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
    if style.categorical:
        names = [text.cell(category) for category in style.categories]
        crowded = sum(map(len, names)) * max(1, len(axis.figure.axes)) > 90
        axis.set_xticks(range(len(names)), names)
        if crowded:
            axis.tick_params(axis="x", labelrotation=30)
            for tick_label in axis.get_xticklabels():
                tick_label.set(ha="right", rotation_mode="anchor")
        axis.set_xlim(-0.6, max(0, len(names) - 1) + 0.6)
    elif not figure["log_x"]:
        axis.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 2.5, 5, 10]))


def _mark(paint: int, size: float = 5.0) -> dict[str, Any]:
    """Marker and colour of a series: the pairs are distinct for more series than a figure may have."""
    return {
        "marker": MARKERS[paint % len(MARKERS)], "ms": size, "color": SERIES[paint % len(SERIES)],
        "mec": PAPER, "mew": 0.5,
    }  # fmt: skip


def _scatter(axis: Axes, rows: Columns, style: FigureStyle) -> None:
    for position, hue, x, y in style.series(rows):
        axis.plot(x, y, ls="none", alpha=0.85, label=_name(hue), **_mark(style.paints[position]))


def _lines(axis: Axes, rows: Columns, style: FigureStyle) -> None:
    for position, hue, x, y in style.series(rows):
        at = sorted(set(x))
        groups = [[v for u, v in zip(x, y, strict=True) if u == where] for where in at]
        spreads = [_spread(values, log=style.figure["log_y"]) for values in groups]
        means, lows, highs = ([spread[part] for spread in spreads] for part in range(3))
        mark = _mark(style.paints[position], 4.2)
        if len(at) > 25:
            mark["marker"] = ""  # marks would hide a long line; its dashes still tell it
        axis.fill_between(at, lows, highs, color=SERIES[style.paints[position] % len(SERIES)], alpha=0.16, lw=0)
        axis.plot(at, means, ls=DASHES[style.paints[position] % len(DASHES)], lw=1.5, label=_name(hue), **mark)


def _paired(axis: Axes, rows: Columns, style: FigureStyle) -> None:
    figure = style.figure
    for position, hue in enumerate(style.hues):
        own = at_level(rows, figure["hue"], hue)
        pairs: dict[Any, list[tuple[float, float]]] = {}
        for pair, x, y in zip(own[figure["pair"]], own[figure["x"]], own[figure["y"]], strict=True):
            place = style.categories.index(x) + style.lane(position)
            pairs.setdefault(pair, []).append((place, y))
        points = sorted(point for pair in pairs.values() for point in pair)
        if not points:
            continue
        gap = (math.nan, math.nan)  # ends a pair's line, so that all pairs of a colour are one path
        strokes = zip(*(point for pair in pairs.values() for point in [*sorted(pair), gap]), strict=True)
        axis.plot(*strokes, lw=0.7, alpha=0.6, label=_name(hue), **_mark(style.paints[position], 3.6))
        at = sorted({x for x, _ in points})
        means = [_spread([y for x, y in points if x == here], log=figure["log_y"])[0] for here in at]
        axis.plot(at, means, lw=2.4, color=SERIES[style.paints[position] % len(SERIES)])


def _strip(axis: Axes, rows: Columns, style: FigureStyle) -> None:
    for position, hue, x, y in style.series(rows):
        shift, width = style.dodge(position)
        axis.plot(
            _scattered(x, y, shift, width), y, ls="none", alpha=0.8, label=_name(hue), **_mark(style.paints[position], 4.2)
        )
        for where in sorted(set(x)):
            mean = _spread([v for u, v in zip(x, y, strict=True) if u == where], log=style.figure["log_y"])[0]
            middle = where + shift
            axis.plot([middle - width * 0.42, middle + width * 0.42], [mean, mean], color=INK, lw=1.6)


def _bars(axis: Axes, rows: Columns, style: FigureStyle) -> None:
    for position, hue, x, y in style.series(rows):
        shift, width = style.dodge(position)
        at = sorted(set(x))
        groups = [[v for u, v in zip(x, y, strict=True) if u == where] for where in at]
        spreads = [_spread(values, log=style.figure["log_y"]) for values in groups]
        middles = [where + shift for where in at]
        axis.bar(
            middles, [mean for mean, _, _ in spreads], width * 0.88, label=_name(hue), alpha=0.9,
            color=SERIES[style.paints[position] % len(SERIES)],
        )  # fmt: skip
        for middle, (_, low, high), values in zip(middles, spreads, groups, strict=True):
            if len(values) > 1:
                axis.plot([middle, middle], [low, high], color=INK, lw=1.1)


def _guide(axis: Axes, rows: Columns, figure: Mapping[str, Any]) -> None:
    """A dashed line of the given slope through the middle of the data in logarithms of both."""
    points = [(math.log(x), math.log(y)) for x, y in zip(rows[figure["x"]], rows[figure["y"]], strict=True)
              if x > 0 and y > 0]  # fmt: skip
    if not points:
        return
    (x0, y0), (low, high) = np.mean(points, axis=0), (min(x for x, _ in points), max(x for x, _ in points))
    ends = [(math.exp(x), math.exp(y0 + figure["slope"] * (x - x0))) for x in (low, high)]
    axis.plot(*zip(*ends, strict=True), color=GUIDE, lw=1.1, ls=(0, (5, 3)), zorder=1.6)
    rises = figure["slope"] > 0  # the name stands at the upper end, on the side that the line leaves free
    axis.annotate(
        f"slope {text.number(figure['slope'])}", ends[rises], (-6, 4) if rises else (6, 4),
        textcoords="offset points", ha="right" if rises else "left", va="bottom", fontsize=7.5, color=SOFT,
    )  # fmt: skip


def _spread(values: Sequence[float], *, log: bool) -> tuple[float, float, float]:
    """Mean, and the mean less and plus one standard deviation; of the logarithms on a logarithmic axis."""
    numbers = np.log(values) if log else np.asarray(values, dtype=float)
    mean, deviation = float(numbers.mean()), float(numbers.std(ddof=1)) if len(numbers) > 1 else 0.0
    ends = (mean, mean - deviation, mean + deviation)
    return (math.exp(ends[0]), math.exp(ends[1]), math.exp(ends[2])) if log else ends


def _scattered(x: Sequence[int], y: Sequence[float], shift: float, width: float) -> list[float]:
    """Positions beside a category that keep neighbours apart: the van der Corput sequence by rank."""
    placed = [0.0] * len(x)
    for category in set(x):
        members = sorted((index for index in range(len(x)) if x[index] == category), key=lambda index: y[index])
        for rank, index in enumerate(members, 1):
            fraction = sum(int(bit) / 2 ** (place + 1) for place, bit in enumerate(reversed(f"{rank:b}")))
            spread = width * min(0.8, 0.1 * len(members))
            placed[index] = category + shift + (fraction - 0.5) * spread if len(members) > 1 else category + shift
    return placed


def _name(hue: Any) -> str | None:
    return None if hue is None else text.cell(hue)
