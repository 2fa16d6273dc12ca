#!/usr/bin/env bash
# scipy.optimize.milp (HiGHS) as a verifier of small ReLU networks: "optimal, gap 0" for a perturbation that does not exist.
#
# The textbook program for the smallest L-infinity perturbation (Tjeng, Xiao & Tedrake 2019: one binary a ReLU, big-M from interval
# bounds) is solved for the network  logit = 1e-5 + relu(10 (a + b)) - relu(10 (a - b))  against 0 at the point (0, 0), in balls of
# several radii.  By hand: inside the ball of radius r the logit falls to 1e-5 - 20 r, so that the smallest perturbation is 5e-7.
# One would expect a smaller ball, around the answer, to make the problem easier and the answer better.  It is the other way
# round: HiGHS holds constraints to an absolute 1e-6, whatever the scale of the variables, and still reports status "optimal" and
# a gap of 0, so that |a| <= r is "held" by r = 0 and a = 1e-6.
#
# Seen with scipy 1.17.1 (its own HiGHS), numpy 2.4.6, Python 3.11: status 0, mip_gap 0.0 and radius 0 in a ball of 1e-6, with a
# point that lies 1e-6 away; 5e-7, as it should be, in balls of 1e-3 and more.  (On other networks wide balls are wrong, too.)
# What helps: write the program in changes from the point in units of the ball's radius, shrink the ball to the answer, and send
# the solver's point through the network.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check scipy==1.17.1 numpy==2.4.6
"$folder/venv/bin/python" - <<'PY'
import numpy as np
import scipy
from scipy.optimize import Bounds, LinearConstraint, milp

TRUTH = 5e-7


def smallest(ball):
    """Variables: radius, a, b, then output and switch of both units."""
    most = 20 * ball  # of a unit's input, by interval arithmetic
    low = [0, -ball, -ball, 0, 0, 0, 0]
    high = [ball, ball, ball, most, 1, most, 1]
    rows, least, upper = [], [], []

    def require(row, lo=-np.inf, hi=np.inf):
        rows.append(row)
        least.append(lo)
        upper.append(hi)

    for place in (1, 2):
        for sign in (1, -1):
            row = np.zeros(7)
            row[place], row[0] = sign, -1
            require(row, hi=0)
    for out, switch, weights in ((3, 4, (10, 10)), (5, 6, (10, -10))):
        row = np.zeros(7)
        row[out], row[1], row[2] = 1, -weights[0], -weights[1]
        require(row, lo=0)  # out >= w x
        row = row.copy()
        row[switch] = most
        require(row, hi=most)  # out <= w x where on
        row = np.zeros(7)
        row[out], row[switch] = 1, -most
        require(row, hi=0)  # out <= 0 where off
    row = np.zeros(7)
    row[3], row[5] = 1, -1
    require(row, hi=-1e-5)  # logit at most 0
    cost = np.zeros(7)
    cost[0] = 1
    return milp(cost, constraints=LinearConstraint(np.array(rows), least, upper), bounds=Bounds(low, high),
                integrality=[0, 0, 0, 0, 1, 0, 1])


def logit(a, b):
    return 1e-5 + max(0.0, 10 * (a + b)) - max(0.0, 10 * (a - b))


found = {}
for ball in (1e-6, 1e-3, 1.0, 16.0, 100.0):
    result = smallest(ball)
    found[ball] = result
    print(f"scipy {scipy.__version__}, ball {ball:g}: status {result.status}, gap {result.mip_gap}, radius {result.fun:.3g} "
          f"(truth {TRUTH:g}), logit at its point {logit(*result.x[1:3]):.2g}")
small, wide = found[1e-6], found[1.0]
assert small.status == 0 and small.mip_gap == 0.0, "it no longer says that it is optimal"
assert small.fun < 1e-9, "it now finds the truth in a small ball"
assert max(abs(small.x[1:3])) > TRUTH, "its point lies as near as it says after all"
assert abs(wide.fun - TRUTH) < 1e-3 * TRUTH, "in a wide ball it was right"
print("as described")
PY
