"""Where a claim holds: a search of its scope (``--claims-search``, :func:`harness.search`).

A claim that holds at one choice of what its document leaves open has not been replicated yet.  Half of the search draws the
declared scope evenly, which says in what share of it the claim holds.  The other half looks for the edge: first along lines
through the defaults, one setting after another, then wherever the surface through all effects is least sure of its side.

Whoever looks at many settings finds one by chance.  So what is said of an edge is judged once more on both sides, on seeds that
had no part in finding it and that no search has used before; only that counts.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.running.scope import Axis, Scope, Settings
from harness.running.surface import Surface
from harness.running.trials import Trial, Why, tried

if TYPE_CHECKING:
    from harness.judge import Verdict

UNLIKELY = 0.05  # chance of being on the other side below which the end of a line is not tried
CLEAR = 2.0  # standard errors from the margin: on that side of it without a doubt
LINE = 9  # trials along one line: two ends, and halvings to a hundredth of the axis
NARROW = 0.02  # of an axis: an edge is known well enough
APART = 1.2  # so many times apart at most are the ends of positive numbers then, whose middle is within a tenth of each
CANDIDATES = 512  # even points among which the surface is least sure somewhere
FIRST_BATCH = 3  # settings that are made in one go where time is limited and nothing is known of how long one takes
ROUND = 10  # settings that are chosen from one surface, so that what they need is made in one go
NEAR = 0.25  # of an axis, beyond which a turn of the surface is another one than that of the trials
Judged = Callable[[Settings], "Verdict | Trial | None"]
Ahead = Callable[[Sequence[Settings]], bool]


@dataclass(frozen=True)
class Edge:
    """Where along one setting, all others at their defaults, the verdict turns.

    Attributes:
        name: the setting.
        inside: its last value on the side of the defaults, as far as the trials go.
        outside: its first value on the other side.
        threshold: the value at which the effect passes the margin by the surface, never beyond those whose effect is clearly on
            one side of it; None for a setting whose values have no order, and where the other side cannot be judged.
        supported: the value nearest to the edge at which the claim is supported, and None where there is none.
        refuted: the value nearest to the edge at which it is refuted, likewise.
        judged: whether the claim can be judged at ``outside``; not where it is invalid, or breaks.
    """

    name: str
    inside: Any
    outside: Any
    threshold: Any | None
    supported: Any | None
    refuted: Any | None
    judged: bool = True


@dataclass
class Explored:
    """The trials of a search so far, and what they say.

    Args:
        scope: the axes.
        judged: judges the claim with some settings in place of the defaults.
        default: the claim at its defaults, which costs nothing more.
        budget: trials that may be made.
        until: time of :func:`time.monotonic` after which none is; None for no limit.
        tell: told of every trial.
        ahead: told of settings that are about to be tried, so that what they need can be made in one go; says whether all of
            it is made, which the time may have cut short.
        foresight: steps of a bisection whose settings it is told of at once, although some of them will not be tried; which
            settings are tried, and in which order, does not depend on it.

    Attributes:
        trials: every setting that was tried, once, in order; not the defaults.
        drawn: the trial of every even draw; in a scope of few settings the same one, and the defaults, come up more than once.
        began: when, by :func:`time.monotonic`.
        edges: what the lines have found.
    """

    scope: Scope
    judged: Judged
    default: Trial
    budget: int
    until: float | None = None
    tell: Callable[[Trial], None] = lambda trial: None
    ahead: Ahead = lambda settings: False
    foresight: int = 1
    trials: list[Trial] = field(default_factory=list)
    drawn: list[Trial] = field(default_factory=list)
    edges: list[Edge] = field(default_factory=list)
    began: float = field(default_factory=lambda: time.monotonic())
    _known: dict[str, Trial] = field(default_factory=dict)
    _ready: set[str] = field(default_factory=set)

    @property
    def left(self) -> int:
        """Trials that may still be made."""
        if self.until is not None and time.monotonic() >= self.until:
            return 0
        return self.budget - len(self.trials)

    @property
    def cut(self) -> bool:
        """Whether the time is over, and there were trials left to make."""
        return len(self.trials) < self.budget and self.until is not None and time.monotonic() >= self.until

    @property
    def home(self) -> bool | None:
        """On which side the claim is at its defaults."""
        return side(self.default)

    def at(self, settings: Settings, why: Why) -> Trial | None:
        """The trial of these settings, made where it is not known; None where the budget is spent."""
        changed = self.scope.changed(settings)
        if not changed:
            return self.default
        key = _key(changed)
        if key not in self._known:
            if len(self.trials) >= self.budget or (self.left <= 0 and key not in self._ready):
                return None  # what is ready was paid for, and is judged in a moment
            made = tried(self.judged, changed, why)
            assert made is not None
            self._known[key] = made
            self.trials.append(made)
            self.tell(made)
        return self._known[key]

    def known(self, settings: Settings) -> bool:
        """Whether it was tried, or is the default."""
        changed = self.scope.changed(settings)
        return not changed or _key(changed) in self._known

    def whole(self) -> list[Trial] | None:
        """The trial of every setting of the scope, the defaults among them; None where not all of them were tried."""
        size = self.scope.size
        if size is None or size > len(self.trials) + 1:
            return None
        settings = self.scope.all()
        if not all(map(self.known, settings)):
            return None
        changed = [self.scope.changed(each) for each in settings]
        return [self._known[_key(each)] if each else self.default for each in changed]

    def prepare(self, settings: Iterable[Settings]) -> None:
        """Say which settings are about to be tried, as far as they are new and the budget reaches."""
        changed = [self.scope.changed(each) for each in settings]
        new = {_key(each): each for each in changed if each and _key(each) not in self._known}
        some = dict(list(new.items())[: max(self.left, 0)])
        if some and self.ahead(list(some.values())):
            self._ready |= set(some)

    def foresee(self, settings: Sequence[Settings]) -> None:
        """Say which settings may be tried next, the very next one first; nothing is made where that one is made already."""
        if settings and not self.known(settings[0]) and _key(self.scope.changed(settings[0])) not in self._ready:
            self.prepare(settings[: self.fitting(len(settings))])

    def fitting(self, count: int) -> int:
        """How many of so many settings to make in one go: all, or those that the time left has room for at the pace so far.

        What is made together is done together: a batch that the time cuts short leaves no setting that can be judged.
        """
        if self.until is None:
            return count
        if not self.trials:
            return min(count, FIRST_BATCH)
        now = time.monotonic()
        pace = (now - self.began) / len(self.trials)
        return max(1, min(count, int((self.until - now) / pace) if pace > 0 else count))

    def all(self) -> list[Trial]:
        """Every trial within the scope that has an effect, that at the defaults first: defaults may lie beside the scope."""
        beside = {axis.name for axis in self.scope.axes if not spans(axis, axis.default)}
        return [
            each for each in (self.default, *self.trials)
            if each.distance is not None and each.error is not None and beside <= set(each.settings)
        ]  # fmt: skip

    def surface(self) -> Surface | None:
        """The surface through all effects; None where there are too few."""
        seen = self.all()
        if len(seen) < 4:
            return None
        return Surface(
            self.scope, [each.settings for each in seen], np.array([each.distance for each in seen]),
            np.array([each.error for each in seen]),
        )  # fmt: skip


def side(trial: Trial) -> bool | None:
    """Whether the claim holds: by its verdict, by the side of the margin on which its effect lies where it is not decided.

    An effect that lies a little below the margin may be supported, since the margin is not excluded.
    """
    return trial.verdict == "supported" if trial.verdict in ("supported", "refuted") else trial.holds


def spans(axis: Axis, value: Any) -> bool:
    """Whether a value is one of an axis: defaults may lie beside the scope."""
    if axis.values or axis.low is None or axis.high is None:
        return any(value == each for each in axis.values)
    return bool(axis.low <= value <= axis.high)


def _key(changed: Settings) -> str:
    return repr(sorted(changed.items()))


def begun(
    scope: Scope,
    judged: Judged,
    default: Trial,
    trials: int,
    tell: Callable[[Trial], None] = lambda trial: None,
    minutes: float | None = None,
    ahead: Ahead = lambda settings: False,
    foresight: int = 1,
) -> Explored:
    """A search of a scope that has tried nothing yet; :func:`go` lets it.

    Args:
        scope: the axes.
        judged: judges the claim with some settings in place of the defaults.
        default: the claim at its defaults.
        trials: settings to try.
        tell: told of every trial.
        minutes: after which no further setting is tried; None for no limit.
        ahead: told of settings that are about to be tried; see :class:`Explored`.
        foresight: steps of a bisection that it is told of at once; see there.

    Raises:
        ValueError: ``trials`` is below 1.
    """
    if trials < 1:
        raise ValueError(f"trials={trials!r}; a search tries 1 setting or more")
    until = None if minutes is None else time.monotonic() + 60 * minutes
    return Explored(scope, judged, default, trials, until, tell, ahead, foresight)


def go(explored: Explored) -> None:
    """Try settings until the budget is spent: an even half, then edges."""
    even = explored.scope.even(explored.budget - explored.budget // 2)
    while even and explored.left > 0:
        some = explored.fitting(len(even))
        explored.prepare(even[:some])
        for settings in even[:some]:
            made = explored.at(settings, "even")
            explored.drawn += [] if made is None else [made]
        even = even[some:]
    if explored.home is not None:
        _turn(explored)
    _unsure(explored)


def _turn(explored: Explored) -> None:
    """Look for edges along the settings, else for settings that turn the verdict together."""
    explored.edges.clear()
    _lines(explored)
    if not any(edge.judged for edge in explored.edges):
        _reduced(explored)


def _lines(explored: Explored) -> None:
    """Edges along the settings: that first along which the verdict is most likely to turn, then second ones.

    Where a line ends in what cannot be judged, where that begins is an edge of its own kind, and looked for last.
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
    unjudged += [(axis, end) for axis in axes for end in _far(axis) if _beside_unjudged(explored, axis, end)]
    for axis, end in unjudged:
        if side(explored.at({axis.name: end}, "edge") or explored.default) is not None:
            continue
        start = _start(explored, axis)
        if start is not None and explored.left > 0:
            explored.edges.append(_halved(explored, axis, start, end))


