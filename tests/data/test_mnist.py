import json
import os
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from harness.data import DataError, DataShortfall, Mnist
from harness.data.mnist import _scaled, area_average

REAL = os.environ.get("HARNESS_DATA")
real = pytest.mark.skipif(not REAL, reason="needs the whole of MNIST: set HARNESS_DATA to its folder")
pictures = hnp.arrays(np.uint8, st.integers(1, 9).map(lambda side: (2, side, side)))


# --- which points -----------------------------------------------------------------------------------------


def test_part_is_balanced_and_float(subset):
    data = Mnist(train=103, test=20).load()
    assert np.bincount(data.train_y).tolist() == [11] * 3 + [10] * 7
    assert np.bincount(data.test_y).tolist() == [2] * 10
    assert (data.train_x.dtype, data.train_y.dtype, data.train_x.shape) == (
        np.float32,
        np.int64,
        (103, 28, 28),
    )
    assert (data.classes, data.bounds, data.name) == (10, (0.0, 1.0), "MNIST")
    assert data.train_y[:10].tolist() != sorted(data.train_y[:10].tolist()), "the classes are mixed"


def test_points_are_pinned(subset):
    """The same bits on every machine, with every version of numpy; a change here changes trained networks."""
    spec = Mnist(train=40, test=20, digits=(3, 8), side=5, normalise="unit-norm", seed=1)
    assert spec.load().digest == "9a3303fbb7e0b750f1366415d75036c8ae6c2fa9452838de23de52a796173c9d"


def test_digits_are_relabelled_in_their_order(subset):
    data, mirrored = (
        Mnist(train=20, test=10, digits=(7, 1)).load(),
        Mnist(train=20, test=10, digits=(1, 7)).load(),
    )
    assert (data.classes, data.name, set(data.train_y.tolist())) == (2, "MNIST 7/1", {0, 1})
    sevens = {image.tobytes() for image in data.train_x[data.train_y == 0]}
    assert sevens == {image.tobytes() for image in mirrored.train_x[mirrored.train_y == 1]}


def test_seed_names_the_points(subset):
    one, again, other = (Mnist(train=50, test=20, seed=seed).load() for seed in (0, 0, 1))
    assert one.digest == again.digest != other.digest
    assert one.train_x.flags.writeable, "a network may be given the arrays without a copy"


def test_more_points_hold_the_fewer(subset):
    few, many = (Mnist(train=points, test=10).load().train_x for points in (50, 200))
    assert {image.tobytes() for image in few} <= {image.tobytes() for image in many}


def test_all_points_come_in_their_own_order(miniature, monkeypatch):
    monkeypatch.setenv("HARNESS_DATA", str(miniature))
    data = Mnist().load()
    assert data.train_y.tolist() == list(range(10)) * 5
    kept = Mnist(digits=(9, 0)).load()
    assert kept.train_y.tolist() == [1, 0] * 5
    np.testing.assert_array_equal(kept.test_x[0], data.test_x[0])


@real
def test_whole_set_and_subset_give_the_same_points(subset, monkeypatch, new_process):
    specs = [Mnist(train=1000, test=200, seed=4), Mnist(train=2000, test=400, digits=(0, 1), side=14)]
    embedded = [spec.load() for spec in specs]
    monkeypatch.setenv("HARNESS_DATA", REAL)
    whole = [spec.load() for spec in specs]
    assert [data.digest for data in embedded] == [data.digest for data in whole]
    assert "embedded" in embedded[0].provenance
    assert "HARNESS_DATA" in whole[0].provenance


@real
def test_whole_set(monkeypatch):
    monkeypatch.setenv("HARNESS_DATA", REAL)
    data = Mnist(side=4).load()
    assert np.bincount(data.train_y).tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert np.bincount(data.test_y).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    # mean and standard deviation of the training pixels that the field's code is full of: 0.1307 (and
    # 0.3081 at 28 x 28)
    assert round(float(data.train_x.mean(dtype=np.float64)), 4) == 0.1307
    with pytest.raises(DataShortfall, match=r"6,000 train images of digit 0, and MNIST has 5,923: ask for fewer"):
        Mnist(train=60_000).load()


