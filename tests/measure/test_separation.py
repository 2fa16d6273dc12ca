import os
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from claims import test_dynamics as dynamics
from harness.data import DataShortfall, RawImages, cifar10_files, mnist_files, raw_mnist, register_embedded
from harness.data import sources as registry
from harness.measure import separation as module
from harness.measure.separation import separation, separation_table

SUBSET = Path(__file__).parents[2] / "fixtures" / "mnist-subset.npz"
real = pytest.mark.skipif(not os.environ.get("HARNESS_DATA"), reason="needs the whole of MNIST: set HARNESS_DATA to its folder")


def by_definition(a, labels_a, b, labels_b, *, within):
    """Smallest distance in pixel levels over all pairs, one image at a time."""
    nearest = None
    for i, (image, label) in enumerate(zip(a.astype(np.int16), labels_a, strict=True)):
        others = np.flatnonzero((labels_b != label) & (np.arange(len(b)) > i if within else True))
        if len(others):
            distance = int(np.abs(b[others].astype(np.int16) - image).reshape(len(others), -1).max(axis=1).min())
            nearest = distance if nearest is None else min(nearest, distance)
    return nearest


# Few levels and few pixels make ties, duplicates and images that are all dark or all bright likely.
levels = st.sampled_from([st.integers(0, 255), st.sampled_from([0, 255]), st.integers(0, 3), st.just(7)])


@st.composite
def labelled(draw, pixels, elements, min_size=1):
    points = draw(st.integers(min_size, 30))
    images = draw(hnp.arrays(np.uint8, (points, pixels), elements=elements))
    return images, draw(hnp.arrays(np.int64, points, elements=st.integers(0, 3)))


@given(data=st.data(), pixels=st.integers(1, 40), elements=levels)
def test_within_one_set_it_is_the_minimum(data, pixels, elements):
    images, labels = data.draw(labelled(pixels, elements, min_size=2))
    expected = by_definition(images, labels, images, labels, within=True)
    if expected is None:
        with pytest.raises(ValueError, match="no two images have different labels"):
            separation(images, labels)
        return
    found = separation(images, labels)
    assert found.distance == expected / 255
    check_pair(found, images, labels, images, labels)
    assert found.examined == sum(int((labels[i + 1 :] != labels[i]).sum()) for i in range(len(labels)))


@given(data=st.data(), pixels=st.integers(1, 40), elements=levels)
def test_between_two_sets_it_is_the_minimum(data, pixels, elements):
    (a, labels_a), (b, labels_b) = (data.draw(labelled(pixels, elements)) for _ in range(2))
    expected = by_definition(a, labels_a, b, labels_b, within=False)
    if expected is None:
        with pytest.raises(ValueError, match="no two images have different labels"):
            separation(a, labels_a, b, labels_b)
        return
    found = separation(a, labels_a, b, labels_b)
    assert found.distance == expected / 255
    check_pair(found, a, labels_a, b, labels_b)
    assert found.examined == int((labels_a[:, None] != labels_b[None, :]).sum())


def check_pair(found, a, labels_a, b, labels_b):
    i, j = found.pair
    assert labels_a[i] != labels_b[j]
    assert np.abs(a[i].astype(int) - b[j].astype(int)).max() / 255 == found.distance


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("kind", ["uniform", "sparse", "smooth"])
def test_many_images_use_every_step(seed, kind, monkeypatch):
    """Enough images for all strides, and blocks so small that they end anywhere."""
    monkeypatch.setattr(module, "_CELLS", 1000)
    monkeypatch.setattr(module, "_PAIRS", 37)
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (400, 6, 9))
    if kind == "sparse":
        images *= rng.random(images.shape) < 0.2
    elif kind == "smooth":
        images = np.abs(rng.normal(0, 20, images.shape).cumsum(axis=2)).clip(0, 255)
    images, labels = images.astype(np.uint8), rng.integers(0, 5, 400)
    assert separation(images, labels).distance * 255 == by_definition(images, labels, images, labels, within=True)
    a, labels_a = (
        images[:70],
        labels[:70] + 2,
    )  # labels 5 and 6 are in the first set alone, 0 and 1 in the second
    assert separation(a, labels_a, images, labels).distance * 255 == by_definition(a, labels_a, images, labels, within=False)


def test_planted_neighbours_are_found():
    """Two images one level apart among 3,000, and then an exact duplicate with another label."""
    rng = np.random.default_rng(3)
    images = (255 * (rng.random((3000, 100)) < 0.3)).astype(np.uint8)
    labels = rng.integers(0, 2, 3000)
    i, j = int(np.flatnonzero(labels == 0)[777]), int(np.flatnonzero(labels == 1)[555])
    images[j] = images[i] ^ 1
    found = separation(images, labels)
    assert found.distance == 1 / 255
    assert set(found.pair) == {i, j}
    images[j] = images[i]
    assert separation(images, labels).distance == 0


def test_embedded_digits_agree_with_the_definition():
    with np.load(SUBSET) as stored:
        train, labels = stored["train_x"][::9], stored["train_y"][::9]
        test, test_labels = stored["test_x"][::9], stored["test_y"][::9]
    within = separation(train, labels)
    assert within.distance * 255 == by_definition(train, labels, train, labels, within=True)
    assert separation(test, test_labels, train, labels).distance * 255 == by_definition(
        test, test_labels, train, labels, within=False
    )
    assert within.measured < within.examined / 100, "the bits exclude nearly every pair"


