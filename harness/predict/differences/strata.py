"""The mean over strata of one number per unit, how it reads in every stratum, and how far strata differ."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from harness import stats
from harness.predict import sampling, tables, words
from harness.predict.base import MINIMUM, Prediction, Unusable
from harness.predict.estimate import Stratum
from harness.predict.sampling import Sample

Floats = NDArray[np.float64]


class InStrata(Prediction):
    """What kinds have in common whose units are in strata of equal weight; not itself a kind."""

    unit: str | tuple[str, ...]
    strata: str | tuple[str, ...] | None

    @property
    def keys(self) -> tuple[str, ...]:
        """Columns that identify a unit in the whole table."""
        return tuple(dict.fromkeys((*(self.strata or ()), *self.unit)))

    def over_units(self) -> str:
        """Over what the mean is taken: "On average over units (seed)"."""
        equal = f", each {self.crossed(self.strata)} with equal weight" if self.strata else ""
        return f"On average over units ({self.crossed(self.keys)}){equal}{words.left_out(self.trim)}"

    def equal_weight(self) -> str:
        """How an estimand names the strata: ", equal weight per architecture"."""
        return f", equal weight per {self.crossed(self.strata)}" if self.strata else ""


@dataclass(frozen=True)
class Averaged:
    """A mean over strata with equal weight.

    Attributes:
        mean: the mean with its uncertainty, which carries the random factors.
        sample: how the units were drawn.
        codes: stratum of each unit.
        shown: the mean within every stratum; empty where there are no strata.
        notes: how far strata differ.
    """

    mean: stats.Mean
    sample: Sample
    codes: NDArray[np.intp]
    shown: tuple[Stratum, ...]
    notes: tuple[str, ...]

    def said(self, values: Floats) -> dict[str, Any]:
        """What an estimate says of its population."""
        return self.sample.fields(beyond=self.sample.beyond(values, self.mean.confidence))


def average(
    prediction: Prediction,
    units: pd.DataFrame,
    values: Floats,
    strata: tuple[str, ...],
    *,
    noun: str,
    what: str,
    scale: float | None = None,
    curves: tuple[str, Floats, Floats] | None = None,
) -> Averaged:
    """Mean over strata of the means within strata.

    Args:
        prediction: whose alpha the intervals have.
        units: one row per unit, with the columns of the strata.
        values: one number per unit.
        strata: columns of the strata, or none.
        noun: what a unit is called, such as "pair".
        what: what the number is, such as "difference of llc".
        scale: size of the numbers that the values were computed from; None for the values' own.
        curves: where the values are slopes, the column of x, its points on the axis of the slopes, the curves (unit, point).

    Raises:
        Unusable: too few units, or no spread in any stratum.
    """
    tables.enough(len(units), f"{noun}s", prediction.fewest)
    parts = tables.groups(units, strata)
    for name, part in parts:
        tables.enough(len(part), f"{noun}(s) in {name}", MINIMUM if prediction.trim else 2)
    within = [values[part.index] for _, part in parts]
    if all(stats.is_constant(each, scale) for each in within):
        raise Unusable(
            f"every {noun}{' of a stratum' if strata else ''} has the same {what} ({values[0]:.3g}), so that there is "
            "no spread to judge it by"
        )
    codes = tables.codes(units, strata)
    sample = sampling.of(prediction, units, strata)
    shown = tuple(
        stratum(prediction, name, stats.stratified_mean(each, trim=prediction.trim), len(each))
        for (name, _), each in zip(parts, within, strict=True) if strata
    )  # fmt: skip
    differ = stats.heterogeneity(within, scale, prediction.trim)
    notes = differences(what.split(" of ")[0], shown, differ, prediction.alpha)
    notes = (*notes, *sample.alike(values, codes, scale))
    mean = sample.mean(values) if curves is None else sample.slope(values, curves[1], curves[2], curves[0])
    return Averaged(mean, sample, codes, shown, notes)


def stratum(prediction: Prediction, name: str, mean: stats.Mean, n: int) -> Stratum:
    """The estimate within one stratum; without any spread its interval is the estimate itself."""
    if mean.error == 0:
        return Stratum(name, float(mean.mean), (float(mean.mean), float(mean.mean)), n)
    return prediction.stratum(name, mean.confidence, n)


def differences(what: str, strata: tuple[Stratum, ...], p: float | None, alpha: float) -> tuple[str, ...]:
    """How far strata differ, and whether chance explains it; nothing for fewer than two.

    Args:
        what: the estimate, such as "difference".
        strata: the estimate by stratum.
        p: of ``stats.heterogeneity``, or None.
        alpha: at which chance no longer explains it.
    """
    if len(strata) < 2:
        return ()
    low, high = min(strata, key=lambda each: each.effect), max(strata, key=lambda each: each.effect)
    positive = sum(each.effect > 0 for each in strata)
    extent = (
        f"The {what} is above 0 in {positive} of {len(strata)} strata, from {words.number(low.effect)} in {low.name} to "
        f"{words.number(high.effect)} in {high.name}."
    )
    if p is None:
        return (extent,)
    more = "more" if p <= alpha else "no more"
    return (extent, f"The strata differ {more} than chance explains (p = {words.number(p)}).")
