"""Where along one setting the verdict turns, or judging ends: what the trials on lines through the defaults say of it.

A line is parted into stretches on which the claim holds, fails, or cannot be judged, as few as the trials allow: an effect on
the wrong side of its stretch costs its square in standard errors, and so does every further stretch.  One verdict that came by
chance makes none; a band, or a single value that is otherwise, does where its effects are clear.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Literal

import numpy as np

from harness.running.axis import Axis
from harness.running.explored import Explored, side
from harness.running.trials import Trial

State = Literal["holds", "fails", "unjudged"]
STATES: tuple[State, ...] = ("holds", "fails", "unjudged")
DECIDED = ("supported", "refuted")
TURN = 4.5  # what a further stretch costs, in squared standard errors: one within others has to be three of them away
DIFFERENT = 3.0  # standard errors between the effects on two sides of an edge, which were parted by these very effects
LIKELY = 1.0  # how much worse in squared standard errors a place for the edge may be than the best one
NARROW = 0.02  # of an axis: an edge is known well enough


@dataclass(frozen=True)
class Edge:
    """Where along one setting, all others at their defaults, the verdict turns.

    Attributes:
        name: the setting.
        inside: its last value on the side of the defaults, as far as trials and their errors leave that open.
        outside: its first value on the other side, likewise.
        threshold: the value between them at which the effect passes the margin by the surface; ``outside`` where there is none
            in between, and None for a setting whose values have no order, and where a side cannot be judged.
        supported: the value nearest to the edge at which the claim is supported, and None where there is none.
        refuted: the value nearest to the edge at which it is refuted, likewise.
        judged: whether the claim can be judged on both sides; not where it is invalid, or breaks.
        alone: whether there is no other edge along the setting.
        here: on the side of the defaults the claim "holds" (its effect lies beyond the margin), "fails" or is "unjudged".
        there: likewise on the other.
    """

    name: str
    inside: Any
    outside: Any
    threshold: Any | None
    supported: Any | None
    refuted: Any | None
    judged: bool = True
    alone: bool = True
    here: State = "holds"
    there: State = "fails"


@dataclass(frozen=True)
class Place:
    """A trial on a line: where, the value there, and what came out."""

    at: float
    value: Any
    trial: Trial


def read_edges(explored: Explored) -> list[Edge]:
    """Every edge that the trials show, those nearest to the defaults first."""
    found = [(abs(axis.place(edge.outside) - axis.place(axis.default)), edge)
             for axis in explored.scope.axes for edge in _along(explored, axis)]  # fmt: skip
    return [edge for _, edge in sorted(found, key=lambda pair: (not pair[1].judged, pair[0]))]


def brackets(explored: Explored, axis: Axis) -> list[tuple[Place, Place]]:
    """Neighbours among the trials along an ordered axis between which it turns, or judging ends."""
    return [(one[1][-1], other[1][0]) for one, other in pairwise(_stretches(line_of(explored, axis)))]


def line_of(explored: Explored, axis: Axis) -> list[Place]:
    """The trials of which one setting alone is not at its default, in order; the defaults, too, where they are in the scope."""
    seen = [(each.settings[axis.name], each) for each in explored.trials if set(each.settings) == {axis.name}]
    if axis.among(axis.default) or not axis.ordered:
        seen.append((axis.default, explored.default))
    return sorted((Place(axis.place(value), value, trial) for value, trial in seen), key=lambda place: place.at)


def state_of(trial: Trial) -> State | None:
    """On which side of the margin an effect lies, or that it cannot be judged; None where nothing is known."""
    holds = trial.holds if trial.distance is not None else side(trial)
    if holds is None:
        return "unjudged" if trial.verdict in ("invalid", "error") else None
    return "holds" if holds else "fails"


def judged_state(trial: Trial) -> State | None:
    """Its state by the verdict, where there is one: a supported effect may lie below the margin."""
    holds = side(trial)
    return state_of(trial) if holds is None else "holds" if holds else "fails"


def _along(explored: Explored, axis: Axis) -> list[Edge]:
    """The edges along one setting."""
    line = line_of(explored, axis)
    if not axis.ordered:
        return _among_names(explored, axis, line)
    stretches = _stretches(line)
    start = next((place.at for place in line if not place.trial.settings), axis.place(axis.default))
    found = []
    for (low, below), (high, above) in pairwise(stretches):
        falls = above[0].at <= start  # the edge lies below the defaults
        found.append(_edge(explored, axis, (high, above) if falls else (low, below), (low, below) if falls else (high, above)))
    return [replace(edge, alone=len(found) == 1) for edge in found]


def _among_names(explored: Explored, axis: Axis, line: Sequence[Place]) -> list[Edge]:
    """Every value without order at which it is otherwise than at the default, by more than errors explain."""
    home = judged_state(explored.default)
    own = [place.trial for place in line if state_of(place.trial) == home]
    found = []
    for place in line:
        there = state_of(place.trial)
        if home is None or there in (None, home) or not place.trial.settings:
            continue
        judged = "unjudged" not in (home, there)
        if not judged or _differ([place.trial], own):
            pair = (Place(place.at, axis.default, explored.default), place)
            supported, refuted = (
                next((each.value for each in pair if each.trial.verdict == verdict), None) for verdict in DECIDED
            )
            found.append(Edge(axis.name, axis.default, place.value, None, supported, refuted, judged, here=home, there=there))
    return found


def _stretches(line: Sequence[Place]) -> list[tuple[State, list[Place]]]:
    """A line in as few stretches as the trials allow, each with its state; those whose effects do not differ are one."""
    known = [place for place in line if state_of(place.trial) is not None]
    if not known:
        return []
    states = _cheapest(np.array([[_cost(place.trial, state) for state in STATES] for place in known]))
    found = _grouped(list(zip(states, known, strict=True)))
    while (alike := _alike(found)) is not None:
        one, other = found[alike], found[alike + 1]
        state = max((one, other), key=lambda each: len(each[1]))[0]
        found[alike : alike + 2] = [(state, [*one[1], *other[1]])]
        found = _grouped([(state, place) for state, places in found for place in places])
    return found


def _cost(trial: Trial, state: State) -> float:
    """What a trial on a stretch of some state costs, in squared standard errors."""
    own = state_of(trial)
    if "unjudged" in (own, state):
        return 0.0 if own == state else 2 * TURN
    wrong = -_sigmas(trial) if state == "holds" else _sigmas(trial)
    return max(wrong, 0.0) ** 2


def _cheapest(costs: np.ndarray[Any, Any]) -> list[State]:
    """The states of least cost along a line, with that of its turns; costs are of shape (trial, state)."""
    total, came = costs[0], []
    for each in costs[1:]:
        turned = total.min() + TURN
        came.append(np.where(total <= turned, np.arange(len(STATES)), int(total.argmin())))
        total = np.minimum(total, turned) + each
    at = int(total.argmin())
    places = [at]
    for before in reversed(came):
        at = int(before[at])
        places.append(at)
    return [STATES[place] for place in reversed(places)]


def _grouped(states: Sequence[tuple[State, Place]]) -> list[tuple[State, list[Place]]]:
    found: list[tuple[State, list[Place]]] = []
    for state, place in states:
        if found and found[-1][0] == state:
            found[-1][1].append(place)
        else:
            found.append((state, [place]))
    return found


def _alike(stretches: Sequence[tuple[State, list[Place]]]) -> int | None:
    """The first of two neighbours that can be judged and whose effects do not differ."""
    for at, ((state, places), (after, others)) in enumerate(pairwise(stretches)):
        lots = [[place.trial for place in lot] for lot in (places, others)]
        if "unjudged" not in (state, after) and not _differ(*lots):
            return at
    return None


def _differ(some: Sequence[Trial], others: Sequence[Trial]) -> bool:
    """Whether the effects of two lots of trials differ; those without an error are taken at their verdicts."""
    lots = [[trial for trial in lot if trial.distance is not None and trial.error] for lot in (some, others)]
    if not all(lots):
        return True
    weights = [np.array([1 / (trial.error or 1.0) ** 2 for trial in lot]) for lot in lots]
    means = [(own * [trial.distance or 0.0 for trial in lot]).sum() / own.sum() for own, lot in zip(weights, lots, strict=True)]
    return bool(abs(means[0] - means[1]) >= DIFFERENT * np.sqrt(sum(1 / own.sum() for own in weights)))


def _edge(explored: Explored, axis: Axis, inner: tuple[State, Sequence[Place]], outer: tuple[State, Sequence[Place]]) -> Edge:
    """The edge between two stretches, that on the side of the defaults first."""
    (here, own), (there, others) = inner, outer
    rises = own[0].at <= others[0].at
    low, high = (own, others) if rises else (others, own)
    last, first = low[-1], high[0]

    def nearest(verdict: str, state: State) -> Any | None:
        """The value of that verdict that is nearest to the edge, on its own side."""
        lot = [*(own if here == state else []), *(others if there == state else [])]
        found = [place for place in lot if place.trial.verdict == verdict]
        return min(found, key=lambda place: abs(place.at - (last.at + first.at) / 2)).value if found else None

    supported, refuted = nearest("supported", "holds"), nearest("refuted", "fails")
    judged = "unjudged" not in (here, there)
    ends = _likely([*low, *high], (here if rises else there) == "holds") if judged else (last, first)
    inside, outside = (place.value for place in (ends if rises else ends[::-1]))
    threshold = _threshold(explored, axis, (last, first), ends, outside) if judged else None
    return Edge(axis.name, inside, outside, threshold, supported, refuted, judged, here=here, there=there)


def _likely(line: Sequence[Place], falls: bool) -> tuple[Place, Place]:
    """Between which trials of two stretches the edge lies: where effects are hardly further on the wrong side than at the best.

    An effect that lies on the wrong side of an edge costs its square in standard errors; noise has some there, a step none.

    Args:
        line: the trials of both stretches, in order.
        falls: whether the claim holds on the first.
    """
    sigmas = np.array([_sigmas(place.trial) for place in line]) * (1 if falls else -1)
    wrong_below = np.cumsum(np.minimum(sigmas, 0) ** 2)[:-1]  # with the edge behind the first, the first two, …
    wrong_above = np.cumsum(np.maximum(sigmas, 0)[::-1] ** 2)[::-1][1:]
    costs = wrong_below + wrong_above
    best = int(np.argmin(costs))
    first = last = best
    while first > 0 and costs[first - 1] <= costs[best] + LIKELY:
        first -= 1
    while last < len(costs) - 1 and costs[last + 1] <= costs[best] + LIKELY:
        last += 1
    return line[first], line[last + 1]


def _sigmas(trial: Trial) -> float:
    """How far an effect lies above the margin in standard errors; 3 either way where only its verdict is known."""
    if trial.distance is None or not trial.error:
        return {True: 3.0, False: -3.0, None: 0.0}[side(trial)]
    return trial.distance / trial.error


def _threshold(explored: Explored, axis: Axis, last: tuple[Place, Place], between: tuple[Place, Place], outside: Any) -> Any:
    """Where the surface turns along an axis, nearest to where the trials have it: noise of single trials is averaged there.

    A step is no smooth surface: where it does not turn between the places that the trials leave, the middle of the last two is
    taken.
    """
    low, high = between[0].at, between[1].at
    if axis.between(between[0].value, between[1].value) is None:
        return outside
    middle = min(max((last[0].at + last[1].at) / 2, low), high)
    if high - low <= NARROW:  # the place is known well enough: the middle is at most half of that away
        return axis.value((low + high) / 2)
    surface = explored.surface()
    if surface is None:
        return axis.value(middle)
    places = np.linspace(low, high, 401)
    mean, _ = surface.at([{axis.name: axis.value(float(place))} for place in places])
    turns = np.flatnonzero(np.diff(np.sign(mean)) != 0)
    crossings = [float(places[at] + places[at + 1]) / 2 for at in turns]
    return axis.value(min(crossings, key=lambda place: abs(place - middle), default=middle))
