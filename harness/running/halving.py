"""Looking for edges: which ends of lines through the defaults are on the other side, and where, by halving."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.running.axis import Axis
from harness.running.edges import NARROW, brackets, judged_state, read_edges, state_of
from harness.running.explored import Explored, nearest, side
from harness.running.scope import Settings
from harness.running.surface import Surface
from harness.running.values import same

UNLIKELY = 0.05  # chance of being on the other side below which the end of a line is not tried
LINE = 9  # trials along one line: two ends, and halvings to a hundredth of the axis
APART = 1.2  # so many times apart at most are the ends of positive numbers then, whose middle is within a tenth of each


def find_edges(explored: Explored) -> None:
    """Look for edges along the settings, else for settings that turn the verdict together."""
    _lines(explored)
    explored.edges[:] = read_edges(explored)
    if explored.home is not None and not any(edge.judged for edge in explored.edges):
        _reduced(explored)


def _lines(explored: Explored) -> None:
    """Halve lines along the settings: that first along which the verdict is most likely to turn, then second ends.

    Where a line ends in what cannot be judged, where that begins is looked for last.
    """
    surface = explored.surface()
    axes = sorted(explored.scope.axes, key=lambda axis: -_turns(explored, axis, surface))
    ends = {axis.name: _ends(explored, axis, surface) for axis in axes}
    every = [{axis.name: end} for axis in axes for end in ends[axis.name]]
    explored.prepare(every[: explored.fitting(len(every))])
    left: list[tuple[Axis, Any]] = []
    unjudged: list[tuple[Axis, Any]] = []
    for axis in axes:
        for number, end in enumerate(ends[axis.name]):
            if _along(explored, axis, end, unjudged):
                left += [(axis, other) for other in ends[axis.name][number + 1 :]]
                break
    for axis, end in left:
        _along(explored, axis, end, unjudged)
    for axis in axes:
        _narrow(explored, axis)
    unjudged += [(axis, end) for axis in axes for end in _far(axis) if _beside_unjudged(explored, axis, end)]
    for axis, end in unjudged:
        if state_of(explored.at({axis.name: end}, "edge") or explored.default) == "unjudged":
            for start in _start(explored, axis) if explored.left > 0 else ():
                _halve(explored, axis, start, end)


def _narrow(explored: Explored, axis: Axis) -> None:
    """Halve where trials of any origin show a turn: also between two ends that are on the same side."""
    for one, other in brackets(explored, axis) if axis.ordered else []:
        _halve(explored, axis, one.value, other.value)


def _beside_unjudged(explored: Explored, axis: Axis, end: Any) -> bool:
    """Whether an end of a line is not known, and the nearest of all trials could not be judged."""
    return not explored.known({axis.name: end}) and side(nearest(explored, [{axis.name: end}])[0]) is None


def _turns(explored: Explored, axis: Axis, surface: Surface | None) -> float:
    """How likely the claim is to be on the other side somewhere along an axis."""
    return max((_other_side(explored, surface, axis, value) for value in _far(axis)), default=0.0)  # a scope of one setting


def _other_side(explored: Explored, surface: Surface | None, axis: Axis, value: Any) -> float:
    if surface is None or explored.home is None:
        return 0.5
    holds = float(surface.holds([{axis.name: value}])[0])
    return 1 - holds if explored.home else holds


def _far(axis: Axis) -> list[Any]:
    """Values at which a line ends: the ends of an ordered axis, every value of another."""
    if axis.ordered:
        return [value for value in dict.fromkeys((axis.value(0.0), axis.value(1.0))) if not same(value, axis.default)]
    return [value for value in axis.values if not same(value, axis.default)] or [axis.default]


def _ends(explored: Explored, axis: Axis, surface: Surface | None) -> list[Any]:
    """The ends of a line that may be on the other side, the likeliest first."""
    chances = [(_other_side(explored, surface, axis, value), value) for value in _far(axis)]
    return [value for chance, value in sorted(chances, key=lambda each: -each[0]) if chance >= UNLIKELY]


def _reduced(explored: Explored) -> None:
    """Where no single setting turns the verdict: put those of a trial on the other side back to their defaults, one by one.

    What is left are settings that turn it together, each of which is needed.
    """
    home = explored.home
    across = [each for each in explored.trials if side(each) not in (None, home)]
    if not across:
        return
    far = max(across, key=lambda trial: (-len(trial.settings), abs(trial.distance or 0.0)))
    settings, spent_before = dict(far.settings), len(explored.trials)
    names = sorted(settings)
    for place, name in enumerate(names):
        rest = {other: value for other, value in settings.items() if other != name}
        if not rest or len(explored.trials) - spent_before >= LINE:
            continue
        explored.foresee(_reductions(settings, names[place:], explored.foresight))
        made = explored.at(rest, "edge")
        if made is not None and side(made) not in (None, home):
            settings = rest


def _reductions(settings: Settings, names: Sequence[str], steps: int) -> list[Settings]:
    """What the next steps of :func:`_reduced` may try, the next one first: each name is put back, or has to stay."""
    if not names or steps == 0:
        return []
    rest = {other: value for other, value in settings.items() if other != names[0]}
    after = [_reductions(each, names[1:], steps - 1) for each in (rest, settings)]
    return [*([rest] if rest else []), *after[0], *after[1]]


def _along(explored: Explored, axis: Axis, end: Any, unjudged: list[tuple[Axis, Any]]) -> bool:
    """Look for an edge between the defaults and one end of a line; whether there is one.

    Args:
        explored: the search.
        axis: along which, all other settings at their defaults.
        end: of the line.
        unjudged: ends that cannot be judged, to which this one may be added.
    """
    home = judged_state(explored.default)
    for start in _start(explored, axis):
        made = explored.at({axis.name: end}, "edge") if explored.left > 0 else None
        there = None if made is None else judged_state(made)
        if there == "unjudged" != home:
            unjudged.append((axis, end))
        elif there not in (None, home):
            _halve(explored, axis, start, end)
            return True
    return False


def _start(explored: Explored, axis: Axis) -> tuple[Any, ...]:
    """Where a line begins: at the default, or at the end of the axis that is nearest to a default beside the scope.

    Nowhere where the verdict is another one at that end already: what lies in between is no part of the scope.
    """
    if axis.among(axis.default) or not axis.ordered:
        return (axis.default,)
    start = axis.value(axis.place(axis.default))
    made = explored.at({axis.name: start}, "edge")
    return (start,) if made is not None and judged_state(made) == judged_state(explored.default) else ()


def _halve(explored: Explored, axis: Axis, one: Any, other: Any) -> None:
    """Try the middle between two values in different states, and go on with the half in which they differ."""
    made = explored.at({axis.name: one}, "edge")
    state = None if made is None else judged_state(made)
    inside, outside, budget = one, other, min(explored.left, LINE - 2)
    while axis.ordered and budget > 0 and not _near(axis, inside, outside):
        middle = axis.between(inside, outside)
        explored.foresee([{axis.name: value} for value in _middles(axis, inside, outside, min(explored.foresight, budget))])
        made = None if middle is None else explored.at({axis.name: middle}, "edge")
        if made is None:  # nothing in between, or no time
            break
        budget -= 1
        inside, outside = (middle, outside) if state_of(made) == state else (inside, middle)


def _near(axis: Axis, one: Any, other: Any) -> bool:
    """Whether the edge between two values is known well enough: on the axis, and as a share of numbers of one sign."""
    apart = abs(axis.place(one) - axis.place(other))
    low, high = sorted((abs(one), abs(other)))
    return apart <= NARROW / 4 or (apart <= NARROW and (one * other <= 0 or high <= APART * low))


def _middles(axis: Axis, inside: Any, outside: Any, steps: int) -> list[Any]:
    """What the next halvings of a stretch may try, the next one first."""
    middle = axis.between(inside, outside)
    if middle is None or steps == 0 or _near(axis, inside, outside):
        return []
    halves = (middle, outside), (inside, middle)
    return [middle, *(value for ends in halves for value in _middles(axis, *ends, steps - 1))]
