"""The statistics under the predictions: arrays in, numbers out, no tables and no verdicts.

Every function works on the last axis (or the last two) of its arrays and keeps the axes before it, so that
thousands of simulated studies can be judged in one call; the judge's own error rates are tested that way.
"""

from __future__ import annotations

from harness.stats.attenuation import Noise, members, noise, spread_of_points, steeper
from harness.stats.bayes import log_factor, log_jzs, log_share
from harness.stats.confidence import Blurred, Confidence, Least, Share, Skewed, Student
from harness.stats.correlations import clusters, fisher_z, permutation_p, pool, spearman, z_error
from harness.stats.courses import Detrend, between_units, detrended, slope
from harness.stats.curves import (
    Change,
    Summit,
    change,
    change_width,
    half_step,
    mean_height,
    pick,
    settled_at,
    summit,
    summit_width,
)
from harness.stats.drawn import (
    Drawn,
    Part,
    about_line,
    carried,
    carry,
    coarsest,
    drawn_apart,
    drawn_contrast,
    drawn_share,
    finer,
    from_cell_to_cell,
    left_out,
    spread,
)
from harness.stats.heterogeneity import cochran_q, heterogeneity, welch_anova
from harness.stats.means import TRIM, Mean, contrast, hedges_g, is_constant, sign_flip_p, standardised, stratified_mean
from harness.stats.multiplicity import benjamini_hochberg, holm
from harness.stats.peaks import Prominence, Sides, peak_sides, prominence
from harness.stats.permutation import label_p, pairing_p
from harness.stats.placements import drawn_placed_share, placed_share, superiority, worth
from harness.stats.ranks import Overlapping, Ranked
from harness.stats.reliability import Reliability, reliability
from harness.stats.sequential import Anytime, anytime_p, e_value
from harness.stats.shape import aligned, bent, folded, halves, scattered_p, transition, turned

__all__ = [
    "TRIM",
    "Anytime",
    "Blurred",
    "Change",
    "Confidence",
    "Detrend",
    "Drawn",
    "Least",
    "Mean",
    "Noise",
    "Overlapping",
    "Part",
    "Prominence",
    "Ranked",
    "Reliability",
    "Share",
    "Sides",
    "Skewed",
    "Student",
    "Summit",
    "about_line",
    "aligned",
    "anytime_p",
    "benjamini_hochberg",
    "bent",
    "between_units",
    "carried",
    "carry",
    "change",
    "change_width",
    "clusters",
    "coarsest",
    "cochran_q",
    "contrast",
    "detrended",
    "drawn_apart",
    "drawn_contrast",
    "drawn_placed_share",
    "drawn_share",
    "e_value",
    "finer",
    "fisher_z",
    "folded",
    "from_cell_to_cell",
    "half_step",
    "halves",
    "hedges_g",
    "heterogeneity",
    "holm",
    "is_constant",
    "label_p",
    "left_out",
    "log_factor",
    "log_jzs",
    "log_share",
    "mean_height",
    "members",
    "noise",
    "pairing_p",
    "peak_sides",
    "permutation_p",
    "pick",
    "placed_share",
    "pool",
    "prominence",
    "reliability",
    "scattered_p",
    "settled_at",
    "sign_flip_p",
    "slope",
    "spearman",
    "spread",
    "spread_of_points",
    "standardised",
    "steeper",
    "stratified_mean",
    "summit",
    "summit_width",
    "superiority",
    "transition",
    "turned",
    "welch_anova",
    "worth",
    "z_error",
]