# --- fewer than asked for ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "need"),
    [
        (Mnist(), "all train points of the whole set"),
        (Mnist(train=100), "all test points of the whole set"),
        (Mnist(train=100, test=2001), "201 test images of digit 0"),
        (Mnist(train=2002, test=10, digits=(4, 5)), "1,001 train images of digit 4"),
    ],
)
def test_shortfall_says_what_is_missing_and_what_to_do(subset, spec, need):
    with pytest.raises(DataShortfall) as caught:
        spec.load()
    for part in (need, "only the embedded subset of 10,000", "HARNESS_OFFLINE=1 forbids", "set HARNESS_DATA"):
        assert part in str(caught.value)


def test_all_of_the_subset_can_be_had(subset):
    data = Mnist(train=10_000, test=2_000, side=7).load()
    assert (len(data.train_x), len(data.test_x)) == (10_000, 2_000)


# --- pixels -----------------------------------------------------------------------------------------------


def _area_average_by_definition(image, side):
    """Mean over the cell of every new pixel, in fractions: the integral of the piecewise constant image."""
    cell = Fraction(len(image), side)

    def overlap(new, old):
        return max(Fraction(0), min((new + 1) * cell, Fraction(old + 1)) - max(new * cell, Fraction(old)))

    old = range(len(image))
    return [[float(sum(overlap(r, i) * overlap(s, j) * int(image[i, j]) for i in old for j in old) / cell**2)
             for s in range(side)] for r in range(side)]  # fmt: skip


@given(images=pictures, side=st.integers(1, 7))
def test_area_average_is_the_mean_of_the_area(images, side):
    assert area_average(images, side).tolist() == [_area_average_by_definition(image, side) for image in images]


@given(images=pictures, side=st.integers(1, 40))
def test_area_average_keeps_the_mean(images, side):
    # each of the new pixels, at most 255, is off by a rounding, at most 2⁻⁵³ of it; so is each addition of
    # the mean
    rounding = 2 * 255 * side**2 * 2.0**-53
    means = area_average(images, side).mean(axis=(1, 2))
    np.testing.assert_allclose(means, images.mean(axis=(1, 2)), rtol=0, atol=rounding)


@given(images=pictures)
def test_same_side_changes_nothing(images):
    np.testing.assert_array_equal(area_average(images, images.shape[-1]), images)
    scaled = _scaled(images, images.shape[-1], "unit-interval")
    np.testing.assert_array_equal(np.rint(scaled * 255).astype(np.uint8), images)


@pytest.mark.parametrize("side", [5, 14, 28])
def test_unit_norm(subset, side):
    spec = Mnist(train=50, test=20, side=side, normalise="unit-norm")
    data = spec.load()
    assert data.bounds is None
    assert data.train_x.shape[1:] == spec.shape == (side, side)
    # float32 keeps each value, hence the norm, to a relative 2⁻²⁴
    norms = np.sqrt((data.train_x.astype(np.float64) ** 2).sum(axis=(1, 2)))
    np.testing.assert_allclose(norms, 1, rtol=2.0**-24)


def test_blank_image_has_no_direction():
    with pytest.raises(DataError, match="blank image"):
        _scaled(np.zeros((1, 28, 28), np.uint8), 14, "unit-norm")


# --- the spec ---------------------------------------------------------------------------------------------


def test_spec_is_plain_data():
    spec = Mnist(train=10, test=4, digits=(0, 1), side=14)
    assert (spec.shape, spec.classes) == ((14, 14), 2)
    assert json.loads(json.dumps(spec.describe())) == {
        "type": "Mnist", "train": 10, "test": 4, "digits": [0, 1], "side": 14, "normalise": "unit-interval",
        "seed": 0,
    }  # fmt: skip
    assert hash(spec) == hash(Mnist(train=10, test=4, digits=(0, 1), side=14))


@pytest.mark.parametrize(
    "wrong",
    [{"digits": (1,)}, {"digits": (1, 1)}, {"digits": (1, 10)}, {"train": 9}, {"test": 0}, {"side": 0},
     {"seed": -1}, {"normalise": "whitened"}, {"digits": (0, 1), "test": 1}],
)  # fmt: skip
def test_impossible_spec_is_refused(wrong):
    with pytest.raises(ValueError, match=f"Mnist has {list(wrong)[-1]}="):
        Mnist(**wrong)
