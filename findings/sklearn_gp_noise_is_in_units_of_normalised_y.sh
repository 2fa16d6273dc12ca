#!/usr/bin/env bash
# scikit-learn 1.9.1: with normalize_y=True the known noise of the points, `alpha`, is not in the units of y.
#
# A map of where a claim holds is a Gaussian process over settings: y is the effect at a setting, alpha its squared standard error,
# normalize_y=True since effects are no zero-mean, unit-variance numbers, and a setting counts as decided where 0 lies outside the
# 90 % band.  `alpha` is described as the variance of the noise of the observations.  One would expect it to be scaled along with y,
# or at least bands that do not depend on whether accuracies are written as fractions or as per cent.  But y is divided by its
# standard deviation, and alpha is added as it stands to the kernel of what is left.  No message.
#
# Here 200 flat worlds are drawn: the effect is 0 everywhere, 25 settings are measured with known error, a 0.03 of accuracy.  In
# fractions the noise becomes next to nothing: the surface runs through every error, and most of the points are "decided".  In per
# cent the same data are drowned in noise, and a wave of three errors, which is there, is decided nowhere.
#
# Seen with scikit-learn 1.9.1, numpy 2.4.6, scipy 1.17.1, Python 3.11: 96 % of the settings of flat worlds are
# "decided" in fractions (4 % with one scale), and 98, 0 and 75 % of those of the wave in fractions, per cent and with one scale.
# What helps: to divide y and the errors by one and the same scale, and leave normalize_y at False.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check scikit-learn==1.9.1 numpy==2.4.6 scipy==1.17.1
"$folder/venv/bin/python" - <<'PY'
import numpy as np
import sklearn
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF

print("scikit-learn", sklearn.__version__)
ERROR, WORLDS = 0.03, 200
settings = np.linspace(0, 1, 25)[:, None]


def decided(effects, error, normalise):
    """Share of the settings whose 90 % band leaves out 0; the length is known, so that nothing is fitted."""
    process = GaussianProcessRegressor(RBF(0.1), alpha=error**2, normalize_y=normalise, optimizer=None).fit(settings, effects)
    mean, deviation = process.predict(settings, return_std=True)
    return float((np.abs(mean) > 1.645 * deviation).mean())


def shares(effect):
    """Of the settings with that effect, an array of shape (setting,), over all worlds: in fractions, in per cent, and with effects and errors divided by one scale."""
    found = {"fractions": [], "per cent": [], "one scale": []}
    for world in range(WORLDS):
        seen = effect + ERROR * np.random.default_rng([7, world]).standard_normal(len(settings))
        found["fractions"].append(decided(seen, ERROR, True))
        found["per cent"].append(decided(100 * seen, 100 * ERROR, True))
        scale = seen.std()
        found["one scale"].append(decided(seen / scale, ERROR / scale, False))
    return {name: float(np.mean(share)) for name, share in found.items()}


flat, there = shares(np.zeros(25)), shares(3 * ERROR * np.sin(2 * np.pi * settings[:, 0]))
for what, found in (("no effect anywhere", flat), ("a wave of three errors", there)):
    print(what, "- settings decided:", ", ".join(f"{name} {share:.0%}" for name, share in found.items()))
assert flat["fractions"] > 0.8, "noise in fractions is noise now"
assert flat["per cent"] == there["per cent"] == 0
assert flat["one scale"] < 0.1 and there["one scale"] > 0.6
PY
echo "as described"
