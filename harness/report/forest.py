"""Intervals on a scale: all claims in units of their margins, and a claim's own in natural units.

Positions are percentages of the drawing's width, so that one drawing fits every screen; the template draws
them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from harness.report import text
from harness.report.lanes import is_number
from harness.report.part_names import part_names
from harness.report.rows import INTERVAL_RULES

Item = Mapping[str, Any]  # a row, or a part, companion, protocol or stratum of one

_LEFT, _RIGHT = -10.0, 30.0  # margins; what lies beyond is clipped with an arrow
TICKS = (-10, -3, -1, 0, 1, 3, 10, 30)
TALL = 34  # of the drawing of a severity curve
_PAD = 2.0  # per cent kept free at both ends, for arrows and markers


@dataclass(frozen=True)
class Mark:
    """An effect and its interval on a drawing; positions in per cent of its width.

    Attributes:
        effect: place of the estimate.
        low: place of the interval's lower end, inside the drawing.
        high: place of its upper end.
        left: the interval goes on beyond the left edge.
        right: it goes on beyond the right edge.
        outside: the estimate itself lies beyond an edge, so that only the arrow is drawn.
        band: whether the prediction is a band (equivalence) instead of a direction.
        verdict: the verdict that colours it.
        name: what it is, for the reader who points at it.
        words: the numbers.
        n: units behind it.
        ring: place of the number that the document prints; None where it declares none.
    """

    effect: float
    low: float
    high: float
    left: bool
    right: bool
    outside: bool
    band: bool
    verdict: str
    name: str
    words: str
    n: int | None
    ring: float | None = None


@dataclass(frozen=True)
class Line:
    """A part of a conjunction on a line of its own.

    Attributes:
        name: what tells it from the other parts, in a few words.
        title: all of its prediction, with what is estimated and over which unit.
        verdict: its own.
        mark: on the forest's scale; None where it has no interval.
        effect: its estimate.
        interval: its interval.
        n: units behind it.
        decides: whether the conjunction's numbers are this part's.
    """

    name: str
    title: str
    verdict: str
    mark: Mark | None
    effect: float | None
    interval: Sequence[float | None] | None
    n: int | None
    decides: bool


@dataclass(frozen=True)
class Bar:
    """A claim's own interval drawing, in natural units.

    Attributes:
        marks: the claim's estimate first, then its strata.
        centre: place of no effect, or of the predicted value.
        zone: places between which the prediction holds (smallest effect of interest reached, or equivalence
            band).
        ticks: (place, text) of the scale.
        severity: corners of the severity curve, "x,y x,y", x in per cent, y from the top (severity 1) to ``TALL``; None
            where a run has none.
    """

    marks: tuple[Mark, ...]
    centre: float
    zone: tuple[float, float]
    ticks: tuple[tuple[float, str], ...]
    severity: str | None = None


def in_margins(item: Item) -> tuple[float, float, float] | None:
    """Effect and interval in units of the margin, positive towards the prediction.

    For a direction 1 is the smallest effect of interest; for an equivalence (rule "within") the prediction
    holds between −1 and 1.  None where there is no interval or no margin (theorems, facts, claims that did
    not run).
    """
    ends = _ends(item)
    if item["rule"] not in INTERVAL_RULES or ends is None or not item["margin"]:
        return None
    sign, centre, margin = (
        -1.0 if item["rule"] == "below" else 1.0,
        item["centre"] or 0.0,
        abs(item["margin"]),
    )
    effect, *around = (sign * (value - centre) / margin for value in (item["effect"], *ends))
    return effect, min(around), max(around)


def place(margins: float) -> float:
    """Where a number of margins lies, in per cent of the width: asinh, linear near 0, logarithmic beyond."""
    low, high = math.asinh(_LEFT), math.asinh(_RIGHT)
    share = (math.asinh(margins) - low) / (high - low)
    return round(_PAD + (100 - 2 * _PAD) * min(1.0, max(0.0, share)), 2)


def whole(row: Item) -> Mark | None:
    """What the forest shows of a row that is judged by its own interval."""
    return margin_mark(row, row["verdict"], str(row["estimand"] or row["id"]), _printed(row))


def lines(row: Item) -> tuple[Line, ...]:
    """What the forest shows of a conjunction: a line for each part, with the ground of that part's own prediction."""
    parts = row["parts"]
    names = part_names([str(part["prediction"] or "") for part in parts])
    printed = _printed(row)
    printed = printed if isinstance(printed, list) else [None] * len(parts)
    decides = deciding(row)
    return tuple(
        Line(
            name, _titled(part), part["verdict"], margin_mark(part, part["verdict"], name, number), part["effect"],
            part["interval"], part.get("n"), part is decides,
        )
        for part, name, number in zip(parts, names, [*printed, *[None] * len(parts)], strict=False)
    )  # fmt: skip


