"""What a prediction makes of a table: an effect with its uncertainty, and what a reader needs beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.showing import Shown
from harness.stats import Confidence


@dataclass(frozen=True)
class Stratum:
    """The same estimate within one stratum, block or case; shown, not decided by.

    Attributes:
        name: its levels, as the reader sees them.
        effect: estimate in natural units.
        interval: its two-sided (1 - 2 alpha) interval.
        n: units in it.
    """

    name: str
    effect: float
    interval: tuple[float, float]
    n: int


@dataclass(frozen=True)
class Beyond:
    """What is to be expected of a level of a random factor that was not seen; shown, not decided by.

    Attributes:
        factor: the factor, as the reader sees it.
        levels: levels that were seen.
        deviation: standard deviation between levels, tau, in natural units.
        icc: share of the variance of single units that lies between levels; None where a level is one unit.
        interval: two-sided (1 - 2 alpha) prediction interval of the effect at a new level.
    """

    factor: str
    levels: int
    deviation: float
    icc: float | None
    interval: tuple[float, float]


@dataclass(frozen=True, repr=False)
class Estimate(Shown):
    """An effect in its natural units and sign, with its uncertainty at the level of the unit of replication.

    Attributes:
        estimand: what was estimated.
        unit: what counts as one unit of replication.
        effect: the estimate.
        interval: two-sided (1 - 2 alpha) interval; for exact kinds, the effect twice.
        p: one-sided p against the prediction's null (small speaks for the prediction), or None.
        n: number of units.
        standardised: effect and interval in units of the spread between units, or None.
        strata: the estimate by stratum, block or case.
        notes: sentences that a reader needs beside the numbers (what was dropped, how far strata differ).
        confidence: what the interval was read from: p and interval for every null and alpha; None for exact
            kinds.
        objection: why support is withheld although the interval would give it (a second test that the kind
            requires does not agree), or None.
        second_p: p of that second test, which has to be at most alpha; None for kinds with one test.
        population: what it generalises to, in a sentence; empty for exact kinds.
        counted: the random factor above the unit whose levels a plan counts, and their number; None if it counts units.
        beyond: what is to be expected of levels that were not seen.
        planned: what a plan is based on if support depends on more than the effect; None if that is ``confidence``.
    """

    estimand: str
    unit: str
    effect: float
    interval: tuple[float, float]
    p: float | None
    n: int
    standardised: tuple[float, float, float] | None = None
    strata: tuple[Stratum, ...] = ()
    notes: tuple[str, ...] = ()
    confidence: Confidence | None = None
    objection: str | None = None
    second_p: float | None = None
    population: str = ""
    counted: tuple[str, int] | None = None
    beyond: tuple[Beyond, ...] = ()
    planned: Confidence | None = None

    def _shown(self) -> tuple[str, Mapping[str, Any]]:
        return f"Estimate {self.effect:.4g}", {
            "interval": f"{self.interval[0]:.4g} to {self.interval[1]:.4g}", "p": self.p, "n": self.n, "unit": self.unit,
            "estimand": self.estimand, "strata": len(self.strata) or None, "notes": " ".join(self.notes),
        }  # fmt: skip


def own_size(confidence: Confidence, alpha: float) -> tuple[float, float, float]:
    """The standardised size of an effect without a unit, such as a correlation: the effect itself."""
    low, high = confidence.interval(alpha)
    return float(confidence.effect), float(low), float(high)
