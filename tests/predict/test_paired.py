import numpy as np
import pandas as pd
import pytest
from scipy import stats as sps

from harness.errors import ClaimError
from harness.judge import Outcome, judge
from harness.predict import PairedDifference, Unusable

TERMS = {"margin": 0.5, "margin_reason": "half of the stated effect"}


def table(difference=1.0, seeds=8, architectures=("8x1", "16x3"), noise=0.5):
    rng = np.random.default_rng(1)
    rows = []
    for architecture in architectures:
        for seed in range(seeds):
            base = rng.normal()
            for regime, shift in (("robust", 0.0), ("standard", difference)):
                value = base + shift + rng.normal(0, noise)
                rows.append({"architecture": architecture, "seed": seed, "regime": regime, "llc": value})
    return pd.DataFrame(rows)


def prediction(**changes):
    settings = {"value": "llc", "factor": "regime", "higher": "standard", "lower": "robust",
                "pair": ("architecture", "seed"), "strata": "architecture", **TERMS}  # fmt: skip
    return PairedDifference(**{**settings, **changes})


def estimate(frame, **changes):
    return prediction(**changes).estimate(frame, rng=np.random.default_rng(0))


def test_without_strata_it_is_the_paired_t_test():
    frame = table()
    wide = frame.pivot_table(index=["architecture", "seed"], columns="regime", values="llc")
    expected = sps.ttest_rel(wide["standard"], wide["robust"])
    found = estimate(frame, strata=None)
    assert found.effect == pytest.approx((wide["standard"] - wide["robust"]).mean())
    assert found.interval == pytest.approx(tuple(expected.confidence_interval(0.9)))
    assert found.n == 16
    assert found.strata == ()


def test_architectures_have_equal_weight_and_are_reported():
    frame = table(architectures=("8x1", "16x3", "32x3"))
    frame.loc[(frame.architecture == "32x3") & (frame.regime == "standard"), "llc"] += 3
    few = frame[(frame.architecture != "32x3") | (frame.seed < 3)]
    found = estimate(few)
    assert [stratum.name for stratum in found.strata] == sorted(["8x1", "16x3", "32x3"])
    assert {stratum.name: stratum.n for stratum in found.strata} == {"8x1": 8, "16x3": 8, "32x3": 3}
    assert found.effect == pytest.approx(np.mean([stratum.effect for stratum in found.strata]))
    assert found.n == 19
    assert "above 0 in 3 of 3 strata" in found.notes[0]
    assert "32x3" in found.notes[0]


def test_p_is_the_exact_sign_flip_and_agrees_with_scipy():
    frame = table(seeds=5, architectures=("8x1",))
    wide = frame.pivot_table(index="seed", columns="regime", values="llc")
    expected = sps.permutation_test(
        (wide["standard"] - wide["robust"],), np.mean, permutation_type="samples", alternative="greater"
    )
    assert estimate(frame, strata=None).p == expected.pvalue


def test_p_weighs_strata_like_the_effect():
    # Six seeds of one architecture and two of the other: one of the latter counts like three of the former.
    frame = table(0.2, seeds=6, noise=1.0)
    frame = frame[(frame.architecture == "8x1") | (frame.seed < 2)]
    wide = frame.pivot_table(index=["architecture", "seed"], columns="regime", values="llc")
    difference = wide["standard"] - wide["robust"]
    weighted = difference * np.where(wide.index.get_level_values("architecture") == "8x1", 1, 3)
    equal, expected = (
        sps.permutation_test((each,), np.sum, permutation_type="samples", alternative="greater").pvalue
        for each in (difference, weighted)
    )
    assert estimate(frame).p == expected != equal


def test_swapping_the_levels_mirrors_the_estimate():
    frame = table()
    forth, back = estimate(frame), estimate(frame, higher="robust", lower="standard")
    assert back.effect == -forth.effect
    assert back.interval == (-forth.interval[1], -forth.interval[0])
    assert judge(prediction(), frame).outcome is Outcome.SUPPORTED
    reverse = judge(prediction(higher="robust", lower="standard"), frame)
    assert (reverse.outcome, reverse.label) == (Outcome.REFUTED, "reversed")


def test_units_of_the_value_have_no_influence():
    frame = table()
    for scale in (1e-6, 0.3, 1e5):
        scaled = frame.assign(llc=frame.llc * scale)
        one, other = estimate(frame), estimate(scaled)
        assert other.effect == pytest.approx(one.effect * scale)
        assert other.interval == pytest.approx(tuple(np.multiply(one.interval, scale)))
        assert other.standardised == pytest.approx(one.standardised)
        assert other.p == one.p
        assert judge(prediction(margin=0.5 * scale), scaled).outcome is judge(prediction(), frame).outcome


def test_numeric_levels():
    frame = table().assign(threshold=lambda each: each.regime.map({"standard": 3, "robust": 2}))
    found = prediction(factor="threshold", higher=3, lower=2)
    assert found.estimate(frame, rng=np.random.default_rng(0)).effect == estimate(frame).effect
    assert "higher at threshold = 3 than at threshold = 2" in str(found)


def test_the_finding_is_a_sentence_with_its_numbers():
    verdict = judge(prediction(names={"llc": "LLC per parameter"}), table())
    low, high = verdict.estimate.interval
    assert verdict.told.startswith(
        f"Mean LLC per parameter is {verdict.estimate.effect:.3g} higher in standard than in robust "
        f"[{low:.3g}, {high:.3g}]: above the 0.5 that matters."
    )


def drop(frame, **levels):
    keep = np.ones(len(frame), dtype=bool)
    for column, value in levels.items():
        keep &= (frame[column] == value).to_numpy()
    return frame[~keep]


@pytest.mark.parametrize(
    ("frame", "why"),
    [
        (drop(table(), seed=3, regime="robust", architecture="8x1"),
         "1 of 16 rows have no partner with regime = robust"),
        (drop(table(), seed=3, regime="standard", architecture="8x1"),
         "no partner with regime = standard, e.g. .*seed = 3"),
        (drop(table(), regime="robust"), "no row has regime = robust; present: standard"),
        (pd.concat([table(), table().iloc[[5]]]), "2 of 17 rows share their architecture and seed"),
        (table(seeds=2), "4 pairs; an interval needs 5 or more"),
        (table(seeds=3, architectures=("8x1",)), "3 pairs; an interval needs 5"),
        (pd.concat([drop(table(), architecture="8x1"), table().iloc[:2]]), "1 pair.* in 8x1"),
        (table().assign(llc=lambda rows: 0.3 * (rows.regime == "standard") + 1e3 / 3 * rows.seed),
         "same difference"),
        (table().assign(llc=1.0), "same difference of llc"),
    ],
)  # fmt: skip
def test_unusable(frame, why):
    with pytest.raises(Unusable, match=why):
        estimate(frame)


def test_a_saturated_stratum_alone_is_no_obstacle():
    frame = table()
    frame.loc[frame.architecture == "8x1", "llc"] = 1.0
    found = estimate(frame)
    assert found.strata[1].interval == (0.0, 0.0)
    assert np.isfinite(found.interval).all()


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"higher": "robust"}, "compares 'robust' with itself"),
        ({"pair": ()}, "has no pair"),
        ({"margin": 0.0}, "a number above 0"),
        ({"margin": float("nan")}, "a number above 0"),
        ({"margin_reason": " "}, "no margin_reason"),
        ({"alpha": 0.5}, "0 < alpha < 0.5"),
    ],
)
def test_declarations_that_are_refused(changes, why):
    with pytest.raises(ClaimError, match=why):
        prediction(**changes)
