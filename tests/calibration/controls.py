"""What goes wrong otherwise: analyses that this project does not make, on studies in which nothing is there.

Each has a floor that its rate of errors must reach, so that the studies of the other cells are known to be hard enough to tell.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import stats as sps

from harness import stats

from .cells import ALPHA, Bools, Rate, generator
from .correlations import blocks, repeated, shifted, z_of
from .curves import around, risen, smaller
from .draws import Floats, Generator, course, normal, triple
from .grids import Grid
from .on_grids import Links
from .populations import FIVE, SIX, TESTED, alike, law, linked, numbers
from .scaling import ERROR, X
from .within import Courses, shared_trend

STUDIES = 4_000


@dataclass(frozen=True)
class Control:
    """An analysis that errs.

    Attributes:
        what: in words.
        instead: what the project does.
        wrong: whether each of so many studies errs.
        floor: rate that it reaches at least.
        studies: simulated.
    """

    what: str
    instead: str
    wrong: Callable[[int, Generator], Bools]
    floor: float
    studies: int = STUDIES

    def __str__(self) -> str:
        return self.what

    def rate(self) -> Rate:
        """Share of the studies that err."""
        return Rate(float(np.mean(self.wrong(self.studies, generator(self)))), self.studies)


def rm_corr(x: Floats, y: Floats, unit: Floats) -> tuple[Floats, int, Floats]:
    """Repeated-measures correlation (Bakdash & Marusich 2017, Frontiers in Psychology 8, 456): one slope, a level per unit.

    Analysis of covariance, as Bland & Altman (1995, BMJ 310, 446): r = sign(slope) sqrt(SS_x / (SS_x + SS_error)), which is
    the correlation of both variables less their means within units, with N - units - 1 degrees of freedom.

    Args:
        x: shape (..., row).
        y: likewise.
        unit: code of each row's unit, shape (row,).

    Returns:
        r, degrees of freedom, two-sided p.
    """
    member = np.eye(int(unit.max()) + 1)[unit]
    dx, dy = (each - ((each @ member) / member.sum(axis=0))[..., unit] for each in (x, y))
    r = (dx * dy).sum(-1) / np.sqrt((dx**2).sum(-1) * (dy**2).sum(-1))
    freedom = len(unit) - member.shape[1] - 1
    return r, freedom, 2 * sps.t.sf(np.abs(r) * np.sqrt(freedom / (1 - r**2)), freedom)


def supported(x: Floats, y: Floats, *sizes: int) -> Bools:
    """Whether a correlation within blocks of so many rows is found positive."""
    return stats.pool(z_of(x, y, sizes), sizes).interval(ALPHA)[0] > 0


def samples_as_units(studies: int, rng: Generator) -> Bools:
    """Ten seeds of 30 samples with a third of the variance between seeds, as 300 pairs."""
    values = np.sqrt(1 / 3) * normal(rng, studies, 10, 1) + np.sqrt(2 / 3) * normal(rng, studies, 10, 30)
    return stats.stratified_mean(values.reshape(studies, 300)).interval(ALPHA)[0] > 0


def samples_as_models(studies: int, rng: Generator) -> Bools:
    """Ten seeds of 20 samples, x and y with half of their variance between seeds, as 200 models."""
    x, y = ((normal(rng, studies, 10, 1) + normal(rng, studies, 10, 20)).reshape(studies, 200) for _ in range(2))
    return supported(x, y, 200)


def regimes_pooled(studies: int, rng: Generator) -> Bools:
    """Three regimes whose means lie one standard deviation apart, without blocks."""
    return supported(*shifted(0.0, studies, rng), 30)


def shared_as_new(studies: int, rng: Generator) -> Bools:
    """One set of models at two thresholds, as two sets."""
    return supported(*repeated(0.0, studies, rng), 20, 20)


def here_but_not_there(studies: int, rng: Generator) -> Bools:
    """Equal correlations of .3 in 30 models: one is found and the other is not."""
    y, here, there = triple(rng, (0.3, 0.3, 0.2), studies, 30)
    return supported(here, y, 30) != supported(there, y, 30)


def epochs_as_rows(studies: int, rng: Generator) -> Bools:
    """Eight models, four samples, slow courses of ten epochs: 320 rows."""
    x, y = (course(rng, studies, 8, 4, 10).reshape(studies, 320) for _ in range(2))
    return supported(x, y, 320)


def inputs_as_units(studies: int, rng: Generator) -> Bools:
    """Eight models whose samples share the model's own correlation, as 256 units."""
    z = 0.5 * normal(rng, studies, 8, 1) + 0.3 * normal(rng, studies, 8, 32)
    return stats.stratified_mean(z.reshape(studies, -1)).interval(ALPHA)[0] > 0


