"""What a search of a claim's scope says: shares, edges, the smallest counterexample, what matters, and all effects together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import scipy.stats

from harness.deadline import TimedOut
from harness.predict import words
from harness.running.confirm import again
from harness.running.edges import Edge, look_again
from harness.running.explored import Ahead, Explored, Judged, side
from harness.running.maps import Map, maps_of
from harness.running.scope import Scope, Settings
from harness.running.search import begun, go
from harness.running.surface import Index, Split, Surface, best_split, even
from harness.running.timeout import give_up
from harness.running.trials import Trial, in_words, tried, value_in_words
from harness.running.values import is_number
from harness.showing import Shown

OPPOSITE = {"supported": "refuted", "refuted": "supported"}
CONFIDENCE = 0.95
LEVEL = 0.05  # of the test that effects differ at all, without which no setting is said to matter
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
            has them differ.
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
    return replace(result, reason=told(result, default))


def _said(problem: BaseException) -> str:
    """What broke a search, whose clock stands from now on."""
    if isinstance(problem, TimedOut):
        give_up()
        return str(problem)
    return f"{type(problem).__name__}: {problem}"


def _looked(explored: Explored, surface: Surface | None) -> Search:
    """What the trials of a search say, before anything is confirmed."""
    look_again(explored)
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
        importance=surface.importance() if matters and surface is not None else (), alike=alike,
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


def told(found: Search, default: Trial) -> str:
    """A search in a few sentences."""
    tried_so_far = words.counted(len(found.trials), "setting")
    broke = f"The search broke after {tried_so_far}: {found.broke}." if found.broke else ""
    said = (broke, _shares(found), _edges(found, default), _simplest(found), _matters(found))
    return " ".join(filter(None, said))


def _shares(found: Search) -> str:
    said = [words.came(share.count, share.verdict) for share in found.shares if share.count or share.verdict == "supported"]
    supported = next((share for share in found.shares if share.verdict == "supported"), None)
    tried = f"The time was over after {len(found.trials)} of {words.counted(found.asked or 0, 'setting')}." if found.cut else ""
    if supported is None:
        return "No setting was tried: the time was over before." if found.cut else "No setting was tried."
    if not found.trials:
        return "The scope has no setting but the defaults, so that there is nothing to try."
    if supported.exact:
        every = "was the only setting" if supported.of == 1 else f"were all {supported.of} settings"
        return f"Tried {every} of the scope, so that the shares are exact: {', '.join(said)}."
    low, high = (f"{100 * end:.0f}" for end in supported.interval)
    different = sum(trial.why == "even" for trial in found.trials)  # beside the defaults
    drawn = f"{words.counted(supported.of, 'setting')} spread evenly over the scope"
    if different < supported.of - 1:  # a scope of few settings gives the same ones again
        drawn = f"{supported.of} even draws from a scope of few settings"
    if found.pools:
        names = " and ".join(found.pools)
        return f"{tried} Of {supported.of} settings from values that Hypothesis gave of {names}, which need not be even: " \
               f"{', '.join(said)}.".strip()  # fmt: skip
    return f"{tried} Of {drawn}: {', '.join(said)}; so it is supported in {low} to {high} % of the scope.".strip()


def _edges(found: Search, default: Trial) -> str:
    """The first edge with all that is known of it, the others by where they are."""
    turning = [edge for edge in found.edges if edge.judged and edge.clear and not _chance(found)]
    unjudged = [f"{edge.name} {_from(edge)}" for edge in found.edges if not edge.judged]
    said = [_edge(turning[0], found, default)] if turning else []
    if turning[1:]:
        said.append(f"It turns, too, {' and '.join(_where(edge) for edge in turning[1:])}.")
    if unjudged:
        said.append(f"It cannot be judged with {' and '.join(unjudged)}.")
    return " ".join(said)


def _chance(found: Search) -> bool:
    """Whether effects differ over the scope no more than their errors explain: what turns there is no edge."""
    return found.alike is not None and found.alike >= LEVEL


def _from(edge: Edge) -> str:
    """The side of an edge that is not the defaults'."""
    value = value_in_words(edge.outside)
    if not _ordered(edge) or not edge.alone:
        return value
    return f"{value} and below" if edge.outside < edge.inside else f"{value} and above"


