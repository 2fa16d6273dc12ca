"""Correlations and slopes of what is measured with noise, whose standard errors come from a few repeats."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from harness import stats
from harness.predict import Correlation, CorrelationDifference, NoCorrelation, NoTrend, Prediction, ScalingExponent
from harness.stats import attenuation
from harness.stats.attenuation import Kept

from .cells import Cell, Draw, Kind, Terms
from .draws import Floats, Generator, pair, triple

WHY = "simulated"
REPEATS = 4  # chains behind a measurement
STUDIES = 2_000


def measured(true: Floats, reliability: float, rng: Generator) -> tuple[Floats, Floats]:
    """Means of repeats of a variable of variance 1, and their standard errors."""
    noise = np.sqrt((1 / reliability - 1) * REPEATS) * rng.standard_normal((*true.shape, REPEATS))
    seen = true[..., None] + noise
    return seen.mean(axis=-1), seen.std(axis=-1, ddof=1) / np.sqrt(REPEATS)


def kept(*variables: tuple[Floats, Floats]) -> Kept:
    """What noise leaves of a correlation, for every study."""
    found = [stats.noise(values, errors).kept for values, errors in variables]
    return found[0].both(found[1])


def z_of(x: Floats, y: Floats) -> Floats:
    """Fisher's z of one block, shape (study, 1)."""
    return stats.fisher_z(stats.spearman(x, y), x.shape[-1])[..., None]


@dataclass(frozen=True)
class Across(Kind):
    """X, its errors, y and its errors of models, each of shape (study, model)."""

    absent: bool = False

    def confidence(self, data: Any) -> stats.Confidence:
        x, sx, y, sy = data
        return stats.pool(z_of(x, y), [x.shape[-1]], kept=kept((x, sx), (y, sy)))

    def agrees(self, data: Any, terms: Terms, rng: Generator) -> Any:
        if not self.absent:
            return True
        x, _, y, _ = data
        folds = [stats.pool(z_of(stats.folded(one), other), [x.shape[-1]]) for one, other in ((x, y), (y, x))]
        return ~np.any([stats.turned(each, terms.margin, terms.alpha) for each in folds], axis=0)

    def table(self, data: Any) -> pd.DataFrame:
        columns = dict(zip(("llc", "llc_se", "asr", "asr_se"), data, strict=True))
        return pd.DataFrame({"seed": np.arange(len(data[0])), **columns})

    def prediction(self, terms: Terms) -> Prediction:
        shared: dict[str, Any] = {"margin": terms.margin, "margin_reason": WHY, "alpha": terms.alpha,
                                  "errors": {"llc": "llc_se", "asr": "asr_se"}}  # fmt: skip
        named = ("llc", "asr", "seed")
        return NoCorrelation(*named, **shared) if self.absent else Correlation(*named, sign=1, **shared)


@dataclass(frozen=True)
class Difference(Kind):
    """Y without noise, x here, its errors, x there and its errors."""

    def confidence(self, data: Any) -> stats.Confidence:
        y, x, sx, other, so = data
        n = [y.shape[-1]]
        one, two = (stats.noise(*each).kept for each in ((x, sx), (other, so)))
        first, second = stats.pool(z_of(x, y), n, kept=one), stats.pool(z_of(other, y), n, kept=two)
        factor = one.both(two).factor
        between = attenuation.true(np.tanh(z_of(x, other)[..., 0]), factor)
        return stats.Overlapping(first, second, between, factor)

    def table(self, data: Any) -> pd.DataFrame:
        y, x, sx, other, so = data
        rows = pd.DataFrame({"seed": np.arange(len(y)), "asr": y})
        return pd.concat([rows.assign(scope="input", llc=x, se=sx), rows.assign(scope="hidden", llc=other, se=so)])

    def prediction(self, terms: Terms) -> Prediction:
        return CorrelationDifference("asr", "llc", "scope", "input", "hidden", "seed", errors={"llc": "se"},
                                     margin=terms.margin, margin_reason=WHY, alpha=terms.alpha)  # fmt: skip


