"""p values adjusted for the number of claims that were judged; None (no p) stays None."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import scipy
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def _known(ps: Sequence[float | None], adjust: Callable[[Floats], Floats]) -> list[float | None]:
    """Adjust the p values that there are, and leave the others in their places."""
    places = [i for i, p in enumerate(ps) if p is not None]
    values = np.array([ps[i] for i in places], dtype=float)
    if not ((values >= 0) & (values <= 1)).all():
        raise ValueError(f"p values lie in [0, 1]; given {list(ps)}")
    adjusted: list[float | None] = [None] * len(ps)
    for place, value in zip(places, adjust(values) if places else (), strict=True):
        adjusted[place] = float(value)
    return adjusted


def _step_down(values: Floats) -> Floats:
    order = np.argsort(values, kind="stable")
    factor = np.arange(len(values), 0, -1)
    adjusted = np.empty_like(values)
    adjusted[order] = np.minimum(np.maximum.accumulate(values[order] * factor), 1)
    return adjusted


def holm(ps: Sequence[float | None]) -> list[float | None]:
    """Holm's (1979, Scand. J. Statist. 6, 65-70) adjusted p: family-wise error, any dependence.

    The i-th smallest of m becomes max over j <= i of (m - j + 1) p_(j), at most 1.

    Raises:
        ValueError: a p value lies outside [0, 1].
    """
    return _known(ps, _step_down)


def benjamini_hochberg(ps: Sequence[float | None]) -> list[float | None]:
    """Benjamini & Hochberg's (1995, J. R. Statist. Soc. B 57, 289-300) adjusted p: false discovery rate.

    Raises:
        ValueError: a p value lies outside [0, 1].
    """
    return _known(ps, lambda values: np.asarray(scipy.stats.false_discovery_control(values, method="bh")))