def _beside_unjudged(explored: Explored, axis: Axis, end: Any) -> bool:
    """Whether an end of a line is not known, and the nearest of all trials could not be judged."""
    return not explored.known({axis.name: end}) and side(_nearest(explored, [{axis.name: end}])[0]) is None


def _nearest(explored: Explored, settings: Sequence[Settings]) -> list[Trial]:
    """The trial that is nearest to each of some settings, the defaults among them."""
    seen = [explored.default, *explored.trials]
    places, own = (explored.scope.columns(each) for each in ([trial.settings for trial in seen], settings))
    nearest = np.argmin(((own[:, None] - places[None]) ** 2).sum(axis=2), axis=1)
    return [seen[at] for at in nearest]


def _turns(explored: Explored, axis: Axis, surface: Surface | None) -> float:
    """How likely the claim is to be on the other side somewhere along an axis."""
    return max((_other_side(explored, surface, axis, value) for value in _far(axis)), default=0.0)  # a scope of one setting


def _other_side(explored: Explored, surface: Surface | None, axis: Axis, value: Any) -> float:
    if surface is None:
        return 0.5
    holds = float(surface.holds([{axis.name: value}])[0])
    return 1 - holds if explored.home else holds


def _far(axis: Axis) -> list[Any]:
    """Values at which a line ends: the ends of an ordered axis, every value of another."""
    if axis.ordered:
        return [value for value in dict.fromkeys((axis.value(0.0), axis.value(1.0))) if value != axis.default]
    return [value for value in axis.values if value != axis.default] or [axis.default]


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
    start = _start(explored, axis)
    made = None if start is None or explored.left <= 0 else explored.at({axis.name: end}, "edge")
    if start is None or made is None or side(made) == explored.home:
        return False
    if side(made) is None:
        unjudged.append((axis, end))
        return False
    explored.edges.append(_halved(explored, axis, start, end))
    return True


