"""What the image data sets have in common: where their files are looked for, and how the images are held.

A small data set may be embedded in a repository.  The library knows what an embedded set must contain (its digest), but not
where it lies: the ``conftest.py`` of a checkout registers the files that it holds.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.data.base import DataError, array_digest
from harness.drawn import drawn

PATIENCE = 10  # seconds to wait for an answer of a server before the download is given up


@dataclass(frozen=True, eq=False)
class RawImages:
    """A set of images as it is stored; the arrays are shared and read-only.

    Attributes:
        train_x: training images, uint8 array of shape (point, feature…), 0 to 255.
        train_y: training labels, int64 array of shape (point,).
        test_x: test images, like ``train_x``.
        test_y: test labels.
        whole: whether this is the whole set.
        source: "folder", "cache", "download" or "embedded".
        notes: why no better source was used.
    """

    train_x: NDArray[np.uint8]
    train_y: NDArray[np.int64]
    test_x: NDArray[np.uint8]
    test_y: NDArray[np.int64]
    whole: bool
    source: str
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, arrays: list[NDArray[Any]], source: str, notes: tuple[str, ...] = (), *, whole: bool = True) -> RawImages:
        """The images and labels of training, then those of test."""
        train_x, train_y, test_x, test_y = arrays
        raw = cls(train_x, train_y.astype(np.int64), test_x, test_y.astype(np.int64), whole, source, notes)
        for array in (raw.train_x, raw.train_y, raw.test_x, raw.test_y):
            array.setflags(write=False)
        return raw

    @property
    def digest(self) -> str:
        """SHA-256 of the arrays."""
        return array_digest(self.train_x, self.train_y, self.test_x, self.test_y)


def data_folder() -> str | None:
    """What the environment variable HARNESS_DATA names, or None."""
    if (drawing := drawn()) is not None:
        drawing.end()  # a design is the same on every machine, whichever data it has
    return os.environ.get("HARNESS_DATA") or None


def existing(folder: str) -> Path:
    """The folder that HARNESS_DATA names.

    Raises:
        DataError: if it is not a folder.
    """
    base = Path(folder)
    if not base.is_dir():
        raise DataError(
            f"HARNESS_DATA is {folder!r}, which is not a folder; set it to the folder of the data files, or unset it"
        )
    return base


def offline() -> bool:
    """Whether HARNESS_OFFLINE forbids downloads."""
    return os.environ.get("HARNESS_OFFLINE", "") == "1"


def cache_folder(name: str) -> Path:
    """The folder of earlier downloads."""
    import pooch

    return Path(pooch.os_cache("claims-harness")) / name


def shortage(need: str, raw: RawImages, held: str, remedy: str) -> str:
    """The text of a shortfall: what is needed, what there is and why, what to do."""
    why = f" ({'; '.join(raw.notes)})" if raw.notes else ""
    return (
        f"{need}, and there is only {held} of {len(raw.train_y):,} training and {len(raw.test_y):,} test images{why}: {remedy}"
    )


_EMBEDDED: dict[str, Path] = {}


def register_embedded(name: str, path: Path | str) -> None:
    """Make an embedded data file known; it is opened when it is needed.

    Args:
        name: data set ("mnist").
        path: the file.
    """
    _EMBEDDED[name] = Path(path)


def embedded(name: str) -> Path | None:
    """The registered file of a data set, or None."""
    return _EMBEDDED.get(name)
