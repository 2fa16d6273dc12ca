"""Shares of units: exact binomial interval and test."""

from __future__ import annotations

from scipy import stats


def share_interval(successes: int, n: int, alpha: float) -> tuple[float, float]:
    """Two-sided (1 - 2 alpha) interval of a share by Clopper & Pearson (1934, Biometrika 26, 404-413)."""
    ends = stats.binomtest(successes, n).proportion_ci(confidence_level=1 - 2 * alpha, method="exact")
    return float(ends.low), float(ends.high)


def share_p(successes: int, n: int, exceeds: float) -> float:
    """One-sided exact binomial p of "the share is above ``exceeds``"."""
    return float(stats.binomtest(successes, n, exceeds, alternative="greater").pvalue)
