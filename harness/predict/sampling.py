"""From the population that a claim declares to the error of its estimate: which factors are random, and what they add to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from harness import stats
from harness.predict import tables, words
from harness.predict.base import FEWEST_LEVELS, Prediction, Unusable
from harness.predict.estimate import Beyond
from harness.stats.drawn import Again

Floats = NDArray[np.float64]
_APPROXIMATE = 0.05
"""Level at which an estimate with an interval of another shape is read as a normal one."""


@dataclass(frozen=True)
class Sample:
    """How the rows behind an estimate were drawn.

    Attributes:
        prediction: whose population it is.
        frame: one row for each number that the estimate is made of, with the columns of its factors.
        strata: columns within whose levels it is made, with equal weight.
        crossed: further columns that tell two rows of a unit apart, where they may be random (samples, points of x).
        apart: further columns between whose levels nothing was drawn together, such as the groups that are compared.
    """

    prediction: Prediction
    frame: pd.DataFrame
    strata: tuple[str, ...] = ()
    crossed: tuple[str, ...] = ()
    apart: tuple[str, ...] = ()

    def _random(self) -> tuple[str, ...]:
        return self.prediction.random_among((*self.prediction.own_factors, *self.crossed))

    @cached_property
    def carried(self) -> tuple[str, ...]:
        """Random factors that units are not simply levels of: those above the unit, and those that cross.

        Raises:
            Unusable: one of them has too few levels.
        """
        names = self._random()
        codes = [tables.codes(self.frame, (name,)) for name in names]
        kept = stats.coarsest(codes)
        unit = tables.codes(self.frame, (*self.prediction.units, *self.crossed))
        if not kept or (len(kept) == 1 and stats.finer(codes[kept[0]], unit)):
            return ()
        for place in kept:
            self._enough(names[place], int(codes[place].max()) + 1)
            self._not_alone(names[place], codes[place])
        return tuple(names[place] for place in kept)

    @property
    def _fixed(self) -> list[str]:
        """Columns whose levels share no draw unless a level of a random factor stands in several of them."""
        return [column for column in (*self.strata, *self.apart) if column not in self._random()]

    def _not_alone(self, name: str, levels: NDArray[np.intp]) -> None:
        """Refuse a stratum with a single level of its own: nothing shows how far others like it would lie from it."""
        sets = stats.drawn_apart(levels, tables.codes(self.frame, self._fixed))
        alone = np.flatnonzero(np.bincount(sets)[sets] == 1)
        if len(alone):
            row = levels == alone[0]
            where = tables.first(self.frame, row, self._fixed)
            what = words.plural(self.prediction.word(name))
            raise Unusable(
                f"{where} has a single level of {name}, {self.frame[name][row].iloc[0]}; the claim speaks of {what} like "
                f"these, and nothing tells how far they differ there: measure two or more in each, or declare {name} fixed"
            )

    def _enough(self, name: str, levels: int) -> None:
        if levels < FEWEST_LEVELS:
            what = words.plural(self.prediction.word(name))
            raise Unusable(
                f"{words.counted(levels, 'level')} of {name}; the claim speaks of {what} like these, which takes "
                f"{FEWEST_LEVELS} or more: measure more of them, or declare {name} fixed where the claim is about these very "
                f"{what}"
            )

    @cached_property
    def drawn(self) -> stats.Drawn | None:
        """Levels of the random factors that are carried; None where units were drawn one by one."""
        if not self.carried:
            return None
        factors = tuple(tables.codes(self.frame, (name,)) for name in self.carried)
        return stats.Drawn(factors, tables.codes(self.frame, self._fixed))

    def carry(self, plain: stats.Confidence, again: Again) -> stats.Confidence:
        """The estimate with the error that its random factors give it; unchanged if units were drawn one by one.

        Args:
            plain: the estimate as if units were drawn one by one.
            again: computes the estimate, on the scale of its link, from some of the rows of the frame.

        Raises:
            Unusable: leaving out levels never changes the estimate, so that there is no spread between them.
        """
        drawn = self.drawn
        if drawn is None:
            return plain
        found = stats.carried(plain.approximate(_APPROXIMATE), again, drawn)
        self._differ(found.error)
        return found

    def _differ(self, error: Any) -> None:
        whose = words.listed(map(self.prediction.word, self.carried))
        if np.isnan(error):
            raise Unusable(
                f"without one of the levels of {whose} nothing is left to estimate, so that nobody knows how far they differ: "
                "measure more of them, or more units in each"
            )
        if not error > 0:
            raise Unusable(f"every level of {whose} gives the same, so that there is no spread to judge it by")

    def alike(self, values: Floats, cells: NDArray[np.intp], scale: float | None = None) -> tuple[str, ...]:
        """A sentence for each cell beside others whose units are all alike, so that its variance counts as 0.

        For a plain mean that is said, since saturation is common (no attack succeeds, every point is right) and hides rare
        units alone; a trimmed mean, which promises more, is refused.

        Args:
            values: one number per row of the frame.
            cells: cell of each.
            scale: size of the numbers that the values were computed from; None for the values' own.

        Raises:
            Unusable: what a trimmed mean leaves of a cell does not vary beyond rounding.
        """
        trim, found = self.prediction.trim, []
        size = float(np.abs(values).max()) if scale is None else scale
        for cell in range(int(cells.max()) + 1):
            own = np.sort(values[cells == cell])
            cut = int(trim * len(own))
            if not stats.is_constant(own[cut : len(own) - cut], size):
                continue
            where = tables.first(self.frame, cells == cell, (*self.strata, *self.apart)) if cells.max() else "all rows"
            if trim:
                raise Unusable(
                    f"all units that a trimmed mean leaves of {where} have the same value ({own[cut]:.3g}), so that there is "
                    "no spread to judge it by: measure more units there"
                )
            found.append(
                f"All {len(own):,} units of {where} have the same value; how far others like them lie from it counts as "
                "nothing."
            )
        return tuple(found)

    def contrast(self, values: Floats, cells: NDArray[np.intp], weights: Floats) -> stats.Mean:
        """A contrast of the means of cells with the error that the random factors give it (``stats.drawn_contrast``)."""
        trim = self.prediction.trim
        if self.drawn is None:
            return stats.contrast(values, cells, weights, trim)
        found = stats.drawn_contrast(values, cells, weights, self.drawn, trim)
        self._differ(found.error)
        return found

    def mean(self, values: Floats) -> stats.Mean:
        """Mean over strata, with equal weight, of the means within them."""
        cells = tables.codes(self.frame, self.strata)
        count = int(cells.max()) + 1
        return self.contrast(values, cells, np.full(count, 1 / count))

    def slope(self, slopes: Floats, x: Floats, y: Floats, column: str) -> stats.Mean:
        """Mean over strata of the units' slopes; it carries what all share at the points of x, where these stand for others.

        Args:
            slopes: one for each row of the frame.
            x: points, on the axis on which the slopes are read, shape (point,).
            y: curves, likewise, shape (row, point).
            column: column of x.
        """
        mean = self.mean(slopes)
        if not self.prediction.random_among((column,)):
            return mean
        cells = tables.codes(self.frame, self.strata)
        weights = 1 / np.bincount(cells)[cells] / (int(cells.max()) + 1)
        points, own = stats.about_line(x, y, weights)
        units = stats.Part(np.square(mean.error), mean.freedom, mean.lean * mean.error**3)
        found = stats.carry(mean.confidence, (units, points), own)
        return replace(mean, error=np.asarray(found.error), freedom=np.asarray(found.freedom), lean=np.asarray(found.lean))

    def share(self, has: NDArray[np.bool_] | Floats) -> stats.Share:
        """Share of rows with a property: of so many, or of as many as they are worth where random factors make them alike."""
        if self.drawn is None:
            return stats.Share(has.sum(), len(has))
        return stats.drawn_share(has, self.drawn, self.prediction.alpha)

    def averaged(self, values: Floats) -> Floats:
        """Values (row, …) averaged within the levels of the random factor with the fewest levels, for tests by ranks."""
        if self.drawn is None:
            return values
        levels = min(self.drawn.factors, key=lambda codes: int(codes.max()))
        return np.stack([values[levels == level].mean(axis=0) for level in range(int(levels.max()) + 1)])

    def beyond(self, values: Floats, estimate: stats.Student) -> tuple[Beyond, ...]:
        """How far the levels of each random factor lie apart, and where that of a new one is to be expected."""
        found = []
        fixed = tables.codes(self.frame, [column for column in self.strata if column not in self._random()])
        for name in self._random() or self._whole_units():
            levels = tables.codes(self.frame, (name,) if self._random() else self.prediction.units)
            if levels.max() > 0:
                seen = stats.spread(values, levels, fixed, self._crossing(levels))
                interval = seen.expected(estimate, self.prediction.alpha)
                found.append(Beyond(self.prediction.word(name), seen.levels, seen.deviation, seen.icc, interval))
        return tuple(found)

    def _crossing(self, levels: NDArray[np.intp]) -> list[NDArray[np.intp]]:
        """Levels of the random factors that cross one of them."""
        others = [tables.codes(self.frame, (name,)) for name in self.carried]
        return [each for each in others if not stats.finer(each, levels) and not stats.finer(levels, each)]

    def _whole_units(self) -> tuple[str, ...]:
        """The unit itself as the one factor that varies, where no population is declared."""
        return (self.prediction.crossed(self.prediction.units),)

    @property
    def counted(self) -> tuple[str, int] | None:
        """Of the random factors that are carried the one with the fewest levels, and their number: what a plan counts."""
        if self.drawn is None:
            return None
        levels, name = min(zip(self.drawn.levels, self.carried, strict=True))
        return self.prediction.word(name), levels

    def said(self) -> str:
        """What the estimate generalises to, with the numbers of levels."""
        prediction = self.prediction
        if prediction.population is None:
            return prediction.undeclared()
        return prediction.speaks({column: self.frame[column].nunique() for column in self.frame.columns})

    def fields(self, **more: Any) -> dict[str, Any]:
        """What an estimate says about its population."""
        return {"population": self.said(), "counted": self.counted, **more}


def of(
    prediction: Prediction,
    frame: pd.DataFrame,
    strata: Sequence[str] = (),
    crossed: Sequence[str] = (),
    apart: Sequence[str] = (),
) -> Sample:
    """How the rows of a frame were drawn, by what the prediction declares."""
    return Sample(prediction, frame.reset_index(drop=True), tuple(strata), tuple(crossed), tuple(apart))
