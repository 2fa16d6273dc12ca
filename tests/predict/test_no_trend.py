import numpy as np
import pandas as pd
import pytest
from scipy import stats as sps

from harness.errors import ClaimError
from harness.judge import Outcome, judge
from harness.predict import NoTrend, Unusable

TERMS = {"margin": 0.2, "margin_reason": "visible"}


def table(slope=0.0, seeds=8, points=(8, 16, 32, 128), noise=0.1, architectures=("8x1", "16x3")):
    rng = np.random.default_rng(5)
    return pd.DataFrame(
        [{"architecture": architecture, "seed": seed, "width": width,
          "llc": seed + slope * np.log2(width) + noise * rng.normal()}
         for architecture in architectures for seed in range(seeds) for width in points]
    )  # fmt: skip


def prediction(**changes):
    settings = {"value": "llc", "x": "width", "unit": ("architecture", "seed"), **TERMS}
    return NoTrend(**{**settings, **changes})


def estimate(frame, **changes):
    return prediction(**changes).estimate(frame, rng=np.random.default_rng(0))


@pytest.mark.parametrize(("per", "axis"), [("doubling", np.log2), ("unit", np.asarray)])
def test_it_is_a_t_interval_of_least_squares_slopes(per, axis):
    frame = table()
    slopes = [sps.linregress(axis(part.width), part.llc).slope for _, part in frame.groupby(["architecture", "seed"])]
    found = estimate(frame, per=per)
    assert found.effect == pytest.approx(np.mean(slopes))
    assert found.interval == pytest.approx(tuple(sps.ttest_1samp(slopes, 0).confidence_interval(0.9)))
    one_sided = (sps.ttest_1samp(slopes, -0.2, alternative="greater"), sps.ttest_1samp(slopes, 0.2, alternative="less"))
    assert found.p == pytest.approx(max(each.pvalue for each in one_sided))
    assert found.n == 16


def test_units_may_have_different_points():
    frame = table(0.1, noise=0.001)
    assert estimate(frame[(frame.seed > 3) | (frame.width != 16)]).effect == pytest.approx(0.1, abs=0.01)


def test_strata_have_equal_weight():
    frame = table().query("architecture == '8x1' or seed < 3")
    found = estimate(frame, strata="architecture")
    assert found.effect == pytest.approx(np.mean([each.effect for each in found.strata]))
    assert {each.name: each.n for each in found.strata} == {"8x1": 8, "16x3": 3}
    assert found.notes[0].startswith("The slope is above 0 in ")
    assert "chance explains" in found.notes[1]


@pytest.mark.parametrize(
    ("slope", "noise", "outcome"),
    [(0.0, 0.1, Outcome.SUPPORTED), (0.5, 0.1, Outcome.REFUTED), (-0.5, 0.1, Outcome.REFUTED), (0.0, 3, Outcome.INCONCLUSIVE)],
)
def test_verdicts(slope, noise, outcome):
    assert judge(prediction(), table(slope, noise=noise)).outcome is outcome


def test_it_reads_as_a_sentence():
    assert str(prediction(strata="architecture")) == (
        "On average over units (architecture × seed), each architecture with equal weight, llc has no trend along width: its "
        "slope lies between −0.2 and 0.2 for every doubling of width"
    )
    verdict = judge(prediction(), table(0.5, noise=0.001))
    assert verdict.told.startswith("Mean llc changes by 0.5 for every doubling of width [")


@pytest.mark.parametrize(
    ("frame", "why"),
    [
        (table(seeds=2), "4 units; an interval needs 5"),
        (table(points=(8, 16)), r"16x3, 0 has 2 value\(s\) of width; a trend needs 3"),
        (pd.concat([table(), table().iloc[:1]]), "share their architecture, seed and width"),
        (table().assign(width=lambda rows: rows.width - 8), "width has the value 0; doublings need values above 0"),
        (table(noise=0.0), "every unit has the same slope of llc for every doubling of width"),
        (table(1 / 3, noise=0.0), "so that there is no spread to judge it by"),
        (table(noise=0.0).assign(llc=1.0), "the same slope of llc"),
    ],
)
def test_unusable(frame, why):
    with pytest.raises(Unusable, match=why):
        estimate(frame)


@pytest.mark.parametrize(
    ("changes", "why"), [({"per": "epoch"}, "per='epoch'; allowed are 'doubling' and 'unit'"), ({"unit": ()}, "no unit")]
)
def test_declarations_that_are_refused(changes, why):
    with pytest.raises(ClaimError, match=why):
        prediction(**changes)
