"""A second voice beside a verdict, which has no say in it: a Bayes factor, and how severely the data have tested each effect.

Severity (Mayo & Spanos 2006, doi 10.1093/bjps/axl003): "the effect is above v" has passed a severe test to the extent that a
result this large would have been unlikely if the effect had been v.  It is one minus the one-sided p against v, for all v: the
p-value curve.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.predict import Estimate, Prediction, words
from harness.showing import Shown
from harness.stats import Confidence, Ranked, Student, log_factor

LEVELS = (0.999, 0.99, 0.975, 0.95, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.05, 0.025, 0.01, 0.001)
"""Severities at which the curve is kept."""
_MOST = 1e6  # beyond this a factor says no more


@dataclass(frozen=True, repr=False)
class Voice(Shown):
    """What two other ways of weighing the same data say.

    Attributes:
        rule: "above", "below" or "within"; for several parts, that of the one that decides.
        factor: logarithm of the Bayes factor for the prediction against its opposite; None if there is none.
        opposes: the two hypotheses that the factor compares, in words.
        severity_null: of "in the predicted direction of the null value"; for an absence, None.
        severity_margin: of "beyond the smallest effect of interest"; for an absence, of "within the margin".
        levels: severities, falling.
        at: for each the value v at which "beyond v" has it (for an absence the v at which "within v of the centre" has it).
    """

    rule: str
    factor: float | None
    opposes: str
    severity_null: float | None
    severity_margin: float
    levels: tuple[float, ...]
    at: tuple[float, ...]

    def _shown(self) -> tuple[str, Mapping[str, Any]]:
        return "Voice", {"rule": self.rule, "Bayes factor": self.to_json()["bayes_factor"], "of": self.opposes,
                         "severity of a direction": self.severity_null, "of the margin": self.severity_margin}  # fmt: skip

    def to_json(self) -> dict[str, Any]:
        """The voice's part of a row of the report."""
        factor = None if self.factor is None else float(f"{np.exp(np.clip(self.factor, -np.log(_MOST), np.log(_MOST))):.4g}")
        return {
            "rule": self.rule, "bayes_factor": factor, "opposes": self.opposes, "severity_null": _rounded(self.severity_null),
            "severity_margin": _rounded(self.severity_margin), "levels": list(self.levels),
            "at": [float(f"{value:.5g}") for value in self.at],
        }  # fmt: skip


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def voice(prediction: Prediction, seen: Estimate) -> Voice | None:
    """What the second voice says of an estimate; None for kinds without sampling error."""
    curve, rule, centre, margin = seen.confidence, prediction.rule, prediction.centre, prediction.margin
    if curve is None or rule not in ("above", "below", "within"):
        return None
    if rule == "within":
        factor = log_factor(curve, centre, 0)
        kept = _absence(curve, centre)
        return Voice(
            rule, None if factor is None else -factor,
            f"exactly {words.number(centre)} against any other value, {_prior(curve)}",
            None, 1 - float(curve.within(centre, margin)), *kept,
        )  # fmt: skip
    up = rule == "above"
    p = curve.above if up else curve.below
    side, target = ("more", centre + margin) if up else ("less", centre - margin)
    return Voice(
        rule, log_factor(curve, centre, 1 if up else -1),
        f"{side} than {words.number(centre)} against exactly {words.number(centre)}, {_prior(curve)}",
        1 - float(p(centre)), 1 - float(p(target)), *_finite(LEVELS, _ends(curve)[not up]),
    )  # fmt: skip


def _ends(curve: Confidence) -> tuple[list[float], list[float]]:
    """Lower and upper ends of the intervals whose ends have the severities of ``LEVELS``."""
    alphas = 1 - np.array(LEVELS)
    if isinstance(curve, Student | Ranked):  # which take all of them at once
        low, high = curve.interval(alphas)  # type: ignore[arg-type]
    else:
        low, high = zip(*(curve.interval(float(alpha)) for alpha in alphas), strict=True)
    return [float(end) for end in low], [float(end) for end in high]


def _prior(curve: Confidence) -> str:
    """The prior, in words."""
    inner = getattr(curve, "whole", curve)
    inner = getattr(inner, "sharp", getattr(inner, "lesser", inner))
    return "JZS prior of scale 0.707" if isinstance(inner, Student) else "uniform prior"


def _absence(curve: Confidence, centre: float) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Half widths v of "within v of the centre" by severity; the largest severities need the widest."""
    half = [max(centre - low, high - centre) for low, high in zip(*_ends(curve), strict=True)]
    levels, values = _finite(LEVELS, half)
    kept = [(level, value) for level, value in zip(levels, values, strict=True) if value > 0]
    return tuple(level for level, _ in kept), tuple(value for _, value in kept)


def _finite(levels: tuple[float, ...], values: list[float]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    known = [(level, value) for level, value in zip(levels, values, strict=True) if np.isfinite(value)]
    return tuple(level for level, _ in known), tuple(value for _, value in known)
