"""Units that share the levels of random factors, for kinds that are no means of one number per unit."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from harness import stats
from harness.factors import Factors
from harness.predict import (
    Correlation,
    CorrelationDifference,
    NoCorrelation,
    NoTrend,
    PairedDifference,
    Peak,
    PerSampleCorrelation,
    Prediction,
    Proportion,
    ScalingExponent,
    Trajectory,
)
from harness.predict.correlations.correlation import pooled_z

from .cells import Kind, Terms
from .curves import POINTS
from .draws import Floats, Generator
from .grids import WHY, Grid
from .scaling import X
from .within import Courses

SIZES = Grid(8, 4, ("size",))


@dataclass(frozen=True)
class Laws(Kind):
    """Y along x, shape (study, seed, point); what all seeds share at a point is no law's."""

    kind: str = "exponent"

    def confidence(self, data: Floats) -> stats.Confidence:
        x, y = (np.log(X), np.log(data)) if self.kind == "exponent" else (np.log2(X), data)
        mean = stats.stratified_mean(stats.slope(x, y))
        units = stats.Part(np.square(mean.error), mean.freedom, mean.lean * mean.error**3)
        points, own = stats.about_line(x, y, np.full(data.shape[-2], 1 / data.shape[-2]))
        return stats.carry(mean.confidence, (units, points), own)

    def table(self, data: Floats) -> pd.DataFrame:
        seed, point = (each.ravel() for each in np.indices(data.shape))
        return pd.DataFrame({"seed": 100 + seed, "d": X[point], "size": data.ravel()})

    def prediction(self, terms: Terms) -> Prediction:
        shared = {"margin_reason": WHY, "alpha": terms.alpha}
        if self.kind == "exponent":
            law: Prediction = ScalingExponent("size", "d", "seed", terms.centre, terms.margin, **shared)
        else:
            law = NoTrend("size", "d", "seed", margin=terms.margin, **shared)
        return law.drawn_from(Factors(("seed", "d")))


@dataclass(frozen=True)
class Points(Kind):
    """Paired differences of seeds at the points of one test set, shape (study, seed x point)."""

    grid: Grid

    def confidence(self, data: Floats) -> stats.Confidence:
        return stats.drawn_contrast(data, np.zeros(data.shape[-1], dtype=int), np.ones(1), self.grid.drawn).confidence

    def table(self, data: Floats) -> pd.DataFrame:
        rows = self.grid.rows.rename(columns={"size": "seed", "seed": "point"})
        return pd.concat([rows.assign(llc=0.0, regime="robust"), rows.assign(llc=data, regime="standard")])

    def prediction(self, terms: Terms) -> Prediction:
        return PairedDifference("llc", "regime", "standard", "robust", ("seed", "point"), margin=terms.margin,
                                margin_reason=WHY, alpha=terms.alpha).drawn_from(Factors(("seed", "point")))  # fmt: skip


@dataclass(frozen=True)
class Links(Kind):
    """X and y of the units of a grid in several regimes, shape (study, regime x unit), those of a regime side by side."""

    grid: Grid
    regimes: int
    absent: bool = False

    @property
    def parts(self) -> list[np.ndarray]:
        """Rows of each regime."""
        units = self.grid.outer * self.grid.inner
        return [regime * units + np.arange(units) for regime in range(self.regimes)]

    @property
    def drawn(self) -> stats.Drawn:
        """That of the units, in every regime."""
        factors = tuple(np.tile(codes, self.regimes) for codes in self.grid.drawn.factors)
        return stats.Drawn(factors, np.zeros(len(factors[0]), dtype=int))

    def confidence(self, data: tuple[Floats, Floats]) -> stats.Confidence:
        return stats.carried(self.plain(data), partial(pooled_z, *data, self.parts), self.drawn)

    def plain(self, data: tuple[Floats, Floats]) -> stats.Student:
        """As of units that were drawn one by one."""
        size = len(self.parts[0])
        rho = np.stack([stats.spearman(*(each[..., rows] for each in data)) for rows in self.parts], axis=-1)
        z = stats.fisher_z(rho, size)
        return stats.pool(z, [size] * self.regimes, np.zeros(self.regimes, dtype=int)).plain

    def agrees(self, data: tuple[Floats, Floats], terms: Terms, rng: Generator) -> Any:
        if not self.absent:
            return True
        turns = []
        for one, other in (data, data[::-1]):
            fold = np.concatenate([stats.folded(one[..., rows]) for rows in self.parts], axis=-1)
            turns.append(stats.turned(self.confidence((fold, other)), terms.margin, terms.alpha))
        return ~np.any(turns, axis=0)

    def table(self, data: tuple[Floats, Floats]) -> pd.DataFrame:
        rows = pd.concat([self.grid.rows.assign(regime=regime) for regime in range(self.regimes)], ignore_index=True)
        return rows.assign(llc=data[0], asr=data[1])

    def prediction(self, terms: Terms) -> Prediction:
        shared = {"margin": terms.margin, "margin_reason": WHY, "alpha": terms.alpha}
        unit = ("size", "seed")
        link = NoCorrelation("llc", "asr", unit, "regime", **shared) if self.absent else Correlation(
            "llc", "asr", unit, "regime", sign=1, **shared)  # fmt: skip
        return link.drawn_from(self.grid.factors)


