"""Files of data that were changed: one clear error for each, before anything is made of them."""

from __future__ import annotations

import gzip
import hashlib
import io
import pickle
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from mutations import damaged

from harness.data import DataError, DataShortfall, cifar10_files, mnist_files

SOME = settings(max_examples=200, suppress_health_check=list(HealthCheck), derandomize=True)
LABELS = "train-labels-idx1-ubyte"
IDX = gzip.compress(b"\0\0\x08\x01\0\0\0\x32" + bytes(range(50)), mtime=0)


def npz(**arrays: Any) -> bytes:
    out = io.BytesIO()
    np.savez_compressed(out, **arrays)
    return out.getvalue()


def batch() -> bytes:
    return pickle.dumps({b"data": np.zeros((3, 3072), np.uint8), b"labels": [1, 2, 3]}, protocol=2)


def archive() -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as file:
        for name in cifar10_files.BATCHES:
            info = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            info.size = len(batch())
            file.addfile(info, io.BytesIO(batch()))
    return out.getvalue()


IMAGE, LABEL = np.zeros((3, 32, 32, 3), np.uint8), np.zeros(3, np.uint8)
SUBSET = npz(x_train=IMAGE, y_train=LABEL, x_test=IMAGE, y_test=LABEL)


def refused(read: Callable[[], Any], path: Path) -> None:
    """It is refused, in one line that names the file or what is in it."""
    with pytest.raises((DataError, DataShortfall)) as caught:
        read()
    said = str(caught.value)
    assert "\n" not in said
    assert path.name.split(".")[0] in said


@SOME
@given(damaged(IDX))
@example(IDX)
def test_mnist(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.mktemp("mnist", numbered=True) / f"{LABELS}.gz"
    path.write_bytes(content)
    refused(lambda: mnist_files.read(path, LABELS), path)


@SOME
@given(damaged(SUBSET))
@example(SUBSET)
@example(npz(train_x=np.array([{}, "object"], dtype=object)))
def test_the_embedded_subset_and_that_of_cifar(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.mktemp("subset", numbered=True) / "subset.npz"
    path.write_bytes(content)
    refused(lambda: mnist_files._from_subset(path, ()), path)
    refused(lambda: cifar10_files._of_subset(path), path)


@SOME
@given(damaged(archive()))
def test_an_archive(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.mktemp("archive", numbered=True) / cifar10_files.PYTHON_ARCHIVE
    path.write_bytes(content)
    refused(lambda: cifar10_files._of_archive(path, "folder"), path)


@SOME
@given(st.one_of(damaged(batch()), st.just(pickle.dumps(print))))
def test_a_batch_is_checked_before_it_is_unpickled(content: bytes) -> None:
    with pytest.raises(DataError, match="data_batch_1 of CIFAR-10 is corrupt"):
        list(cifar10_files._batches(lambda name: content))


def test_an_archive_with_the_right_sum_and_the_wrong_content_is_refused(tmp_path: Path, monkeypatch) -> None:
    path = tmp_path / cifar10_files.PYTHON_ARCHIVE
    path.write_bytes(archive())
    monkeypatch.setitem(cifar10_files.ARCHIVES, path.name, hashlib.md5(archive()).hexdigest())
    refused(lambda: cifar10_files._of_archive(path, "folder"), Path("data_batch_1"))
