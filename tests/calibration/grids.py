"""Units on a grid of two factors, of which either may stand for others: means of one number per unit."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from scipy.stats import page_trend_test

from harness import stats
from harness.factors import Factors
from harness.predict import (
    AreaDifference,
    IndependentDifference,
    Landmark,
    NoChange,
    NoTrend,
    Ordering,
    PairedDifference,
    Prediction,
)

from .cells import Kind, Terms
from .curves import POINTS
from .draws import Floats, Generator
from .scaling import X

WHY = "simulated"


@dataclass(frozen=True)
class Grid:
    """So many levels of one factor by so many of another, one unit in every cell, those of a level side by side.

    Attributes:
        outer: levels of "size".
        inner: levels of "seed".
        random: which of both stand for others.
    """

    outer: int
    inner: int
    random: tuple[str, ...] = ("size", "seed")

    @property
    def size(self) -> np.ndarray:
        """Level of each unit in the one factor."""
        return np.repeat(np.arange(self.outer), self.inner)

    @property
    def seed(self) -> np.ndarray:
        """Level of each unit in the other."""
        return np.tile(np.arange(self.inner), self.outer)

    @cached_property
    def drawn(self) -> stats.Drawn:
        """How units were drawn; a fixed size is a stratum."""
        fixed = np.zeros(self.outer * self.inner, dtype=int) if "size" in self.random else self.size
        return stats.Drawn(tuple(getattr(self, name) for name in self.random), fixed)

    @property
    def factors(self) -> Factors:
        """As a claim declares it."""
        columns = ("size", "seed", "regime", "dose", "width")
        return Factors(self.random, tuple(name for name in columns if name not in self.random))

    @property
    def rows(self) -> pd.DataFrame:
        """One row per unit; names of one length, since units stand in their order."""
        return pd.DataFrame({"size": 100 + self.size, "seed": 100 + self.seed})

    def mean(self, numbers: Floats) -> stats.Mean:
        """Mean over sizes with equal weight, of every study."""
        return stats.drawn_contrast(numbers, self.size, np.full(self.outer, 1 / self.outer), self.drawn)

    def long(self, data: Floats, column: str, points: Floats, value: str) -> pd.DataFrame:
        """Curves (unit, point) as rows."""
        unit, point = (each.ravel() for each in np.indices(data.shape))
        return self.rows.iloc[unit].reset_index(drop=True).assign(**{column: points[point], value: data.ravel()})


@dataclass(frozen=True)
class OnGrid(Kind):
    """One number per unit of a grid, shape (study, unit)."""

    grid: Grid

    def numbers(self, data: Floats) -> Floats:
        """What the mean is taken of."""
        return data

    def confidence(self, data: Floats) -> stats.Confidence:
        return self.grid.mean(self.numbers(data)).confidence

    def prediction(self, terms: Terms) -> Prediction:
        shared = {"margin": terms.margin, "margin_reason": WHY, "alpha": terms.alpha}
        return self.declared(terms, **shared).drawn_from(self.grid.factors)

    def declared(self, terms: Terms, **shared: object) -> Prediction:
        """Without its population."""
        raise NotImplementedError


class Pairs(OnGrid):
    """Paired differences."""

    def table(self, data: Floats) -> pd.DataFrame:
        rows = self.grid.rows
        return pd.concat([rows.assign(llc=0.0, regime="robust"), rows.assign(llc=data, regime="standard")])

    def declared(self, terms: Terms, **shared: object) -> Prediction:
        return PairedDifference("llc", "regime", "standard", "robust", ("size", "seed"), "size", **shared)


class Same(Pairs):
    """The same, claimed to be none."""

    def agrees(self, data: Floats, terms: Terms, rng: Generator) -> np.ndarray:
        return stats.scattered_p(data, terms.centre, terms.margin) > terms.alpha

    def declared(self, terms: Terms, **shared: object) -> Prediction:
        return NoChange("llc", "regime", "robust", "standard", ("size", "seed"), "size", **shared)


class Groups(OnGrid):
    """Values of units, every second seed in the higher group."""

    def confidence(self, data: Floats) -> stats.Confidence:
        grid = self.grid
        weights = np.tile([-1.0, 1.0], grid.outer) / grid.outer
        drawn = stats.Drawn(grid.drawn.factors, grid.seed % 2)  # groups share sizes, and no seed
        return stats.drawn_contrast(data, 2 * grid.size + grid.seed % 2, weights, drawn).confidence

    def table(self, data: Floats) -> pd.DataFrame:
        return self.grid.rows.assign(llc=data, regime=np.where(self.grid.seed % 2, "standard", "robust"))

    def declared(self, terms: Terms, **shared: object) -> Prediction:
        return IndependentDifference("llc", "regime", "standard", "robust", ("size", "seed"), "size", **shared)


class Areas(OnGrid):
    """Differences of two curves, shape (study, unit, point)."""

    def numbers(self, data: Floats) -> Floats:
        return stats.mean_height(np.log2(X), data)

    def table(self, data: Floats) -> pd.DataFrame:
        rows = self.grid.long(data, "width", X, "llc")
        return pd.concat([rows.assign(regime="standard"), rows.assign(llc=0.0, regime="robust")])

    def declared(self, terms: Terms, **shared: object) -> Prediction:
        return AreaDifference("llc", "width", "regime", "standard", "robust", ("size", "seed"), "size", log_x=True, **shared)


class Orders(OnGrid):
    """Values at ordered levels, shape (study, unit, level)."""

    def numbers(self, data: Floats) -> Floats:
        return stats.slope(np.arange(data.shape[-1]), data)

    def agrees(self, data: Floats, terms: Terms, rng: Generator) -> np.ndarray:
        few = data.reshape(len(data), self.grid.outer, self.grid.inner, data.shape[-1]).mean(axis=2)
        ranks = np.array([page_trend_test(each).pvalue <= terms.alpha for each in few], dtype=bool)
        steps = self.grid.mean(np.moveaxis(np.diff(data, axis=-1), -1, -2)).confidence
        return ranks & (stats.Skewed(steps).above(0) <= terms.alpha).all(axis=-1)

    def table(self, data: Floats) -> pd.DataFrame:
        return self.grid.long(data, "dose", np.arange(data.shape[-1]), "llc")

    def declared(self, terms: Terms, **shared: object) -> Prediction:
        return Ordering("llc", "dose", (0, 1, 2, 3), ("size", "seed"), "size", **shared)


class Trends(OnGrid):
    """Values along x, shape (study, unit, point)."""

    def numbers(self, data: Floats) -> Floats:
        return stats.slope(np.log2(X), data)

    def agrees(self, data: Floats, terms: Terms, rng: Generator) -> np.ndarray:
        lower, upper = stats.halves(np.log2(X), data)
        readings = [self.grid.mean(each).confidence for each in (lower, upper, upper - lower)]
        return ~stats.bent(*readings, terms.centre, terms.margin, terms.alpha)

    def table(self, data: Floats) -> pd.DataFrame:
        return self.grid.long(data, "width", X, "llc")

    def declared(self, terms: Terms, **shared: object) -> Prediction:
        return NoTrend("llc", "width", ("size", "seed"), strata="size", **shared)


class Places(OnGrid):
    """Curves with a change each, shape (study, unit, point)."""

    def confidence(self, data: Floats) -> stats.Confidence:
        place = stats.change(data).place - 0.5
        mean = stats.drawn_contrast(place, np.zeros(place.shape[-1], dtype=int), np.ones(1), self.grid.drawn)
        return stats.Blurred(stats.Student(mean.mean, np.maximum(mean.error, 0.5e-9), mean.freedom, lean=mean.lean), 0.5)

    def agrees(self, data: Floats, terms: Terms, rng: Generator) -> np.ndarray:
        return stats.scattered_p(stats.change(data).place - 0.5, terms.centre, terms.margin) > terms.alpha

    def table(self, data: Floats) -> pd.DataFrame:
        return self.grid.long(data, "width", np.arange(float(POINTS)), "loss")

    def declared(self, terms: Terms, **shared: object) -> Prediction:
        tolerance = shared.pop("margin")
        return Landmark("loss", "width", ("size", "seed"), "change", "position", terms.centre, tolerance, **shared)
