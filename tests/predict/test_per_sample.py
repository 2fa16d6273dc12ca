import numpy as np
import pandas as pd
import pytest
from scipy import stats as sps

from harness.errors import ClaimError
from harness.judge import Outcome, judge
from harness.predict import PerSampleCorrelation, Unusable


def table(slope=-1.0, seeds=8, samples=6, epochs=10):
    rng = np.random.default_rng(0)
    index = pd.MultiIndex.from_product([range(seeds), range(samples), range(epochs)], names=["seed", "sample", "epoch"])
    frame = index.to_frame(index=False)
    frame["llc"] = rng.normal(size=len(frame))
    frame["perturbation"] = slope * frame.llc + rng.normal(size=len(frame)) + 100 * frame["sample"]
    return frame


def prediction(**changes):
    settings = {"x": "llc", "y": "perturbation", "unit": "seed", "sample": "sample", "sign": -1,
                "margin": 0.2, "margin_reason": "visible"}  # fmt: skip
    return PerSampleCorrelation(**{**settings, **changes})


def estimate(frame, **changes):
    return prediction(**changes).estimate(frame, rng=np.random.default_rng(0))


def test_it_is_a_t_interval_of_one_number_per_seed():
    frame = table()
    rho = frame.groupby(["seed", "sample"]).apply(lambda cell: sps.spearmanr(cell.llc, cell.perturbation).statistic)
    per_seed = np.arctanh(rho).groupby("seed").mean()
    interval = sps.ttest_1samp(per_seed, 0).confidence_interval(0.9)
    found = estimate(frame)
    assert found.effect == pytest.approx(np.tanh(per_seed.mean()))
    assert found.interval == pytest.approx(tuple(np.tanh(interval)))
    assert (found.n, found.unit) == (8, "seed")
    assert found.p == 2**-8


def test_differences_between_samples_do_not_enter():
    frame = table()
    assert estimate(frame) == estimate(frame.assign(perturbation=frame.perturbation - 100 * frame["sample"]))


def test_more_samples_or_epochs_are_no_more_units():
    assert estimate(table(samples=12, epochs=20)).n == 8


def test_verdicts_and_sign():
    frame = table()
    assert judge(prediction(), frame).outcome is Outcome.SUPPORTED
    wrong = judge(prediction(sign=1), frame)
    assert (wrong.outcome, wrong.label) == (Outcome.REFUTED, "reversed")
    assert judge(prediction(), table(slope=0.0, samples=20)).outcome is Outcome.REFUTED


def test_the_panel_is_said_to_be_fixed():
    assert "Fixed panel of 6 (sample)" in judge(prediction(), table()).told


class TestConstantCells:
    @staticmethod
    def frozen(cells):
        frame = table()
        for seed, sample in cells:
            frame.loc[(frame.seed == seed) & (frame["sample"] == sample), "perturbation"] = 0.1
        return frame

    def test_they_are_dropped_and_counted(self):
        frame = self.frozen([(0, 0), (3, 5)])
        found = estimate(frame)
        assert any("2 of 48 cells (seed × sample) have a constant llc or perturbation" in note for note in found.notes)
        kept = frame[~(((frame.seed == 0) & (frame["sample"] == 0)) | ((frame.seed == 3) & (frame["sample"] == 5)))]
        rho = kept.groupby(["seed", "sample"]).apply(lambda c: sps.spearmanr(c.llc, c.perturbation).statistic)
        assert found.effect == pytest.approx(np.tanh(np.arctanh(rho).groupby("seed").mean().mean()))

    def test_a_column_that_varies_by_rounding_only_is_constant(self):
        frame = self.frozen([(0, 0)])
        cell = frame.index[(frame.seed == 0) & (frame["sample"] == 0)]
        frame.loc[cell, "perturbation"] = np.where(frame.loc[cell, "epoch"] % 2, 0.3, 0.1 + 0.2)
        assert any("1 of 48 cells" in note for note in estimate(frame).notes)

    def test_a_quarter_is_the_most(self):
        cells = [(seed, sample) for sample in (0, 1) for seed in range(8)]
        assert estimate(self.frozen(cells[:12])).n == 8
        with pytest.raises(Unusable, match=r"13 of 48 cells .* at most 25 % may"):
            estimate(self.frozen(cells[:13]))
        assert estimate(self.frozen(cells[:13]), max_undefined=0.5).n == 8

    def test_a_seed_without_any(self):
        with pytest.raises(Unusable, match="no sample of seed = 2 has a correlation"):
            estimate(self.frozen([(2, sample) for sample in range(6)]))

    @pytest.mark.parametrize("left", [0, 4])
    def test_a_cell_with_too_few_rows_is_dropped_and_counted(self, left):
        whole = table()
        few = whole[~((whole.seed == 3) & (whole["sample"] == 2) & (whole.epoch >= left))]
        assert estimate(few).n == 8
        assert any("1 of 48" in note for note in estimate(few).notes)

    def test_a_column_that_never_varies(self):
        with pytest.raises(Unusable, match="48 of 48 cells"):
            estimate(table().assign(llc=3.0))


@pytest.mark.parametrize(
    ("frame", "why"),
    [
        (table(seeds=4), r"4 units \(seed\)"),
        (table(epochs=4), "48 of 48 cells .* fewer than 5 rows"),
        (
            table().assign(llc=lambda each: each.epoch, perturbation=lambda each: -each.epoch),
            "same mean correlation",
        ),
    ],
)
def test_unusable(frame, why):
    with pytest.raises(Unusable, match=why):
        estimate(frame)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"sign": 2}, "sign=2"),
        ({"unit": ()}, "needs unit and sample"),
        ({"sample": ()}, "needs unit and sample"),
        ({"margin": 1.0}, "below 1"),
        ({"max_undefined": 1.0}, "max_undefined"),
    ],
)
def test_declarations_that_are_refused(changes, why):
    with pytest.raises(ClaimError, match=why):
        prediction(**changes)
