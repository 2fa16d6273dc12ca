"""How far apart differently labelled images are: the smallest L∞ distance between two of them, exactly.

Yang et al. (2020), "A closer look at accuracy vs. robustness", table 1, give this distance for four data
sets: the train-train separation is the minimum of max_p |x_p - x'_p| over pairs of training images with
different labels, the test-train separation the same over pairs of a test and a training image.

MNIST has 1.6 billion such training pairs.  Nearly all of them are excluded without computing a distance.
Let U be the distance of a pair already known.  A pair that has a pixel p and a level v with one image at
most v ("dark") and the other at least v + U ("bright") there is at least U apart, so it cannot be nearer.
For 32 such (pixel, level) an image's bright and dark bits fill one 64-bit word, and one AND of two words
answers for a pair in both directions.  Pairs that pass are tried on further words, and those that still pass
are measured.  Which (pixel, level) are used changes the time only: the result is exact for every choice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Images: TypeAlias = NDArray[np.uint8]
Labels: TypeAlias = NDArray[np.integer]
_Index: TypeAlias = NDArray[np.int64]

LEVELS = 255  # distances are counted in pixel levels and given in units of 1/255
_UNKNOWN = LEVELS + 1  # no pair is this far apart: the bound before any is known
# Each step searches every stride-th image of a class and hands its distance to the next as a bound; of the
# pairs of four times as many images about sixteen are expected to lie below it, so hardly any is measured.
_STRIDES = (64, 16, 4, 1)
_WORDS = 5  # 64-bit words an image; 32 (pixel, level) a word
_SAMPLE = 2048  # images and pairs that the (pixel, level) are chosen on
_CELLS = 1 << 17  # pairs a block: 1 MiB of words, which stays in the second-level cache
_PAIRS = 1 << 12  # pairs measured at a time: 3 MiB of gathered pixels at 28 x 28


@dataclass(frozen=True)
class Separation:
    """Smallest L∞ distance between two images with different labels.

    Attributes:
        distance: in units of the pixel range (0 to 1), a multiple of 1/255.
        pair: positions of two images that are so far apart (in the first set and in the second).
        examined: pairs with different labels that the minimum is taken over.
        measured: of these, pairs whose distance had to be computed; the others were excluded by their bits.
    """

    distance: float
    pair: tuple[int, int]
    examined: int
    measured: int


@dataclass(frozen=True)
class _Group:
    """Images sorted by label, with their position before sorting and the segment of each label."""

    pixels: Images
    position: _Index
    segments: Mapping[int, tuple[int, int]]

    def every(self, stride: int) -> _Group:
        """The group of every ``stride``-th image of each label, the first one included."""
        kept = {label: np.arange(start, stop, stride) for label, (start, stop) in self.segments.items()}
        ends = np.cumsum([0, *(len(rows) for rows in kept.values())]).tolist()
        chosen = np.concatenate(list(kept.values()))
        return _Group(
            self.pixels[chosen],
            self.position[chosen],
            dict(zip(kept, pairwise(ends), strict=True)),
        )


def separation(a: Images, labels_a: Labels, b: Images | None = None, labels_b: Labels | None = None) -> Separation:
    """Smallest L∞ distance between differently labelled images of one set, or of two sets, exactly.

    Args:
        a: images, uint8 array of shape (point, feature…), 0 to 255.
        labels_a: labels, integer array of shape (point,).
        b: second set, of the same image shape; None for the pairs within ``a``.
        labels_b: labels of the second set.

    Raises:
        ValueError: if the arrays do not fit, or no two images have different labels.
    """
    first = _group(a, labels_a, "a")
    second = None
    if b is not None:
        if labels_b is None:
            raise ValueError("a second set of images was given without its labels: pass labels_b")
        second = _group(b, labels_b, "b")
        if second.pixels.shape[1] != first.pixels.shape[1]:
            raise ValueError(f"images of shape {a.shape[1:]} cannot be compared with images of shape {b.shape[1:]}")
    examined = sum((top - bottom) * (right - left) for bottom, top, left, right in _rectangles(first, second))
    if not examined:
        raise ValueError("no two images have different labels, so there is no distance between classes")
    bound, pair, measured = _UNKNOWN, (-1, -1), 0
    for stride in _STRIDES:
        search = _Search(first.every(stride), None if second is None else second.every(stride), bound)
        search.run()
        measured += search.measured
        if search.pair is not None:
            bound, pair = search.bound, search.pair
    return Separation(bound / LEVELS, pair, examined, measured)


def separation_table(
    train: tuple[Images, Labels], test: tuple[Images, Labels], reported: tuple[str, str], name: str = "MNIST"
) -> pd.DataFrame:
    """Train-train and test-train separation beside the values that a document prints.

    Args:
        train: training images (uint8, shape (point, feature…)) and labels.
        test: test images and labels.
        reported: the two printed values, as printed ("0.737"), so that their precision is known.
        name: name of the data set.

    Returns:
        Two rows: case, value (measured, units of the pixel range), reported, digits (decimals printed).
    """
    measured = (separation(*train), separation(*test, *train))
    return pd.DataFrame(
        {
            "case": [f"{name} train-train", f"{name} test-train"],
            "value": [found.distance for found in measured],
            "reported": [float(text) for text in reported],
            "digits": [len(text.partition(".")[2]) for text in reported],
        }
    )


def _group(images: Images, labels: Labels, name: str) -> _Group:
    if images.dtype != np.uint8:
        raise ValueError(f"{name} has dtype {images.dtype}; distances are exact for uint8 images, 0 to 255")
    if len(images) != len(labels) or np.ndim(labels) != 1:
        raise ValueError(f"{name} has {len(images)} images and labels of shape {np.shape(labels)}; give one label per image")
    order = np.argsort(labels, kind="stable")
    kinds, starts = np.unique(np.asarray(labels)[order], return_index=True)
    segments = dict(zip(kinds.tolist(), pairwise([*starts.tolist(), len(order)]), strict=True))
    return _Group(images.reshape(len(images), -1)[order], order, segments)


def _rectangles(first: _Group, second: _Group | None) -> Iterator[tuple[int, int, int, int]]:
    """Rows and columns (top, bottom, left, right) that together hold each differently labelled pair once.

    Images are sorted by label, so the columns of other labels lie before and after one segment; within one
    set those before it were rows already.
    """
    columns = first if second is None else second
    width = len(columns.pixels)
    for label, (top, bottom) in first.segments.items():
        start, stop = columns.segments.get(label, (width, width))
        if start and second is not None:
            yield top, bottom, 0, start
        if stop < width:
            yield top, bottom, stop, width


class _Search:
    """One pass over all pairs that looks for a distance below ``bound`` and lowers it as it finds one."""

    def __init__(self, first: _Group, second: _Group | None, bound: int) -> None:
        self.first, self.second = first, second
        self.columns = first if second is None else second
        self.bound = bound
        self.pair: tuple[int, int] | None = None
        self.measured = 0
        self._pack()

    def _pack(self) -> None:
        """Bits of every image for the present bound; see the module's docstring."""
        pixels, levels = _choose(self.first.pixels, self.columns.pixels, self.bound)
        self.rows = _words(self.first.pixels, pixels, levels, self.bound)
        # bright and dark exchanged: a bright bit of one image meets the dark bit of the other
        self.others = [
            word >> np.uint64(32) | word << np.uint64(32) for word in _words(self.columns.pixels, pixels, levels, self.bound)
        ]

    def run(self) -> None:
        for top, bottom, left, right in _rectangles(self.first, self.second):
            height = max(1, _CELLS // (right - left))
            for start in range(top, bottom, height):
                if self.bound == 0:
                    return
                self._block(start, min(start + height, bottom), left, right)

    def _block(self, top: int, bottom: int, left: int, right: int) -> None:
        if self.rows:
            clear = (self.rows[0][top:bottom, None] & self.others[0][None, left:right]) == 0
            cells = np.flatnonzero(clear)
        else:
            cells = np.arange((bottom - top) * (right - left))
        row, column = np.divmod(cells, right - left)
        row, column = row + top, column + left
        for mine, other in zip(self.rows[1:], self.others[1:], strict=True):
            kept = (mine[row] & other[column]) == 0
            row, column = row[kept], column[kept]
        for start in range(0, len(row), _PAIRS):
            self._measure(row[start : start + _PAIRS], column[start : start + _PAIRS])

    def _measure(self, row: _Index, column: _Index) -> None:
        one, other = self.first.pixels[row], self.columns.pixels[column]
        distances = (np.maximum(one, other) - np.minimum(one, other)).max(axis=1)
        nearest = int(distances.argmin())
        self.measured += len(row)
        if distances[nearest] < self.bound:
            self.bound = int(distances[nearest])
            self.pair = (int(self.first.position[row[nearest]]), int(self.columns.position[column[nearest]]))


def _words(pixels: Images, chosen: _Index, levels: Images, bound: int) -> list[NDArray[np.uint64]]:
    """Bright bits (low half) and dark bits (high half) of every image, 32 (pixel, level) a word."""
    values = pixels[:, chosen]
    bright = values >= levels + np.uint16(bound)
    dark = values <= levels
    words = []
    for start in range(0, len(chosen), 32):
        halves = [
            np.packbits(np.ascontiguousarray(bits[:, start : start + 32]), axis=1).view(np.uint32) for bits in (bright, dark)
        ]
        words.append(halves[0][:, 0].astype(np.uint64) | halves[1][:, 0].astype(np.uint64) << np.uint64(32))
    return words


def _choose(one: Images, other: Images, bound: int) -> tuple[_Index, Images]:
    """Pixels, each with its level, that exclude most pairs: found greedily on a sample of pairs.

    For each pixel the level v is taken at which P(x ≤ v) P(x ≥ v + bound) is largest over the sampled
    images.  Pixels are then added one by one, each the one that excludes most of the sampled pairs that the
    others leave.

    Returns:
        Pixel numbers (a multiple of 32 of them, repeated if there are fewer) and their levels; both empty
        if no level can exclude a pair.
    """
    rng = np.random.default_rng(0)  # decides the speed, not the result
    left = one[rng.integers(0, len(one), _SAMPLE)]
    right = other[rng.integers(0, len(other), _SAMPLE)]
    levels, usable = _levels(np.concatenate([left, right]), bound)
    if not usable:
        return np.empty(0, np.int64), np.empty(0, np.uint8)
    upper = levels + np.uint16(bound)
    excludes = ((left >= upper) & (right <= levels)) | ((left <= levels) & (right >= upper))
    chosen: list[int] = []
    remaining = excludes
    while len(chosen) < min(32 * _WORDS, usable):
        gain = remaining.sum(axis=0)
        gain[chosen] = -1
        best = int(gain.argmax())
        chosen.append(best)
        remaining = remaining[~remaining[:, best]]
        if not remaining.any():  # all that can be excluded is: the next pixels start afresh
            remaining = excludes
    padded = np.resize(chosen, -(-len(chosen) // 32) * 32)
    return padded, levels[padded]


def _levels(images: Images, bound: int) -> tuple[Images, int]:
    """The level of each pixel that separates the images best, and the number of pixels that have one."""
    if bound > LEVELS:
        return np.zeros(images.shape[1], np.uint8), 0
    counts = np.stack([np.bincount(values, minlength=LEVELS + 1) for values in images.T])
    below = counts.cumsum(axis=1)
    above = len(images) - below + counts  # images that are at least so bright
    parted = below[:, : LEVELS - bound + 1] * above[:, bound:]
    return parted.argmax(axis=1).astype(np.uint8), int(np.count_nonzero(parted.max(axis=1)))
