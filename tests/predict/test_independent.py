import numpy as np
import pandas as pd
import pytest
from scipy import stats as sps

from harness.errors import ClaimError
from harness.judge import Outcome, judge
from harness.predict import IndependentDifference, IndependentTrimmedDifference, TrimmedDifference, Unusable

TERMS = {"margin": 0.5, "margin_reason": "half of the stated effect"}


def table(difference=1.5, standard=9, robust=7, architectures=("8x1", "16x3"), noise=0.5):
    rng = np.random.default_rng(1)
    rows = []
    for shift, architecture in enumerate(architectures):
        for regime, count, mean in (("standard", standard, difference), ("robust", robust, 0.0)):
            rows += [
                {"architecture": architecture, "seed": f"{regime} {i}", "regime": regime,
                 "llc": 10 * shift + mean + rng.normal(0, noise * (1 + (regime == "robust")))}
                for i in range(count)
            ]  # fmt: skip
    return pd.DataFrame(rows)


def prediction(**changes):
    settings = {"value": "llc", "factor": "regime", "higher": "standard", "lower": "robust",
                "unit": ("architecture", "seed"), "strata": "architecture", **TERMS}  # fmt: skip
    return IndependentDifference(**{**settings, **changes})


def estimate(frame, **changes):
    return prediction(**changes).estimate(frame, rng=np.random.default_rng(0))


def sides(frame):
    return (frame.llc[frame.regime == level].to_numpy() for level in ("standard", "robust"))


def test_without_strata_it_is_welchs_t_test():
    frame = table(architectures=("8x1",))
    a, b = sides(frame)
    found = estimate(frame, strata=None)
    assert found.effect == pytest.approx(a.mean() - b.mean())
    assert found.interval == pytest.approx(tuple(sps.ttest_ind(a, b, equal_var=False).confidence_interval(0.9)))
    assert (found.n, found.strata) == (16, ())
    assert found.notes == ("There are 9 units in standard and 7 in robust.",)
    pooled = np.sqrt((8 * a.var(ddof=1) + 6 * b.var(ddof=1)) / 14)
    assert found.standardised[0] == pytest.approx((1 - 3 / 55) * found.effect / pooled)


def test_p_is_that_of_the_permuted_labels():
    frame = table(0.6, 5, 5, ("8x1",), noise=1.0)
    expected = sps.permutation_test(
        tuple(sides(frame)), lambda a, b: sps.ttest_ind(a, b, equal_var=False).statistic,
        vectorized=False, alternative="greater",
    )  # fmt: skip
    assert estimate(frame, strata=None).p == expected.pvalue


def test_strata_have_equal_weight_and_do_not_mix():
    frame = pd.concat([table(1.0, 9, 7, ("8x1",)), table(2.0, 3, 3, ("8x1", "16x3")).query("architecture == '16x3'")])
    found = estimate(frame)
    assert {each.name: each.n for each in found.strata} == {"8x1": 16, "16x3": 6}
    assert found.effect == pytest.approx(np.mean([each.effect for each in found.strata]))
    assert "above 0 in 2 of 2 strata" in found.notes[1]
    assert found.notes[2].startswith("The strata differ ")


def test_differences_between_strata_are_judged():
    frame = table(noise=0.1)
    assert "no more than chance explains (p = " in estimate(frame).notes[2]
    frame.loc[(frame.architecture == "8x1") & (frame.regime == "standard"), "llc"] += 1
    assert "The strata differ more than chance explains (p = " in estimate(frame).notes[2]


def test_verdicts():
    assert judge(prediction(), table()).outcome is Outcome.SUPPORTED
    reverse = judge(prediction(higher="robust", lower="standard"), table())
    assert (reverse.outcome, reverse.label) == (Outcome.REFUTED, "reversed")
    assert judge(prediction(), table(0.0, noise=0.05)).outcome is Outcome.REFUTED
    assert judge(prediction(), table(0.0, 5, 5, noise=3.0)).outcome is Outcome.INCONCLUSIVE


