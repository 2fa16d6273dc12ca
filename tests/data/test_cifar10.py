import json
import os
import pickle
from io import BytesIO
from pathlib import Path

import numpy as np
import pooch
import pytest

from harness.data import Cifar10, DataError, DataShortfall, cifar10_availability, cifar10_files, raw_cifar10
from harness.data.cifar10 import _scaled
from tests.data.cifar10_miniature import Miniature, images_of, malicious_pickle, python2_pickle

REAL = os.environ.get("HARNESS_DATA")
real = pytest.mark.skipif(
    not (REAL and (Path(REAL) / "cifar10").is_dir()), reason="needs CIFAR-10: set HARNESS_DATA to its folder"
)


@pytest.fixture
def mini(tmp_path, monkeypatch):
    made = Miniature(tmp_path / "data", monkeypatch)
    monkeypatch.setenv("HARNESS_DATA", str(made.root))
    return made


# --- sources ----------------------------------------------------------------------------------------------


def _forms():
    return {
        "batches": lambda mini: mini.write_batches(),
        "folder of the archive": lambda mini: mini.write_batches("cifar-10-batches-py"),
        "archive": lambda mini: mini.write_archive(),
        "binary archive": lambda mini: mini.write_archive(cifar10_files.BINARY_ARCHIVE),
    }


@pytest.mark.parametrize("form", _forms())
def test_every_form_gives_the_same_images(mini, form):
    _forms()[form](mini)
    raw = raw_cifar10(whole=True)
    assert (raw.source, raw.whole, raw.train_x.shape, raw.test_x.shape) == ("folder", True, (100, 3, 32, 32), (20, 3, 32, 32))
    assert raw.train_y.dtype == np.int64
    np.testing.assert_array_equal(raw.train_x[20:40], images_of("data_batch_2")[0])
    np.testing.assert_array_equal(raw.test_x, images_of("test_batch")[0])
    assert raw.test_y.tolist() == list(range(10)) * 2
    assert cifar10_availability() == {"source": "folder", "train": 100, "test": 20, "whole": True, "detail": ""}
    with pytest.raises(ValueError, match="read-only"):
        raw.train_x[0] = 0


def test_folder_may_be_that_of_the_set(mini, monkeypatch):
    mini.write_batches()
    monkeypatch.setenv("HARNESS_DATA", str(mini.folder))
    assert raw_cifar10().whole


def test_subset_is_a_part_and_is_not_taken_for_the_whole(mini):
    mini.write_subset()
    raw = raw_cifar10()
    assert (raw.whole, len(raw.train_y), len(raw.test_y)) == (False, 20, 10)
    np.testing.assert_array_equal(raw.train_x, images_of("data_batch_1")[0])
    with pytest.raises(DataShortfall, match=r"50,000 training.*only a subset of 20 training and 10 test.*set HARNESS_DATA"):
        raw_cifar10(whole=True)
    assert cifar10_availability()["whole"] is False


def test_whole_set_goes_before_the_subset(mini):
    mini.write_subset()
    mini.write_batches()
    assert raw_cifar10().whole


def test_no_images_are_a_shortfall_that_says_what_to_do(mini):
    """HARNESS_DATA may have been set for MNIST alone: a claim is then invalid, not broken."""
    with pytest.raises(DataShortfall, match=r"no CIFAR-10 in .*cifar10.*HARNESS_DATA is set.*six original batches"):
        raw_cifar10()
    assert cifar10_availability()["source"] is None


def test_folder_that_is_nowhere_is_an_error(mini, monkeypatch):
    monkeypatch.setenv("HARNESS_DATA", str(mini.root / "nowhere"))
    with pytest.raises(DataError, match=r"nowhere.*not a folder"):
        raw_cifar10()


def test_missing_batch_is_an_error(mini):
    mini.write_batches()
    (mini.folder / "data_batch_4").unlink()
    with pytest.raises(DataError, match=f"data_batch_4 is missing.*{cifar10_files.BATCHES['data_batch_4']}"):
        raw_cifar10()


def _short(content):
    return content[:-1]


def _flipped(content):
    return content[:3000] + bytes([content[3000] ^ 1]) + content[3001:]


@pytest.mark.parametrize("damage", [_short, _flipped, lambda content: b""], ids=["short", "flipped", "empty"])
def test_corrupt_batch_is_an_error(mini, damage):
    mini.write_batches()
    path = mini.folder / "data_batch_2"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(DataError, match=f"data_batch_2.*corrupt: expected MD5 {cifar10_files.BATCHES['data_batch_2']}, found"):
        raw_cifar10()