def _titled(part: Item) -> str:
    unit = f"; unit: {part['unit']}" if part["unit"] else ""
    return f"{part['prediction']}" + (f" ({part['estimand']}{unit})" if part["estimand"] else "")


def _printed(row: Item) -> Any:
    """The document's number for what is judged: one, or a list with one for each part."""
    return (row.get("source") or {}).get("number")


def deciding(row: Item) -> Item | None:
    """The part from which a conjunction's numbers are; None where the row has none, or its run did not say."""
    parts: Sequence[Item] = row["parts"]
    if row["decides"] is not None and row["decides"] < len(parts):
        return parts[row["decides"]]
    same = (part for part in parts if (part["effect"], part["interval"]) == (row["effect"], row["interval"]))
    return next(same, None)


def margin_mark(item: Item, verdict: str, name: str, printed: Any = None) -> Mark | None:
    """``item`` on the forest's scale, or None if it has no place there.

    Args:
        item: a row, or a part, companion or protocol of one.
        verdict: the verdict that colours it.
        name: what it is.
        printed: the number that the document prints for it, in natural units; whatever is no number is left out.
    """
    scaled = in_margins(item)
    if scaled is None:
        return None
    effect, low, high = (f"{value:.2g}".replace("-", "−").replace("inf", "∞") for value in scaled)
    words = f"{effect} margins, interval {low} to {high}"
    drawn = _places(scaled, place, (_LEFT, _RIGHT))
    ring = None
    if is_number(printed):
        sign = -1.0 if item["rule"] == "below" else 1.0
        ring = place(sign * (printed - (item["centre"] or 0.0)) / abs(item["margin"]))
        words += f"; the document has {text.number(printed)}"
    return Mark(**drawn, band=item["rule"] == "within", verdict=verdict, name=name, words=words, n=item.get("n"), ring=ring)


def bar(row: Item) -> Bar | None:
    """The row's estimate and its strata in natural units, or None if it has no interval to draw.

    Of several parts the one that decides is drawn, without strata, provided that the row names its rule.
    """
    voice = row.get("voice")
    rule = voice["rule"] if row["rule"] == "all" and voice else row["rule"]  # the numbers are the deciding part's
    if rule not in INTERVAL_RULES or _ends(row) is None or row["margin"] is None:
        return None
    centre, margin = row["centre"] or 0.0, abs(row["margin"])
    zone = {"above": (centre + margin, math.inf), "below": (-math.inf, centre - margin)}.get(
        rule, (centre - margin, centre + margin)
    )
    strata = [stratum for stratum in row["strata"] if _ends(stratum) is not None and row["rule"] != "all"]
    printed = _printed_of(row)
    core = (centre, *(edge for edge in zone if math.isfinite(edge)), *([] if printed is None else [printed]))
    low, high = _domain(row, strata, core)

    def at(value: float) -> float:
        return round(100 * min(1.0, max(0.0, (value - low) / (high - low))), 1)

    def mark(item: Item, verdict: str, name: str) -> Mark:
        drawn = _places((item["effect"], *(_ends(item) or (math.nan, math.nan))), at, (low, high))
        words = "{} [{}]".format(*text.measured(item["effect"], item["interval"]))
        return Mark(**drawn, band=rule == "within", verdict=verdict, name=name, words=words, n=item["n"])

    name = "All" if strata else "Deciding part" if row["rule"] == "all" else "Estimate"
    whole = mark(row, row["verdict"], name)
    if printed is not None:
        whole = replace(whole, ring=at(printed), words=f"{whole.words}; the document has {text.number(printed)}")
    return Bar(
        marks=(whole, *(mark(stratum, "stratum", stratum["name"]) for stratum in strata)),
        centre=at(centre),
        zone=(at(zone[0]), at(zone[1])),
        ticks=tuple((at(tick), text.number(tick)) for tick in nice_ticks(low, high)),
        severity=_severity(row, lambda value: 100 * (value - low) / (high - low)),
    )


