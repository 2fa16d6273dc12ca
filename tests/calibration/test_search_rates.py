"""How often a search is wrong, by simulated claims whose truth is known everywhere; benchmarks/search.py has more of them.

The bounds are those that a rate of α would exceed in 1 of 1,000 runs, given as many searches.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import scipy.stats

sys.path.insert(0, str(Path(__file__).parents[1] / "running"))

import planted

SEARCHES, TRIALS, ALPHA = 40, 8, 0.05
MOST = int(scipy.stats.binom.isf(0.001, SEARCHES, ALPHA))


@pytest.fixture(scope="module")
def at_the_margin():
    return [planted.everywhere(2, seed, 1.0).search(TRIALS) for seed in range(SEARCHES)]


def test_a_claim_that_is_true_everywhere_is_hardly_ever_refuted_somewhere_and_confirmed(at_the_margin):
    """At the margin, where a refutation is likeliest of all true claims; alone it happens in 5 % of settings."""
    refuted = [found.looked_for == "refuted" and bool(found.confirmed) for found in at_the_margin]
    assert sum(refuted) <= MOST


def test_no_setting_matters_where_none_does(at_the_margin):
    assert sum(bool(found.importance) for found in at_the_margin) <= MOST


def test_the_interval_of_a_share_covers_it():
    """A claim that holds in a known share of its scope, up to a threshold of one setting."""
    covered = []
    for seed in range(SEARCHES):
        study = planted.step(1, seed)
        share = (study.threshold - 0.5) / 2.5
        supported = next(each for each in study.search(TRIALS).shares if each.verdict == "supported")
        covered.append(supported.interval[0] <= share <= supported.interval[1])
    assert sum(covered) >= SEARCHES - MOST