def _start(explored: Explored, axis: Axis) -> Any | None:
    """Where a line begins: at the default, or at the end of the axis that is nearest to a default beside the scope.

    None where the verdict is another one at that end already: what lies in between is no part of the scope.
    """
    if spans(axis, axis.default) or not axis.ordered:
        return axis.default
    start = axis.value(axis.place(axis.default))
    made = explored.at({axis.name: start}, "edge")
    return start if made is not None and side(made) == explored.home else None


def _halved(explored: Explored, axis: Axis, start: Any, end: Any) -> Edge:
    """Halve the stretch between where a line begins and an end that is not on its side."""
    inside, outside, budget = start, end, min(explored.left, LINE - 2)
    while axis.ordered and budget > 0 and not _near(axis, inside, outside):
        middle = axis.between(inside, outside)
        explored.foresee([{axis.name: value} for value in _middles(axis, inside, outside, min(explored.foresight, budget))])
        made = None if middle is None else explored.at({axis.name: middle}, "edge")
        if made is None:  # nothing in between, or no time
            break
        budget -= 1
        inside, outside = (middle, outside) if _across(made) == explored.home else (inside, middle)
    return _edge(explored, axis, inside, outside)


def _across(trial: Trial) -> bool | None:
    """On which side of the margin an effect lies, where it can be judged: halving goes by that, not by what is decided."""
    return trial.holds if trial.distance is not None else side(trial)


def _near(axis: Axis, one: Any, other: Any) -> bool:
    """Whether the edge between two values is known well enough: on the axis, and as a share of positive numbers."""
    if abs(axis.place(one) - axis.place(other)) > NARROW:
        return False
    low, high = sorted((one, other))
    return low <= 0 or high <= APART * low or abs(axis.place(one) - axis.place(other)) <= NARROW / 4


def _middles(axis: Axis, inside: Any, outside: Any, steps: int) -> list[Any]:
    """What the next halvings of a stretch may try, the next one first."""
    middle = axis.between(inside, outside)
    if middle is None or steps == 0 or _near(axis, inside, outside):
        return []
    halves = (middle, outside), (inside, middle)
    return [middle, *(value for ends in halves for value in _middles(axis, *ends, steps - 1))]


