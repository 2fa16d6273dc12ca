"""The statistics under the predictions: arrays in, numbers out, no tables and no verdicts.

Every function works on the last axis (or the last two) of its arrays and keeps the axes before it, so that
thousands of simulated studies can be judged in one call; the judge's own error rates are tested that way.
"""

from __future__ import annotations

from harness.stats.correlations import (
    clusters,
    difference_interval,
    difference_p,
    fisher_z,
    permutation_p,
    pool,
    rho_interval,
    spearman,
    z_error,
)
from harness.stats.means import Mean, equivalence_p, is_constant, sign_flip_p, standardised, stratified_mean
from harness.stats.multiplicity import benjamini_hochberg, holm
from harness.stats.reliability import Reliability, reliability
from harness.stats.shares import share_interval, share_p

__all__ = [
    "Mean",
    "Reliability",
    "benjamini_hochberg",
    "clusters",
    "difference_interval",
    "difference_p",
    "equivalence_p",
    "fisher_z",
    "holm",
    "is_constant",
    "permutation_p",
    "pool",
    "reliability",
    "rho_interval",
    "share_interval",
    "share_p",
    "sign_flip_p",
    "spearman",
    "standardised",
    "stratified_mean",
    "z_error",
]
