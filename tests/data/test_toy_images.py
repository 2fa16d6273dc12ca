import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.data import ToyImages
from harness.data.base import equal_counts


def test_defaults():
    spec = ToyImages()
    data = spec.load()
    assert data.train_x.shape == (3072, *spec.shape) == (3072, 3, 3)
    assert data.test_x.shape == (256, 3, 3)
    assert (data.train_x.dtype, data.train_y.dtype, data.classes, data.bounds) == (
        np.float32,
        np.int64,
        3,
        None,
    )
    assert np.bincount(data.train_y).tolist() == [1024] * 3
    assert np.bincount(data.test_y).tolist() == [86, 85, 85]


def test_row_of_the_class_is_lit():
    data = ToyImages(train=30, test=3, noise=0.0, amplitude=4.0).load()
    for image, label in zip(data.train_x, data.train_y, strict=True):
        expected = np.zeros((3, 3))
        expected[label] = 4
        np.testing.assert_array_equal(image, expected)


def test_noise_is_standard_normal():
    """Mean and variance of 9 · 3,072 deviations are within 5 standard errors of 0 and 4."""
    data = ToyImages(noise=2.0).load()
    rest = data.train_x.astype(np.float64)
    rest[np.arange(len(rest)), data.train_y] -= 6
    assert abs(rest.mean()) < 5 * 2 / np.sqrt(rest.size)
    assert abs(rest.var() - 4) < 5 * 4 * np.sqrt(2 / rest.size)


def test_streams_are_named_by_seed_and_split():
    one, again, other = (ToyImages(train=300, test=300, seed=seed).load() for seed in (0, 0, 1))
    assert one.digest == again.digest != other.digest
    images = [{image.tobytes() for image in part} for part in (one.train_x, one.test_x, other.train_x)]
    assert len(set.union(*images)) == 900


def test_training_points_do_not_depend_on_the_held_out_ones():
    np.testing.assert_array_equal(ToyImages(test=3).load().train_x, ToyImages(test=300).load().train_x)


@given(total=st.integers(0, 1000), classes=st.integers(1, 12))
def test_equal_counts_share_everything_out(total, classes):
    counts = equal_counts(total, classes)
    assert sum(counts) == total
    assert max(counts) - min(counts) <= 1
    assert counts == sorted(counts, reverse=True)


def test_spec_is_plain_data():
    assert json.loads(json.dumps(ToyImages(train=9).describe())) == {
        "type": "ToyImages", "train": 9, "test": 256, "amplitude": 6.0, "noise": 1.0, "seed": 0,
    }  # fmt: skip


@pytest.mark.parametrize("wrong", [{"train": 2}, {"test": 0}, {"noise": -1.0}, {"amplitude": float("nan")}, {"seed": -1}])
def test_impossible_spec_is_refused(wrong):
    with pytest.raises(ValueError, match=f"ToyImages has {next(iter(wrong))}="):
        ToyImages(**wrong)
