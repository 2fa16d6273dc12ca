"""Units that share the levels of random factors: architectures, seeds that recur, test points, points of a scaling law."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from scipy import stats as sps

from .cells import Cell, Draw, Terms
from .curves import POINTS, smaller, triangle
from .draws import Floats, Generator, normal, pearson
from .grids import Areas, Grid, Groups, Orders, Pairs, Places, Same, Trends
from .on_grids import SIZES, Apart, GridCourses, Humps, Laws, Links, Panels, Parts, Points
from .scaling import ERROR, X

STUDIES = 4_000
CAREFUL = "degrees of freedom on the small side"


def own(rng: Generator, grid: Grid, studies: int, sizes: float, seeds: float = 0.0, *more: int) -> Floats:
    """Numbers of variance 1, ``sizes`` and ``seeds`` of which lie between the levels of either factor: (study, unit, …)."""
    shape = (studies, grid.outer, grid.inner, *more)
    found = np.sqrt(sizes) * normal(rng, studies, grid.outer, 1, *more)
    found = found + np.sqrt(seeds) * normal(rng, studies, 1, grid.inner, *more)
    return (found + np.sqrt(1 - sizes - seeds) * normal(rng, *shape)).reshape(studies, grid.outer * grid.inner, *more)


def numbers(grid: Grid, sizes: float, seeds: float = 0.0) -> Draw:
    """Numbers around the effect."""
    return lambda effect, studies, rng: effect + own(rng, grid, studies, sizes, seeds)


def in_groups(grid: Grid, sizes: float, gains: float) -> Draw:
    """Units whose sizes differ, and so does what the higher group gains in them."""

    def drawn(effect: float, studies: int, rng: Generator) -> Floats:
        gain = effect + np.sqrt(gains) * np.repeat(normal(rng, studies, grid.outer), grid.inner, axis=1)
        return own(rng, grid, studies, sizes) + gain * (grid.seed % 2)

    return drawn


def slopes(grid: Grid, sizes: float, x: Floats) -> Draw:
    """Curves along x whose slopes differ by size, by so much of their variance, around the effect."""

    def drawn(effect: float, studies: int, rng: Generator) -> Floats:
        noise = np.sqrt(1 / ((x - x.mean()) ** 2).sum())  # standard deviation of a slope with noise of 1
        slope = effect + noise * np.sqrt(sizes / (1 - sizes)) * np.repeat(normal(rng, studies, grid.outer), grid.inner, axis=1)
        return slope[..., None] * x + normal(rng, studies, grid.outer * grid.inner, len(x))

    return drawn


def heights(grid: Grid, sizes: float) -> Draw:
    """Differences of curves whose heights differ by size."""
    return lambda effect, studies, rng: effect + own(rng, grid, studies, sizes)[..., None] + 0.3 * normal(
        rng, studies, grid.outer * grid.inner, len(X))  # fmt: skip


def changes(grid: Grid, sizes: float) -> Draw:
    """Curves that change at places which differ by size."""

    def drawn(effect: float, studies: int, rng: Generator) -> Floats:
        place = effect + 0.7 * own(rng, grid, studies, sizes)[..., None]
        return np.tanh(2 * (np.arange(POINTS) - place)) + 0.3 * normal(rng, studies, grid.outer * grid.inner, POINTS)

    return drawn


def law(seeds: int, shared: float, noise: float) -> Draw:
    """Powers of x with noise on log y; ``shared`` is the standard deviation of what all seeds share at a point."""

    def drawn(effect: float, studies: int, rng: Generator) -> Floats:
        lack = shared * normal(rng, studies, 1, len(X))
        return np.exp(3 + effect * np.log(X) + lack + noise * normal(rng, studies, seeds, len(X)))

    return drawn


def trend(seeds: int, shared: float, noise: float) -> Draw:
    """The same, along log2 x."""
    powers = law(seeds, shared, noise)
    return lambda effect, studies, rng: np.log(powers(effect / np.log(2), studies, rng))


def linked(grid: Grid, regimes: int, sizes: float, seeds: float = 0.0) -> Draw:
    """X and y with a Spearman correlation of the effect; levels of sizes and of seeds recur in every regime."""

    def drawn(effect: float, studies: int, rng: Generator) -> tuple[Floats, Floats]:
        def variable() -> Floats:
            levels = np.sqrt(sizes) * np.repeat(normal(rng, studies, grid.outer), grid.inner, axis=1)
            levels = levels + np.sqrt(seeds) * np.tile(normal(rng, studies, grid.inner), (1, grid.outer))
            rest = np.sqrt(1 - sizes - seeds)
            return np.concatenate([levels + rest * normal(rng, *levels.shape) for _ in range(regimes)], axis=-1)

        r = pearson(effect)
        x, e = variable(), variable()
        return x, r * x + np.sqrt(1 - r**2) * e

    return drawn


def apart(grid: Grid, sizes: float, middle: float) -> Draw:
    """Correlations of y with two unrelated x that lie the effect apart around a middle."""

    def drawn(effect: float, studies: int, rng: Generator) -> tuple[Floats, Floats, Floats]:
        a, b = pearson(middle + effect / 2), pearson(middle - effect / 2)
        here, there, e = (own(rng, grid, studies, sizes) for _ in range(3))
        return a * here + b * there + np.sqrt(1 - a**2 - b**2) * e, here, there

    return drawn


def panels(models: int, samples: int, spread: float, epochs: int = 40) -> Draw:
    """Samples whose correlations differ, in the same way in every model."""

    def drawn(effect: float, studies: int, rng: Generator) -> tuple[Floats, Floats]:
        between = normal(rng, studies, 1, samples, 1) + normal(rng, studies, models, 1, 1)
        z = np.arctanh(effect) + spread * between / np.sqrt(2)
        r = 2 * np.sin(np.pi * np.tanh(z) / 6)
        x, e = normal(rng, studies, models, samples, epochs), normal(rng, studies, models, samples, epochs)
        return x, r * x + np.sqrt(1 - r**2) * e

    return drawn


def courses_by_size(grid: Grid, spread: float, epochs: int = 20) -> Draw:
    """Courses whose steps correlate, differently by size."""

    def drawn(effect: float, studies: int, rng: Generator) -> tuple[Floats, Floats]:
        z = np.arctanh(effect) + spread * np.repeat(normal(rng, studies, grid.outer, 1), grid.inner, axis=1)
        r = 2 * np.sin(np.pi * np.tanh(z) / 6)
        x, e = normal(rng, studies, grid.outer * grid.inner, epochs), normal(rng, studies, grid.outer * grid.inner, epochs)
        return np.cumsum(x, axis=-1), np.cumsum(r * x + np.sqrt(1 - r**2) * e, axis=-1)

    return drawn


def alike(grid: Grid, sizes: float) -> Draw:
    """Units that have the property where a number, which differs by size, is small."""
    return lambda effect, studies, rng: sps.norm.cdf(own(rng, grid, studies, sizes)) < effect


def humps(grid: Grid, sizes: float) -> Draw:
    """Curves with a peak, whose noise is partly that of their size."""
    noise: Callable[..., Floats] = smaller(partial(_of_size, grid, sizes), 0.4)
    return lambda effect, studies, rng: triangle(effect) + noise(rng, studies)


def _of_size(grid: Grid, sizes: float, rng: Generator, studies: int) -> Floats:
    return own(rng, grid, studies, sizes, 0.0, POINTS)


SIX, FIVE, TWELVE = Grid(6, 16), Grid(5, 8), Grid(12, 4)
FIXED = Grid(6, 12, ("seed",))
TESTED = Grid(8, 64)
FEW: dict[str, Any] = {"asked": ("false support", "false refutation", "coverage"), "studies": STUDIES}
HALF = "half of the variance between"


def _means() -> list[Cell]:
    found = np.log2(X)
    step = np.sqrt(1 / 5)
    doubling = float(np.sqrt(1 / ((found - found.mean()) ** 2).sum()))
    return [
        Cell(Pairs(FIVE), f"{HALF} 5 sizes, random, seeds too", "5 sizes × 8 seeds", numbers(FIVE, 0.5), Terms("above", 0.5),
             **FEW),
        Cell(Pairs(SIX), "sizes and seeds random, a third of the variance each", "6 sizes × 16 seeds", numbers(SIX, 1 / 3,
             1 / 3),
             Terms("above", 0.5), **FEW),
        Cell(Pairs(SIX), "sizes and seeds random, units as good as independent", "6 sizes × 16 seeds", numbers(SIX, 0.0),
             Terms("above", 0.5), wide=CAREFUL, **FEW),
        Cell(Pairs(FIXED), f"sizes fixed, {HALF} seeds, which recur", "6 sizes × 12 seeds", numbers(FIXED, 0.0, 0.5),
             Terms("above", 0.5), **FEW),
        Cell(Points(TESTED), "one test set for all seeds, read as others like it", "8 seeds × 64 points",
             numbers(TESTED, 0.05, 0.4), Terms("above", 0.2), **FEW),
        Cell(Same(FIVE), f"{HALF} 5 sizes, random, seeds too", "5 sizes × 8 seeds", numbers(FIVE, 0.5), Terms("within", 0.8),
             **FEW),
        Cell(Groups(SIX), "what is gained differs by size, random", "6 sizes × 16 seeds", in_groups(SIX, 0.5, 0.5),
             Terms("above", 0.5), **FEW),
        Cell(Areas(SIZES), f"{HALF} 8 sizes, random", "8 sizes × 4 seeds", heights(SIZES, 0.5), Terms("above", 0.5), **FEW),
        Cell(Orders(SIZES), f"{HALF} 8 sizes, random", "8 sizes × 4 seeds", slopes(SIZES, 0.5, np.arange(4.0)),
             Terms("above", step / 2), **(FEW | {"studies": 2_000})),
        Cell(Trends(SIZES), f"{HALF} 8 sizes, random", "8 sizes × 4 seeds", slopes(SIZES, 0.5, found), Terms("within",
             doubling),
             **FEW),
        Cell(Places(SIZES), f"change, {HALF} 8 sizes, random", "8 sizes × 4 seeds", changes(SIZES, 0.5),
             Terms("within", 1.5, 4.0), wide="widened by half a step of the grid", **(FEW | {"studies": 2_000})),
    ]  # fmt: skip


def _lines() -> list[Cell]:
    return [
        Cell(Laws(), "a lack of fit that all seeds share, points of x random", "12 seeds × 5 points", law(12, 0.1, 0.1),
             Terms("within", 0.2 * ERROR, -0.5), **FEW),
        Cell(Laws(), "no lack of fit, points of x random", "12 seeds × 5 points", law(12, 0.0, 0.1),
             Terms("within", 0.2 * ERROR, -0.5), wide=CAREFUL, **FEW),
        Cell(Laws("trend"), "a lack of fit that all seeds share, points of x random", "12 seeds × 5 points", trend(12, 0.1,
             0.1),
             Terms("within", 0.15 * ERROR), **FEW),
    ]  # fmt: skip


def _links() -> list[Cell]:
    few = FEW | {"studies": 2_000}
    return [
        *(Cell(Links(SIX, 3), f"{what} of x and y between sizes, random, seeds too", "6 × 16 models in 3 regimes",
               linked(SIX, 3, icc), Terms("above", 0.3), wide=CAREFUL, **few) for icc, what in ((0.5, "half"), (0.8,
               "four fifths"))),
        Cell(Links(SIX, 1, absent=True), "half of x and y between sizes, random, seeds too", "6 × 16 models", linked(SIX, 1,
             0.5),
             Terms("within", 0.4), wide=CAREFUL, **few),
        Cell(Links(SIX, 3), "a third of x and y between sizes, a third between seeds, both random",
             "6 × 16 models in 3 regimes",
             linked(SIX, 3, 1 / 3, 1 / 3), Terms("above", 0.3), wide=CAREFUL, **few),
        Cell(Apart(SIX), "half of each between sizes, random, seeds too", "6 × 16 models", apart(SIX, 0.5, 0.3),
             Terms("above", 0.3),
             wide=CAREFUL, **few),
        Cell(Panels(), "samples random, alike in all models", "8 models × 12 samples", panels(8, 12, 0.3), Terms("above", 0.3),
             **few),
        Cell(GridCourses(grid=SIZES), "correlations differ by size, random", "8 sizes × 4 models", courses_by_size(SIZES, 0.3),
             Terms("above", 0.2), studies=2_000, asked=("false support",)),
    ]  # fmt: skip


def _others() -> list[Cell]:
    few = FEW | {"wide": "the intraclass correlation at its upper limit"}
    return [
        *(Cell(Parts(grid), f"more than 0.5, ICC of .6 in {grid.outer} sizes, random, seeds too",
               f"{grid.outer} sizes × {grid.inner} seeds", alike(grid, 0.6), Terms("above", 0.2, 0.5), **few)
          for grid in (Grid(4, 3), SIX, TWELVE)),
        Cell(Parts(TWELVE), "more than 0.8, ICC of .6 in 12 sizes, random, seeds too", "12 sizes × 4 seeds", alike(TWELVE, 0.6),
             Terms("above", 0.1, 0.8), **few),
        Cell(Humps(SIZES), f"{HALF} 8 sizes, random", "8 sizes × 4 seeds", humps(SIZES, 0.5), Terms("above", 0.5),
             wide="two bounds, each on its side (see Prominence)", **(FEW | {"studies": 2_000})),
    ]  # fmt: skip


CELLS = [*_means(), *_lines(), *_links(), *_others()]
