#!/usr/bin/env bash
# SALib 1.6.0, PAWN: the highest level of a discrete factor is in no slice, so that the only factor that matters looks like none.
#
# PAWN (Pianosi & Wagener 2018) needs no design, only results: of every slice of a factor it compares the outputs with all
# outputs by the Kolmogorov-Smirnov distance.  That invites to ask which hyperparameter of finished runs mattered, and most of these
# have few levels: depth 1, 2, 3, 8.  One would expect every run to be in one slice of each factor.  But slices lie between quantiles
# and leave out their upper end, the last one too.  Of a continuous factor that is one run, its maximum; of a discrete one the
# whole top level.  (Quantiles that coincide make empty slices beside that, which are passed over; no message in either case.)
#
# Here depth 8, a tenth of 2,000 runs, is far better, nothing else has an effect, and a second factor is noise.  By hand the largest
# distance is that of depth 8: 1 less its share, 0.9; the other depths are at 0.1, their lack of depth 8.  What comes as the maximum
# is 0.1, and with 20 slices less than for the factor that is noise.  With the sign of the depths turned round, which changes
# nothing about the question, it is 0.9.  Of a factor with two levels the upper one is never compared.
#
# Seen with SALib 1.6.0, numpy 2.4.6, scipy 1.17.1, Python 3.11.
# What helps: to spread every level by less than the gap to the next one, at random, which makes the factor continuous.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check SALib==1.6.0 numpy==2.4.6 scipy==1.17.1
"$folder/venv/bin/python" - <<'PY'
from importlib.metadata import version

import numpy as np
from SALib.analyze import pawn
from scipy.stats import ks_2samp

print("SALib", version("SALib"), "numpy", np.__version__)
RUNS = 2000
random = np.random.default_rng(0)
depth = random.choice([1.0, 2.0, 3.0, 8.0], RUNS, p=[0.3, 0.3, 0.3, 0.1])
noise = random.random(RUNS)
output = 10.0 * (depth == 8) + random.normal(size=RUNS)
by_hand = {float(level): float(ks_2samp(output[depth == level], output).statistic) for level in np.unique(depth)}
share = float((depth == 8).mean())
print("distance by hand:", {level: round(value, 3) for level, value in by_hand.items()})
assert abs(by_hand[8.0] - (1 - share)) < 1e-9


def largest(factor, slices):
    """The largest distance of a slice: of the factor, and of the one that is noise."""
    problem = {"num_vars": 2, "names": ["factor", "noise"], "bounds": [[factor.min(), factor.max()], [0.0, 1.0]]}
    return [float(value) for value in pawn.analyze(problem, np.column_stack([factor, noise]), output, S=slices)["maximum"]]


for slices in (5, 10, 20):
    found, turned = largest(depth, slices), largest(-depth, slices)
    spread = largest(depth + 0.5 * random.random(RUNS), slices)
    print(f"{slices} slices: depth {found[0]:.3f}, noise {found[1]:.3f}; minus depth {turned[0]:.3f}; spread {spread[0]:.3f}")
    assert found[0] < share + 0.02, "the top level is looked at now"
    assert turned[0] > 0.85
    assert slices < 10 or spread[0] > 0.85
assert largest(depth, 20)[0] < largest(depth, 20)[1]
two = largest((depth == 8).astype(float), 10)[0]
print(f"two levels: {two:.3f}")
assert two < share + 0.02
PY
echo "as described"
