"""A correlation that is larger at one level of a factor than at another, on the same units."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness import stats
from harness.errors import ClaimError
from harness.predict import sampling, tables, words
from harness.predict.base import Rule, Unusable
from harness.predict.correlations import noisy
from harness.predict.correlations.correlation import FEWEST, membership, pooled_z
from harness.predict.correlations.noisy import Parts
from harness.predict.estimate import Estimate, Stratum, own_size
from harness.stats import attenuation
from harness.stats.attenuation import Kept, Noise
from harness.stats.drawn import Again

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]


class _Triple(NamedTuple):
    """Fisher's z of (x here, y), (x there, y) and (x here, x there); one number per block."""

    here: Floats
    there: Floats
    between: Floats


class _Left(NamedTuple):
    """What noise leaves of the correlations here and there, and the factor of that of x here and x there."""

    here: Kept | None
    there: Kept | None
    between: float


def _difference(z: _Triple, n: Floats, cluster: NDArray[np.intp] | None, kept: _Left | None) -> stats.Overlapping:
    """The difference of two correlations pooled over blocks, with what noise leaves of the three."""
    left = kept or _Left(None, None, 1.0)
    between = float(np.average(np.tanh(z.between), weights=n - 3))
    first, second = stats.pool(z.here, n, cluster, left.here), stats.pool(z.there, n, cluster, left.there)
    true = between if kept is None else float(attenuation.true(between, left.between))
    return stats.Overlapping(first, second, true, left.between)


