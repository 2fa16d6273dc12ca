import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.weightstats import ttost_paired

from harness.errors import ClaimError
from harness.judge import Outcome, judge
from harness.predict import NoChange, PairedDifference, Unusable

TERMS = {"margin": 0.5, "margin_reason": "visible"}


def table(change=0.0, seeds=12, architectures=("8x1", "16x3"), noise=0.3):
    rng = np.random.default_rng(2)
    return pd.DataFrame(
        [{"architecture": architecture, "seed": seed, "epoch": epoch, "llc": seed + step + noise * rng.normal()}
         for architecture in architectures for seed in range(seeds) for epoch, step in ((10, 0.0), (20, change))]
    )  # fmt: skip


def prediction(**changes):
    settings = {"value": "llc", "factor": "epoch", "first": 10, "second": 20,
                "pair": ("architecture", "seed"), "strata": "architecture", **TERMS}  # fmt: skip
    return NoChange(**{**settings, **changes})


def estimate(frame, **changes):
    return prediction(**changes).estimate(frame, rng=np.random.default_rng(0))


@pytest.mark.parametrize("change", [0.0, 0.2, 0.45, 0.7])
def test_p_is_that_of_statsmodels(change):
    frame = table(change)
    wide = frame.pivot_table(index=["architecture", "seed"], columns="epoch", values="llc")
    p, _, _ = ttost_paired(wide[20].to_numpy(), wide[10].to_numpy(), -0.5, 0.5)
    found = estimate(frame, strata=None)
    assert found.p == pytest.approx(p)
    assert found.effect == pytest.approx((wide[20] - wide[10]).mean())


def test_the_numbers_are_those_of_the_paired_difference():
    paired = PairedDifference("llc", "epoch", 20, 10, ("architecture", "seed"), "architecture", **TERMS)
    expected = paired.estimate(table(0.3), rng=np.random.default_rng(0))
    found = estimate(table(0.3))
    for field in ("effect", "interval", "n", "standardised", "strata", "notes", "estimand", "unit"):
        assert getattr(found, field) == getattr(expected, field)


def test_p_and_interval_agree():
    for margin in np.linspace(0.05, 0.6, 25):
        found = estimate(table(0.2), margin=margin)
        assert (found.p < 0.05) == (-margin < found.interval[0] and found.interval[1] < margin)


@pytest.mark.parametrize(
    ("change", "noise", "outcome"),
    [(0.0, 0.3, Outcome.SUPPORTED), (1.0, 0.3, Outcome.REFUTED), (-1.0, 0.3, Outcome.REFUTED), (0.0, 5, Outcome.INCONCLUSIVE)],
)
def test_verdicts(change, noise, outcome):
    assert judge(prediction(), table(change, noise=noise)).outcome is outcome
    assert judge(prediction(first=20, second=10), table(change, noise=noise)).outcome is outcome


def test_it_reads_as_a_sentence():
    assert str(prediction()) == (
        "On average over pairs with the same architecture and seed, each architecture with equal weight, llc is the same "
        "at epoch = 20 and at epoch = 10: the difference lies between −0.5 and 0.5"
    )
    verdict = judge(prediction(), table(0.3, noise=0.01))
    assert verdict.told.startswith("Mean llc differs by 0.298 between epoch 10 and 20 [0.294, 0.302]: inside −0.5 to 0.5.")


@pytest.mark.parametrize(
    ("frame", "why"),
    [
        (table().iloc[1:], "1 of 24 rows have no partner with epoch = 10"),
        (table(seeds=2), "4 pairs; an interval needs 5"),
        (table(noise=0.0), r"every pair of a stratum has the same difference of llc \(0\)"),
    ],
)
def test_unusable(frame, why):
    with pytest.raises(Unusable, match=why):
        estimate(frame)


@pytest.mark.parametrize(
    ("changes", "why"), [({"first": 20}, "NoChange compares 20 with itself"), ({"pair": ()}, "NoChange has no pair")]
)
def test_declarations_that_are_refused(changes, why):
    with pytest.raises(ClaimError, match=why):
        prediction(**changes)
