"""Error rates under many looks and many claims: p values that stay valid at every look, and adjusted p values.

A p value is good for one look: whoever looks after every block of new units and stops when p is small is wrong far more often
than alpha.  An e-process stays valid: under the null it exceeds 1 / alpha *ever* with probability alpha at most (Ville 1939;
Ramdas, Grünwald, Vovk & Shafer 2023, Statistical Science 38(4), 576-601).

Every block of new units is a study of its own, with the kind's own one-sided p.  Under the null z = Φ⁻¹(1 − p) is standard
normal (or lies stochastically below it), so that for every μ > 0 the product over blocks of exp(μ z − μ²/2) is a test
supermartingale, and so is its mixture over a half-normal μ (Robbins 1970, Ann. Math. Statist. 41(5), 1397-1409):

    E = 2 / √v · exp(τ² Z² / 2v) · Φ(τ Z / √v),    Z = Σ z,  v = 1 + k τ²,  k blocks.

That premise fails for means of skewed units: each small block errs to the same side, and the small errors of all blocks add
up.  So a mean has a second reading here, too.  It takes the same E at Z = √k z with the z of all units so far,
their skewness allowed for (:class:`harness.stats.Skewed`): an asymptotic confidence sequence (Waudby-Smith, Arbour, Sinha,
Kennedy & Ramdas 2024, Ann. Statist. 52(6), 2613-2640), whose bias falls as units are added instead of adding up.

For many claims, p values are adjusted for the number of claims that were judged (:func:`holm`, :func:`benjamini_hochberg`);
None, which stands for no p, stays None.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray

from harness.stats.confidence import Confidence, Student

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


SPREAD = 1.5
"""τ: the blocks to a decision are fewest here where a block lies one to three standard errors off (docs/decisions/0009)."""

_FURTHEST = 38.0  # beyond it the normal tail is 0 in double precision
_TINY = 1e-12  # tail at which the search for an end of the interval begins
_STEPS = 100  # bisections: more than the bits of a double between two such ends


def e_value(z: ArrayLike, spread: float = SPREAD) -> Any:
    """The one-sided e-process after all blocks.

    Args:
        z: array of shape (..., block), standard normal under the null and large against it.
        spread: τ, the scale of the mixture.

    Returns:
        E of shape (...); 1 where there is no block yet.
    """
    values = np.asarray(z, dtype=float)
    return _mixture(values.sum(axis=-1), values.shape[-1], spread)


def _mixture(total: Any, blocks: int, spread: float = SPREAD) -> Any:
    """E of the sum of so many z."""
    v = 1 + blocks * spread**2
    t = spread * total / np.sqrt(v)
    with np.errstate(over="ignore"):
        return 2 / np.sqrt(v) * np.exp(t**2 / 2 + scipy.special.log_ndtr(t))


def anytime_p(ps: Sequence[Any], spread: float = SPREAD) -> Any:
    """The p value that stays valid however the number of blocks was chosen: 1 / E, at most 1.

    Args:
        ps: one-sided p of each block, each of shape (...).
        spread: τ, the scale of the mixture.
    """
    return np.minimum(1, 1 / e_value(_z_of(np.stack([np.asarray(p, dtype=float) for p in ps], axis=-1)), spread))


def _z_of(p: Any) -> Any:
    """The z of a one-sided p, no further out than double precision tells a normal tail from 0."""
    return np.clip(-scipy.special.ndtri(p), -_FURTHEST, _FURTHEST)


@dataclass(frozen=True)
class Anytime(Confidence):
    """An effect that was looked at after every block: its intervals hold the truth all at once (a confidence sequence).

    Attributes:
        whole: confidence of all units together, for the effect alone.
        blocks: confidence of each block of units.
    """

    whole: Confidence
    blocks: Sequence[Confidence]

    @property
    def effect(self) -> Any:
        """The estimate from all units."""
        return self.whole.effect

    def above(self, value: float) -> Any:
        """Anytime-valid p of "the effect is above ``value``"."""
        return anytime_p([block.above(value) for block in self.blocks])

    def below(self, value: float) -> Any:
        """Anytime-valid p of "the effect is below ``value``"."""
        return anytime_p([block.below(value) for block in self.blocks])

    def interval(self, alpha: float) -> tuple[Any, Any]:
        """The values that neither e-process has ruled out, by bisection."""
        ends = [block.interval(_TINY) for block in self.blocks]
        low, high = np.min([end[0] for end in ends], axis=0), np.max([end[1] for end in ends], axis=0)
        return self._end(low, high, alpha, upper=False), self._end(low, high, alpha, upper=True)

    def _end(self, low: Any, high: Any, alpha: float, *, upper: bool) -> Any:
        """Bisect for the end of the interval: out of it below the lower end, and above the upper one."""
        inside, outside = (low, high) if upper else (high, low)
        for _ in range(_STEPS):
            middle = (inside + outside) / 2
            out = (self.below(middle) if upper else self.above(middle)) <= alpha
            before, (inside, outside) = (inside, outside), (np.where(out, inside, middle), np.where(out, middle, outside))
            if np.array_equal(before, (inside, outside)):  # no double lies between them
                break
        return outside

    @property
    def cautious(self) -> Confidence | None:
        """With the second reading of all units together, where they have one."""
        whole = self.whole.cautious
        return None if whole is None else Cumulated(self, whole)

    def approximate(self, alpha: float) -> Student:
        """That of a fixed number of units."""
        return self.whole.approximate(alpha)

    def resized(self, before: float, after: float) -> Confidence:
        """The study of a fixed number of units: what is planned is planned without looks."""
        return self.whole.resized(before, after)


@dataclass(frozen=True)
class Cumulated(Confidence):
    """A mean that was looked at after every block, read by the blocks and by all units together: the weaker of both.

    Attributes:
        blocks: by the blocks.
        whole: all units, their skewness allowed for, as if there had been one look.
    """

    blocks: Anytime
    whole: Confidence

    @property
    def effect(self) -> Any:
        """The estimate from all units."""
        return self.blocks.effect

    def _anytime(self, p: Any) -> Any:
        count = len(self.blocks.blocks)
        return np.minimum(1, 1 / _mixture(np.sqrt(count) * _z_of(p), count))

    def above(self, value: float) -> Any:
        """The larger anytime-valid p of "the effect is above ``value``"."""
        return np.maximum(self.blocks.above(value), self._anytime(self.whole.above(value)))

    def below(self, value: float) -> Any:
        """The larger anytime-valid p of "the effect is below ``value``"."""
        return np.maximum(self.blocks.below(value), self._anytime(self.whole.below(value)))

    def interval(self, alpha: float) -> tuple[Any, Any]:
        """The wider of both at either end; that of all units is theirs at the level at which E is 1 / alpha."""
        out, inside = 0.0, 0.5
        for _ in range(_STEPS):
            middle = (out + inside) / 2
            out, inside = (middle, inside) if self._anytime(middle) <= alpha else (out, middle)
        ends = zip(self.blocks.interval(alpha), self.whole.interval(out), strict=True)
        (low, other_low), (high, other_high) = ends
        return np.minimum(low, other_low), np.maximum(high, other_high)

    def resized(self, before: float, after: float) -> Confidence:
        """The study of a fixed number of units."""
        return self.whole.resized(before, after)
