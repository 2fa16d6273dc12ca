"""Where MNIST's images come from: a folder, a download, or the embedded subset; each checked by its SHA-256.

The handwritten digits of LeCun, Cortes and Burges: LeCun, Bottou, Bengio, Haffner (1998), "Gradient-based
learning applied to document recognition", Proc. IEEE 86(11); 60,000 training and 10,000 test images, 28 x
28, 0 to 255.

Order of search:

1. the folder that the environment variable HARNESS_DATA names (its folder ``mnist``, or itself).  If the
   variable is set, nothing else is tried: a missing or corrupt file is an error, never a reason to take
   less;
2. files downloaded earlier into the user's cache folder, and else a download from a public mirror, unless
   HARNESS_OFFLINE=1;
3. the embedded subset, if one is registered.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import logging
import zlib
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.data.base import DataError, DataShortfall, array_digest
from harness.data.sources import PATIENCE, RawImages, cache_folder, data_folder, embedded, existing, offline, shortage

# SHA-256 of the decompressed files, in the order images and labels of training, images and labels of test.
# (The compressed bytes differ between copies of the same data.)
CHECKSUMS = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)
EMBEDDED_DIGEST = "7f0ef61c9729c119195e798dda4c5a0114356d54729145754d48ae6d8b297b5c"
WHOLE = (60_000, 10_000)
REMEDY = (
    "set HARNESS_DATA to a folder that holds the four original MNIST files (mnist/train-images-idx3-ubyte.gz "
    "and so on), or let them be downloaded (network access, and HARNESS_OFFLINE not 1)"
)


def raw_mnist(*, whole: bool = False) -> RawImages:
    """The images from the best available source.

    Args:
        whole: insist on the whole set.

    Raises:
        DataShortfall: if there is no source, or only a subset where the whole set is needed.
        DataError: if a file is missing from the folder that HARNESS_DATA names, or any file is corrupt.
    """
    folder = data_folder()
    raw = _from_folder(folder) if folder else _from_elsewhere(offline(), _cache_folder(), embedded("mnist"))
    if whole and not raw.whole:
        raise shortfall("the whole of MNIST (60,000 training and 10,000 test images) is needed", raw)
    return raw


def shortfall(need: str, raw: RawImages) -> DataShortfall:
    """The error for less data than is needed."""
    return DataShortfall(shortage(need, raw, "the embedded subset", REMEDY))


def availability() -> dict[str, Any]:
    """Which source :func:`raw_mnist` would use now, found without the network.

    Returns:
        source ("folder", "cache", "download", "embedded" or None), train and test (images), whole, and
        detail (what is wrong, or what happens if a download fails).
    """
    if not data_folder() and not offline() and not _cached(_cache_folder()):
        return _state("download", *WHOLE, "will be downloaded when needed; if that fails, " + _fallback())
    try:
        raw = raw_mnist()
    except (DataError, DataShortfall) as problem:
        return _state(None, 0, 0, str(problem))
    return _state(raw.source, len(raw.train_y), len(raw.test_y), "; ".join(raw.notes))


def _state(source: str | None, train: int, test: int, detail: str) -> dict[str, Any]:
    return {"source": source, "train": train, "test": test, "whole": (train, test) == WHOLE, "detail": detail}


def _fallback() -> str:
    if embedded("mnist"):
        return "the embedded subset is used where it is enough"
    return "there is no embedded subset"


def _cache_folder() -> Path:
    return cache_folder("mnist")


def _cached(folder: Path) -> bool:
    return all((folder / f"{name}.gz").is_file() for name in CHECKSUMS)


@cache
def _from_folder(folder: str) -> RawImages:
    base = existing(folder)
    arrays = []
    for name in CHECKSUMS:
        places = (base / "mnist" / f"{name}.gz", base / f"{name}.gz")
        path = next((place for place in places if place.is_file()), None)
        if path is None:
            raise DataError(
                f"{name}.gz is missing: HARNESS_DATA is set, and neither {places[0]} nor "
                f"{places[1]} is a file; put the original there (decompressed SHA-256 {CHECKSUMS[name]}), "
                "or unset HARNESS_DATA"
            )
        arrays.append(read(path, name))
    return RawImages.of(arrays, "folder")


@cache
def _from_elsewhere(alone: bool, folder: Path, subset: Path | None) -> RawImages:
    notes: list[str] = []
    try:
        if _cached(folder):
            return RawImages.of([read(folder / f"{name}.gz", name) for name in CHECKSUMS], "cache")
    except DataError as problem:
        notes.append(f"the downloaded copy cannot be used: {problem}")
    if alone:
        notes.append("HARNESS_OFFLINE=1 forbids the download")
    for mirror in () if alone else MIRRORS:
        try:
            return RawImages.of([_fetch(mirror, name, folder) for name in CHECKSUMS], "download")
        except Exception as problem:  # whatever a network, a proxy or a disk does, the next source is tried
            reason = str(problem) if isinstance(problem, DataError) else type(problem).__name__
            notes.append(f"{mirror} failed: {reason}")
    if subset is None:
        raise DataShortfall(f"there is no MNIST ({'; '.join(notes)}) and no embedded subset is registered: {REMEDY}")
    return _from_subset(subset, tuple(notes))


def _fetch(mirror: str, name: str, folder: Path) -> NDArray[np.uint8]:
    """Download one file into the cache folder and check it; a file that fails the check is not kept."""
    import pooch

    pooch.get_logger().setLevel(logging.WARNING)  # at INFO it asks for the hash that is checked here
    path = folder / f"{name}.gz"
    if path.is_file():
        try:
            return read(path, name)
        except DataError:
            path.unlink()
    downloader = pooch.HTTPDownloader(timeout=PATIENCE)
    pooch.retrieve(f"{mirror}{name}.gz", known_hash=None, fname=path.name, path=folder, downloader=downloader)
    try:
        return read(path, name)
    except DataError:
        path.unlink()
        raise


def _from_subset(path: Path, notes: tuple[str, ...]) -> RawImages:
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as stored:
            arrays = [stored[name] for name in ("train_x", "train_y", "test_x", "test_y")]
        found = array_digest(*arrays)
    except FileNotFoundError as problem:
        raise DataError(f"{path}, the embedded subset of MNIST, is missing; restore it from the repository") from problem
    except Exception as problem:  # a damaged archive can fail in any way
        arrays, found = [], f"a file that cannot be read ({problem})"
    if found != EMBEDDED_DIGEST:
        raise DataError(
            f"{path}, the embedded subset of MNIST, is corrupt: expected arrays with SHA-256 "
            f"{EMBEDDED_DIGEST}, found {found}; restore it from the repository"
        )
    return RawImages.of(arrays, "embedded", notes, whole=False)


def read(path: Path, name: str) -> NDArray[np.uint8]:
    """The array in an IDX file compressed with gzip, checked against :data:`CHECKSUMS`.

    Raises:
        DataError: if the file cannot be decompressed or has another checksum.
    """
    content = b""
    try:
        content = gzip.decompress(path.read_bytes())
        found = hashlib.sha256(content).hexdigest()
    except (OSError, EOFError, zlib.error) as problem:
        found = f"a file that cannot be decompressed ({problem})"
    if found != CHECKSUMS[name]:
        raise DataError(
            f"{path} is corrupt: expected decompressed SHA-256 {CHECKSUMS[name]}, found {found}; "
            f"put the original {name}.gz of MNIST there"
        )
    return parse_idx(content)


def parse_idx(content: bytes) -> NDArray[np.uint8]:
    """The array of bytes in an IDX file.

    The format: two zero bytes, the type (8 is unsigned byte), the number of dimensions, their sizes as
    big-endian 32-bit integers, the values.

    Raises:
        ValueError: if the content is not of that form.
    """
    if len(content) < 4 or content[:3] != b"\0\0\x08":
        raise ValueError(f"not an IDX file of unsigned bytes: it begins with {content[:4].hex(' ') or 'nothing'}")
    start = 4 + 4 * content[3]
    shape = np.frombuffer(content, ">u4", count=min(content[3], (len(content) - 4) // 4), offset=4).tolist()
    size = int(np.prod(shape, dtype=np.int64))
    if len(shape) != content[3] or len(content) != start + size:
        raise ValueError(f"not an IDX file: {len(content):,} bytes, but shape {shape} takes {start + size:,}")
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)
