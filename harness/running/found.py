"""What a search of a scope finds: shares, edges, the smallest counterexample, what matters, and all effects together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import scipy.stats

from harness.deadline import TimedOut
from harness.report.searches import LEVEL
from harness.running.confirm import again
from harness.running.edges import Edge, read_edges
from harness.running.explored import Ahead, Explored, Judged, side
from harness.running.importance import Index, importance
from harness.running.maps import Map, maps_of
from harness.running.scope import Scope, Settings
from harness.running.search import begun, go
from harness.running.surface import Split, Surface, best_split, even
from harness.running.telling import told
from harness.running.timeout import give_up
from harness.running.trials import Trial, in_words, tried
from harness.showing import Shown

OPPOSITE = {"supported": "refuted", "refuted": "supported"}
CONFIDENCE = 0.95
_FRESH = 2048  # even points at which the surface is asked for the share of the scope


@dataclass(frozen=True)
class Share:
    """In how much of the declared scope a claim has a verdict.

    Attributes:
        verdict: "supported", "refuted", "inconclusive", "invalid" or "error".
        count: even settings with it; of a scope that was tried completely, settings.
        of: even settings that were tried; of such a scope, all that it has.
        interval: exact 95 % interval of the share (Clopper & Pearson 1934); of such a scope the share itself, twice.
    """

    verdict: str
    count: int
    of: int
    interval: tuple[float, float]

    @property
    def exact(self) -> bool:
        """Whether it is that of the whole scope, and not estimated from draws."""
        return self.interval[0] == self.interval[1]


@dataclass(frozen=True, repr=False)
class Search(Shown):
    """What a search found.

    Attributes:
        looked_for: the verdict on the other side: the opposite of the one at the defaults.
        trials: every setting that was tried, in order.
        found: the simplest settings that turn the verdict and are expected to do so again, or None.
        confirmed: whether fresh seeds gave that verdict too; None where nothing was found, or where no seeds are used.
        confirmation: the trial with fresh seeds, or None.
        reason: all of it in a few sentences.
        default: the settings outside of the search.
        shares: of the declared scope, by verdict.
        holds: share of the scope in which the effect is to be expected beyond the margin by the surface; None without one.
        edges: where along single settings the verdict turns.
        inside: the trial with fresh seeds on the side of the defaults, nearest to the edge; None where there is no edge.
        split: the single condition that best separates where the claim holds.
        importance: settings by their share of the variance of the effect; empty where effects differ no more than chance
            has them differ, or leave open what they go with.
        alike: p of effects that differ by their errors alone; None where there are too few.
        joint: p of "there is no effect in any of the even settings", valid however they depend on each other: twice the median
            p (Rüger 1978; Vovk & Wang 2020, doi 10.1093/biomet/asaa027); None where there is none.
        maps: where it holds over pairs of the settings that matter most.
        p: one-sided p of the verdict that was looked for, on fresh seeds; None where there is none.
        p_adjusted: the same after Holm's adjustment over all searches of a report, which the report makes.
        survives: whether a confirmed turn stands after that; None where none was confirmed.
        broke: what kept the search from its end, or None.
        asked: settings that were to be tried; a scope may hold fewer.
        cut: whether the time was over before they were.
        others: share of the settings beside the defaults that have the verdict of the defaults; None where none was tried, or
            the defaults are not decided.
        pools: settings whose values Hypothesis drew, which need not be even; see :attr:`harness.running.scope.Scope.pools`.
    """

    looked_for: str
    trials: tuple[Trial, ...]
    found: Settings | None
    confirmed: bool | None
    confirmation: Trial | None
    reason: str
    default: Settings
    shares: tuple[Share, ...] = ()
    holds: float | None = None
    edges: tuple[Edge, ...] = ()
    inside: Trial | None = None
    split: Split | None = None
    importance: tuple[Index, ...] = ()
    alike: float | None = None
    joint: float | None = None
    maps: tuple[Map, ...] = ()
    p: float | None = None
    p_adjusted: float | None = None
    survives: bool | None = None
    broke: str | None = None
    asked: int | None = None
    cut: bool = False
    others: Share | None = None
    pools: tuple[str, ...] = ()

    def _shown(self) -> tuple[str, Mapping[str, Any]]:
        return f"Search of {len(self.trials)} settings", {
            "found": self.reason, "shares": tuple(f"{each.verdict} {each.count} of {each.of}" for each in self.shares),
            "holds in": None if self.holds is None else f"{self.holds:.0%} of the scope",
            "turns at": None if self.found is None else in_words(self.found), "confirmed on fresh seeds": self.confirmed,
            "matters": tuple(f"{each.name} {each.total:.2g}" for each in self.importance),
        }  # fmt: skip

    def _shown_rows(self) -> tuple[Sequence[str], Sequence[Sequence[Any]]]:
        rows = [[in_words(each.settings), each.verdict, each.effect] for each in self.trials]
        return ("settings", "verdict", "effect"), rows

    def to_json(self) -> dict[str, Any]:
        """The search as a row of the report holds it."""
        return asdict(self)


def search(
    scope: Scope, judged: Judged, default: Trial, trials: int, fresh: Judged, *, minutes: float | None = None,
    tell: Callable[[Trial], None] = lambda trial: None, ahead: Ahead = lambda settings: False,
    fresh_ahead: Callable[[Sequence[Settings]], None] = lambda settings: None, foresight: int = 1,
) -> Search:  # fmt: skip
    """Search a scope.

    Args:
        scope: the axes.
        judged: judges the claim with some settings in place of the defaults.
        default: the claim at its defaults.
        trials: settings to try; confirmations come on top.
        fresh: judges the claim with some settings on seeds that nothing has used before; None where it uses no seeds.
        minutes: after which no further setting is tried; None for no limit.
        tell: told of every trial.
        ahead: told of settings that are about to be tried, so that what they need can be made in one go; says whether all of
            it is made.
        fresh_ahead: told of settings that are about to be confirmed, likewise.
        foresight: steps of a bisection of whose settings ``ahead`` is told at once.

    Raises:
        ValueError: ``trials`` is below 1.
    """
    explored = begun(scope, judged, default, trials, tell, minutes, ahead, foresight)
    broke = None
    try:
        go(explored)
    except (Exception, TimedOut) as problem:  # what was tried before says what it says
        if not explored.trials:
            raise
        broke = _said(problem)
    surface = explored.surface()
    result = _looked(explored, surface)
    try:
        result = result if broke else _confirmed(explored, surface, result, fresh, fresh_ahead)
    except (Exception, TimedOut) as problem:
        broke = _said(problem)
    result = replace(result, broke=broke, cut=result.cut and not broke)
    return replace(result, reason=told(result))


def _said(problem: BaseException) -> str:
    """What broke a search, whose clock stands from now on."""
    if isinstance(problem, TimedOut):
        give_up()
        return str(problem)
    return f"{type(problem).__name__}: {problem}"


def _looked(explored: Explored, surface: Surface | None) -> Search:
    """What the trials of a search say, before anything is confirmed."""
    explored.edges[:] = read_edges(explored)
    scope, default, seen = explored.scope, explored.default, explored.all()
    whole = explored.whole()
    drawn = explored.drawn if whole is None else whole
    distances, errors = (np.array([getattr(each, name) for each in seen], dtype=float) for name in ("distance", "error"))
    units = np.array([each.n or np.inf for each in seen], dtype=float)
    alike = even(distances, errors, units) if len(seen) > 2 else None
    matters = surface is not None and alike is not None and alike < LEVEL and len(scope.axes) > 0
    holds = None if surface is None else float(surface.holds(scope.even(_FRESH, "share")).mean())
    result = Search(
        "supported" if explored.home is False else "refuted", tuple(explored.trials), None, None, None, "", scope.defaults,
        tuple(shares_of(drawn, exact=whole is not None)), holds, tuple(explored.edges),
        split=best_split(scope, [each.settings for each in seen], [bool(side(each)) for each in seen]),
        importance=importance(scope, [each.settings for each in seen], distances, errors) if matters else (), alike=alike,
        joint=joint_p(explored.trials), asked=explored.budget, cut=explored.cut,
        others=_others(drawn, default, exact=whole is not None), pools=scope.pools,
    )  # fmt: skip
    if surface is not None and result.importance:
        result = replace(result, maps=maps_of(surface, result.importance, [(each.settings, each.verdict) for each in seen]))
    return result


def _confirmed(
    explored: Explored, surface: Surface | None, result: Search, fresh: Judged,
    fresh_ahead: Callable[[Sequence[Settings]], None],
) -> Search:  # fmt: skip
    """The same, with what was found judged once more on fresh seeds."""
    home, looked_for = explored.home, result.looked_for
    if home is None or not any(each.verdict == looked_for for each in explored.trials):
        return result
    found = again(explored, surface, holds=not home)
    near = again(explored, surface, holds=home) if any(edge.judged for edge in explored.edges) else None
    fresh_ahead([each for each in (found, near) if each is not None])
    confirmation = None if found is None else tried(fresh, found, "confirmation")
    inside = None if near is None else tried(fresh, near, "confirmation")
    result = replace(result, found=found, inside=inside, confirmation=confirmation)
    if confirmation is None:
        return result
    p = confirmation.p_refute if looked_for == "refuted" else confirmation.p
    return replace(result, confirmed=confirmation.verdict == looked_for, p=p)


def _others(drawn: Sequence[Trial], default: Trial, *, exact: bool) -> Share | None:
    """The share of the settings beside the defaults that agree with them."""
    beside = [each for each in drawn if each.settings]
    if default.verdict not in OPPOSITE or not beside:
        return None
    return next((each for each in shares_of(beside, exact=exact) if each.verdict == default.verdict), None)


def shares_of(trials: Sequence[Trial], *, exact: bool = False) -> list[Share]:
    """Shares of the scope by verdict, from the trials of even draws; ``exact`` from those of all settings that it has."""
    drawn = [each.verdict for each in trials]
    found = []
    for verdict in ("supported", "refuted", "inconclusive", "invalid", "error"):
        if drawn and (verdict in drawn or verdict in ("supported", "refuted")):
            count, of = drawn.count(verdict), len(drawn)
            ends = scipy.stats.binomtest(count, of).proportion_ci(CONFIDENCE, "exact")
            found.append(Share(verdict, count, of, (count / of,) * 2 if exact else (float(ends.low), float(ends.high))))
    return found


def joint_p(trials: Sequence[Trial]) -> float | None:
    """P of the null in every even setting at once."""
    ps = sorted(each.p for each in trials if each.why == "even" and each.p is not None)
    return (
        min(1.0, 2 * ps[len(ps) // 2]) if ps else None
    )  # K/k times the k-th smallest, with k just above K/2: twice it at most