@real
def test_mnist_has_the_published_separation():
    raw = raw_mnist(whole=True)
    start = time.perf_counter()
    table = separation_table((raw.train_x, raw.train_y), (raw.test_x, raw.test_y), ("0.737", "0.812"))
    assert table["case"].tolist() == ["MNIST train-train", "MNIST test-train"]
    assert (table["value"] * 255).round(6).tolist() == [188, 207]
    assert table["value"].round(3).tolist() == table["reported"].tolist()
    assert table["digits"].tolist() == [3, 3]
    assert time.perf_counter() - start < 120


def test_wrong_input_is_refused():
    images, labels = np.zeros((3, 4), np.uint8), np.array([0, 1, 1])
    with pytest.raises(ValueError, match=r"a has dtype float64; .*uint8"):
        separation(images.astype(float), labels)
    with pytest.raises(ValueError, match="b has 3 images and labels of shape"):
        separation(images, labels, images, labels[:2])
    with pytest.raises(ValueError, match="without its labels"):
        separation(images, labels, images)
    with pytest.raises(ValueError, match=r"shape \(4,\) cannot be compared with images of shape \(5,\)"):
        separation(images, labels, np.zeros((3, 5), np.uint8), labels)


# --- the claim about it -----------------------------------------------------------------------------------


class Store:
    """Remembers under what tables were stored, and computes them anew."""

    def __init__(self):
        self.keys = []

    def cached(self, name, key, compute):
        self.keys.append((name, key, compute.func))
        return compute()


@pytest.fixture
def no_whole_set(monkeypatch, tmp_path):
    monkeypatch.delenv("HARNESS_DATA", raising=False)
    monkeypatch.setenv("HARNESS_OFFLINE", "1")
    monkeypatch.setattr(mnist_files, "_cache_folder", lambda: tmp_path)
    monkeypatch.setattr(cifar10_files, "_cache_folder", lambda: tmp_path)
    monkeypatch.setattr(registry, "_EMBEDDED", {})
    register_embedded("mnist", SUBSET)


@pytest.mark.usefixtures("no_whole_set")
def test_claim_is_not_judged_on_a_subset():
    evidence = dynamics.test_data_well_separated(SimpleNamespace(store=Store()))
    assert "only the embedded subset of 10,000" in evidence.shortfall
    assert list(evidence.table) == ["case", "value", "reported", "digits"]
    assert evidence.table.empty


@pytest.mark.usefixtures("no_whole_set")
def test_claim_measures_and_draws(monkeypatch):
    subset = raw_mnist()
    monkeypatch.setattr(dynamics, "raw_mnist", lambda *, whole: subset)
    store = Store()
    evidence = dynamics.test_data_well_separated(SimpleNamespace(store=store))
    assert evidence.shortfall is None
    # a minimum over a part is at least that over the whole
    assert (evidence.table["value"] >= evidence.table["reported"].round(2)).all()
    ((name, key, function),) = store.keys
    assert (name, key["data"], function) == ("separation", subset.digest, module.separation_table)
    assert evidence.figure.table.groupby("number")["distance"].count().tolist() == [2, 2]
    assert evidence.figure.reference == {"2 × attack size 0.1 (MNIST)": 0.2}
    assert "no CIFAR-10" in evidence.settings["not judged: CIFAR-10"]


@pytest.mark.parametrize(
    ("train", "test", "contradicted"), [(54, 56, []), (53, 56, ["CIFAR-10 train-train"]), (54, 55, ["CIFAR-10 test-train"])]
)
def test_a_part_can_contradict_a_printed_value_and_never_confirm_it(monkeypatch, train, test, contradicted):
    """54/255 is printed as 0.212 and 56/255 as 0.220."""
    shape = np.ones((2, 3, 2, 2), np.uint8)
    shape[0] = 0
    part = RawImages.of([shape * train, np.array([0, 1]), np.ones_like(shape) * test, np.array([1, 1])], "folder")

    def raw_cifar10(*, whole: bool = False) -> RawImages:
        if whole:
            raise DataShortfall("the whole of CIFAR-10 is needed")
        return part

    monkeypatch.setattr(dynamics, "raw_mnist", lambda *, whole: part)
    monkeypatch.setattr(dynamics, "raw_cifar10", raw_cifar10)
    evidence = dynamics.test_data_well_separated(SimpleNamespace(store=Store()))
    assert evidence.table["case"].tolist() == ["MNIST train-train", "MNIST test-train", *contradicted]
    assert evidence.settings["not judged: CIFAR-10"] == "the whole of CIFAR-10 is needed"
    bounds = evidence.settings["CIFAR-10, upper bounds from 2 training and 2 test images"]
    assert bounds == f"{train / 255:.3f} (printed: 0.212) and {test / 255:.3f} (printed: 0.220)"


@pytest.mark.usefixtures("no_whole_set")
def test_claim_judges_every_set_that_is_whole(monkeypatch):
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (12, 3, 2, 2)).astype(np.uint8) for _ in range(2)]
    whole = RawImages.of([images[0], np.arange(12) % 3, images[1], np.arange(12) % 3], "folder")
    subset = raw_mnist()
    monkeypatch.setattr(dynamics, "raw_mnist", lambda *, whole: subset)
    monkeypatch.setattr(dynamics, "raw_cifar10", lambda **insisted: whole)
    evidence = dynamics.test_data_well_separated(SimpleNamespace(store=Store()))
    assert evidence.table["case"].tolist() == [
        "MNIST train-train", "MNIST test-train", "CIFAR-10 train-train", "CIFAR-10 test-train",
    ]  # fmt: skip
    assert evidence.table["reported"].tolist() == [0.737, 0.812, 0.212, 0.220]
    expected = by_definition(images[0], np.arange(12) % 3, images[0], np.arange(12) % 3, within=True) / 255
    assert evidence.table["value"][2] == expected
    assert "CIFAR-10, 50,000" in evidence.settings["data"]
    assert len(evidence.figure.reference) == 2
