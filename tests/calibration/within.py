"""Correlations within models: over the rows of a sample, and over epochs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import pandas as pd
from scipy import optimize
from scipy import stats as sps

from harness import stats
from harness.predict import PerSampleCorrelation, Prediction, Trajectory

from .cells import ALPHA, STRICT, Cell, Draw, Kind, Terms
from .draws import Floats, Generator, course, t_power

WHY = "simulated"
Two = tuple[Floats, Floats]


@dataclass(frozen=True)
class Within(Kind):
    """X and y of models, samples and epochs, each of shape (study, model, sample, epoch)."""

    def confidence(self, data: Two) -> stats.Confidence:
        z = stats.fisher_z(stats.spearman(*data), data[0].shape[-1]).mean(axis=-1)
        mean = stats.stratified_mean(z)
        return replace(mean.confidence, link="fisher")

    def table(self, data: Two) -> pd.DataFrame:
        seed, sample, epoch = (each.ravel() for each in np.indices(data[0].shape))
        return pd.DataFrame({"seed": seed, "sample": sample, "epoch": epoch, "llc": data[0].ravel(), "asr": data[1].ravel()})

    def prediction(self, terms: Terms) -> Prediction:
        return PerSampleCorrelation("llc", "asr", "seed", "sample", sign=1, margin=terms.margin, margin_reason=WHY,
                                    alpha=terms.alpha)  # fmt: skip


@dataclass(frozen=True)
class Courses(Kind):
    """X and y of models over epochs, each of shape (study, model, epoch)."""

    def z(self, data: Two) -> Floats:
        """Of every model's x with every model's y, after differencing."""
        return stats.between_units(*(np.diff(each, axis=-1) for each in data))

    def confidence(self, data: Two) -> stats.Confidence:
        mean = stats.stratified_mean(np.diagonal(self.z(data), axis1=-2, axis2=-1))
        return replace(mean.confidence, link="fisher")

    def agrees(self, data: Two, terms: Terms, rng: Generator) -> np.ndarray:
        def seen(z: Floats) -> bool:
            return bool(stats.pairing_p(z, 1, rng=rng) <= terms.alpha)

        agree = []
        for x, y in zip(*data, strict=True):
            steps = np.diff(x, axis=-1), np.diff(y, axis=-1)
            agree.append(seen(stats.between_units(*steps)) and seen(stats.aligned(*steps, stats.transition(x, y))))
        return np.array(agree, dtype=bool)

    def table(self, data: Two) -> pd.DataFrame:
        seed, epoch = (each.ravel() for each in np.indices(data[0].shape))
        return pd.DataFrame({"seed": seed, "epoch": epoch, "llc": data[0].ravel(), "asr": data[1].ravel()})

    def prediction(self, terms: Terms) -> Prediction:
        return Trajectory("llc", "asr", "epoch", "seed", sign=1, margin=terms.margin, margin_reason=WHY, alpha=terms.alpha)


SLOW = {0.0: 0.0, 0.3: 0.288}
"""Weight w in y = w x + sqrt(1 - w^2) e, both AR(0.9) courses of ten points, by the mean of Fisher's z within a course as a
correlation (200,000 draws, 0.002)."""


@cache
def middle_z(effect: float, points: int, spread: float) -> float:
    """Mean of the models' own z (of this spread) that makes Fisher's z of so many points atanh(effect) on average."""
    quantiles = sps.norm.ppf((np.arange(200) + 0.5) / 200)
    score = stats.pool(np.zeros(1), [points])
    return float(optimize.brentq(
        lambda z: -np.mean(score.surplus(np.tanh(z + spread * quantiles))) - np.arctanh(effect), -2, 2
    ))  # fmt: skip


def own_correlation(effect: float, points: int, spread: float, shape: tuple[int, ...], rng: Generator) -> Floats:
    """Pearson correlation of every model, whose Spearman correlations average the effect."""
    return 2 * np.sin(np.pi * np.tanh(middle_z(effect, points, spread) + spread * rng.standard_normal(shape)) / 6)


def panel(models: int, spread: float, samples: int = 4, epochs: int = 10) -> Draw:
    """Models with their own correlation within each of their samples."""

    def drawn(effect: float, studies: int, rng: Generator) -> Two:
        r = own_correlation(effect, epochs, spread, (studies, models, 1, 1), rng)
        x, e = rng.standard_normal((2, studies, models, samples, epochs))
        return x, r * x + np.sqrt(1 - r**2) * e

    return drawn


def slow_panel(effect: float, studies: int, rng: Generator) -> Two:
    """Eight models, four samples, slow courses of ten epochs."""
    x, e = course(rng, studies, 8, 4, 10), course(rng, studies, 8, 4, 10)
    return x, SLOW[effect] * x + np.sqrt(1 - SLOW[effect] ** 2) * e


def courses(models: int, spread: float, epochs: int = 20) -> Draw:
    """Slow courses whose innovations correlate, differently in every model."""

    def drawn(effect: float, studies: int, rng: Generator) -> Two:
        r = own_correlation(effect, epochs - 1, spread, (studies, models, 1), rng)
        x, e = course(rng, studies, models, epochs), course(rng, studies, models, epochs)
        return x, r * x + np.sqrt(1 - r**2) * e

    return drawn


def shared_trend(effect: float, studies: int, rng: Generator) -> Two:
    """Ten models learn alike: one wandering trend is in every x and every y; nothing else is related."""
    trend = np.cumsum(rng.standard_normal((studies, 1, 20)), axis=-1)
    return tuple(trend + course(rng, studies, 10, 20) for _ in range(2))


def _within_cells() -> list[Cell]:
    # Fisher's z of ten points has a standard deviation of about 0.38, that of the mean of four samples about 0.19; with 0.2
    # between models a model's number spreads by 0.276, which is d_z = 1.
    one, two = np.tanh(0.276), np.tanh(2 * 0.276)
    return [
        Cell(Within(), "normal, 1 SD to be found", "11 models × 4 samples", panel(11, 0.2), Terms("above", one / 2),
             (one, t_power(1, 11, ALPHA))),
        Cell(Within(), "normal, 2 SD to be found, fewest admitted", "5 models × 4 samples", panel(5, 0.2),
             Terms("above", two / 2), (two, t_power(2, 5, ALPHA))),
        Cell(Within(), "normal, 1 SD to be found", "19 models × 4 samples", panel(19, 0.2),
             Terms("above", one / 2, alpha=STRICT), (one, t_power(1, 19, STRICT)), 20_000),
        Cell(Within(), "normal, 2 SD to be found", "8 models × 4 samples", panel(8, 0.2),
             Terms("above", two / 2, alpha=STRICT), (two, t_power(2, 8, STRICT)), 20_000),
        Cell(Within(), "slow courses, AR(0.9)", "8 models × 4 samples", slow_panel, Terms("above", 0.3)),
        Cell(Within(), "samples share their model's correlation", "8 models × 32 samples", panel(8, 0.5, 32),
             Terms("above", 0.3), studies=2_000),
    ]  # fmt: skip


def _courses_cells() -> list[Cell]:
    # Differences of 20 epochs give z a standard deviation of about 0.25; with 0.15 between models 0.29: 0.35 is 1.25 SD.
    return [
        Cell(Courses(), "AR(0.9) courses, 0.35 to be found, fewest admitted", "8 models", courses(8, 0.15), Terms("above", 0.1),
             (0.35, 0.77), 3_000),
        Cell(Courses(), "a trend that all models share", "10 models", shared_trend, Terms("above", 0.01), studies=4_000,
             asked=("false support",)),
    ]  # fmt: skip


CELLS = [*_within_cells(), *_courses_cells()]
