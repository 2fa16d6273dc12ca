"""CIFAR-10's files in miniature: batches of twenty images in the three forms in which the set comes."""

import hashlib
import io
import pickle
import struct
import tarfile

import numpy as np

from harness.data import cifar10_files
from harness.data.base import array_digest

POINTS = 20
POOL = {"train": 20, "test": 10}  # the first batch; the first half of the test batch


def images_of(name):
    """Images and labels of one batch: classes in turn, so that each batch has two of each."""
    rng = np.random.default_rng(list(cifar10_files.BATCHES).index(name))
    return rng.integers(0, 256, (POINTS, 3, 32, 32)).astype(np.uint8), np.arange(POINTS, dtype=np.uint8) % 10


def python2_pickle(images, labels):
    """A batch as Python 2's cPickle wrote it: byte strings, ``dtype('u1', 0, 1)``."""

    def text(value):
        return b"T" + struct.pack("<i", len(value)) + value

    def whole(value):
        return b"J" + struct.pack("<i", value)

    kind = b"cnumpy\ndtype\n" + text(b"u1") + b"K\0K\1\x87R(K\3" + text(b"|") + b"NNN" + whole(-1) * 2 + b"K\0tb"
    empty = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\0\x85" + text(b"b") + b"\x87R"
    shape = whole(len(images)) + whole(3072) + b"\x86"
    array = empty + b"(K\1" + shape + kind + b"I00\n" + text(images.tobytes()) + b"tb"
    numbers = b"](" + b"".join(whole(int(label)) for label in labels) + b"e"
    return b"\x80\2}(" + text(b"data") + array + text(b"labels") + numbers + b"u."


def malicious_pickle():
    """What a batch must not be able to do."""

    class Call:
        def __reduce__(self):
            return (print, ("called",))

    return pickle.dumps({b"data": Call()}, protocol=2)


def tar(folder, members, path):
    with tarfile.open(path, "w:gz") as archive:
        for name, content in members.items():
            entry = tarfile.TarInfo(f"{folder}/{name}")
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))


def binary(images, labels):
    return np.concatenate([labels[:, None], images.reshape(len(images), -1)], axis=1).tobytes()


class Miniature:
    """A data folder whose ``cifar10`` is filled by the methods."""

    def __init__(self, folder, monkeypatch):
        self.root, self.folder = folder, folder / "cifar10"
        self.folder.mkdir(parents=True)
        self.monkeypatch = monkeypatch
        self.batches = {name: images_of(name) for name in cifar10_files.BATCHES}
        self.pickles = {name: python2_pickle(*batch) for name, batch in self.batches.items()}
        for name, content in self.pickles.items():
            monkeypatch.setitem(cifar10_files.BATCHES, name, hashlib.md5(content).hexdigest())
        monkeypatch.setattr(cifar10_files, "WHOLE", (5 * POINTS, POINTS))
        for split, points in POOL.items():
            monkeypatch.setitem(cifar10_files.POOL, split, points)
        (x, y), (u, v) = self.batches["data_batch_1"], self.batches["test_batch"]
        monkeypatch.setattr(cifar10_files, "POOL_DIGEST", array_digest(x, y, u[:10], v[:10]))

    def write_batches(self, place=""):
        folder = self.folder / place
        folder.mkdir(exist_ok=True)
        for name, content in self.pickles.items():
            (folder / name).write_bytes(content)

    def write_archive(self, name=cifar10_files.PYTHON_ARCHIVE, folder=None):
        path = (folder or self.folder) / name
        if name == cifar10_files.PYTHON_ARCHIVE:
            tar("cifar-10-batches-py", self.pickles, path)
        else:
            tar("cifar-10-batches-bin", {f"{each}.bin": binary(*batch) for each, batch in self.batches.items()}, path)
        self.monkeypatch.setitem(cifar10_files.ARCHIVES, name, hashlib.md5(path.read_bytes()).hexdigest())
        return path

    def write_subset(self, train=20, test=10):
        (x, y), (u, v) = self.batches["data_batch_1"], self.batches["test_batch"]
        np.savez(
            self.folder / cifar10_files.SUBSET, x_train=x[:train].transpose(0, 2, 3, 1), y_train=y[:train],
            x_test=u[:test].transpose(0, 2, 3, 1), y_test=v[:test],
        )  # fmt: skip
