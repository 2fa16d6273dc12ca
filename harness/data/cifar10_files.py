"""Where CIFAR-10's images come from: a folder or a download; each file checked by its published MD5.

The images of Krizhevsky (2009), "Learning Multiple Layers of Features from Tiny Images", technical report,
University of Toronto: 50,000 training and 10,000 test images, 3 x 32 x 32, 0 to 255.  The author names no
licence, so none of it is kept in the repository.

Order of search:

1. the folder that the environment variable HARNESS_DATA names: its folder ``cifar10``, or itself.  It may hold
   the six batches of the Python version (also in ``cifar-10-batches-py``), one of the two archives of the
   author's page, or a subset.  If the variable is set, nothing else is tried, and a corrupt file is an error;
2. the archive downloaded earlier into the user's cache folder, and else a download from the author's page,
   unless HARNESS_OFFLINE=1.

The subset holds the first 10,000 training and the first 2,000 test images.  Whatever the source, these have
to be the images with the digest :data:`POOL_DIGEST`.
"""

from __future__ import annotations

import hashlib
import io
import logging
import pickle
import tarfile
import zlib
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.data.base import DataError, DataShortfall, array_digest
from harness.data.sources import PATIENCE, RawImages, cache_folder, data_folder, existing, offline, shortage

Batch = tuple[NDArray[np.uint8], NDArray[np.uint8]]
Read = Callable[[str], bytes]

# MD5 of the six batches of the Python version, as in torchvision and on the author's page for the archives.
BATCHES = {
    "data_batch_1": "c99cafc152244af753f735de768cd75f",
    "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
    "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
    "data_batch_4": "634d18415352ddfa80567beed471001a",
    "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
    "test_batch": "40351d587109b95175f43aff81a1287e",
}
PYTHON_ARCHIVE = "cifar-10-python.tar.gz"
BINARY_ARCHIVE = "cifar-10-binary.tar.gz"  # of the binary version only the archive has a published checksum
ARCHIVES = {
    PYTHON_ARCHIVE: "c58f30108f718f92721af3b95e74349a",
    BINARY_ARCHIVE: "c32a1d4ab5d03f1284b67883e8d87530",
}
PAGE = "https://www.cs.toronto.edu/~kriz/"
SUBSET = "cifar10-subset.npz"
POOL = {"train": 10_000, "test": 2_000}  # images that the subset holds: the first of each file
POOL_DIGEST = "9072637ae66635cbc168676bdc99abf308f174112881da1eeb2430bfbfd65b4e"
WHOLE = (50_000, 10_000)
SHAPE = (3, 32, 32)
_PYTHON_FOLDER, _BINARY_FOLDER = "cifar-10-batches-py", "cifar-10-batches-bin"
REMEDY = (
    "set HARNESS_DATA to a folder in which cifar10/ holds the six original batches (data_batch_1 to _5, test_batch) or "
    f"the archive {PYTHON_ARCHIVE}, or let it be downloaded (170 MB; HARNESS_DATA unset, network access, and "
    "HARNESS_OFFLINE not 1)"
)


def raw_cifar10(*, whole: bool = False) -> RawImages:
    """The images from the best available source, channel by channel: uint8 arrays of shape (point, 3, 32, 32).

    Args:
        whole: insist on the whole set.

    Raises:
        DataShortfall: if there is no source, or only a subset where the whole set is needed.
        DataError: if a file is missing beside others of its kind, or any file is corrupt.
    """
    folder = data_folder()
    raw = _from_folder(folder) if folder else _from_download(offline(), _cache_folder())
    if whole and not raw.whole:
        raise shortfall("the whole of CIFAR-10 (50,000 training and 10,000 test images) is needed", raw)
    return raw


def shortfall(need: str, raw: RawImages) -> DataShortfall:
    """The error for less data than is needed."""
    return DataShortfall(shortage(need, raw, "a subset", REMEDY))


def cifar10_availability() -> dict[str, Any]:
    """Which source :func:`raw_cifar10` would use now, found without the network.

    Returns:
        source ("folder", "cache", "download" or None), train and test (images), whole, and detail (what is
        wrong, or what happens if a download fails).
    """
    if not data_folder() and not offline() and not (_cache_folder() / PYTHON_ARCHIVE).is_file():
        return _state("download", *WHOLE, "will be downloaded when needed (170 MB); if that fails, there is none")
    try:
        raw = raw_cifar10()
    except (DataError, DataShortfall) as problem:
        return _state(None, 0, 0, str(problem))
    return _state(raw.source, len(raw.train_y), len(raw.test_y), "; ".join(raw.notes))


def _state(source: str | None, train: int, test: int, detail: str) -> dict[str, Any]:
    return {"source": source, "train": train, "test": test, "whole": (train, test) == WHOLE, "detail": detail}


def _cache_folder() -> Path:
    return cache_folder("cifar10")


@cache
def _from_folder(folder: str) -> RawImages:
    base = existing(folder)
    for place in (base / "cifar10", base / "cifar10" / _PYTHON_FOLDER, base, base / _PYTHON_FOLDER):
        if any((place / name).is_file() for name in BATCHES):
            return _of_batches(_batches(partial(_content, place)), str(place))
        for name in ARCHIVES:
            if (place / name).is_file():
                return _of_archive(place / name, "folder")
    for place in (base / "cifar10", base):
        if (place / SUBSET).is_file():
            return _of_subset(place / SUBSET)
    raise DataShortfall(f"there is no CIFAR-10 in {base / 'cifar10'} (HARNESS_DATA is set, so nothing else is tried): {REMEDY}")


