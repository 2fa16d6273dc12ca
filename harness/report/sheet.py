"""A figure laid out: panels side by side with axes, ticks, names and one legend, written as SVG.

All lengths are units of the drawing, two a point.  Words are measured by their letters only, since the reader's browser chooses
the font; so everything around a panel has some room to spare.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from harness.report import lanes, svg, text
from harness.report.axes import Scale
from harness.report.lanes import Columns, FigureStyle
from harness.report.panels import Shape, rings, shapes

_SIZES = {1: (806, 475), 2: (1094, 446), 3: (1296, 418)}  # whole figure by its columns, the height for one row of panels
# Height of one of several rows: flat, so that words stay legible on a card of one screen.
_FLAT = {1: 300, 2: 280, 3: 262}
_WORDS, _NUMBERS, _LINE = 17, 16, 21  # heights of letters, and of a line
_LARGEST = 19  # that the style sheet gives letters on a narrow screen
_GAP, _HEAD, _TICK, _PAD, _FOOT = 28, 28, 6, 6, 4
_RING = 11  # radius of a ring around a place
_TURNED, _APART = 30, 14  # degrees; room between the names of two categories, which are turned where there is less
_BESIDE = 8  # between the name of the vertical axis and its numbers


@dataclass(frozen=True)
class Panel:
    """One panel: what it shows, its axes, and its place.

    Attributes:
        name: what stands above it.
        level: of the facet.
        shapes: its marks.
        x: the horizontal axis.
        y: the vertical axis.
        row: its place in the grid, from the top.
        column: from the left.
    """

    name: str | None
    level: Any
    shapes: Sequence[Shape]
    x: Scale
    y: Scale
    row: int
    column: int


@dataclass(frozen=True)
class Sheet:
    """A figure's panels and what surrounds them."""

    style: FigureStyle
    panels: Sequence[Panel]
    across: int
    down: int
    key: str

    @classmethod
    def of(cls, figure: Mapping[str, Any], table: Columns, key: str) -> Sheet:
        """The sheet of ``figure``, whose rows that can be drawn are ``table``; panels by its facet."""
        style = FigureStyle.of(figure)
        facets = lanes.levels(figure["data"][figure["facet"]]) if figure["facet"] else [None]
        count = max(1, len(facets))
        across = min(count, 2 if count in (2, 4) else 3)
        drawn = [
            [*shapes(lanes.at_level(table, figure["facet"] if level is not None else None, level), style), *rings(style, level)]
            for level in facets
        ]
        shared = [shape for each in drawn for shape in each]
        panels = []
        for place, (level, marks) in enumerate(zip(facets, drawn, strict=True)):
            x, y = _scales(marks if figure["own_axes"] else shared, style)
            panels.append(Panel(_headed(figure["facet"], level), level, marks, x, y, place // across, place % across))
        return cls(style, panels or [Panel(None, None, [], *_scales([], style), 0, 0)], across, math.ceil(count / across), key)

    @property
    def wide(self) -> int:
        """Width of the whole."""
        return _SIZES[self.across][0]

    @property
    def high(self) -> float:
        """Height of the whole: that of its rows, and a line for each of the legend beyond the first."""
        return self._grid() + self._told() + _LINE * max(0, len(self._legend()) - 1) + max(0.0, self._below() - 3 * _LINE)

    def _grid(self) -> float:
        """Height of the rows of panels, with one line of names above and below."""
        return float(_SIZES[self.across][1]) if self.down == 1 else 36.0 + _FLAT[self.across] * self.down

    def box(self, panel: Panel) -> tuple[float, float, float, float]:
        """Left, top, width and height of a panel."""
        left, top = self._before(), self._above()
        each, wide = self._shares()
        apart = (_HEAD if panel.name is not None else 0) + (_LINE + 3 * _TICK if self._own else _GAP / 2)
        high = (self.high - top - self._below() - apart * (self.down - 1)) / self.down
        return left + panel.column * (wide + each), top + panel.row * (high + apart), wide, high

    def _shares(self) -> tuple[float, float]:
        """Between two panels of a row, and the width of one."""
        each = _GAP + (self._numbers() + _TICK if self._own else 0)
        return each, (self.wide - self._before() - 2 * _PAD - each * (self.across - 1)) / self.across

    def boxes(self) -> list[list[float]]:
        """Place and ranges of every panel, for a script: left, top, width, height, x from, to, y from, to."""
        return [
            [*(round(edge, 1) for edge in self.box(panel)),
             *(float(f"{end:.6g}") for end in (panel.x.low, panel.x.high, panel.y.low, panel.y.high))]
            for panel in self.panels
        ]  # fmt: skip

    def write(self) -> str:
        """All elements of the drawing."""
        said, marks = [], dict[tuple[int, float], str]()
        for panel in self.panels:
            said.append("".join([*self._axes(panel), *self._marks(panel, marks), *self._guides(panel)]))
        return self._defined(marks) + "".join([*self._judged(), *said, *self._lengths(), *self._names(marks)])

    # What surrounds the panels.

    @property
    def _own(self) -> bool:
        return bool(self.style.figure["own_axes"]) and len(self.panels) > 1

    def _numbers(self) -> float:
        return max((svg.width(words, _NUMBERS) for panel in self.panels for _, words in panel.y.ticks(5)), default=0.0)

    def _upright(self) -> list[str]:
        return _wrapped(self.style.figure["y_label"], self._grid() - 150)

    def _level(self) -> list[str]:
        return _wrapped(self.style.figure["x_label"], self.wide - 150)

    def _before(self) -> float:
        names = _LINE * len(self._upright())
        return _PAD + names + (_BESIDE if names else 0) + self._numbers() + 2 * _TICK

    def _above(self) -> float:
        head = _HEAD if self.panels[0].name is not None else 0
        return _PAD + self._told() + _LINE * len(self._legend()) + (10 if self._legend() else 4) + head

    def _below(self) -> float:
        return self._room() + _TICK + _FOOT + _LINE * len(self._level()) + _FOOT

    def _categories(self) -> list[str]:
        return [text.cell(category) for category in self.style.categories] if self.style.categorical else []

    def _turned(self) -> bool:
        axis, names = self.panels[0].x, [svg.width(words, _NUMBERS) for words in self._categories()]
        step = self._shares()[1] / (axis.high - axis.low) if names else 0.0  # categories are one apart
        return any((one + other) / 2 + _APART > step for one, other in pairwise(names))

    def _room(self) -> float:
        """Height of what stands below the horizontal axis."""
        if not self._turned():
            return _LINE
        longest = max(svg.width(words, _NUMBERS) for words in self._categories())
        return longest * math.sin(math.radians(_TURNED)) + _NUMBERS

    def _legend(self) -> list[list[tuple[int | None, str, float]]]:
        """Lines of the legend: (number of the series, or None for its title; words; place)."""
        if self.style.hues == (None,):
            return []
        lines: list[list[tuple[int | None, str, float]]] = [[]]
        at = float(_PAD)
        entries: list[tuple[int | None, str]] = [(None, text.worded(self.style.figure["hue"]))]
        entries += [(paint, text.cell(hue)) for paint, hue in zip(self.style.paints, self.style.hues, strict=True)]
        for paint, words in entries:
            room = svg.width(words, _LARGEST) + (44 if paint is not None else 0)
            if at + room > self.wide - _PAD and lines[-1]:
                lines.append([])
                at = float(_PAD)
            lines[-1].append((paint, words, at))
            at += room + 22
        return lines

    # Writing.

    def _axes(self, panel: Panel) -> Iterator[str]:
        left, top, wide, high = self.box(panel)
        right, foot = left + wide, top + high
        up = [(foot - high * panel.y.share(value), words) for value, words in panel.y.ticks(5)]
        yield svg.element("path", class_="mesh", d=svg.path([[(left, y), (right, y)] for y, _ in up])) if up else ""
        below = self._below_axis(panel)
        strokes = [[(left, top), (left, foot), (right, foot)], *([(left - _TICK, y), (left, y)] for y, _ in up),
                   *([(x, foot), (x, foot + _TICK)] for x, _ in below)]  # fmt: skip
        yield svg.element("path", class_="axis", d=svg.path(strokes))
        if self._own or panel.column == 0:
            at = round(left - 2 * _TICK)
            yield svg.element("g", "".join(svg.text(words, at, y + 6) for y, words in up), class_="end") if up else ""
        if self._own or not any((other.row, other.column) == (panel.row + 1, panel.column) for other in self.panels):
            yield self._below_words(below, foot + _TICK + _NUMBERS)
        if panel.name is not None:
            decides = panel.level is not None and str(panel.level) == self.style.figure.get("decides")
            yield svg.text(
                f"{panel.name} (decides)" if decides else panel.name, left, top - 10, class_="decides" if decides else None
            )

    def _below_axis(self, panel: Panel) -> list[tuple[float, str]]:
        left, _, wide, _ = self.box(panel)
        if self.style.categorical:
            ticks: list[tuple[float, str]] = [(float(place), words) for place, words in enumerate(self._categories())]
        else:
            room = max((svg.width(words, _NUMBERS) for _, words in panel.x.ticks(6)), default=0.0)
            ticks = panel.x.ticks(min(6, max(2, int(wide / (room + 24)))))
        return [(left + wide * panel.x.share(value), words) for value, words in ticks]

    def _below_words(self, ticks: Sequence[tuple[float, str]], y: float) -> str:
        if not ticks:
            return ""
        if not self._turned():
            # A number at the end of the axis moves inwards rather than be cut off.
            last = math.inf if self.style.categorical else self.wide
            placed = [(words, min(x, last - svg.width(words, _LARGEST) / 2)) for x, words in ticks]
            return svg.element("g", "".join(svg.text(words, x, y) for words, x in placed), class_="mid")
        said = [svg.text(words, x + 6, y - 4, transform=f"rotate(-{_TURNED} {x + 6:.0f} {y - 4:.0f})") for x, words in ticks]
        return svg.element("g", "".join(said), class_="end")

    def _marks(self, panel: Panel, marks: dict[tuple[int, float], str]) -> Iterator[str]:
        left, top, wide, high = self.box(panel)
        for height in self.style.figure["reference"].values():
            y = top + high * (1 - panel.y.share(height))
            yield svg.element("path", class_="guide", d=svg.path([[(left, y), (left + wide, y)]]))
        for shape in panel.shapes:
            strokes = [
                [
                    (left + wide * panel.x.share(x), top + high * (1 - (0.0 if y == -math.inf else panel.y.share(y))))
                    for x, y in stroke
                ]
                for stroke in shape.strokes
            ]
            if not any(strokes):
                continue
            if shape.look == "ring":
                (x, y) = strokes[0][0]
                yield svg.element("circle", class_="ring", cx=round(x), cy=round(y), r=_RING)
                continue
            held = None
            if shape.paint is not None and shape.mark is not None:
                place = len(marks)
                held = f"url(#{marks.setdefault((shape.paint, shape.mark), f'{self.key}-{place}')})"
            looks = None if held is None else f"marker:{held}"
            yield svg.element("path", class_=shape.classes, d=svg.path(strokes, shape.closed), style=looks)

    def _guides(self, panel: Panel) -> Iterator[str]:
        """Names of guides: of a height at the end with fewer marks, of a slope at its upper one, where the line leaves room."""
        left, top, wide, high = self.box(panel)
        for name, height in self.style.figure["reference"].items():
            y = top + high * (1 - panel.y.share(height)) - 5
            said = text.number(height)
            words = name if name == said else f"{name} ({said})"
            room = svg.width(words, _NUMBERS)
            first, last = (self._covered(panel, at, y, room) for at in (left, left + wide - room))
            yield svg.text(words, left if first < last else left + wide, y, class_="small" if first < last else "small end")
        for shape in panel.shapes:
            if shape.words is None:
                continue
            if shape.look == "ring":
                yield self._beside(panel, shape)
                continue
            (x0, y0), (x1, y1) = shape.strokes[0]
            x, y = (x1, y1) if y1 > y0 else (x0, y0)
            place = left + wide * panel.x.share(x), top + high * (1 - panel.y.share(y))
            yield svg.text(shape.words, place[0] + (-12 if y1 > y0 else 12), place[1] - 8,
                           class_="small end" if y1 > y0 else "small")  # fmt: skip

    def _covered(self, panel: Panel, x: float, y: float, wide: float) -> int:
        """How many marks lie behind words that begin at a place."""
        left, top, width, high = self.box(panel)
        places = (
            (left + width * panel.x.share(across), top + high * (1 - panel.y.share(up)))
            for shape in panel.shapes if shape.paint is not None
            for stroke in shape.strokes for across, up in stroke if up != -math.inf
        )  # fmt: skip
        return sum(x <= across <= x + wide and y - _NUMBERS <= down <= y + _TICK for across, down in places)

    def _beside(self, panel: Panel, shape: Shape) -> str:
        """The words of a ring, on the side on which the panel has more room."""
        left, top, wide, high = self.box(panel)
        x, y = shape.strokes[0][0]
        across, down = left + wide * panel.x.share(x), top + high * (1 - panel.y.share(y))
        before = across > left + wide / 2
        at = across + (-1 if before else 1) * (_RING + 6)
        return svg.text(shape.words or "", at, down + 6, class_="ringed end" if before else "ringed")

    def _names(self, marks: dict[tuple[int, float], str]) -> Iterator[str]:
        """Names of the axes, and the legend."""
        middle = self._above() + (self.high - self._above() - self._below()) / 2
        for number, words in enumerate(self._upright(), 1):
            x = _PAD + _LINE * number - 5
            yield svg.text(words, x, middle, class_="mid", transform=f"rotate(-90 {x:.0f} {middle:.0f})")
        lines = self._level()
        centre = (self._before() + self.wide) / 2
        for number, words in enumerate(reversed(lines)):
            yield svg.text(words, centre, self.high - _FOOT - 4 - _LINE * number, class_="mid")
        for number, line in enumerate(self._legend()):
            y = _PAD + self._told() + _LINE * number + _NUMBERS
            for paint, words, at in line:
                if paint is None:
                    yield svg.text(words, at, y, class_="small")
                else:
                    yield self._sample(paint, at, y - 6, marks) + svg.text(words, at + 44, y)

    def _told(self) -> float:
        """Height of what is judged, above all else."""
        return _LINE * len(self._told_words()) + 34 if self.style.figure.get("judged") else 0.0

    def _told_words(self) -> list[str]:
        return textwrap.wrap(self.style.figure["judged"]["words"], int((self.wide - 2 * _PAD) / (0.58 * _LARGEST)))

    def _judged(self) -> Iterator[str]:
        """What is judged: its numbers, and below them its interval over the zone in which the prediction holds."""
        told = self.style.figure.get("judged")
        if not told:
            return
        words = self._told_words()
        for number, line in enumerate(words):
            yield svg.text(line, _PAD, _PAD + _NUMBERS + _LINE * number)
        top = _PAD + _LINE * len(words) + 6
        at = {name: _PAD + (self.wide - 2 * _PAD) * told[name] / 100 for name in ("effect", "low", "high", "centre")}
        left, right = (_PAD + (self.wide - 2 * _PAD) * edge / 100 for edge in told["zone"])
        yield svg.element("rect", class_="zone", x=round(left), y=round(top), width=round(right - left), height=12)
        yield svg.element("path", class_="axis", d=svg.path([[(at["centre"], top - 2), (at["centre"], top + 14)]]))
        yield svg.element("path", class_=f"v-{told['verdict']} ci", d=svg.path([[(at["low"], top + 6), (at["high"], top + 6)]]))
        if not told["outside"]:
            yield svg.element("circle", class_=f"v-{told['verdict']} at", cx=round(at["effect"]), cy=round(top + 6), r=6)

    def lengths(self) -> list[tuple[Panel, float]]:
        """How long the margin is on the vertical axis: of the panel that decides, or of each; none where it does not fit."""
        margin, decides = self.style.figure.get("margin"), self.style.figure.get("decides")
        panels = [panel for panel in self.panels if decides is None or str(panel.level) == decides] if margin else []
        found = [(panel, self.box(panel)[3] * (panel.y.share(panel.y.low + (margin or 0.0)))) for panel in panels]
        return [(panel, length) for panel, length in found if 2 <= length <= self.box(panel)[3]]

    def _lengths(self) -> Iterator[str]:
        """The margin as a length beside the panel, in the middle of its height, where no mark ever lies."""
        for panel, length in self.lengths():
            left, top, wide, high = self.box(panel)
            x, y = left + wide + 7, top + (high - length) / 2
            ends = [[(x - 3, y), (x + 3, y)], [(x, y), (x, y + length)], [(x - 3, y + length), (x + 3, y + length)]]
            yield svg.element("path", class_="span", d=svg.path(ends))

    def _sample(self, paint: int, x: float, y: float, marks: Mapping[tuple[int, float], str]) -> str:
        """How a series is drawn, beside its name."""
        found = {shape.look: shape for panel in self.panels for shape in panel.shapes if shape.paint == paint}
        shape = next((found[look] for look in ("line", "pair", "dots", "bar") if look in found), None)
        if shape is None:
            return ""
        if shape.closed:
            corners = [(x + 12, y - 7), (x + 36, y - 7), (x + 36, y + 7), (x + 12, y + 7)]
            return svg.element("path", class_=shape.classes, d=svg.path([corners], closed=True))
        places, part = ([(x + 24, y)], "start") if shape.look == "dots" else ([(x + 2, y), (x + 20, y), (x + 38, y)], "mid")
        drawn = svg.path([places]) + ("h0" if len(places) == 1 else "")
        held = None if shape.mark is None else f"marker-{part}:url(#{marks[(paint, shape.mark)]})"
        return svg.element("path", class_=shape.classes, d=drawn, style=held)

    def _defined(self, marks: Mapping[tuple[int, float], str]) -> str:
        """The shape of every mark, once."""
        said = []
        for (paint, size), id in marks.items():
            outline = svg.marker(svg.MARKERS[paint % len(svg.MARKERS)], size)
            looks = f"f-{svg.SERIES[paint % len(svg.SERIES)]} rim"
            said.append(svg.element("marker", outline, id=id, class_=looks, overflow="visible", markerUnits="userSpaceOnUse"))
        return "".join(said)


def _scales(drawn: Sequence[Shape], style: FigureStyle) -> tuple[Scale, Scale]:
    """The two axes that hold what is drawn and all guides."""
    figure = style.figure
    points = [point for shape in drawn if shape.counts for stroke in shape.strokes for point in stroke]
    heights = [*(y for _, y in points), *(height for height in figure["reference"].values() if isinstance(height, int | float))]
    bars = figure["kind"] == "bars" and not figure["log_y"]
    y = Scale.around(heights, 0.06, log=bool(figure["log_y"]), foot=0.0 if bars and min(heights, default=0.0) >= 0 else None)
    if style.categorical:
        return Scale(-0.6, max(0, len(style.categories) - 1) + 0.6), y
    return Scale.around([x for x, _ in points], 0.04, log=bool(figure["log_x"])), y


def _headed(facet: str | None, level: Any) -> str | None:
    if level is None:
        return None
    return f"{text.worded(str(facet))} {text.cell(level)}" if lanes.is_number(level) else str(level)


def _wrapped(label: str, room: float) -> list[str]:
    """A label in as many lines as it needs beside an axis of this length."""
    return textwrap.wrap(label, max(12, int(room / (0.56 * _WORDS)))) if label else []