@dataclass(frozen=True)
class Slope(Kind):
    """A line on a regressor that each seed measures for itself: x, its errors and y, each of shape (study, seed, point)."""

    law: bool = False

    @cached_property
    def _axis(self) -> Any:
        return np.log if self.law else np.asarray

    def confidence(self, data: Any) -> stats.Confidence:
        x, sx, y = data
        at, value = self._axis(x), self._axis(y)
        relative = sx / x if self.law else sx
        found = []
        for each, error, curve in zip(at, relative, value, strict=True):
            away = each - each.mean(axis=-1, keepdims=True)
            spreads = np.transpose([stats.spread_of_points(*unit) for unit in zip(each, error, strict=True)])
            found.append(stats.steeper((away * curve).sum(axis=-1), *spreads))
        slopes = np.stack(found)
        return stats.contrast(slopes, np.zeros(slopes.shape[-1], dtype=int), np.ones(1)).confidence

    def agrees(self, data: Any, terms: Terms, rng: Generator) -> Any:
        x, _, y = data
        if not len(x):
            return True
        order = np.argsort(x, axis=-1)
        at, value = (np.take_along_axis(self._axis(each), order, axis=-1) for each in (x, y))
        halves = np.array([[stats.halves(*unit) for unit in zip(*study, strict=True)] for study in zip(at, value, strict=True)])
        lower, upper = halves[..., 0], halves[..., 1]
        everything = np.zeros(lower.shape[-1], dtype=int)
        readings = [stats.contrast(each, everything, np.ones(1)).confidence for each in (lower, upper, upper - lower)]
        return ~stats.bent(*readings, terms.centre, terms.margin, terms.alpha)

    def table(self, data: Any) -> pd.DataFrame:
        seeds, points = data[0].shape
        names = dict(zip(("d", "d_se", "size"), (each.ravel() for each in data), strict=True))
        return pd.DataFrame({"seed": np.repeat(np.arange(seeds), points), **names})

    def prediction(self, terms: Terms) -> Prediction:
        shared: dict[str, Any] = {"margin_reason": WHY, "alpha": terms.alpha, "errors": {"d": "d_se"}}
        if self.law:
            return ScalingExponent("size", "d", "seed", value=terms.centre, tolerance=terms.margin, **shared)
        return NoTrend("size", "d", "seed", "unit", margin=terms.margin, **shared)


def both(n: int, *reliabilities: float, skewed: bool = False) -> Draw:
    """Models whose x and y have a true Spearman correlation; normal ones, or x with a long tail to the right."""

    def drawn(rho: float, studies: int, rng: Generator) -> Any:
        x, y = pair(rng, rho, studies, n)
        if skewed:
            x = (np.exp(x / 2) - np.exp(1 / 8)) / np.sqrt(np.exp(0.25) * (np.exp(0.25) - 1))
        one, two = (measured(each, reliability, rng) for each, reliability in zip((x, y), reliabilities, strict=True))
        return (*one, *two)

    return drawn


def apart(n: int, middle: float, *reliabilities: float) -> Draw:
    """Correlations of y with both x that lie the effect apart around a middle; both x correlate at 0.4."""

    def drawn(effect: float, studies: int, rng: Generator) -> Any:
        y, *xs = triple(rng, (middle + effect / 2, middle - effect / 2, 0.4), studies, n)
        one, two = (measured(each, reliability, rng) for each, reliability in zip(xs, reliabilities, strict=True))
        return (y, *one, *two)

    return drawn


def regressors(seeds: int, points: Sequence[float], noise: float, law: bool = False) -> Draw:
    """Lines, or powers, with noise of both axes; seeds have slopes of their own."""

    def drawn(slope: float, studies: int, rng: Generator) -> Any:
        true = np.broadcast_to(np.asarray(points, dtype=float), (studies, seeds, len(points)))
        own = slope + 0.1 * rng.standard_normal((studies, seeds, 1))
        y = own * true + 0.2 * rng.standard_normal(true.shape)
        repeats = true[..., None] + noise * np.sqrt(REPEATS) * rng.standard_normal((*true.shape, REPEATS))
        x, error = repeats.mean(axis=-1), repeats.std(axis=-1, ddof=1) / np.sqrt(REPEATS)
        return (np.exp(x), np.exp(x) * error, np.exp(y)) if law else (x, error, y)

    return drawn


SAID = {"studies": STUDIES}
CELLS = [
    Cell(Across(), "noise: reliabilities .8 and .9", "30 models", both(30, 0.8, 0.9), Terms("above", 0.5), **SAID),
    Cell(Across(), "noise: reliabilities .5 and .8", "96 models", both(96, 0.5, 0.8), Terms("above", 0.4), **SAID),
    Cell(Across(absent=True), "noise: reliability .8 of both", "96 models", both(96, 0.8, 0.8), Terms("within", 0.4), **SAID),
    Cell(Across(absent=True), "noise: reliability .8 of both", "200 models", both(200, 0.8, 0.8), Terms("within", 0.4),
         studies=1_000),
    Cell(Across(absent=True), "noise: reliabilities .8 and .9, x with a long tail", "96 models",
         both(96, 0.8, 0.9, skewed=True), Terms("within", 0.4), **SAID),
    Cell(Difference(), "noise: reliabilities .95 and .6, both around 0.6", "96 models", apart(96, 0.6, 0.95, 0.6),
         Terms("above", 0.3), **SAID),
    Cell(Difference(), "noise: reliabilities .95 and .8, both around 0.4", "40 models", apart(40, 0.4, 0.95, 0.8),
         Terms("above", 0.3), **SAID),
    Cell(Slope(), "noise: x measured with a reliability of .8", "12 units", regressors(12, range(5), 0.7),
         Terms("within", 0.3)),
    Cell(Slope(law=True), "noise: x measured with a reliability of .8", "12 units", regressors(12, range(5), 0.7, law=True),
         Terms("within", 0.3, -1.0)),
]  # fmt: skip