def _edge(explored: Explored, axis: Axis, inside: Any, outside: Any) -> Edge:
    """What the trials along an axis say of its edge."""
    seen = [] if not spans(axis, axis.default) and axis.ordered else [(axis.default, explored.default)]
    seen += [(each.settings[axis.name], each) for each in explored.trials if set(each.settings) == {axis.name}]
    middle = axis.place(inside) / 2 + axis.place(outside) / 2

    def nearest(verdict: str, end: Any) -> Any | None:
        toward = np.sign(axis.place(end) - middle)
        on_side = [
            value for value, trial in seen
            if trial.verdict == verdict
            and (value == end or (axis.ordered and np.sign(axis.place(value) - middle) == toward))
        ]  # fmt: skip
        return min(on_side, key=lambda value: abs(axis.place(value) - middle), default=None)

    holding, failing = (inside, outside) if explored.home else (outside, inside)
    supported, refuted = nearest("supported", holding), nearest("refuted", failing)
    if any(value == outside and side(trial) is None for value, trial in seen):
        supported, refuted = (supported, None) if explored.home else (None, refuted)
        return Edge(axis.name, inside, outside, None, supported, refuted, judged=False)
    clear = [axis.place(value) for value, trial in seen if _clear(trial)] if axis.ordered else []
    threshold = axis.value(_crossing(explored, axis, middle, clear)) if axis.ordered else None
    return Edge(axis.name, inside, outside, threshold, supported, refuted)


def _clear(trial: Trial) -> bool:
    """Whether it leaves no doubt on which side of the margin its effect lies."""
    if trial.distance is None or trial.error is None:
        return side(trial) is not None
    return abs(trial.distance) >= CLEAR * trial.error


def _crossing(explored: Explored, axis: Axis, middle: float, clear: Sequence[float]) -> float:
    """Where the surface turns along an axis, nearest to where the trials have it: noise of single trials is averaged there.

    Never beyond the nearest places at which there is no doubt (``clear``).  A step is no smooth surface: where the surface does
    not turn near the trials, the middle between them is taken.
    """
    surface = explored.surface()
    if surface is None:
        return middle
    low = max((place for place in clear if place <= middle), default=middle - NEAR)
    high = min((place for place in clear if place >= middle), default=middle + NEAR)
    places = np.linspace(max(low, 0.0), min(high, 1.0), 401)
    mean, _ = surface.at([{axis.name: axis.value(float(place))} for place in places])
    turns = np.flatnonzero(np.diff(np.sign(mean)) != 0)
    crossings = [float(places[at] + places[at + 1]) / 2 for at in turns]
    return min(crossings, key=lambda place: abs(place - middle), default=middle)


def _unsure(explored: Explored) -> None:
    """Spend what is left where the surface is least sure: the straddle rule of Bryan et al. 2005, 1.96 σ − |μ|.

    A round of settings is chosen from one surface, each as if those before it had come out as expected.  The first setting on
    the other side of a scope that had seemed to have none ends its round, since edges come first.
    """
    pool = explored.scope.even(CANDIDATES, "straddle")
    unturned = explored.home is not None and not any(side(each) not in (None, explored.home) for each in explored.trials)
    while explored.left > 0:
        before, surface = len(explored.trials), explored.surface()
        some_left = _judgeable(explored, pool)
        chosen = some_left if surface is None else _round(explored, surface, some_left)
        some = explored.fitting(min(ROUND, explored.left))
        explored.prepare(chosen[:some])
        for settings in chosen:
            made = explored.at(settings, "surface")
            if unturned and made is not None and side(made) not in (None, explored.home):
                unturned = False
                _turn(explored)
                break
            if len(explored.trials) - before >= some:
                break
        if len(explored.trials) == before:
            return  # the scope is smaller than the budget


def _judgeable(explored: Explored, pool: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The settings that are not known and whose nearest trial could be judged; all that are not known where that leaves none.

    The surface passes over what cannot be judged, and stays unsure there however often it is tried.
    """
    left = [settings for settings in pool if not explored.known(settings)]
    nearest = _nearest(explored, left) if left else []
    return [each for each, trial in zip(left, nearest, strict=True) if side(trial) is not None] or left


def _round(explored: Explored, surface: Surface, pool: Sequence[Settings]) -> list[Settings]:
    """The settings of a round that are not known yet."""
    chosen: list[Settings] = []
    left = [settings for settings in pool if not explored.known(settings)]
    while left and len(chosen) < min(ROUND, explored.left):
        mean, deviation = surface.at(left)
        best = left[int(np.argmin(np.abs(mean) - 1.96 * deviation))]
        chosen.append(best)
        surface = surface.believing(best)
        left = [settings for settings in left if settings != best]
    return chosen
