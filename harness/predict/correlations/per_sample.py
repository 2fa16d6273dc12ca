"""Correlation within one sample and one model, on average over models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from harness import stats
from harness.errors import ClaimError
from harness.predict import sampling, tables, words
from harness.predict.base import MINIMUM, Prediction, Unusable
from harness.predict.correlations.noisy import Signed
from harness.predict.estimate import Estimate


@dataclass(frozen=True, repr=False)
class PerSampleCorrelation(Signed, Prediction):
    """Within a unit and a sample, over the remaining rows (epochs, regimes), two columns correlate.

    For each unit and sample there is one Spearman correlation; the mean over samples of its Fisher z is one
    number per unit, and these numbers are judged by a t interval and a sign-flip test.  So the unit of
    replication is the trained model; samples are a fixed panel, and rows within a cell are not counted as
    evidence at all.

    Rows of a cell that follow a course which x and y share (training time) correlate for that reason alone;
    the estimand includes it, and a claim that must not needs differenced columns.

    A cell in which x or y is constant, or that has fewer than five rows, has no correlation.  It is dropped,
    by this rule that was fixed beforehand, and counted in the notes; where more than ``max_undefined`` of the
    cells are so, the evidence is unusable.

    Attributes:
        x: one column.
        y: the other.
        unit: columns that identify a trained model.
        sample: columns that identify a sample; every unit has the same samples.
        sign: +1 or -1.
        max_undefined: largest share of cells without a correlation.
    """

    x: str
    y: str
    unit: str | tuple[str, ...]
    sample: str | tuple[str, ...]
    sign: Literal[1, -1] = field(kw_only=True)
    max_undefined: float = field(default=0.25, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        self._columns_as_tuples("unit", "sample")
        if not self.unit or not self.sample:
            raise ClaimError("PerSampleCorrelation needs unit and sample: the columns that identify a model and an input")
        self._check_sign()
        if not 0 <= self.max_undefined < 1:
            raise ClaimError(f"PerSampleCorrelation has max_undefined={self.max_undefined}; allowed is 0 to below 1")

    def picture(self) -> Mapping[str, Any]:
        """See :meth:`Prediction.picture`."""
        return {"kind": "scatter", "x": self.x, "y": self.y}

    def own_columns(self) -> tuple[str, ...]:
        """Both variables, unit and sample."""
        return (self.x, self.y, *self.unit, *self.sample)

    def sentence(self) -> str:
        """What is tested."""
        direction = "positive" if self.sign == 1 else "negative"
        return (
            f"On average over {self.crossed(self.unit)}, {self.word(self.x)} and {self.word(self.y)} have a "
            f"{direction} Spearman correlation within each {self.crossed(self.sample)}"
        )

    def estimate(self, table: pd.DataFrame, *, rng: np.random.Generator) -> Estimate:
        """Mean over units of the mean Fisher z over samples; see :meth:`Prediction.estimate`."""
        unit, sample = tuple(self.unit), tuple(self.sample)
        frame = tables.usable(self, table, keys=(*unit, *sample), numeric=(self.x, self.y))
        rows, columns = tables.codes(frame, unit), tables.codes(frame, sample)
        z = self._cells(frame, rows, columns)
        tables.enough(len(z), f"units ({self.crossed(unit)})")
        undefined = int(np.isnan(z).sum())
        if undefined > self.max_undefined * z.size:
            raise Unusable(
                f"{undefined} of {z.size} cells ({self.crossed((*unit, *sample))}) have a constant "
                f"{self.x} or {self.y}, or fewer than {MINIMUM} rows, and so no correlation; "
                f"at most {words.percent(self.max_undefined)} may"
            )
        empty = np.isnan(z).all(axis=1)
        if empty.any():
            raise Unusable(
                f"no sample of {tables.first(frame, rows == empty.argmax(), unit)} has a correlation: "
                f"{self.x} or {self.y} is constant, or there are fewer than {MINIMUM} rows"
            )
        units, panel = (frame[list(keys)].drop_duplicates() for keys in (unit, sample))  # as the codes number them
        return self._estimate(z, *self._drawn(z, units, panel), undefined, rng)

    @property
    def more_factors(self) -> tuple[str, ...]:
        """The samples."""
        return tuple(self.sample)

    def _drawn(
        self, z: NDArray[np.float64], units: pd.DataFrame, panel: pd.DataFrame
    ) -> tuple[sampling.Sample, NDArray[np.float64]]:
        """One number per unit, for a fixed panel; one per cell, where samples stand for others; and how they were drawn."""
        units = units.reset_index(drop=True)
        if not self.random_among(tuple(self.sample)):
            return sampling.of(self, units), np.nanmean(z, axis=1)
        row, column = np.nonzero(~np.isnan(z))
        cells = pd.concat([units.loc[row].reset_index(drop=True), panel.iloc[column].reset_index(drop=True)], axis=1)
        return sampling.of(self, cells, crossed=self.sample), z[row, column]

    def _cells(self, frame: pd.DataFrame, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> NDArray[np.float64]:
        """Fisher's z of every unit (row) and sample (column); nan where there is none."""
        z = np.full((rows.max() + 1, columns.max() + 1), np.nan)
        x, y = frame[self.x].to_numpy(), frame[self.y].to_numpy()
        order = np.lexsort((columns, rows))
        ends = np.flatnonzero(np.diff(rows[order] * z.shape[1] + columns[order])) + 1
        for cell in np.split(order, ends):
            if len(cell) >= MINIMUM and not (stats.is_constant(x[cell]) or stats.is_constant(y[cell])):
                z[rows[cell[0]], columns[cell[0]]] = stats.fisher_z(stats.spearman(x[cell], y[cell]), len(cell))
        return z

    def _estimate(
        self, cells: NDArray[np.float64], drawn: sampling.Sample, z: NDArray[np.float64], undefined: int,
        rng: np.random.Generator,
    ) -> Estimate:  # fmt: skip
        unit, sample = self.crossed(self.unit), self.crossed(self.sample)
        if stats.is_constant(z):
            raise Unusable(f"every {unit} has the same mean correlation, so that there is no spread to judge it by")
        mean = drawn.mean(z)
        confidence = replace(mean.confidence, link="fisher")
        dropped = (
            f"{undefined} of {cells.size} cells ({unit} × {sample}) have a constant {self.word(self.x)} or "
            f"{self.word(self.y)}, or fewer than {MINIMUM} rows, and were dropped."
        )
        return self.seen(
            confidence,
            estimand=f"mean over {unit} and {sample} of the Spearman correlation of {self.word(self.x)} and "
            f"{self.word(self.y)} within both (Fisher z)",
            unit=unit,
            p=self.tail(confidence) if drawn.carried else stats.sign_flip_p(self.sign * z, rng=rng),
            n=len(cells),
            standardised=stats.standardised(mean, self.alpha),
            notes=(
                *(() if self.random_among(tuple(self.sample)) else (
                    f"Fixed panel of {cells.shape[1]:,} ({sample}): the interval speaks of new training seeds, not of "
                    "new samples.",
                )),
                *((dropped,) if undefined else ()),
            ),
            **drawn.fields(),
        )  # fmt: skip

    def finding(self, estimate: Estimate) -> str:
        """What was seen."""
        return (
            f"Mean Spearman correlation of "
            f"{self.word(self.x)} and {self.word(self.y)} within each {self.crossed(self.sample)} is "
            f"{words.number(estimate.effect)} {words.bracket(estimate.interval)}"
        )