@dataclass(frozen=True, repr=False)
class CorrelationDifference(noisy.Noisy):
    """y correlates more with x at one level of a factor than with x at another ("here, but not there").

    Both correlations stand on the same units and share y, so that they depend on each other: the interval holds the
    differences that a score test of overlapping dependent correlations does not reject (``stats.Overlapping``), on
    Spearman's rho pooled over blocks as in ``Correlation``, with the same demands on the number of units.

    Noise shrinks correlations, so that an x that is measured better here than there gives a difference out of nothing.  Where
    standard errors are named (``errors``), both correlations are corrected for it; without, equal reliability is assumed, and
    the card says so.

    Attributes:
        y: column that is shared; it has the same value at both levels.
        x: column that is compared.
        factor: column that holds the two levels of x, one row per unit, block and level.
        here: level with the larger correlation.
        there: the other level.
        unit: columns that identify a unit in the whole table.
        blocks: columns within whose levels the correlations are taken.
        errors: columns of the standard errors of x, of y or of both (:class:`harness.predict.correlations.noisy.Noisy`).
    """

    fewest: ClassVar[int] = FEWEST

    y: str
    x: str
    factor: str
    here: str | float
    there: str | float
    unit: str | tuple[str, ...]
    blocks: str | tuple[str, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        self._columns_as_tuples("unit", "blocks")
        if not self.unit:
            raise ClaimError("CorrelationDifference has no unit: name the columns that identify one trained model")
        if self.here == self.there:
            raise ClaimError(f"CorrelationDifference compares {self.here!r} with itself")
        if self.margin >= 2:
            raise ClaimError(f"CorrelationDifference has margin={self.margin}; correlations differ by less than 2")

    def picture(self) -> Mapping[str, Any]:
        """See :meth:`Prediction.picture`."""
        return {"kind": "scatter", "x": self.x, "y": self.y, "hue": self.factor}

    @property
    def rule(self) -> Rule:
        """Direction: above zero."""
        return "above"

    @property
    def keys(self) -> tuple[str, ...]:
        """Columns that identify a row, apart from the factor."""
        return tuple(dict.fromkeys((*self.blocks, *self.unit)))

    def pilot(self, n: int) -> stats.Confidence | None:
        """That of two unrelated correlations in one block."""
        none = stats.pool(np.zeros(1), np.array([n])) if n > 3 else None
        return None if none is None else stats.Overlapping(none, none, 0.0)

    @property
    def largest(self) -> float:
        """The distance from -1 to 1."""
        return 2.0

    @property
    def noisy(self) -> tuple[str, ...]:
        """Both variables."""
        return (self.x, self.y)

    def own_columns(self) -> tuple[str, ...]:
        """Both variables with their standard errors, factor, unit and blocks."""
        return (self.y, self.x, *self.error_columns, self.factor, *self.keys)

    def sentence(self) -> str:
        """What is tested."""
        inside = f", within each {self.crossed(self.blocks)}" if self.blocks else ""
        return (
            f"Across {self.crossed(self.unit)}{inside}, the Spearman correlation of {self.word(self.y)} with "
            f"{self.word(self.x)} is higher {self.level(self.factor, self.here)} than "
            f"{self.level(self.factor, self.there)}"
        )

    def estimate(self, table: pd.DataFrame, *, rng: np.random.Generator) -> Estimate:
        """Difference of the pooled correlations; see the class and :meth:`Prediction.estimate`."""
        here, there = self._sides(table)
        parts = tables.groups(here, tuple(self.blocks))
        codes = tables.codes(here, tuple(self.unit))
        z = _Triple(*np.transpose([self._block(name, part, there.loc[part.index]) for name, part in parts]))
        n = np.array([len(part) for _, part in parts])
        cluster = stats.clusters(membership([codes[part.index] for _, part in parts]))
        parted = [part.index.to_numpy() for _, part in parts]
        noises = self._noises(here, there, parted)
        kept = self._kept(noises)
        difference = _difference(z, n, cluster, kept)
        first, second = difference.first, difference.second
        sample = sampling.of(self, here)
        seen = sample.carry(difference, self._again(here, there, parted))
        return self.seen(
            seen,
            estimand=f"Spearman correlation of {self.word(self.y)} with {self.word(self.x)}, "
            f"{self.word(self.here)} minus {self.word(self.there)}"
            + (f", mean within {self.crossed(self.blocks)} (Fisher z)" if self.blocks else "")
            + self.corrected(),
            unit=self.crossed(self.unit),
            p=self.tail(seen),
            n=int(codes.max() + 1),
            standardised=own_size(seen, self.alpha),
            strata=self._strata(parts, z, n, kept) if self.blocks else (),
            notes=(
                f"The correlation is {words.number(first.effect)} "
                f"{self.level(self.factor, self.here)} and {words.number(second.effect)} "
                f"{self.level(self.factor, self.there)}.",
                *self._reliable(noises),
            ),
            **sample.fields(),
        )

    def _again(self, here: pd.DataFrame, there: pd.DataFrame, parts: list[NDArray[np.intp]]) -> Again:
        """The difference of the pooled correlations from some of the units."""
        y, one, other = here[self.y].to_numpy(), here[self.x].to_numpy(), there[self.x].to_numpy()
        own, theirs = (noisy.errors_of(self, side, (self.x, self.y)) for side in (here, there))

        def again(kept: NDArray[np.bool_]) -> Floats:
            first, second = pooled_z(one, y, parts, kept, own), pooled_z(other, y, parts, kept, theirs)
            return np.asarray(np.tanh(first) - np.tanh(second))

        return again

    def _noises(self, here: pd.DataFrame, there: pd.DataFrame, parts: Parts) -> list[tuple[str, dict[str, Noise]]]:
        """Where each side stands, and the noise of its columns."""
        sides = [(self.level(self.factor, level), side) for side, level in ((here, self.here), (there, self.there))]
        return [(where, self.noises(side, parts, f" {where}")) for where, side in sides]

    def _kept(self, sides: list[tuple[str, dict[str, Noise]]]) -> _Left | None:
        """What noise leaves of the three correlations; None where no errors are known."""
        if not self.errors:
            return None
        one, two = (noisy.kept_of(noises.values()) for _, noises in sides)
        between = noisy.kept_of(noises[self.x] for _, noises in sides if self.x in noises)
        return _Left(one, two, 1.0 if between is None else float(between.factor))

    def _reliable(self, sides: list[tuple[str, dict[str, Noise]]]) -> tuple[str, ...]:
        """How reliable the measurements are, or that nobody says."""
        if not self.errors:
            return (
                f"Noise of the measurements shrinks correlations; {self.word(self.x)} is taken as measured equally well "
                f"{sides[0][0]} and {sides[1][0]}.",
            )
        return tuple(said for where, noises in sides for said in self.reliable(noises, f" {where}"))

    def _sides(self, table: pd.DataFrame) -> list[pd.DataFrame]:
        frame = tables.usable(self, table, keys=(*self.keys, self.factor), numeric=(self.x, self.y, *self.error_columns))
        self.check_errors(frame)
        parts = tables.sides(frame, self.keys, self.factor, (self.here, self.there))
        different = (parts[0][self.y] != parts[1][self.y]).to_numpy()
        count = int(different.sum())
        if count:
            raise Unusable(
                f"{self.y} differs between {self.factor} = {self.here} and {self.there} in {count} of "
                f"{len(different)} units, e.g. {tables.first(parts[0], different, self.keys)}; "
                "the two correlations must share it"
            )
        return parts

    def _block(self, name: str, here: pd.DataFrame, there: pd.DataFrame) -> tuple[float, float, float]:
        inside = f" in {name}" if name else ""
        tables.enough(len(here), f"units ({self.crossed(self.unit)}){inside}")
        tables.varies(here[self.y], self.y, inside)
        for side, level in ((here, self.here), (there, self.there)):
            tables.varies(side[self.x], self.x, f" with {self.factor} = {level}{inside}")
        y, first, second = here[self.y], here[self.x].to_numpy(), there[self.x].to_numpy()
        pairs = ((first, y), (second, y), (first, second))
        one, two, between = (float(stats.fisher_z(stats.spearman(a, b), len(y))) for a, b in pairs)
        return one, two, between

    def _strata(self, parts: list[tuple[str, pd.DataFrame]], z: _Triple, n: Floats, kept: _Left | None) -> tuple[Stratum, ...]:
        def alone(i: int) -> stats.Overlapping:
            return _difference(_Triple(*(each[i, None] for each in z)), n[i, None], None, kept)

        return tuple(self.stratum(name, alone(i), len(part)) for i, (name, part) in enumerate(parts))

    def finding(self, estimate: Estimate) -> str:
        """What was seen."""
        comparison = "higher" if estimate.effect >= 0 else "lower"
        return (
            f"The Spearman correlation of {self.word(self.y)} with "
            f"{self.word(self.x)} is {words.number(abs(estimate.effect))} {comparison} "
            f"{self.briefly_level(self.factor, self.here)} than {self.briefly_level(self.factor, self.there)} "
            f"{words.bracket(estimate.interval)}"
        )
