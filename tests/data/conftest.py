"""A machine without network, downloads or HARNESS_DATA, and miniatures of MNIST's and CIFAR-10's files."""

import gzip
import hashlib
import struct
from pathlib import Path

import numpy as np
import pytest

from harness.data import cifar10_files, mnist_files
from harness.data import sources as registry

SUBSET = Path(__file__).parents[2] / "fixtures" / "mnist-subset.npz"


def idx(array):
    return b"\0\0\x08" + bytes([array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def forget():
    mnist_files._from_folder.cache_clear()
    mnist_files._from_elsewhere.cache_clear()
    cifar10_files._from_folder.cache_clear()
    cifar10_files._from_download.cache_clear()


@pytest.fixture(autouse=True)
def _bare_machine(monkeypatch, tmp_path):
    monkeypatch.delenv("HARNESS_DATA", raising=False)
    monkeypatch.setenv("HARNESS_OFFLINE", "1")
    monkeypatch.setattr(mnist_files, "_cache_folder", lambda: tmp_path / "cache")
    monkeypatch.setattr(cifar10_files, "_cache_folder", lambda: tmp_path / "cache10")
    monkeypatch.setattr(registry, "_EMBEDDED", {})
    forget()


@pytest.fixture(scope="session")
def idx_bytes():
    """An array of bytes as the content of an IDX file."""
    return idx


@pytest.fixture
def new_process():
    """Forget the images that are held in memory, as a new process would have."""
    return forget


@pytest.fixture
def subset():
    """The embedded subset, registered."""
    registry.register_embedded("mnist", SUBSET)
    return SUBSET


@pytest.fixture
def miniature(monkeypatch, tmp_path):
    """A data folder in MNIST's format: 50 training and 20 test images, digits 0 to 9 in turn."""
    folder = tmp_path / "data" / "mnist"
    folder.mkdir(parents=True)
    rng = np.random.default_rng(5)
    checksums = {}
    for name in mnist_files.CHECKSUMS:
        points = 50 if name.startswith("train") else 20
        images = rng.integers(0, 256, (points, 28, 28)).astype(np.uint8)
        content = idx(images if "images" in name else np.arange(points, dtype=np.uint8) % 10)
        (folder / f"{name}.gz").write_bytes(gzip.compress(content, mtime=0))
        checksums[name] = hashlib.sha256(content).hexdigest()
    monkeypatch.setattr(mnist_files, "CHECKSUMS", checksums)
    monkeypatch.setattr(mnist_files, "WHOLE", (50, 20))
    return folder.parent