@cache
def _from_download(alone: bool, folder: Path) -> RawImages:
    path = folder / PYTHON_ARCHIVE
    reason = "HARNESS_OFFLINE=1 forbids the download"
    if path.is_file():
        try:
            return _of_archive(path, "cache")
        except DataError as problem:
            if alone:
                raise DataShortfall(f"there is no CIFAR-10 ({reason}, and the downloaded copy: {problem}): {REMEDY}") from None
    if not alone:
        try:
            return _of_archive(_fetch(folder), "download")
        except Exception as problem:  # whatever a network, a proxy or a disk does, it is no CIFAR-10
            reason = f"the download from {PAGE} failed: {problem if isinstance(problem, DataError) else type(problem).__name__}"
    raise DataShortfall(f"there is no CIFAR-10 ({reason}): {REMEDY}")


def _fetch(folder: Path) -> Path:
    """Download the archive into the cache folder; one process does, the others wait for it."""
    import pooch
    from filelock import FileLock

    pooch.get_logger().setLevel(logging.WARNING)
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / "download.lock"):
        pooch.retrieve(
            f"{PAGE}{PYTHON_ARCHIVE}", known_hash=f"md5:{ARCHIVES[PYTHON_ARCHIVE]}", fname=PYTHON_ARCHIVE, path=folder,
            downloader=pooch.HTTPDownloader(timeout=PATIENCE),
        )  # fmt: skip
    return folder / PYTHON_ARCHIVE


def _content(folder: Path, name: str) -> bytes:
    path = folder / name
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise DataError(
            f"{path} is missing, although other batches of CIFAR-10 are in the same folder; put the original there "
            f"(MD5 {BATCHES[name]}), or remove the others"
        ) from None


def _batches(content: Read) -> Iterator[Batch]:
    """Images and labels of the six batches of the Python version, each checked before it is unpickled."""
    for name, expected in BATCHES.items():
        stored = content(name)
        found = hashlib.md5(stored, usedforsecurity=False).hexdigest()
        if found != expected:
            raise DataError(f"{name} of CIFAR-10 is corrupt: expected MD5 {expected}, found {found}; put the original there")
        batch = _Unpickler(io.BytesIO(stored), encoding="bytes").load()
        yield batch[b"data"].reshape(-1, *SHAPE), np.array(batch[b"labels"], np.uint8)


class _Unpickler(pickle.Unpickler):
    """Reads arrays that Python 2 pickled, and calls nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        """What a global of the file stands for; its ``dtype(kind, 0, 1)`` is deprecated in the newest numpy."""
        known = {
            "_reconstruct": np.zeros(0).__reduce__()[0], "ndarray": np.ndarray,
            "dtype": lambda kind, *_: np.dtype(kind.decode()),
        }  # fmt: skip
        if not module.startswith("numpy") or name not in known:
            raise pickle.UnpicklingError(f"{module}.{name} does not belong in a batch of CIFAR-10")
        return known[name]


def _of_archive(path: Path, source: str) -> RawImages:
    """The batches in an archive, which is checked as a whole and never unpacked."""
    found = hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
    if found != ARCHIVES[path.name]:
        raise DataError(f"{path} is corrupt: expected MD5 {ARCHIVES[path.name]}, found {found}; put the original there")
    python = path.name == PYTHON_ARCHIVE
    try:
        with tarfile.open(path) as archive:

            def member(name: str) -> bytes:
                stored = archive.extractfile(f"{_PYTHON_FOLDER}/{name}" if python else f"{_BINARY_FOLDER}/{name}.bin")
                return b"" if stored is None else stored.read()

            return _of_batches(_batches(member) if python else map(_binary, map(member, BATCHES)), str(path), source)
    except (tarfile.TarError, KeyError, EOFError, zlib.error) as problem:
        raise DataError(f"{path} cannot be read ({problem}); put the original there") from problem


def _binary(content: bytes) -> Batch:
    """A file of the binary version: for each image one byte of label and 3,072 of pixels."""
    records = np.frombuffer(content, np.uint8).reshape(-1, 1 + int(np.prod(SHAPE)))
    return records[:, 1:].reshape(-1, *SHAPE), records[:, 0]


def _of_batches(batches: Iterator[Batch], where: str, source: str = "folder") -> RawImages:
    images, labels = zip(*batches, strict=True)
    arrays = [np.concatenate(images[:-1]), np.concatenate(labels[:-1]), images[-1], labels[-1]]
    return _checked(arrays, where, source, whole=True)


def _of_subset(path: Path) -> RawImages:
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as stored:
            images = [np.ascontiguousarray(stored[name].transpose(0, 3, 1, 2)) for name in ("x_train", "x_test")]
            arrays = [images[0], stored["y_train"], images[1], stored["y_test"]]
    except Exception as problem:  # a damaged archive can fail in any way
        raise DataError(f"{path} cannot be read ({problem}); put the subset there again") from problem
    if (len(arrays[1]), len(arrays[3])) != tuple(POOL.values()):
        raise DataError(f"{path} holds {len(arrays[1]):,} and {len(arrays[3]):,} images; the subset has {POOL}")
    return _checked(arrays, str(path), "folder", whole=False)


def _checked(arrays: list[NDArray[Any]], where: str, source: str, *, whole: bool) -> RawImages:
    """The images, once the part that every source has is what it should be."""
    pool = [array[: POOL[split]] for array, split in zip(arrays, ("train", "train", "test", "test"), strict=True)]
    found = array_digest(*pool)
    if found != POOL_DIGEST:
        raise DataError(
            f"the first {POOL['train']:,} training and {POOL['test']:,} test images in {where} are not those of CIFAR-10: "
            f"expected SHA-256 {POOL_DIGEST}, found {found}; put the original files there"
        )
    return RawImages.of(arrays, source, whole=whole)