@dataclass(frozen=True)
class Apart(Kind):
    """Y, x here and x there of the units of a grid, each of shape (study, unit)."""

    grid: Grid

    def confidence(self, data: tuple[Floats, Floats, Floats]) -> stats.Confidence:
        y, here, there = data
        everything = [np.arange(y.shape[-1])]

        def again(kept: np.ndarray) -> Floats:
            return np.tanh(pooled_z(here, y, everything, kept)) - np.tanh(pooled_z(there, y, everything, kept))

        n = np.array([y.shape[-1]])
        z = [stats.fisher_z(stats.spearman(a, b), n[0])[..., None] for a, b in ((here, y), (there, y), (here, there))]
        plain = stats.Overlapping(stats.pool(z[0], n), stats.pool(z[1], n), np.tanh(z[2][..., 0])).approximate(0.05)
        return stats.carried(plain, again, stats.Drawn(self.grid.drawn.factors, np.zeros(n[0], dtype=int)))

    def table(self, data: tuple[Floats, Floats, Floats]) -> pd.DataFrame:
        y, here, there = data
        rows = self.grid.rows.assign(asr=y)
        return pd.concat([rows.assign(scope="input", llc=here), rows.assign(scope="hidden", llc=there)])

    def prediction(self, terms: Terms) -> Prediction:
        return CorrelationDifference("asr", "llc", "scope", "input", "hidden", ("size", "seed"), margin=terms.margin,
                                     margin_reason=WHY, alpha=terms.alpha).drawn_from(self.grid.factors)  # fmt: skip


@dataclass(frozen=True)
class Panels(Kind):
    """X and y over epochs of samples, which stand for others, in models, each of shape (study, model, sample, epoch)."""

    def confidence(self, data: tuple[Floats, Floats]) -> stats.Confidence:
        z = stats.fisher_z(stats.spearman(*data), data[0].shape[-1])
        _, models, samples = z.shape
        grid = Grid(models, samples)
        mean = stats.drawn_contrast(z.reshape(len(z), -1), np.zeros(models * samples, dtype=int), np.ones(1), grid.drawn)
        return replace(mean.confidence, link="fisher")

    def table(self, data: tuple[Floats, Floats]) -> pd.DataFrame:
        seed, sample, epoch = (each.ravel() for each in np.indices(data[0].shape))
        return pd.DataFrame({"seed": 100 + seed, "sample": 100 + sample, "epoch": epoch, "llc": data[0].ravel(),
                             "asr": data[1].ravel()})  # fmt: skip

    def prediction(self, terms: Terms) -> Prediction:
        return PerSampleCorrelation("llc", "asr", "seed", "sample", sign=1, margin=terms.margin, margin_reason=WHY,
                                    alpha=terms.alpha).drawn_from(Factors(("seed", "sample")))  # fmt: skip


@dataclass(frozen=True)
class GridCourses(Courses):
    """X and y of the models of a grid over epochs, each of shape (study, model, epoch)."""

    grid: Grid = SIZES

    def confidence(self, data: tuple[Floats, Floats]) -> stats.Confidence:
        own = np.diagonal(self.z(data), axis1=-2, axis2=-1)
        mean = stats.drawn_contrast(own, np.zeros(own.shape[-1], dtype=int), np.ones(1), self.grid.drawn)
        return replace(mean.confidence, link="fisher")

    def table(self, data: tuple[Floats, Floats]) -> pd.DataFrame:
        epochs = np.arange(data[0].shape[-1])
        return self.grid.long(data[0], "epoch", epochs, "llc").assign(asr=data[1].ravel())

    def prediction(self, terms: Terms) -> Prediction:
        return Trajectory("llc", "asr", "epoch", ("size", "seed"), sign=1, margin=terms.margin, margin_reason=WHY,
                          alpha=terms.alpha).drawn_from(self.grid.factors)  # fmt: skip


@dataclass(frozen=True)
class Parts(Kind):
    """Which units of a grid have the property, shape (study, unit)."""

    grid: Grid

    def confidence(self, data: np.ndarray) -> stats.Confidence:
        return stats.Least((stats.drawn_share(data, self.grid.drawn, 0.05),))

    def table(self, data: np.ndarray) -> pd.DataFrame:
        return self.grid.rows.assign(flipped=data)

    def prediction(self, terms: Terms) -> Prediction:
        return Proportion("flipped", ("size", "seed"), terms.centre, margin=terms.margin, margin_reason=WHY,
                          alpha=terms.alpha).drawn_from(self.grid.factors)  # fmt: skip


@dataclass(frozen=True)
class Humps(Kind):
    """Curves of the units of a grid whose sizes alone are a factor, shape (study, unit, point)."""

    grid: Grid

    def confidence(self, data: Floats) -> stats.Confidence:
        return stats.prominence(data.reshape(len(data), self.grid.outer, self.grid.inner, data.shape[-1]).mean(axis=2))

    def table(self, data: Floats) -> pd.DataFrame:
        return self.grid.long(data, "width", np.arange(float(POINTS)), "loss")

    def prediction(self, terms: Terms) -> Prediction:
        return Peak("loss", "width", ("size", "seed"), margin=terms.margin, margin_reason=WHY,
                    alpha=terms.alpha).drawn_from(self.grid.factors)  # fmt: skip
