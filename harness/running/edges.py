"""Where along one setting the verdict turns, or judging ends: what the trials on lines through the defaults say of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.running.axis import Axis
from harness.running.explored import Explored, side
from harness.running.trials import Trial
from harness.running.values import same

DIFFERENT = 3.0  # standard errors between the effects on two sides of an edge, which were parted by these very effects
LIKELY = 1.0  # how much worse in squared standard errors a place for the edge may be than the best one
NARROW = 0.02  # of an axis: an edge is known well enough


@dataclass(frozen=True)
class Edge:
    """Where along one setting, all others at their defaults, the verdict turns.

    Attributes:
        name: the setting.
        inside: its last value on the side of the defaults, as far as the trials go.
        outside: its first value on the other side.
        threshold: the value at which the effect passes the margin by the surface, where the trials leave room for that;
            None for a setting whose values have no order, and where the other side cannot be judged.
        supported: the value nearest to the edge at which the claim is supported, and None where there is none.
        refuted: the value nearest to the edge at which it is refuted, likewise.
        judged: whether the claim can be judged at ``outside``; not where it is invalid, or breaks.
        alone: whether the line, as far as it was tried, goes on as it is on either side of the edge: neither turns again nor
            ends in what cannot be judged, or, where judging ends, begins again.
        clear: whether effects on its two sides differ by more than their errors explain.
    """

    name: str
    inside: Any
    outside: Any
    threshold: Any | None
    supported: Any | None
    refuted: Any | None
    judged: bool = True
    alone: bool = True
    clear: bool = True


def look_again(explored: Explored) -> None:
    """Say of every edge what all trials say of it: later ones may lie on its line, too."""
    explored.edges[:] = [
        edge_of(explored, explored.scope.axis(edge.name), *_ends_of(explored, edge)) for edge in explored.edges
    ]


def _ends_of(explored: Explored, edge: Edge) -> tuple[Any, Any]:
    """The last value on the side of the defaults and the first on the other, trials in between among them."""
    axis, inside, outside = explored.scope.axis(edge.name), edge.inside, edge.outside
    if not axis.ordered:
        return inside, outside
    begin, end = axis.place(inside), axis.place(outside)
    line = sorted(_on_line(explored, axis), key=lambda pair: abs(axis.place(pair[0]) - begin))
    for value, each in (pair for pair in line if min(begin, end) < axis.place(pair[0]) < max(begin, end)):
        if across(each) != explored.home:
            return inside, value
        inside = value
    return inside, outside


def _on_line(explored: Explored, axis: Axis) -> list[tuple[Any, Trial]]:
    """Values and trials of which one setting alone is not at its default."""
    return [(each.settings[axis.name], each) for each in explored.trials if set(each.settings) == {axis.name}]


def edge_of(explored: Explored, axis: Axis, inside: Any, outside: Any) -> Edge:
    """What the trials along an axis say of its edge."""
    seen = [] if not axis.among(axis.default) and axis.ordered else [(axis.default, explored.default)]
    seen += _on_line(explored, axis)
    middle = axis.place(inside) / 2 + axis.place(outside) / 2

    def nearest(verdict: str, end: Any) -> Any | None:
        toward = np.sign(axis.place(end) - middle)
        on_side = [
            value for value, trial in seen
            if trial.verdict == verdict
            and (same(value, end) or (axis.ordered and np.sign(axis.place(value) - middle) == toward))
        ]  # fmt: skip
        return min(on_side, key=lambda value: abs(axis.place(value) - middle), default=None)

    alone = not axis.ordered or _alone(axis, seen, explored.home, inside, outside)
    clear = _differ([trial for value, trial in seen if _beyond(axis, value, inside, outside)],
                    [trial for value, trial in seen if not _beyond(axis, value, inside, outside)])  # fmt: skip
    holding, failing = (inside, outside) if explored.home else (outside, inside)
    supported, refuted = nearest("supported", holding), nearest("refuted", failing)
    if any(same(value, outside) and side(trial) is None for value, trial in seen):
        supported, refuted = (supported, None) if explored.home else (None, refuted)
        return Edge(axis.name, inside, outside, None, supported, refuted, judged=False, alone=alone)
    if not axis.ordered:
        return Edge(axis.name, inside, outside, None, supported, refuted, clear=clear)
    line = [(axis.place(value), trial) for value, trial in seen]
    between = _likely(line, bool(explored.home), axis.place(inside), axis.place(outside))
    threshold = axis.value(_crossing(explored, axis, middle, between))
    return Edge(axis.name, inside, outside, threshold, supported, refuted, alone=alone, clear=clear)


def across(trial: Trial) -> bool | None:
    """On which side of the margin an effect lies, where it can be judged: halving goes by that, not by what is decided."""
    return trial.holds if trial.distance is not None else side(trial)


def _beyond(axis: Axis, value: Any, inside: Any, outside: Any) -> bool:
    """Whether a value lies on the other side of an edge than the defaults."""
    if not axis.ordered:
        return same(value, outside)
    way = axis.place(outside) - axis.place(inside)
    return (axis.place(value) - (axis.place(inside) + axis.place(outside)) / 2) * way > 0


def _alone(axis: Axis, seen: Sequence[tuple[Any, Trial]], home: bool | None, inside: Any, outside: Any) -> bool:
    """Whether what was decided along a line is of one kind on either side of an edge, from the first that is on."""
    middle = (axis.place(inside) + axis.place(outside)) / 2
    way = axis.place(outside) - axis.place(inside)
    outer = sorted((abs(axis.place(value) - middle), _state(trial)) for value, trial in seen
                   if (axis.place(value) - middle) * way > 0)  # fmt: skip
    begin = next((axis.place(value) for value, trial in seen if not trial.settings), axis.place(inside))
    inner = sorted((abs(axis.place(value) - middle), _state(trial)) for value, trial in seen
                   if (axis.place(value) - middle) * way <= 0 and (axis.place(value) - begin) * way >= 0)  # fmt: skip
    own, other = ("supported", "refuted") if home else ("refuted", "supported")
    other = "unjudged" if outer and outer[0][1] == "unjudged" else other
    for states, kind in (([state for _, state in inner], own), ([state for _, state in outer], other)):
        decided = [state for state in states if state != "open"]
        after = decided[decided.index(kind) :] if kind in decided else [state for state in decided if state == "unjudged"]
        if any(state != kind for state in after):
            return False
    return True


def _state(trial: Trial) -> str:
    """What is known of a trial: "supported", "refuted", "unjudged" (invalid, or broken) or "open"."""
    if trial.verdict in ("supported", "refuted"):
        return trial.verdict
    return "unjudged" if side(trial) is None and trial.verdict != "inconclusive" else "open"


def _differ(some: Sequence[Trial], others: Sequence[Trial]) -> bool:
    """Whether the effects of two lots of trials differ; those without an error are taken at their verdicts."""
    lots = [[trial for trial in lot if trial.distance is not None and trial.error] for lot in (some, others)]
    if not all(lots):
        return True
    weights = [np.array([1 / (trial.error or 1.0) ** 2 for trial in lot]) for lot in lots]
    means = [(own * [trial.distance or 0.0 for trial in lot]).sum() / own.sum() for own, lot in zip(weights, lots, strict=True)]
    return bool(abs(means[0] - means[1]) >= DIFFERENT * np.sqrt(sum(1 / own.sum() for own in weights)))


def _likely(line: Sequence[tuple[float, Trial]], home: bool, inside: float, outside: float) -> tuple[float, float]:
    """Between which places of a line the edge lies: where it leaves effects hardly further on the wrong side than at the best.

    An effect that lies on the wrong side of an edge costs its square in standard errors; noise has some there, a step none.

    Args:
        line: places and trials, that at the defaults among them.
        home: the side of the defaults.
        inside: place of the last trial on it.
        outside: place of the first on the other.
    """
    way = 1.0 if outside > inside else -1.0
    begin = next((place for place, trial in line if not trial.settings), inside)
    seen = sorted((way * place, _sigmas(trial) * (1 if home else -1)) for place, trial in line if way * (place - begin) >= 0)
    places, sigmas = np.array([place for place, _ in seen]), np.array([each for _, each in seen])
    wrong_inside = np.cumsum(np.minimum(sigmas, 0) ** 2)[:-1]  # with the edge behind the first, the first two, …
    wrong_outside = np.cumsum(np.maximum(sigmas, 0)[::-1] ** 2)[::-1][1:]
    costs = wrong_inside + wrong_outside
    best = int(np.argmin(costs))
    first = last = best
    while first > 0 and costs[first - 1] <= costs[best] + LIKELY:
        first -= 1
    while last < len(costs) - 1 and costs[last + 1] <= costs[best] + LIKELY:
        last += 1
    low, high = sorted((way * places[first], way * places[last + 1]))
    return float(low), float(high)


def _sigmas(trial: Trial) -> float:
    """How far an effect lies above the margin in standard errors; 3 either way where only its verdict is known."""
    if trial.distance is None or not trial.error:
        return {True: 3.0, False: -3.0, None: 0.0}[side(trial)]
    return trial.distance / trial.error


def _crossing(explored: Explored, axis: Axis, middle: float, between: tuple[float, float]) -> float:
    """Where the surface turns along an axis, nearest to where the trials have it: noise of single trials is averaged there.

    A step is no smooth surface: where it does not turn between the places that the trials leave, the middle of the last two is
    taken.
    """
    low, high = between
    surface = explored.surface() if high - low > NARROW else None
    if surface is None:  # or the place is known well enough: the middle is at most half of that away
        return min(max(middle, low), high) if high - low > NARROW else (low + high) / 2
    places = np.linspace(low, high, 401)
    mean, _ = surface.at([{axis.name: axis.value(float(place))} for place in places])
    turns = np.flatnonzero(np.diff(np.sign(mean)) != 0)
    crossings = [float(places[at] + places[at + 1]) / 2 for at in turns]
    return min(crossings, key=lambda place: abs(place - middle), default=min(max(middle, low), high))