def _ordered(edge: Edge) -> bool:
    if edge.judged:
        return edge.threshold is not None
    return is_number(edge.inside) and is_number(edge.outside)


def _where(edge: Edge) -> str:
    if edge.threshold is None:
        return f"where {edge.name} is {value_in_words(edge.outside)}"
    return f"at {edge.name} {value_in_words(edge.threshold)}"


def _edge(edge: Edge, found: Search, default: Trial) -> str:
    if edge.threshold is None:
        return f"With all else at its default it turns {_where(edge)}."
    home = side(default)
    inner, outer = (edge.supported, edge.refuted) if home else (edge.refuted, edge.supported)
    here, there = ("supported", "refuted") if home else ("refuted", "supported")
    if not edge.alone and inner is not None and outer is not None:
        sides = f"{here} at {edge.name} {value_in_words(inner)} and {there} at {value_in_words(outer)}"
        return f"With all else at its default it is {sides}, and turns along {edge.name} elsewhere, too, or cannot be judged."
    falls = edge.outside < edge.inside  # the edge may lie below the default, too
    parts = [f"{here} {'down' if falls else 'up'} to {edge.name} {value_in_words(inner)}"] if inner is not None else []
    named = "" if parts else f"{edge.name} "
    parts += [f"{there} from {named}{value_in_words(outer)}{' down' if falls else ''}"] if outer is not None else []
    turns = f"its effect passes the margin at about {value_in_words(edge.threshold)}"
    between = "" if edge.threshold in (inner, outer) else f"; {turns}"  # of values that are next to each other
    decided = sorted(value for value in (inner, outer) if value is not None)
    if len(decided) == 2 and not decided[0] <= edge.threshold <= decided[1]:
        between += ", which a support does not exclude"  # nor a refutation of what lies a little beyond it
    if not parts:
        return f"With all else at its default {turns.replace('margin at about', f'margin at {edge.name} of about')}."
    fresh = ""
    if found.inside is not None:
        kept = found.inside.verdict == here
        fresh = f"; on fresh seeds with {in_words(found.inside.settings) or 'the defaults'} it is {found.inside.verdict}"
        fresh += ", as before" if kept else ""
    return f"With all else at its default it is {', '.join(parts)}{between}{fresh}."


def _simplest(found: Search) -> str:
    if found.found is None:
        turned = [each for each in found.trials if each.verdict == found.looked_for]
        if turned or not found.trials:
            return ""
        several = f"none of {len(found.trials)} settings"
        return f"It is {found.looked_for} in {several if len(found.trials) > 1 else 'no setting: one was tried'}."
    fewer = any(each.verdict == found.looked_for and len(each.settings) < len(found.found) for each in found.trials)
    clearly = "clearly " if fewer else ""  # expected to come out so again, which those with fewer changes are not
    what = f"The simplest setting in which it is {clearly}{found.looked_for}: {in_words(found.found)}"
    if found.confirmation is None:
        return f"{what}; no seeds are used, so that there are none to confirm it with."
    if found.confirmed:
        return f"{what}; confirmed with {found.confirmation.n or 'fresh'} units of seeds that had no part in finding it."
    return f"{what}; not confirmed: with fresh seeds it is {found.confirmation.verdict}, so that this may be chance."


def _matters(found: Search) -> str:
    if found.alike is None:
        return ""
    if _chance(found):
        return "Effects differ over the scope no more than their errors explain."
    if not found.importance:
        return "Effects differ over the scope by more than their errors explain; they are too few to say what that goes with."
    first, *rest = found.importance
    low, high = (f"{100 * end:.0f}" for end in first.interval)
    beside = [index for index in rest if index.total >= first.interval[0]]
    said = f"Of the variance of the effect {100 * first.total:.0f} % ({low} to {high}) goes with {first.name}"
    if not beside:
        return f"{said}."
    names = " and ".join(index.name for index in beside)
    together = max(index.alone for index in (first, *beside)) < first.total / 2
    return f"{said}, and as much with {names}: {'by what they are together' if together else 'no one of them can be left out'}."
