"""How often a search is wrong, by simulated claims whose truth is known everywhere; benchmarks/search.py has more of them.

The bounds are those that a rate of α would exceed in 1 of 1,000 runs, given as many searches.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parents[1] / "running"))

import planted

from harness.judge import judge
from harness.report.rows import adjust, plain
from harness.running.importance import importance
from harness.running.screening import UNITS, Screen

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


SURFACES = {  # of three settings on the unit cube, in margins, and the total indices by their definition
    "a step": (lambda u: 2.0 * (u[:, 0] < 0.5), (1.0, 0.0, 0.0)),
    "a slope far away": (lambda u: 30 + 6 * u[:, 1], (0.0, 1.0, 0.0)),
    "two slopes": (lambda u: 3 * u[:, 0] + 3 * u[:, 2], (0.5, 0.0, 0.5)),
    "only together": (lambda u: 2.0 * ((u[:, 0] > 0.5) != (u[:, 1] > 0.5)), (1.0, 1.0, 0.0)),
}


@pytest.mark.parametrize("trials", [3, 6, 12, 24])
def test_importance_covers_the_truth_however_few_trials_there_are(trials):
    """Each interval in 90 % of cases; a setting that does not matter comes first in hardly any."""
    scope = planted.scope_of({name: st.floats(0, 1) for name in "abc"}, dict.fromkeys("abc", 0.5))
    covered, first, cases = [], [], 0
    for number, (effect, truth) in enumerate(SURFACES.values()):
        for seed in range(4):
            rng = np.random.default_rng([number, seed])
            places = scipy.stats.qmc.Sobol(3, rng=rng).random(32)[:trials]
            effects = effect(places) + rng.normal(0, 0.25, trials)
            settings = [dict(zip("abc", place, strict=True)) for place in places]
            found = importance(scope, settings, effects, np.full(trials, 0.25))
            cases += 1
            if found:
                true = dict(zip("abc", truth, strict=True))
                # An index of exactly 0 or 1 is the end of all that an estimate from pairs of points can be.
                covered += [each.interval[0] - 0.05 <= true[each.name] <= each.interval[1] + 0.05 for each in found]
                first.append(true[found[0].name])
    assert covered.count(False) <= scipy.stats.binom.isf(0.001, max(len(covered), 1), 0.1)
    assert sum(each == 0 for each in first) <= scipy.stats.binom.isf(0.001, cases, ALPHA)
    assert trials < 24 or len(first) == cases  # and with enough of them it says what it is


CLAIMS = 5  # of a report


def report(searches) -> list[dict]:
    """The rows of claims, each with its search, as a report has them."""
    return adjust(
        {"id": f"a/{number}", "document": f"{number % 2}", "verdict": "supported", "alpha": ALPHA, "search": found}
        for number, found in enumerate(searches)
    )


def wrong(rows) -> bool:
    return any(row["search"]["survives"] for row in rows)


def test_a_report_of_true_claims_hardly_ever_has_one_that_is_refuted_somewhere(at_the_margin):
    """Of whole searches, each with its own p on fresh seeds: over all claims of a report, whatever their documents."""
    searches = [plain(found.to_json()) for found in at_the_margin]
    reports = [report(searches[first : first + CLAIMS]) for first in range(0, SEARCHES, CLAIMS)]
    refuted = [any(row["search"]["survives"] and row["search"]["looked_for"] == "refuted" for row in rows) for rows in reports]
    assert sum(refuted) <= int(scipy.stats.binom.isf(0.001, len(reports), ALPHA))


@pytest.mark.parametrize("dependent", [0.0, 0.8])
def test_over_a_whole_report_some_turn_stands_in_no_more_than_alpha(dependent):
    """1,000 reports of claims without a turn, whose fresh seeds may be the same networks; some have no test at all."""
    rng = np.random.default_rng(1)
    reports = 1000
    shared, own = rng.normal(size=(reports, 1)), rng.normal(size=(reports, CLAIMS))
    ps = scipy.stats.norm.sf(np.sqrt(dependent) * shared + np.sqrt(1 - dependent) * own)
    tested = rng.random((reports, CLAIMS)) < 0.7
    rate = np.mean([
        wrong(report({"p": float(p), "confirmed": bool(p <= ALPHA)} if known else {"p": None, "confirmed": None}
                     for p, known in zip(row, which, strict=True)))
        for row, which in zip(ps, tested, strict=True)
    ])  # fmt: skip
    assert rate <= ALPHA + 3 * np.sqrt(ALPHA * (1 - ALPHA) / reports)
    unadjusted = np.mean(((ps <= ALPHA) & tested).any(1))
    assert unadjusted > 1.5 * ALPHA  # so there is something to adjust


STUDIES, ALL = 300, 48  # four times a first look, so that there is one in between


def looked_at(units) -> str:
    """The verdict of a setting whose units are known one by one, with the paths of a search."""

    def look(count):
        def judged(share):
            seeds, some = range(count), units[:count]
            return judge(planted.HIGHER, pd.DataFrame({
                "seed": [*seeds, *seeds], "regime": ["standard"] * count + ["robust"] * count, "llc": [*some, *np.zeros(count)],
            }), share=share)  # fmt: skip

        return judged

    screen = Screen.of(UNITS / ALL)
    return screen.judged(lambda at: at.verdict(look(len(at.seeds(range(ALL))))), look(ALL)).outcome.value


@pytest.mark.parametrize(("effect", "never"), [(1.0, "refuted"), (0.0, "supported")])
def test_a_setting_that_is_looked_at_more_than_once_errs_no_more_often_than_alpha(effect, never):
    """At the margin, where a refutation is likeliest of all true claims, and at no effect."""
    rng = np.random.default_rng(7)
    wrong = sum(looked_at(rng.normal(effect, 1.0, ALL)) == never for _ in range(STUDIES))
    assert wrong <= int(scipy.stats.binom.isf(0.001, STUDIES, ALPHA))
