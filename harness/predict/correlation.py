"""Spearman correlation across units: present in a direction, or absent."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from harness import stats
from harness.claim import ClaimError
from harness.predict import tables, words
from harness.predict.base import Estimate, Prediction, Rule, Stratum

if TYPE_CHECKING:
    import pandas as pd

Blocks = list[NDArray[Any]]
"""One array per block."""


@dataclass(frozen=True, repr=False)
class _AcrossUnits(Prediction):
    """What the presence and the absence of a correlation have in common: the estimate.

    The effect and its interval are described in :class:`Correlation`.
    """

    x: str
    y: str
    unit: str | tuple[str, ...]
    blocks: str | tuple[str, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        self._columns_as_tuples("unit", "blocks")
        if not self.unit:
            raise ClaimError(
                f"{type(self).__name__} has no unit: name the columns that identify one trained model"
            )
        if self.margin >= 1:
            raise ClaimError(f"{type(self).__name__} has margin={self.margin}; a correlation lies below 1")

    def own_columns(self) -> tuple[str, ...]:
        """Both variables, unit and blocks."""
        return (self.x, self.y, *self.unit, *self.blocks)

    def _across(self) -> str:
        inside = f", within each {self.crossed(self.blocks)}" if self.blocks else ""
        return f"Across {self.crossed(self.unit)}{inside}"

    def _blocks(self, table: pd.DataFrame) -> tuple[pd.DataFrame, list[tuple[str, pd.DataFrame]]]:
        keys = tuple(dict.fromkeys((*self.blocks, *self.unit)))
        frame = tables.usable(self, table, keys=keys, numeric=(self.x, self.y))
        tables.once(frame, keys)
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
        member = np.zeros((len(parts), codes.max() + 1), dtype=bool)
        for row, held in zip(member, units, strict=True):
            row[held] = True
        pooled, error = stats.pool(z, n, stats.clusters(member))
        low, high = stats.rho_interval(pooled, error, self.alpha)
        ends = np.column_stack(stats.rho_interval(z, stats.z_error(z, n), self.alpha))
        return Estimate(
            estimand=f"Spearman correlation of {self.word(self.x)} and {self.word(self.y)}"
            + (f", mean within {self.crossed(self.blocks)} (Fisher z)" if self.blocks else ""),
            unit=self.crossed(self.unit),
            effect=float(np.tanh(pooled)),
            interval=(float(low), float(high)),
            p=self._p(x, y, units, float(pooled), float(error), rng),
            n=int(codes.max() + 1),
            strata=tuple(
                Stratum(name, float(np.tanh(each)), (float(end[0]), float(end[1])), len(part))
                for (name, part), each, end in zip(parts, z, ends, strict=True) if self.blocks
            ),
        )  # fmt: skip

    @abstractmethod
    def _p(
        self, x: Blocks, y: Blocks, units: Blocks, z: float, error: float, rng: np.random.Generator
    ) -> float:
        """P value of the pooled correlation."""

    def finding(self, estimate: Estimate) -> str:
        """What was seen."""
        blocks = f", mean over {words.counted(len(estimate.strata), 'block')}" if self.blocks else ""
        return (
            f"{self._across()}, the Spearman correlation of {self.word(self.x)} and {self.word(self.y)} is "
            f"{words.number(estimate.effect)} ({words.level(self.alpha)} {words.span(estimate.interval)}; "
            f"{words.counted(estimate.n, 'unit')}{blocks})"
        )


@dataclass(frozen=True, repr=False)
class Correlation(_AcrossUnits):
    """Two columns correlate across units, with the sign that is predicted.

    The effect is the weighted mean over blocks (weights n - 3) of Fisher's z of the Spearman correlation
    within the block, as a correlation; its variance is that of Bonett & Wright (2000).  Blocks that share
    units are taken as perfectly dependent, others as independent (``stats.pool``).  The p value permutes
    units, jointly in all blocks that they stand in (``stats.permutation_p``).

    Attributes:
        x: one column.
        y: the other.
        unit: columns that identify a unit *in the whole table*; where each architecture has its own seeds 0,
            1, … that is architecture and seed, and models of two regimes are one unit only where they share
            something.
        blocks: columns within whose levels the correlation is taken; none for one correlation across all
            units.
        sign: +1 or -1.
    """

    sign: Literal[1, -1] = field(kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.sign not in (1, -1):
            raise ClaimError(f"Correlation has sign={self.sign!r}; allowed are +1 and -1")

    @property
    def rule(self) -> Rule:
        """Direction: the sign."""
        return "above" if self.sign == 1 else "below"

    def sentence(self) -> str:
        """What is tested."""
        direction = "positive" if self.sign == 1 else "negative"
        both = f"{self.word(self.x)} and {self.word(self.y)}"
        return f"{self._across()}, {both} have a {direction} Spearman correlation"

    def _terms(self) -> str:
        return f"; the smallest correlation of interest is {words.number(self.sign * self.margin)}"

    def _p(
        self, x: Blocks, y: Blocks, units: Blocks, z: float, error: float, rng: np.random.Generator
    ) -> float:
        return stats.permutation_p(x, y, units, self.sign, rng=rng)


@dataclass(frozen=True, repr=False)
class NoCorrelation(_AcrossUnits):
    """Two columns have no correlation across units: it is smaller than the margin in either direction.

    Effect, interval and fields are those of :class:`Correlation`, without a sign.  The p value is that of the
    two one-sided tests on Fisher's z (TOST).  Noise in either column shrinks
    correlations, so that a claim with this prediction needs gates on the reliability of what it measures.
    """

    @property
    def rule(self) -> Rule:
        """Equivalence to zero."""
        return "within"

    def sentence(self) -> str:
        """What is tested."""
        return (
            f"{self._across()}, {self.word(self.x)} and {self.word(self.y)} have no Spearman correlation: "
            f"it lies between {words.number(-self.margin)} and {words.number(self.margin)}"
        )

    def _terms(self) -> str:
        return ""

    def _p(
        self, x: Blocks, y: Blocks, units: Blocks, z: float, error: float, rng: np.random.Generator
    ) -> float:
        return float(stats.equivalence_p(z, error, float(np.arctanh(self.margin))))
