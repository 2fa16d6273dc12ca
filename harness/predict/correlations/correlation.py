"""Spearman correlation across units: present in a direction, or absent."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from harness import stats
from harness.errors import ClaimError
from harness.predict import sampling, tables, words
from harness.predict.correlations import noisy
from harness.predict.correlations.noisy import Signed
from harness.predict.differences.equivalence import Equivalence
from harness.predict.estimate import Estimate, own_size
from harness.stats.attenuation import Noise

if TYPE_CHECKING:
    import pandas as pd

Blocks = list[NDArray[Any]]
"""One array per block."""

FEWEST = 8
"""Fewest units in all: with seven, which have few rankings, an end of the interval errs in up to 7.5 % at a nominal 5 %."""


def membership(units: Blocks) -> NDArray[np.bool_]:
    """Which unit stands in which block, shape (block, unit), from the codes of the units of each block.

    Raises:
        Unusable: fewer than ``FEWEST`` units in all.
    """
    count = 1 + max(int(codes.max()) for codes in units)
    tables.enough(count, "units in all", FEWEST)
    member = np.zeros((len(units), count), dtype=bool)
    for row, held in zip(member, units, strict=True):
        row[held] = True
    return member


def heterogeneity(z: ArrayLike, n: ArrayLike, cluster: ArrayLike, alpha: float) -> tuple[str, ...]:
    """Whether chance explains how far blocks differ; nothing for one block, or where blocks share units.

    Args:
        z: Fisher's z of each block.
        n: units of each block.
        cluster: cluster code of each block (``stats.clusters``).
        alpha: at which chance no longer explains it.
    """
    blocks = len(np.asarray(z))
    if blocks < 2 or len(np.unique(cluster)) < blocks:
        return ()
    p = float(stats.cochran_q(z, stats.z_error(z, n)))
    return (f"The blocks differ {'more' if p <= alpha else 'no more'} than chance explains (p = {words.number(p)}).",)


def pooled_z(
    x: NDArray[Any],
    y: NDArray[Any],
    parts: Blocks,
    kept: NDArray[np.bool_],
    errors: Sequence[NDArray[Any] | None] = (None, None),
) -> Any:
    """Mean over blocks, weights n - 3, of Fisher's z of the rows that are kept; blocks of three rows and fewer do not count.

    Args:
        x: shape (..., row).
        y: likewise.
        parts: rows of each block.
        kept: which rows count, shape (row,).
        errors: standard errors of x and of y, shape (row,), for which the correlation is corrected; None for none.
    """
    if any(error is not None for error in errors):
        return _corrected_z(x, y, [part[kept[part]] for part in parts], errors)
    total: Any = 0.0
    weight = 0
    for rows in (part[kept[part]] for part in parts):
        if len(rows) > 3:
            z = stats.fisher_z(stats.spearman(x[..., rows], y[..., rows]), len(rows))
            total, weight = total + (len(rows) - 3) * z, weight + len(rows) - 3
    return total / weight if weight else np.full(np.shape(x)[:-1], np.nan)


def _corrected_z(x: NDArray[Any], y: NDArray[Any], parts: Blocks, errors: Sequence[NDArray[Any] | None]) -> Any:
    """Fisher's z of the pooled correlation of what was measured, from that of the measurements."""
    parts = [rows for rows in parts if len(rows) > 3]
    if not parts:
        return np.nan
    n = np.array([len(rows) for rows in parts])
    z = np.array([stats.fisher_z(stats.spearman(x[rows], y[rows]), len(rows)) for rows in parts])
    return stats.pool(z, n, kept=noisy.kept_again((x, y), errors, parts)).approximate(0.05).estimate


