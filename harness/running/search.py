"""Search of a claim's scope for settings in which its verdict turns (``--claims-search``).

A claim that holds at one choice of what its document leaves open has not been replicated yet.  The search draws such
settings from the claim's scope, judges the claim in each by the ordinary rule, and reduces what it finds to the fewest and
simplest settings that still turn the verdict.  Among many settings, some turn the verdict by chance: so what was found is
judged once more, on seeds that had no part in finding it, and only that counts.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import hypothesis
from hypothesis import strategies as st

from harness.errors import ClaimError
from harness.measure.falsify import quiet, seed_of
from harness.running.growth import in_blocks, seeds_of

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

    from harness.claim import Claim, Evidence
    from harness.judge import Verdict
    from harness.running.growth import Body
    from harness.running.session import Harness

Settings = Mapping[str, Any]
OPPOSITE = {"supported": "refuted", "refuted": "supported"}
_DRAWS_A_TRIAL = 30  # draws cost nothing where they repeat a setting that was tried


@dataclass(frozen=True)
class Trial:
    """The claim in one setting.

    Attributes:
        settings: what differs from the defaults.
        verdict: "supported", "refuted", "inconclusive", "invalid", or "error" where it broke.
        reason: the verdict's reason, or what broke.
        effect: estimate in natural units, or None.
        interval: its interval, or None.
        n: number of units, or None.
        seconds: what it took.
    """

    settings: Settings
    verdict: str
    reason: str
    effect: float | None
    interval: tuple[float, float] | None
    n: int | None
    seconds: float


@dataclass(frozen=True)
class Search:
    """What a search found.

    Attributes:
        looked_for: the verdict that was looked for: the opposite of the one at the defaults.
        trials: every setting that was tried, in order.
        found: the fewest settings that were found to turn the verdict, or None.
        confirmed: whether fresh seeds gave that verdict too; None where nothing was found, or where no seeds are used.
        confirmation: the trial with fresh seeds, or None.
        reason: all of it in a sentence.
    """

    looked_for: str
    trials: tuple[Trial, ...]
    found: Settings | None
    confirmed: bool | None
    confirmation: Trial | None
    reason: str

    def to_json(self) -> dict[str, Any]:
        """The search as a row of the report holds it."""
        return asdict(self)


def search(
    scope: Mapping[str, SearchStrategy[Any]],
    defaults: Settings,
    judged: Callable[[Settings], Verdict],
    *,
    verdict: str,
    trials: int,
    fresh: Callable[[Settings], Verdict | None],
) -> Search:
    """Look for settings in which a claim's verdict turns.

    The settings that are drawn depend on the scope, the number of trials and the installed version of Hypothesis; claims with
    the same scope draw the same ones, and so share what is trained for them.

    Args:
        scope: settings by name, with the strategies of their values.
        defaults: their values outside of a search.
        judged: judges the claim with these settings in place of the defaults.
        verdict: the verdict at the defaults.
        trials: settings to try, including those of the reduction but not the confirmation.
        fresh: judges the claim with these settings on seeds that ``judged`` does not use; None if it uses no seeds.

    Raises:
        ValueError: ``trials`` is below 1.
    """
    if trials < 1:
        raise ValueError(f"trials={trials!r}; a search tries 1 setting or more")
    looked_for = OPPOSITE.get(verdict, "refuted")
    tried = _Tried(judged, defaults, trials)

    def turns(settings: Settings) -> None:
        trial = tried(settings)
        assert trial is None or trial.verdict != looked_for

    drawn = {name: st.just(defaults[name]) | values for name, values in sorted(scope.items())}
    run = hypothesis.given(st.fixed_dictionaries(drawn))(turns)
    run = hypothesis.seed(seed_of(repr(sorted(map(repr, scope.items())))))(quiet(trials * _DRAWS_A_TRIAL)(run))
    try:
        run()
    except AssertionError:
        # Hypothesis shrinks by its own order and replays the simplest last; fewest settings first is the order here.
        turned = [trial for trial in tried.trials if trial.verdict == looked_for]
        found = min(reversed(turned), key=lambda trial: len(trial.settings))
        again = _trial(fresh, found.settings)
        confirmed = None if again is None else again.verdict == looked_for
        reason = _found(looked_for, found, again)
        return Search(looked_for, tuple(tried.trials), found.settings, confirmed, again, reason)
    return Search(looked_for, tuple(tried.trials), None, None, None, _nothing(looked_for, tried.trials, scope))


class _Tried:
    """The trials so far; a setting that was tried is not tried again, and beyond the budget none is."""

    def __init__(self, judged: Callable[[Settings], Verdict], defaults: Settings, budget: int) -> None:
        self.trials: list[Trial] = []
        self._judged, self._defaults, self._budget = judged, defaults, budget
        self._known: dict[str, Trial] = {}

    def __call__(self, settings: Settings) -> Trial | None:
        """The trial of these settings; None at the defaults, which were judged before, and where the budget is spent."""
        changed = {name: value for name, value in settings.items() if value != self._defaults[name]}
        key = repr(changed)
        if key not in self._known:
            if not changed or len(self.trials) >= self._budget:
                return None
            trial = _trial(self._judged, changed)
            assert trial is not None
            self._known[key] = trial
            self.trials.append(trial)
        return self._known[key]


def _trial(judged: Callable[[Settings], Verdict | None], settings: Settings) -> Trial | None:
    """Judge the claim in a setting; one that cannot be trained or measured is an error and turns nothing."""
    began = time.perf_counter()
    try:
        verdict = judged(settings)
    except Exception as problem:  # whatever a fixture makes of a setting: diverged training, too few data
        reason = f"{type(problem).__name__}: {problem}"
        return Trial(settings, "error", reason, None, None, None, time.perf_counter() - began)
    if verdict is None:
        return None
    seen = verdict.estimate
    return Trial(
        settings, verdict.outcome.value, verdict.reason, seen.effect if seen else None, seen.interval if seen else None,
        seen.n if seen else None, time.perf_counter() - began,
    )  # fmt: skip


def in_words(settings: Settings) -> str:
    """Settings as a reader writes them: "noise = 1.5, points = 64"."""
    return ", ".join(f"{name} = {value:.4g}" if isinstance(value, float) else f"{name} = {value}"
                     for name, value in settings.items())  # fmt: skip


def _found(looked_for: str, found: Trial, again: Trial | None) -> str:
    what = f"{looked_for} with {in_words(found.settings)}, all else at its default"
    if again is None:
        return f"{what}; no seeds are used, so that there are none to confirm it with"
    if again.verdict == looked_for:
        return f"{what}; confirmed with seeds that had no part in finding it"
    return f"{what}; not confirmed: with fresh seeds it is {again.verdict}, so that this may be chance"


def _nothing(looked_for: str, trials: list[Trial], scope: Mapping[str, Any]) -> str:
    moved = {name for trial in trials for name in trial.settings}
    said = f"{looked_for} in none of {len(trials)} settings of {', '.join(sorted(moved))}"
    others = {kind: sum(trial.verdict == kind for trial in trials) for kind in ("inconclusive", "invalid", "error")}
    if counted := [f"{count} {kind}" for kind, count in others.items() if count]:
        said += f" ({', '.join(counted)})"
    still = sorted(set(scope) - moved)
    return f"{said}; {', '.join(still)} stayed at {'its default' if len(still) == 1 else 'their defaults'}" if still else said


def check_scope(claim: Claim, asked: Settings) -> None:
    """Raise a ClaimError if the scope names a setting that was not asked for.

    Args:
        claim: the declaration.
        asked: settings that its studies asked for.
    """
    if unknown := sorted(set(claim.scope) - set(asked)):
        raise ClaimError(
            f"the scope of {claim.id} names {', '.join(unknown)}, which no study asks for: a study gets the value with "
            f"harness.setting({unknown[0]!r}, default); settings that are asked for: {', '.join(sorted(asked)) or 'none'}"
        )


def search_scope(
    claim: Claim, body: Body, harness: Harness, judge: Callable[[Evidence], Verdict], *, verdict: str, trials: int
) -> Search:
    """Search the scope of a claim, calling its body with other settings.

    Args:
        claim: the declaration, with a scope.
        body: the claim's.
        harness: the session's.
        judge: judges evidence.
        verdict: the verdict at the defaults.
        trials: settings to try.
    """
    asked: dict[str, Any] = {}
    known: set[int] = set()
    first = seeds_of(in_blocks(body, harness, [0], known, asked=asked))  # from the store, and only to see what they are

    def judged(settings: Settings) -> Verdict:
        return judge(body(replace(harness, settings=settings)))

    def fresh(settings: Settings) -> Verdict | None:
        evidence = in_blocks(body, harness, [1], set(known), settings=settings)
        seeds = seeds_of(evidence)
        return judge(evidence) if seeds and not seeds & first else None

    defaults = {name: asked[name] for name in claim.scope}
    return search(claim.scope, defaults, judged, verdict=verdict, trials=trials, fresh=fresh)
