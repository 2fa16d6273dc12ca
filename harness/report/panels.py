"""What the five kinds of panel show, as strokes through values; the panel that they lie in gives them their places."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.report import text
from harness.report.lanes import Columns, FigureStyle, at_level
from harness.report.svg import DASHES, SERIES, Point

_LONG = 25  # places of a line beyond which marks would hide it; its dashes still tell it
_THREADS = 24  # single networks of a colour beyond which thin lines are only a grey cloud


@dataclass(frozen=True)
class Shape:
    """Strokes that look alike.

    Attributes:
        look: their class.
        strokes: each through its points, in the values of the two axes.
        paint: number of the series; None for ink and guides.
        mark: diameter of the mark at every point, in units; None for none.
        closed: whether each stroke is an area.
        counts: whether the axes must hold it.
        words: name at the end of a guide, or beside a ring.
    """

    look: str
    strokes: Sequence[Sequence[Point]]
    paint: int | None = None
    mark: float | None = None
    closed: bool = False
    counts: bool = True
    words: str | None = None

    @property
    def classes(self) -> str:
        """The classes of its element: lines are stroked and areas filled in the colour of the series."""
        if self.paint is None:
            return self.look
        dash = f" d{self.paint % DASHES}" if self.look == "line" and self.paint % DASHES else ""
        return f"{self.look} {'f' if self.closed else 'l'}-{SERIES[self.paint % len(SERIES)]}{dash}"


def rings(style: FigureStyle, level: Any) -> Iterator[Shape]:
    """The rings of one panel, that of a level of the facet: none of the rows need lie there."""
    figure = style.figure
    for label, place in (figure.get("ringed") or {}).items():
        if figure["facet"] is None or place[figure["facet"]] == level:
            x = style.categories.index(place[figure["x"]]) if style.categorical else place[figure["x"]]
            yield Shape("ring", [[(x, place[figure["y"]])]], words=str(label))


def shapes(rows: Columns, style: FigureStyle) -> list[Shape]:
    """The marks of one panel of ``style.figure`` from its ``rows``, what lies below first."""
    kinds = {"scatter": _scatter, "lines": _lines, "paired": _paired, "strip": _strip, "bars": _bars}
    found = list(kinds[style.figure["kind"]](rows, style))
    if style.figure["slope"] is not None:
        found += _guide(rows, style.figure)
    return found


def _scatter(rows: Columns, style: FigureStyle) -> Iterator[Shape]:
    for position, _, x, y in style.series(rows):
        yield Shape("dots", [sorted(zip(x, y, strict=True))], style.paints[position], mark=10.0)


def _lines(rows: Columns, style: FigureStyle) -> Iterator[Shape]:
    log = style.figure["log_y"]
    for position, hue, x, y in style.series(rows):
        paint, at = style.paints[position], sorted(set(x))
        spreads = [_spread([v for u, v in zip(x, y, strict=True) if u == where], log=log) for where in at]
        means, lows, highs = ([spread[part] for spread in spreads] for part in range(3))
        if threads := _threads(at_level(rows, style.figure["hue"], hue), style.figure):
            yield Shape("thread", threads, paint)
        elif lows != highs:
            yield Shape(
                "band", [[*zip(at, lows, strict=True), *reversed(list(zip(at, highs, strict=True)))]], paint, closed=True
            )
        yield Shape("line", [list(zip(at, means, strict=True))], paint, mark=None if len(at) > _LONG else 8.4)


def _threads(rows: Columns, figure: Mapping[str, Any]) -> list[list[Point]]:
    """The lines of single networks, where the rows say whose they are and they can be told apart; else none."""
    who = [name for name in ("architecture", "regime", "seed", "member") if name in rows and name != figure["x"]]
    if "seed" not in who and "member" not in who:
        return []
    own: dict[tuple[Any, ...], dict[float, float]] = {}
    for row, (x, y) in enumerate(zip(rows[figure["x"]], rows[figure["y"]], strict=True)):
        thread = own.setdefault(tuple(rows[name][row] for name in who), {})
        if x in thread:
            return []  # what tells these rows apart is in no column
        thread[x] = y
    if not 1 < len(own) <= _THREADS:
        return []
    return [sorted(thread.items()) for thread in own.values()]


def _paired(rows: Columns, style: FigureStyle) -> Iterator[Shape]:
    figure = style.figure
    for position, hue in enumerate(style.hues):
        own = at_level(rows, figure["hue"], hue)
        pairs: dict[Any, list[Point]] = {}
        for pair, x, y in zip(own[figure["pair"]], own[figure["x"]], own[figure["y"]], strict=True):
            place = style.categories.index(x) + style.lane(position)
            pairs.setdefault(pair, []).append((place, y))
        points = sorted(point for pair in pairs.values() for point in pair)
        if not points:
            continue
        yield Shape("pair", [sorted(pair) for pair in pairs.values()], style.paints[position], mark=7.2)
        at = sorted({x for x, _ in points})
        means = [_spread([y for x, y in points if x == here], log=figure["log_y"])[0] for here in at]
        yield Shape("mean", [list(zip(at, means, strict=True))], style.paints[position])


def _strip(rows: Columns, style: FigureStyle) -> Iterator[Shape]:
    for position, _, x, y in style.series(rows):
        shift, width = style.dodge(position)
        places = _scattered(x, y, shift, width)
        yield Shape("dots", [sorted(zip(places, y, strict=True))], style.paints[position], mark=8.4)
        bars = []
        for where in sorted(set(x)):
            mean = _spread([v for u, v in zip(x, y, strict=True) if u == where], log=style.figure["log_y"])[0]
            bars.append([(where + shift - width * 0.42, mean), (where + shift + width * 0.42, mean)])
        yield Shape("average", bars)


def _bars(rows: Columns, style: FigureStyle) -> Iterator[Shape]:
    for position, _, x, y in style.series(rows):
        shift, width = style.dodge(position)
        boxes, whiskers = [], []
        for where in sorted(set(x)):
            values = [v for u, v in zip(x, y, strict=True) if u == where]
            mean, low, high = _spread(values, log=style.figure["log_y"])
            left, right, foot = where + shift - width * 0.44, where + shift + width * 0.44, _foot(style.figure)
            boxes.append([(left, foot), (left, mean), (right, mean), (right, foot)])
            if len(values) > 1:
                whiskers.append([(where + shift, low), (where + shift, high)])
        yield Shape("bar", boxes, style.paints[position], closed=True)
        yield Shape("whisker", whiskers)


def _foot(figure: Mapping[str, Any]) -> float:
    """Where bars begin: at 0, and on a logarithmic axis below all values."""
    return -math.inf if figure["log_y"] else 0.0


def _guide(rows: Columns, figure: Mapping[str, Any]) -> Iterator[Shape]:
    """A dashed line of the given slope, in logarithms of both through its point or else through the middle of the data."""
    points = [(math.log(x), math.log(y)) for x, y in zip(rows[figure["x"]], rows[figure["y"]], strict=True)
              if x > 0 and y > 0]  # fmt: skip
    if not points:
        return
    through = figure.get("through")
    x0, y0 = map(math.log, through) if through else (statistics.fmean(side) for side in zip(*points, strict=True))
    low, high = min(x for x, _ in points), max(x for x, _ in points)
    ends = [(math.exp(x), math.exp(y0 + figure["slope"] * (x - x0))) for x in (low, high)]
    equal = through and figure["slope"] == 1 and through[0] == through[1]
    yield Shape("guide", [ends], words="equal" if equal else f"slope {text.number(figure['slope'])}")


def _spread(values: Sequence[float], *, log: bool) -> tuple[float, float, float]:
    """Mean, and the mean less and plus one standard deviation; of the logarithms on a logarithmic axis."""
    numbers = [math.log(value) for value in values] if log else values
    mean = statistics.fmean(numbers)
    deviation = math.sqrt(math.fsum((each - mean) ** 2 for each in numbers) / (len(numbers) - 1)) if len(numbers) > 1 else 0.0
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