@dataclass(frozen=True, repr=False)
class _AcrossUnits(noisy.Noisy):
    """What the presence and the absence of a correlation have in common: the estimate.

    The effect and its interval are described in :class:`Correlation`.
    """

    fewest: ClassVar[int] = FEWEST

    x: str
    y: str
    unit: str | tuple[str, ...]
    blocks: str | tuple[str, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        self._columns_as_tuples("unit", "blocks")
        if not self.unit:
            raise ClaimError(f"{type(self).__name__} has no unit: name the columns that identify one trained model")
        if self.margin >= 1:
            raise ClaimError(f"{type(self).__name__} has margin={self.margin}; a correlation lies below 1")

    def picture(self) -> Mapping[str, Any]:
        """See :meth:`Prediction.picture`."""
        return {"kind": "scatter", "x": self.x, "y": self.y}

    def pilot(self, n: int) -> stats.Confidence | None:
        """That of Fisher's z in one block: how many there are is not known beforehand."""
        return stats.pool(np.zeros(1), np.array([n])) if n > 3 else None

    @property
    def largest(self) -> float:
        """A correlation's."""
        return 1.0

    @property
    def noisy(self) -> tuple[str, ...]:
        """Both variables."""
        return (self.x, self.y)

    def own_columns(self) -> tuple[str, ...]:
        """Both variables with their standard errors, unit and blocks."""
        return (self.x, self.y, *self.error_columns, *self.unit, *self.blocks)

    def _across(self) -> str:
        inside = f", within each {self.crossed(self.blocks)}" if self.blocks else ""
        return f"Across {self.crossed(self.unit)}{inside}"

    def _blocks(self, table: pd.DataFrame) -> tuple[pd.DataFrame, list[tuple[str, pd.DataFrame]]]:
        keys = tuple(dict.fromkeys((*self.blocks, *self.unit)))
        frame = tables.usable(self, table, keys=keys, numeric=(self.x, self.y, *self.error_columns))
        tables.once(frame, keys)
        self.check_errors(frame)
        parts = tables.groups(frame, tuple(self.blocks))
        for name, part in parts:
            inside = f" in {name}" if name else ""
            tables.enough(len(part), f"units ({self.crossed(self.unit)}){inside}")
            tables.varies(part[self.x], self.x, inside)
            tables.varies(part[self.y], self.y, inside)
        return frame, parts

    def estimate(self, table: pd.DataFrame, *, rng: np.random.Generator) -> Estimate:
        """Pooled Spearman correlation; see the class and :meth:`Prediction.estimate`."""
        frame, parts = self._blocks(table)
        codes = tables.codes(frame, tuple(self.unit))
        units = [codes[part.index] for _, part in parts]
        x = [part[self.x].to_numpy() for _, part in parts]
        y = [part[self.y].to_numpy() for _, part in parts]
        n = np.array([len(part) for _, part in parts])
        z = np.array([stats.fisher_z(stats.spearman(a, b), len(a)) for a, b in zip(x, y, strict=True)])
        cluster = stats.clusters(membership(units))
        parted = [part.index.to_numpy() for _, part in parts]
        noises = self.noises(frame, parted)
        kept = noisy.kept_of(noises.values())
        pooled = stats.pool(z, n, cluster, kept)
        sample = sampling.of(self, frame)
        errors = noisy.errors_of(self, frame, self.noisy)
        again = partial(pooled_z, frame[self.x].to_numpy(), frame[self.y].to_numpy(), parted, errors=errors)
        seen = sample.carry(pooled, again)
        self.possible(seen)
        return self.seen(
            seen,
            estimand=f"Spearman correlation of {self.word(self.x)} and {self.word(self.y)}"
            + (f", mean within {self.crossed(self.blocks)} (Fisher z)" if self.blocks else "") + self.corrected(),
            unit=self.crossed(self.unit),
            p=self.tail(seen) if sample.carried else self._p(x, y, units, pooled, rng),
            n=int(codes.max() + 1),
            standardised=own_size(seen, self.alpha),
            strata=tuple(
                self.stratum(name, stats.pool(each[None], n[i, None], kept=kept), len(part))
                for i, ((name, part), each) in enumerate(zip(parts, z, strict=True)) if self.blocks
            ),
            notes=(*heterogeneity(z, n, cluster, self.alpha), *self._as_measured(z, n, cluster, noises)),
            objection=self._turned(frame, parted, n, cluster, sample),
            **sample.fields(),
        )  # fmt: skip

    def _as_measured(
        self, z: NDArray[Any], n: NDArray[Any], cluster: NDArray[Any], noises: Mapping[str, Noise]
    ) -> tuple[str, ...]:
        """How reliable the measurements are, and the correlation before it was corrected."""
        if not self.errors:
            return ()
        plain = words.number(float(stats.pool(z, n, cluster).effect))
        return (*self.reliable(noises), f"As measured, the correlation is {plain}.")

    def _turned(
        self, frame: pd.DataFrame, parts: Blocks, n: NDArray[Any], cluster: NDArray[Any], sample: sampling.Sample
    ) -> str | None:
        """Why support is withheld where the two are related although they do not correlate; no reason for a direction."""
        return None

    @abstractmethod
    def _p(self, x: Blocks, y: Blocks, units: Blocks, pooled: stats.Confidence, rng: np.random.Generator) -> float:
        """P value of the pooled correlation."""

    def finding(self, estimate: Estimate) -> str:
        """What was seen."""
        inside = f" within each {self.crossed(self.blocks)}" if self.blocks else ""
        return (
            f"The Spearman correlation of {self.word(self.x)} and {self.word(self.y)}{inside} is "
            f"{words.number(estimate.effect)} {words.bracket(estimate.interval)}"
        )


@dataclass(frozen=True, repr=False)
class Correlation(Signed, _AcrossUnits):
    """Two columns correlate across units, with the sign that is predicted.

    The effect is the weighted mean over blocks (weights n - 3) of Fisher's z of the Spearman correlation
    within the block, as a correlation.  The interval holds the correlations that a score test does not reject, with the
    expectation and the variance of Spearman's correlation at the value that is tested (``stats.Ranked``).  Blocks that
    share units are taken as perfectly dependent, others as independent (``stats.pool``).  The p value permutes
    units, jointly in all blocks that they stand in (``stats.permutation_p``).

    It needs five units a block and eight in all.  The interval takes the ranks as those of normal variables: at no
    correlation that is no restriction for independent variables, at correlations of 0.5 (0.8) an end errs in up to 6 % (8 %)
    of simulated studies with heavy tails or skewed variables, at a nominal 5 %.

    Attributes:
        x: one column.
        y: the other.
        unit: columns that identify a unit *in the whole table*; where each architecture has its own seeds 0,
            1, … that is architecture and seed, and models of two regimes are one unit only where they share
            something.
        blocks: columns within whose levels the correlation is taken; none for one correlation across all
            units.
        sign: +1 or -1.
        errors: columns of the standard errors of x, of y or of both (:class:`harness.predict.correlations.noisy.Noisy`).
    """

    sign: Literal[1, -1] = field(kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_sign()

    def sentence(self) -> str:
        """What is tested."""
        direction = "positive" if self.sign == 1 else "negative"
        both = f"{self.word(self.x)} and {self.word(self.y)}"
        return f"{self._across()}, {both} have a {direction} Spearman correlation"

    def _p(self, x: Blocks, y: Blocks, units: Blocks, pooled: stats.Confidence, rng: np.random.Generator) -> float:
        return stats.permutation_p(x, y, units, self.sign, rng=rng)


@dataclass(frozen=True, repr=False)
class NoCorrelation(Equivalence, _AcrossUnits):
    """Two columns have no correlation across units: it is smaller than the margin in either direction.

    Effect, interval and fields are those of :class:`Correlation`, without a sign.  The p value is that of the
    two one-sided score tests (TOST).  A relation that turns (y = |x|) has no correlation: where either column correlates with
    how far the other ranks from the middle (at alpha / 2 each), and that is not shown to be within the margin, support is
    withheld.  Noise in either column shrinks correlations, which speaks for this prediction: name the standard errors of what
    is measured (``errors``), or gate on how reliable it is.
    """

    def _turned(
        self, frame: pd.DataFrame, parts: Blocks, n: NDArray[Any], cluster: NDArray[Any], sample: sampling.Sample
    ) -> str | None:
        """Correlations of either column with how far the rank of the other lies from the middle of its block."""
        values = {column: frame[column].to_numpy(dtype=float) for column in (self.x, self.y)}
        for column, other in ((self.x, self.y), (self.y, self.x)):
            fold = np.empty(len(frame))
            for rows in parts:
                fold[rows] = stats.folded(values[column][rows])
            if any(stats.is_constant(fold[rows]) for rows in parts):
                continue
            rho = [stats.spearman(fold[rows], values[other][rows]) for rows in parts]
            pooled = stats.pool(stats.fisher_z(rho, n), n, cluster)
            seen = sample.carry(pooled, partial(pooled_z, fold, values[other], parts))
            if stats.turned(seen, self.margin, self.alpha):
                low, high = seen.interval(self.alpha)
                return (
                    f"They are related in another way: {self.word(other)} has a Spearman correlation of "
                    f"{words.number(float(seen.effect))} ({words.span((float(low), float(high)))}) with how far "
                    f"{self.word(column)} ranks from the middle."
                )
        return None

    def sentence(self) -> str:
        """What is tested."""
        return (
            f"{self._across()}, {self.word(self.x)} and {self.word(self.y)} have no Spearman correlation: "
            f"it lies between {words.number(-self.margin)} and {words.number(self.margin)}"
        )

    def _p(self, x: Blocks, y: Blocks, units: Blocks, pooled: stats.Confidence, rng: np.random.Generator) -> float:
        return float(pooled.within(0, self.margin))
