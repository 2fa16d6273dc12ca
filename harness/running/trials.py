"""A claim judged in one setting of its scope: the trial, and how far its effect lies from where the verdict turns."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import TYPE_CHECKING, Any, Literal

from harness.errors import Shortfall
from harness.predict import Conjunction

if TYPE_CHECKING:
    from harness.judge import Verdict
    from harness.predict import Estimate, Prediction
    from harness.running.scope import Scope, Settings

Why = Literal["default", "even", "edge", "surface", "confirmation"]
EXACT_ERROR = 0.25
"""Standard error, in margins, that a claim without a sampling error is given for the surface: its steps are not bent by it."""


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
        why: what it was tried for: the even sample, an edge, where the surface is least sure, or a confirmation.
        distance: of the effect from where the verdict turns, in margins; positive where the claim holds; of several parts that
            of the one on which support hangs.  None where there is no effect.
        error: its standard error.
        p: one-sided p of a support, or None.
        p_refute: of a refutation, or None.
    """

    settings: Settings
    verdict: str
    reason: str
    effect: float | None
    interval: tuple[float, float] | None
    n: int | None
    seconds: float
    why: Why = "even"
    distance: float | None = None
    error: float | None = None
    p: float | None = None
    p_refute: float | None = None

    @property
    def holds(self) -> bool | None:
        """On which side of the margin its effect lies; where it has none, by its verdict; None where that decides nothing."""
        if self.distance is not None:
            return self.distance > 0
        return self.verdict == "supported" if self.verdict in ("supported", "refuted") else None


def trial_of(verdict: Verdict, settings: Settings, seconds: float, why: Why) -> Trial:
    """The trial that a verdict is."""
    seen = verdict.estimate
    distance, error = distance_of(verdict) or (None, None)
    return Trial(
        settings, verdict.outcome.value, verdict.reason, seen.effect if seen else None, seen.interval if seen else None,
        seen.n if seen else None, seconds, why, distance, error, verdict.sides.support if verdict.sides else None,
        verdict.sides.refute if verdict.sides else None,
    )  # fmt: skip


def tried(judged: Callable[[Settings], Verdict | Trial | None], settings: Settings, why: Why) -> Trial | None:
    """Judge the claim in a setting; one that lacks what it needs is invalid, one that breaks is an error, and neither turns it.

    A trial that was noted before is taken over, whatever it was tried for.
    """
    began = time.perf_counter()
    try:
        verdict = judged(settings)
    except Shortfall as problem:
        return Trial(settings, "invalid", str(problem), None, None, None, time.perf_counter() - began, why)
    except Exception as problem:  # whatever a study makes of a setting
        reason = f"{type(problem).__name__}: {problem}"
        return Trial(settings, "error", reason, None, None, None, time.perf_counter() - began, why)
    if isinstance(verdict, Trial):
        return replace(verdict, settings=settings, why=why)
    return None if verdict is None else trial_of(verdict, settings, time.perf_counter() - began, why)


def distance_of(verdict: Verdict) -> tuple[float, float] | None:
    """How far the effect lies from where the verdict turns, and the standard error of that, in margins; None without an effect.

    With c the centre and m the margin: (θ − c)/m − 1 for "above" and its mirror image for "below", since an effect below m
    refutes; 1 − |θ − c|/m for "within"; of several parts, that of the part on which support hangs.  A kind without a sampling
    error is 1 away.
    """
    if verdict.outcome.value in ("invalid", "error") or verdict.estimate is None:
        return None
    if isinstance(verdict.prediction, Conjunction):
        seen = [(part.prediction, part.estimate) for part in verdict.parts if part.estimate is not None]
        if not seen:
            return None
        return _of(*verdict.prediction.hinge(seen))
    return _of(verdict.prediction, verdict.estimate)


def _of(prediction: Prediction, seen: Estimate) -> tuple[float, float] | None:
    rule, centre, margin = prediction.rule, prediction.centre, abs(prediction.margin)
    if rule == "exact":
        return (1.0 if seen.effect == centre else -1.0), EXACT_ERROR
    low, high = (float(end) for end in seen.interval)
    error = (high - low) / 2 / NormalDist().inv_cdf(1 - prediction.alpha)
    unit = margin or error
    if not unit or not all(map(math.isfinite, (low, high, seen.effect))):
        return None
    away = (float(seen.effect) - centre) / unit
    turning = margin / unit  # 1, or 0 for a claim without a margin
    distance = turning - abs(away) if rule == "within" else (away if rule == "above" else -away) - turning
    return distance, error / unit


def in_words(settings: Mapping[str, Any]) -> str:
    """Settings as a reader writes them: "noise = 1.5, points = 64"."""
    return ", ".join(f"{name} = {value_in_words(value)}" for name, value in settings.items())


def value_in_words(value: Any) -> str:
    """A value as a reader writes it: 1.5, (128, 128), a; a text that could be taken for something else in quotes, “1”."""
    from harness.report.setting_values import said

    return f"{value:.4g}" if isinstance(value, float) else said(value) if isinstance(value, str) else f"{value}"


def simplicity(scope: Scope, settings: Settings) -> tuple[int, float, int]:
    """How far settings are from the defaults, the simplest first: how many are changed, how far, and with how many digits."""
    changed = scope.changed(settings)
    axes = {name: scope.axis(name) for name in changed}
    far = sum(abs(axes[name].place(value) - axes[name].place(axes[name].default)) for name, value in changed.items())
    digits = sum(len(value_in_words(value).strip("0").replace(".", "")) for value in changed.values())
    return len(changed), round(far, 1), digits