@pytest.mark.parametrize("name", cifar10_files.ARCHIVES)
def test_corrupt_archive_is_an_error(mini, name):
    path = mini.write_archive(name)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(DataError, match=f"{name} is corrupt: expected MD5"):
        raw_cifar10()


def test_archive_without_the_batches_is_an_error(mini):
    mini.pickles.pop("data_batch_3")
    mini.write_archive()
    with pytest.raises(DataError, match=r"cannot be read.*data_batch_3"):
        raw_cifar10()


def test_nothing_but_arrays_is_unpickled(capsys):
    with pytest.raises(pickle.UnpicklingError, match="does not belong"):
        cifar10_files._Unpickler(BytesIO(malicious_pickle()), encoding="bytes").load()
    assert capsys.readouterr().out == ""


def test_other_images_of_the_right_form_are_an_error(mini, monkeypatch):
    mini.write_subset()
    monkeypatch.setattr(cifar10_files, "POOL_DIGEST", "0" * 64)
    with pytest.raises(DataError, match=r"first 20 training and 10 test images.*not those of CIFAR-10.*expected SHA-256 000"):
        raw_cifar10()


@pytest.mark.parametrize("damage", [_short, lambda content: b"no archive"], ids=["short", "other"])
def test_corrupt_subset_is_an_error(mini, damage):
    mini.write_subset()
    path = mini.folder / cifar10_files.SUBSET
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(DataError, match="cannot be read"):
        raw_cifar10()


def test_subset_of_another_size_is_an_error(mini):
    mini.write_subset(test=12)
    with pytest.raises(DataError, match="holds 20 and 12 images"):
        raw_cifar10()


# --- a download -------------------------------------------------------------------------------------------


def test_offline_means_no_attempt(monkeypatch):
    monkeypatch.setattr(pooch, "retrieve", lambda *args, **kwargs: pytest.fail("a download was attempted"))
    with pytest.raises(DataShortfall, match=r"HARNESS_OFFLINE=1 forbids the download.*set HARNESS_DATA"):
        raw_cifar10()
    assert "HARNESS_OFFLINE=1" in cifar10_availability()["detail"]


def test_download_is_kept_and_used_again(tmp_path, monkeypatch, new_process):
    mini = Miniature(tmp_path / "server", monkeypatch)
    monkeypatch.delenv("HARNESS_OFFLINE")
    asked = []

    def retrieve(url, known_hash, fname, path, downloader):
        asked.append((url, known_hash))
        mini.write_archive(fname, path)

    monkeypatch.setattr(pooch, "retrieve", retrieve)
    assert cifar10_availability()["source"] == "download"
    assert raw_cifar10(whole=True).source == "download"
    new_process()
    monkeypatch.setenv("HARNESS_OFFLINE", "1")
    assert raw_cifar10(whole=True).source == "cache"
    assert asked == [
        ("https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz", "md5:c58f30108f718f92721af3b95e74349a"),
    ]


def test_damaged_download_offline_is_a_shortfall(tmp_path, monkeypatch):
    folder = tmp_path / "cache10"
    folder.mkdir()
    (folder / cifar10_files.PYTHON_ARCHIVE).write_bytes(b"half")
    with pytest.raises(DataShortfall, match=r"the downloaded copy: .*corrupt"):
        raw_cifar10()


def test_failed_download_says_why(monkeypatch):
    monkeypatch.delenv("HARNESS_OFFLINE")

    def retrieve(*args, **kwargs):
        raise ConnectionError

    monkeypatch.setattr(pooch, "retrieve", retrieve)
    with pytest.raises(DataShortfall, match=r"the download from .* failed: ConnectionError"):
        raw_cifar10()


# --- which points -----------------------------------------------------------------------------------------


def test_part_is_balanced_and_float(mini):
    mini.write_batches()
    data = Cifar10(train=53, test=20).load()
    assert np.bincount(data.train_y).tolist() == [6] * 3 + [5] * 7
    assert (data.train_x.dtype, data.train_x.shape, data.bounds, data.name) == (np.float32, (53, 3, 32, 32), (0, 1), "CIFAR-10")
    assert data.train_y[:10].tolist() != sorted(data.train_y[:10].tolist()), "the classes are mixed"
    assert "a subset" not in data.provenance


def test_whole_set_and_subset_give_the_same_points(mini, new_process):
    spec = Cifar10(train=15, test=10, seed=3)
    mini.write_subset()
    part = spec.load()
    new_process()
    mini.write_batches()
    assert spec.load().digest == part.digest
    assert "a subset" in part.provenance
    more = Cifar10(train=40, test=10, seed=3).load()
    few = Cifar10(train=20, test=10, seed=3).load()
    assert {image.tobytes() for image in few.train_x} < {image.tobytes() for image in more.train_x}
    assert Cifar10(train=15, test=10, seed=4).load().digest != part.digest