def test_it_reads_as_a_sentence():
    assert str(prediction()) == (
        "On average over units (architecture × seed), each architecture with equal weight, llc is higher in standard than "
        "in other units in robust; the smallest effect of interest is 0.5"
    )
    verdict = judge(prediction(), table())
    low, high = verdict.estimate.interval
    assert verdict.told.startswith(
        f"Mean llc is {verdict.estimate.effect:.3g} higher in standard than in robust ["
        f"{low:.3g}, {high:.3g}]: above the 0.5 that matters."
    )


def test_equal_names_in_both_groups_are_other_units_where_the_factor_tells_them_apart():
    frame = table()
    same = frame.assign(seed=frame.seed.str.split().str[1])
    with pytest.raises(Unusable, match=r"14 units stand in both groups, e.g. .*seed = 0; compare them with PairedDifference"):
        estimate(same)
    unit = ("architecture", "regime", "seed")
    assert estimate(same, unit=unit).interval == pytest.approx(estimate(frame).interval)


def test_a_saturated_group_alone_is_no_obstacle():
    frame = table()
    frame.loc[frame.architecture == "8x1", "llc"] = 1.0
    found = estimate(frame)
    assert np.isfinite(found.interval).all()
    assert found.strata[1].interval == (0.0, 0.0)
    assert [note for note in found.notes if "have the same value" in note] == list(found.notes[-2:])  # of both groups


@pytest.mark.parametrize(
    ("frame", "why"),
    [
        (table().query("regime == 'standard'"), "no row has regime = robust; present: standard"),
        (pd.concat([table(), table().iloc[[5]]]), "2 of 33 rows share their architecture, seed and regime"),
        (table(robust=2), "4 units with regime = robust; an interval needs 5"),
        (table(standard=4, architectures=("8x1",)), "4 units with regime = standard"),
        (table().query("architecture == '8x1' or seed != 'robust 9'").query(
            "architecture == '8x1' or seed in ('robust 0', 'standard 0', 'standard 1')"),
         r"1 unit with regime = robust in 16x3; an interval needs 2"),
        (table().assign(llc=lambda rows: 1.0 * (rows.regime == "standard")), "the same in every unit of a group and stratum"),
    ],
)  # fmt: skip
def test_unusable(frame, why):
    with pytest.raises(Unusable, match=why):
        estimate(frame)


@pytest.mark.parametrize(
    ("changes", "why"),
    [({"higher": "robust"}, "compares 'robust' with itself"), ({"unit": ()}, "has no unit"), ({"margin": -1}, "above 0")],
)
def test_declarations_that_are_refused(changes, why):
    with pytest.raises(ClaimError, match=why):
        prediction(**changes)


@pytest.mark.parametrize("offset", [0.0, 0.1, 1e6])
def test_a_group_without_spread_is_said_and_not_trimmed(offset):
    """Its variance counts as 0: eight units of a rare event that happen to be alike look certain."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"seed": np.arange(28), "group": ["alike"] * 8 + ["other"] * 20,
                          "v": offset + np.r_[np.zeros(8), 0.1 * rng.standard_normal(20)]})  # fmt: skip
    terms = ("v", "group", "alike", "other", "seed")
    plain = IndependentDifference(*terms, margin=0.3, margin_reason="test").estimate(table, rng=rng)
    assert "All 8 units of group = alike have the same value" in " ".join(plain.notes)
    with pytest.raises(Unusable, match="leaves of group = alike have the same value"):
        IndependentTrimmedDifference(*terms, margin=0.3, margin_reason="test").estimate(table, rng=rng)


def test_what_a_trimmed_mean_leaves_varies_beyond_rounding():
    """Differences of .1 that rounding tells apart gave an interval of no width."""
    low = np.array([0.8, 0.7, 0.6, 0.5, 0.4, 0.35, 0.3, 0.2])
    high = np.round(low + 0.1, 2)
    high[:2] = 0.95, 0.7
    for scale in (1.0, 100.0, 1e6):
        table = pd.DataFrame({"seed": np.tile(np.arange(8), 2), "regime": ["b"] * 8 + ["a"] * 8, "v": scale * np.r_[low, high]})
        prediction = TrimmedDifference("v", "regime", "a", "b", "seed", margin=0.01, margin_reason="test")
        with pytest.raises(Unusable, match="the same value"):
            prediction.estimate(table, rng=np.random.default_rng(0))
