#!/usr/bin/env bash
# deepsig 1.2.8: the more models are compared, the less is corrected; and of two models neither can ever be better.
#
# Almost stochastic order (Dror et al. 2019) is a test for comparing networks over seeds, and `multi_aso` compares all pairs of a
# list, "with Bonferroni correction" by default.  One would expect the level of one comparison to be 1 - 0.05 / k for k comparisons,
# and upper bounds of the violation ratio that grow with k.  What is computed is 0.95 + 0.05 / k: right for k = 2 alone.  For 10
# models, 45 comparisons, the level is 0.951, next to none of the correction.  For 2 models, one comparison, it is 1: the bound is
# infinite, cut off at 1, and "not better" whatever the scores.  Where one of two models is better in every score it is nan.
# `aso` with `num_comparisons` does the same, but for a 1.
#
# The level that was used is computed back from bounds: they are v + c q, q the normal quantile of the level, and v and c follow
# from two levels that were asked for without a correction, since the resampling is seeded.
#
# Seen with deepsig 1.2.8, numpy 2.4.6, scipy 1.17.1, Python 3.11.
# What helps: `use_bonferroni=False, confidence_level=1 - 0.05 / k`, as in the last lines here.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check deepsig==1.2.8 numpy==2.4.6 scipy==1.17.1
"$folder/venv/bin/python" - <<'PY'
import warnings
from functools import partial
from importlib.metadata import version

import numpy as np
from deepsig import aso, multi_aso
from scipy.stats import norm

warnings.simplefilter("ignore")
print("deepsig", version("deepsig"), "numpy", np.__version__)
HOW = {"show_progress": False, "num_bootstrap_iterations": 200, "dt": 0.02, "seed": 1}
random = np.random.default_rng(0)
better, worse = list(random.normal(1.0, 1.0, 30)), list(random.normal(0.0, 1.0, 30))

one = aso(better, worse, **HOW)
both = multi_aso([better, worse], **HOW)
print(f"two models, one comparison: aso {one:.3f}; multi_aso {both[0, 1]} and {both[1, 0]}")
assert one < 0.2
assert both[0, 1] == both[1, 0] == 1.0, "two models can be compared now"
apart = multi_aso([[5.0, 6.0, 7.0, 8.0], [1.0, 2.0, 3.0, 4.0]], **HOW)[0, 1]
print("one better in every score:", apart)
assert np.isnan(apart)

close, other = list(random.normal(0.4, 1.0, 20)), list(random.normal(0.0, 1.0, 20))
bound = partial(aso, close, other, **HOW)
low, high = bound(confidence_level=0.95), bound(confidence_level=0.999)
slope = (high - low) / (norm.ppf(0.999) - norm.ppf(0.95))
assert 0 < low < high < 1
for comparisons in (2, 3, 10, 45, 1000):
    found = bound(num_comparisons=comparisons)
    used = float(norm.cdf((found - low) / slope + norm.ppf(0.95)))
    right = bound(confidence_level=1 - 0.05 / comparisons)
    print(f"{comparisons} comparisons: bound {found:.3f}, level {used:.5f}; with Bonferroni's {1 - 0.05 / comparisons:.5f} {right:.3f}")
    assert abs(used - (0.95 + 0.05 / comparisons)) < 1e-6, "the level is another one now"
    assert (found < right) == (comparisons > 2)

models = [list(random.normal(0.6 if place == 0 else 0.0, 1.0, 12)) for place in range(6)]
given = multi_aso(models, **HOW)
helped = multi_aso(models, use_bonferroni=False, confidence_level=1 - 0.05 / 15, **HOW)
print(f"6 models: {int((given < 0.5).sum())} of 15 pairs ordered, {int((helped < 0.5).sum())} with Bonferroni's correction")
assert (given < 0.5).sum() > (helped < 0.5).sum()
PY
echo "as described"