def test_labels_are_renumbered_in_their_order(mini):
    mini.write_batches()
    data, mirrored = (Cifar10(train=10, test=4, labels=labels).load() for labels in ((8, 1), (1, 8)))
    assert (data.classes, data.name, set(data.train_y.tolist())) == (2, "CIFAR-10 ship/automobile", {0, 1})
    ships = {image.tobytes() for image in data.train_x[data.train_y == 0]}
    assert ships == {image.tobytes() for image in mirrored.train_x[mirrored.train_y == 1]}


def test_all_points_come_in_their_own_order(mini):
    mini.write_batches()
    data = Cifar10().load()
    assert data.train_y.tolist() == list(range(10)) * 10
    np.testing.assert_array_equal(np.rint(data.test_x * 255), images_of("test_batch")[0])
    assert Cifar10(labels=(9, 0)).load().train_y.tolist() == [1, 0] * 10


@pytest.mark.parametrize(
    ("spec", "need"),
    [
        (Cifar10(), "all train points of the whole set"),
        (Cifar10(train=10, test=20), r"2 test images of class 0 \(airplane\); 1 are there"),
        (Cifar10(train=42, test=10), "5 train images of class 0"),
    ],
)
def test_shortfall_says_what_is_missing_and_what_to_do(mini, spec, need):
    mini.write_subset()
    with pytest.raises(DataShortfall, match=rf"{need}.*only a subset of 20.*set HARNESS_DATA"):
        spec.load()


def test_more_than_the_whole_set_has(mini):
    mini.write_batches()
    with pytest.raises(DataShortfall, match=r"11 train images of class 0.*CIFAR-10 has 10: ask for fewer"):
        Cifar10(train=101, test=10).load()


def test_unit_norm(mini):
    mini.write_batches()
    data = Cifar10(train=20, test=10, normalise="unit-norm").load()
    assert data.bounds is None
    norms = np.sqrt((data.train_x.astype(np.float64) ** 2).sum(axis=(1, 2, 3)))
    np.testing.assert_allclose(norms, 1, rtol=2.0**-24)  # float32 keeps each value to a relative 2⁻²⁴
    with pytest.raises(DataError, match="black image"):
        _scaled(np.zeros((1, 3, 32, 32), np.uint8), "unit-norm")


@real
def test_points_are_pinned(monkeypatch):
    """The same bits on every machine, with the subset and with the whole set; a change retrains networks."""
    monkeypatch.setenv("HARNESS_DATA", REAL)
    spec = Cifar10(train=40, test=20, labels=(3, 5), normalise="unit-norm", seed=1)
    assert spec.load().digest == "79e1c5b68f481e28a5a384c335cd6e2046a7e602570a460de7ed87b8fb0f5d60"


@real
def test_real_images(monkeypatch):
    """The classes of the first images are known: a frog, two trucks, a deer, an automobile."""
    monkeypatch.setenv("HARNESS_DATA", REAL)
    raw = raw_cifar10()
    assert raw.train_y[:5].tolist() == [6, 9, 9, 4, 1]
    assert raw.test_y[:4].tolist() == [3, 8, 8, 0]
    # first row of the first image's red channel begins 59, 43, 50 (the author's files)
    assert raw.train_x[0, 0, 0, :3].tolist() == [59, 43, 50]


# --- the spec ---------------------------------------------------------------------------------------------


def test_spec_is_plain_data():
    spec = Cifar10(train=10, test=4, labels=(0, 1))
    assert (spec.shape, spec.classes) == ((3, 32, 32), 2)
    assert json.loads(json.dumps(spec.describe())) == {
        "type": "Cifar10", "train": 10, "test": 4, "labels": [0, 1], "normalise": "unit-interval", "seed": 0,
    }  # fmt: skip


@pytest.mark.parametrize(
    "wrong",
    [{"labels": (1,)}, {"labels": (1, 1)}, {"labels": (1, 10)}, {"train": 9}, {"test": 0}, {"seed": -1},
     {"normalise": "whitened"}, {"labels": (0, 1), "test": 1}],
)  # fmt: skip
def test_impossible_spec_is_refused(wrong):
    with pytest.raises(ValueError, match=f"Cifar10 has {list(wrong)[-1]}="):
        Cifar10(**wrong)


def test_python_2_pickle_is_read_without_a_warning():
    images, labels = images_of("test_batch")
    read = cifar10_files._Unpickler(BytesIO(python2_pickle(images, labels)), encoding="bytes").load()
    np.testing.assert_array_equal(read[b"data"].reshape(images.shape), images)
    assert read[b"labels"] == labels.tolist()