def rm_corr_of(draw: Callable[[int, Generator], tuple[Floats, Floats]]) -> Callable[[int, Generator], Bools]:
    """Repeated-measures correlation over ten models of 20 epochs, at a two-sided 0.05."""

    def wrong(studies: int, rng: Generator) -> Bools:
        x, y = (each.reshape(studies, -1) for each in draw(studies, rng))
        return rm_corr(x, y, np.repeat(np.arange(10), 20))[2] < 0.05

    return wrong


def slow(studies: int, rng: Generator) -> tuple[Floats, Floats]:
    """Ten models, unrelated AR(0.9) courses of 20 epochs."""
    return course(rng, studies, 10, 20), course(rng, studies, 10, 20)


def learning(studies: int, rng: Generator) -> tuple[Floats, Floats]:
    """Ten models, unrelated noise around a straight course that all of them share."""
    trend = np.linspace(-1, 1, 20)
    return trend + normal(rng, studies, 10, 20), trend + normal(rng, studies, 10, 20)


def unpaired(studies: int, rng: Generator) -> Bools:
    """A trend that all models share, without the permutation of models."""
    return Courses().confidence(shared_trend(0.0, studies, rng)).interval(ALPHA)[0] > 0


def bootstrapped(studies: int, rng: Generator) -> Bools:
    """Percentile bootstrap (1,000 resamples) of a mean of five: its 90 % interval misses the truth."""
    values = normal(rng, studies, 5)
    means = values[:, rng.integers(5, size=(1_000, 5))].mean(axis=-1)
    low, high = np.quantile(means, (0.05, 0.95), axis=1)
    return (low > 0) | (high < 0)


def own_places(studies: int, rng: Generator) -> Bools:
    """Curves of ten units that are flat after a step: rise to the peak of the mean curve and fall from it, by t tests."""
    data = around(risen, smaller(normal, 0.3), 10)(0.0, studies, rng)
    peak = stats.summit(data.mean(axis=1))
    top, before, after = (np.take_along_axis(data, place[:, None, None], axis=-1)[..., 0]
                          for place in (peak.place, peak.before, peak.after))  # fmt: skip
    return np.all([stats.stratified_mean(top - low).interval(ALPHA)[0] > 0 for low in (before, after)], axis=0)


def any_of_five(studies: int, rng: Generator) -> Bools:
    """Five differences, all at their margins, one of them refuted at α."""
    return (stats.stratified_mean(normal(rng, studies, 5, 10)).interval(ALPHA)[1] < 0).any(axis=-1)


def one_long_tail(studies: int, rng: Generator) -> Bools:
    """Eight exponential differences: their t interval ends below the truth."""
    return stats.stratified_mean(rng.exponential(size=(studies, 8)) - 1).interval(ALPHA)[1] < 0


def error_at_the_estimate(studies: int, rng: Generator) -> Bools:
    """Spearman's ρ of 40 blocks of 16 with the error and no bias of the estimate, ρ = .8 at its margin: refuted."""
    x, y = blocks(*[16] * 40)(0.8, studies, rng)
    return stats.pool(z_of(x, y, (16,) * 40), (16,) * 40).plain.interval(ALPHA)[1] < 0.8


def any_of_twenty(studies: int, rng: Generator) -> Bools:
    """Twenty claims of a document, all at their margins, one of them refuted at α."""
    return (stats.stratified_mean(normal(rng, studies, 20, 10)).interval(ALPHA)[1] < 0).any(axis=-1)


def negative_removed(studies: int, rng: Generator) -> Bools:
    """Pairs of means of 20 estimates around 0 and 0.5, SD 1, without the negative ones: refuted at the margin of 0.5."""
    seen = normal(rng, studies, 2, 16, 20) + np.array([0.0, 0.5])[:, None, None]
    kept = seen >= 0
    means = (seen * kept).sum(axis=-1) / np.maximum(kept.sum(axis=-1), 1)
    return stats.stratified_mean(means[:, 1] - means[:, 0]).interval(ALPHA)[1] < 0.5