def _printed_of(row: Item) -> float | None:
    """The document's number for the estimate that a row gives: its own, or that of the part that decides."""
    printed = _printed(row)
    if isinstance(printed, list):
        decides = deciding(row)
        printed = next((each for each, part in zip(printed, row["parts"], strict=False) if part is decides), None)
    elif row["rule"] == "all":
        return None
    return float(printed) if is_number(printed) else None


def _severity(row: Item, at: Callable[[float], float]) -> str | None:
    """The severity curve's corners; it continues level beyond both edges; for an absence it has two sides around its centre."""
    voice = row.get("voice")
    if not voice or len(voice["at"]) < 2:
        return None
    points = sorted(zip(voice["at"], voice["levels"], strict=True))
    if voice["rule"] == "within":
        centre = row["centre"] or 0.0
        right = [(centre + half, level) for half, level in points]
        points = [(centre - half, level) for half, level in reversed(points)] + right
    corners = [(at(value), 1 + (TALL - 2) * (1 - level)) for value, level in points]
    corners = [(-1.0, corners[0][1]), *corners] if corners[0][0] > 0 else corners
    corners = [*corners, (101.0, corners[-1][1])] if corners[-1][0] < 100 else corners
    inside = [i for i, (x, _) in enumerate(corners) if 0 <= x <= 100]
    first, last = (max(inside[0] - 1, 0), inside[-1] + 2) if inside else (0, len(corners))  # one beyond each edge
    return " ".join(f"{x:.3g},{y:.3g}" for x, y in corners[first:last])


def nice_ticks(low: float, high: float, about: int = 4) -> list[float]:
    """Round numbers (1, 2 or 5 times a power of ten) from ``low`` to ``high``, roughly ``about`` many."""
    rough = (high - low) / about
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough)
    first, last = math.ceil(low / step), math.floor(high / step)
    return [float(f"{index * step:.12g}") for index in range(first, last + 1)]


def _ends(item: Item) -> tuple[float, float] | None:
    """The interval with unbounded ends as infinities; None where there is no estimate or no interval."""
    low, high = item["interval"] or (None, None)
    if item["effect"] is None or (low is None and high is None):
        return None
    return -math.inf if low is None else low, math.inf if high is None else high


def _places(values: tuple[float, float, float], at: Callable[[float], float], domain: tuple[float, float]) -> dict[str, Any]:
    """Where an effect and its interval lie, and where they leave the drawing."""
    effect, low, high = values
    inside = domain[0] <= effect <= domain[1]
    places = {"effect": at(effect), "low": at(low), "high": at(high)}
    return {**places, "left": low < domain[0], "right": high > domain[1], "outside": not inside}


def _domain(row: Item, strata: Iterable[Item], edges: tuple[float, ...]) -> tuple[float, float]:
    """Range of a claim's own drawing: estimate, centre and margin whole, strata at most a width beyond."""
    core = [row["effect"], *edges, *(end for end in row["interval"] if end is not None)]
    low, high = min(core), max(core)
    width = high - low or abs(high) or 1.0
    around = [value for each in strata for value in (each["effect"], *each["interval"]) if value is not None]
    low, high = max(min([low, *around]), low - width), min(max([high, *around]), high + width)
    pad = 0.06 * (high - low or width)
    return low - pad, high + pad
