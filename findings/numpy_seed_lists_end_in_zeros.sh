#!/usr/bin/env bash
# numpy 2.4.6: default_rng([7]), default_rng([7, 0]) and default_rng([7, 0, 0]) are one stream: zeros at a list's end count for nothing.
#
# A list of whole numbers as the seed is the way to name streams that numpy recommends in place of "seed + i": [study] for the
# data, [study, member] for an initialisation, [study, member, chain] for a sampler's noise.  SeedSequence hashes them into 128
# bits.  One would expect lists of other lengths to be other streams.  But up to four words they are filled up with zeros, and
# people count from 0: the first member starts from the numbers that its data were made of, and its first chain's noise is them
# once more.  A number of more than 32 bits is several words, so that [2**32, 5] is [0, 1, 5], too.
# Spawned children, and lists of more than four words, are not affected, nor is RandomState with the same lists.
#
# Here 400 studies draw x from [study] and an independent y from [study, replicate], 20 points each.  Nothing is to be found, and 5 %
# of the studies should find something at level 5 %.  For replicates 1 to 3 that is so; replicate 0 finds it in every study, with
# a correlation of 1.  With noise of its own in both, as measurements have it, it looks like a plain effect.
#
# Seen with numpy 2.4.6, scipy 1.17.1, Python 3.11.
# What helps: SeedSequence(study, spawn_key=(member, chain)); or a list whose last number is never 0, such as its length.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check numpy==2.4.6 scipy==1.17.1
"$folder/venv/bin/python" - <<'PY'
import numpy as np
from scipy.stats import spearmanr

print("numpy", np.__version__)
STUDIES, POINTS = 400, 20


def lists(*seed):
    return np.random.default_rng(list(seed))


def spawned(study, *key):
    return np.random.default_rng(np.random.SeedSequence(study, spawn_key=key))


def found(stream, replicate, noise):
    """Share of the studies in which x and y are correlated at level 5 %, and the median correlation."""
    results = []
    for study in range(STUDIES):
        own = np.random.default_rng(np.random.SeedSequence(10**6 + study, spawn_key=(replicate,)))
        x = stream(study).standard_normal(POINTS) + noise * own.standard_normal(POINTS)
        y = stream(study, replicate).standard_normal(POINTS) + noise * own.standard_normal(POINTS)
        results.append(spearmanr(x, y))
    return float(np.mean([each.pvalue < 0.05 for each in results])), float(np.median([each.statistic for each in results]))


for name, stream in (("lists", lists), ("spawned", spawned)):
    for replicate in range(4):
        (plain, correlation), (noisy, weaker) = found(stream, replicate, 0.0), found(stream, replicate, 1.0)
        print(f"{name}, replicate {replicate}: {plain:.1%} of the studies, correlation {correlation:.2f}; "
              f"with noise {noisy:.1%}, {weaker:.2f}")
        if name == "lists" and replicate == 0:
            assert plain == 1.0 and correlation > 0.999, "zeros at the end count now"
            assert noisy > 0.4 and 0.3 < weaker < 0.7
        else:  # four standard errors of 5 % in 400 studies are 4.4 %
            assert plain < 0.094 and noisy < 0.094

first = [lists(*seed).random() for seed in ((7,), (7, 0), (7, 0, 0), (7, 0, 0, 0), (7, 0, 0, 0, 0))]
print("first numbers of [7] to [7, 0, 0, 0, 0]:", first)
assert len(set(first[:4])) == 1 and first[4] != first[0]
assert lists(2**32, 5).random() == lists(0, 1, 5).random()
assert np.random.RandomState([7]).rand() != np.random.RandomState([7, 0]).rand()
PY
echo "as described"