def sizes_as_units(studies: int, rng: Generator) -> Bools:
    """Five sizes of 8 seeds with half of the variance between sizes, as strata of pairs that were drawn one by one."""
    return stats.stratified_mean(numbers(FIVE, 0.5)(0.0, studies, rng), FIVE.size).interval(ALPHA)[0] > 0


def points_of_all(studies: int, rng: Generator) -> Bools:
    """Eight seeds at the 64 points of one test set, by the means of seeds, read as a statement on other points."""
    values = numbers(TESTED, 0.05, 0.4)(0.0, studies, rng).reshape(studies, TESTED.outer, TESTED.inner)
    return stats.stratified_mean(values.mean(axis=-1)).interval(ALPHA)[0] > 0


def sizes_in_a_correlation(studies: int, rng: Generator) -> Bools:
    """Unrelated x and y of 6 × 16 models in three regimes, half of each between sizes, as 96 models."""
    kind = Links(SIX, 3)
    return kind.plain(linked(SIX, 3, 0.5)(0.0, studies, rng)).interval(ALPHA)[0] > 0


def alike_units(studies: int, rng: Generator) -> Bools:
    """Twelve units of 4 × 3, alike within the four (ICC .6), of which more than 0.75 are claimed to have a property."""
    grid = Grid(4, 3)
    return stats.Share(alike(grid, 0.6)(0.75, studies, rng).sum(axis=-1), 12).interval(ALPHA)[0] > 0.75


def one_lack_of_fit(studies: int, rng: Generator) -> Bools:
    """Exponents of 12 seeds whose points stray from the law alike, just outside of what is claimed."""
    slopes = stats.slope(np.log(X), np.log(law(12, 0.1, 0.1)(-0.5 + 0.2 * ERROR, studies, rng)))
    return stats.stratified_mean(slopes).interval(ALPHA)[1] < -0.5 + 0.2 * ERROR


CONTROLS = [
    Control("30 samples of each of 10 seeds as 300 pairs", "means of seeds", samples_as_units, 0.25),
    Control("20 samples of each of 10 seeds as 200 models", "means of seeds", samples_as_models, 0.2),
    Control("three regimes with shifted means in one correlation", "blocks", regimes_pooled, 0.6),
    Control("one set of models at two thresholds as two sets", "shared units", shared_as_new, 0.08),
    Control('"found here, not found there" as a difference', "CorrelationDifference", here_but_not_there, 0.35),
    Control("320 rows of 8 models × 4 samples × 10 slow epochs", "PerSampleCorrelation", epochs_as_rows, 0.2),
    Control("32 samples of each of 8 models as 256 units", "PerSampleCorrelation", inputs_as_units, 0.25),
    Control("repeated-measures correlation of slow courses, AR(0.9)", "Trajectory", rm_corr_of(slow), 0.3),
    Control("repeated-measures correlation of courses that share a trend", "Trajectory", rm_corr_of(learning), 0.97),
    Control("trajectories without the permutation of models, shared trend", "Trajectory", unpaired, 0.9),
    Control("percentile bootstrap of 5 values: a 90 % interval misses", "t interval", bootstrapped, 0.15),
    Control("t interval of 8 values with one long tail: its end on that side", "logarithms, or more units", one_long_tail, 0.1),
    Control("peak and lows chosen on the units that judge them", "Peak", own_places, 0.2),
    Control("8 seeds at one test set as a statement on other points", "points random", points_of_all, 0.08),
    Control("5 × 8 pairs, half of the variance between the five, as 40", "sizes random", sizes_as_units, 0.15),
    Control(
        "unrelated x and y of 6 × 16 models, half of each between the six, as 96", "sizes random", sizes_in_a_correlation, 0.12
    ),
    Control("4 × 3 units of ICC 0.6, more than 0.75 of them, as 12", "sizes random", alike_units, 0.08),
    Control("an exponent where all seeds share a lack of fit", "points of x random", one_lack_of_fit, 0.15),
    Control("any of five differences at its margin refutes all, at α", "Conjunction", any_of_five, 0.2),
    Control("Spearman's ρ = 0.8 in 40 blocks, error at the estimate", "Correlation", error_at_the_estimate, 0.08, 1_000),
    Control("any of twenty claims at their margins is refuted, at α", "Holm of both sides", any_of_twenty, 0.5),
    Control("negative estimates removed, a difference at its margin refuted", "all estimates", negative_removed, 0.5),
]
