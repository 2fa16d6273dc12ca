"""Random points with random labels: moments, independence of parts, and what cannot be asked for."""

from __future__ import annotations

import numpy as np
import pytest

from harness.data import RandomLabels


def test_points_have_mean_norm_one_and_labels_are_fair_coins() -> None:
    data = RandomLabels(4000, 50).load()
    assert data.train_x.shape == (4000, 50)
    assert data.train_y.shape == (4000, 1)
    assert data.train_y.dtype == np.float32
    assert set(np.unique(data.train_y)) == {-1.0, 1.0}
    # ‖x‖² is χ²_d/d: mean 1, variance 2/d; four standard errors of 4,000 points, and of as many coins
    assert np.square(data.train_x).sum(1).mean() == pytest.approx(1, abs=4 * np.sqrt(2 / 50 / 4000))
    assert data.train_y.mean() == pytest.approx(0, abs=4 / np.sqrt(4000))
    assert data.classes == 1
    assert data.bounds is None


def test_labels_do_not_follow_the_points() -> None:
    data = RandomLabels(4000, 5).load()
    for column in data.train_x.T:
        assert abs(np.corrcoef(column, data.train_y[:, 0])[0, 1]) < 4 / np.sqrt(4000)


def test_equal_specs_are_equal_and_more_points_keep_the_first() -> None:
    assert RandomLabels(30, 4).load().digest == RandomLabels(30, 4).load().digest
    few, many = RandomLabels(30, 4).load(), RandomLabels(60, 4).load()
    assert np.array_equal(few.train_x, many.train_x[:30])
    assert np.array_equal(few.train_y, many.train_y[:30])
    digests = {RandomLabels(30, 4, seed=seed).load().digest for seed in range(3)}
    assert len(digests) == 3
    assert not np.array_equal(few.train_x, RandomLabels(30, 4, test=30).load().test_x)


@pytest.mark.parametrize("wrong", [{"train": 0}, {"dimension": 0}, {"test": 0}, {"seed": -1}])
def test_impossible_settings_are_refused(wrong) -> None:
    with pytest.raises(ValueError, match=f"RandomLabels has {next(iter(wrong))}="):
        RandomLabels(**wrong)
