"""What is read off curves: peaks of the mean curve, landmarks of every unit's own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from harness import stats
from harness.predict import Landmark, Peak, Prediction

from .cells import Cell, Draw, Kind, Terms
from .draws import Floats, Generator, course, heavy, normal

WHY = "simulated"
POINTS = 9
Noise = Callable[..., Floats]


def as_table(data: Floats) -> pd.DataFrame:
    """Curves of shape (unit, point), x from 0; seeds of one length, since units stand in the order of their names."""
    seed, point = (each.ravel() for each in np.indices(data.shape))
    return pd.DataFrame({"seed": 100 + seed, "width": point.astype(float), "loss": data.ravel()})


@dataclass(frozen=True)
class Peaked(Kind):
    """Curves, shape (study, unit, point)."""

    def confidence(self, data: Floats) -> stats.Confidence:
        return stats.prominence(data)

    def table(self, data: Floats) -> pd.DataFrame:
        return as_table(data)

    def prediction(self, terms: Terms) -> Prediction:
        return Peak("loss", "width", "seed", margin=terms.margin, margin_reason=WHY, alpha=terms.alpha)


@dataclass(frozen=True)
class Marked(Kind):
    """Curves, shape (study, unit, point), with a change or a peak each."""

    of: str
    value: float = (POINTS - 1) / 2

    def confidence(self, data: Floats) -> stats.Confidence:
        read, reach = self.read(data)
        mean = stats.stratified_mean(read)
        half = reach.mean(axis=-1)
        error = np.maximum(mean.error, 1e-9 * half)
        return stats.Blurred(stats.Student(mean.mean, error, read.shape[-1] - 1, lean=mean.lean), half)

    def read(self, data: Floats) -> tuple[Floats, Floats]:
        """Place of every unit's landmark, and half a step of the grid there."""
        x = np.arange(float(POINTS))
        if self.of == "change":
            split = stats.change(data)
            return (x[split.place - 1] + x[split.place]) / 2, np.full(data.shape[:-1], 0.5)
        top = stats.summit(data)
        return x[top.place], stats.half_step(x, top.place)

    def agrees(self, data: Floats, terms: Terms, rng: Generator) -> np.ndarray:
        read, _ = self.read(data)
        return (np.ptp(read, axis=-1) == 0) | (stats.scattered_p(read, terms.centre, terms.margin) > terms.alpha)

    def table(self, data: Floats) -> pd.DataFrame:
        return as_table(data)

    def prediction(self, terms: Terms) -> Prediction:
        return Landmark("loss", "width", "seed", self.of, "position", self.value, terms.margin, margin_reason=WHY,
                        alpha=terms.alpha)  # fmt: skip


def triangle(height: float) -> Floats:
    """Rises by 1 to a peak in the middle and falls by ``height``: its prominence, up to 1."""
    x, middle = np.arange(POINTS), (POINTS - 1) // 2
    return np.where(x <= middle, x / middle, 1 - height * (x - middle) / (POINTS - 1 - middle))


def risen(height: float) -> Floats:
    """A step after two points, then flat; a peak of ``height`` on the plateau."""
    x = np.arange(POINTS)
    return (x >= 2) * 2.0 + height * (x == 5)


def around(shape: Callable[[float], Floats], noise: Noise, units: int) -> Draw:
    """Units around a mean curve, each at its own height."""
    return lambda effect, studies, rng: shape(effect) + 2 * normal(rng, studies, units, 1) + noise(rng, studies, units, POINTS)


def smaller(noise: Noise, scale: float) -> Noise:
    """The noise, scaled."""
    return lambda rng, *shape: scale * noise(rng, *shape)


def _peak_cells() -> list[Cell]:
    safe = "two bounds, each on its side (see Prominence)"
    return [
        Cell(Peaked(), "normal, 2 SD to be found", "12 units", around(triangle, smaller(normal, 0.5), 12), Terms("above", 0.5),
             (1.0, 0.81), wide=safe),
        Cell(Peaked(), "normal, fewest admitted", "5 units", around(triangle, smaller(normal, 0.2), 5), Terms("above", 0.5),
             wide=safe),
        Cell(Peaked(), "flat after a step", "10 units", around(risen, smaller(normal, 0.3), 10), Terms("above", 0.3),
             wide=safe),
        Cell(Peaked(), "flat after a step, heavy tails", "10 units", around(risen, smaller(heavy, 0.3), 10),
             Terms("above", 0.3), wide=safe),
        Cell(Peaked(), "slow courses, AR(0.9)", "10 units", around(triangle, smaller(course, 0.5), 10), Terms("above", 0.5),
             wide=safe),
    ]  # fmt: skip


def stepping(noise: Noise, units: int) -> Draw:
    """Every unit's curve changes at its own place around the effect, within less than a step of the grid."""

    def drawn(effect: float, studies: int, rng: Generator) -> Floats:
        place = effect + 0.7 * normal(rng, studies, units, 1)
        return np.tanh(2 * (np.arange(POINTS) - place)) + 0.3 * noise(rng, studies, units, POINTS)

    return drawn


def together(effect: float, studies: int, rng: Generator) -> Floats:
    """Ten units that change at one place, between points of the grid."""
    return np.tanh(8 * (np.arange(POINTS) - effect)) + 0.1 * normal(rng, studies, 10, POINTS)


def humped(effect: float, studies: int, rng: Generator) -> Floats:
    """Ten units; every curve has a peak at its own place around the effect."""
    place = effect + 0.7 * normal(rng, studies, 10, 1)
    return np.exp(-(((np.arange(POINTS) - place) / 1.5) ** 2)) + 0.05 * normal(rng, studies, 10, POINTS)


def _landmark_cells() -> list[Cell]:
    coarse = "widened by half a step of the grid"
    middle = Marked.value
    return [
        Cell(Marked("change"), "change at 4 ± 1.5 steps of the grid", "10 units", stepping(normal, 10),
             Terms("within", 1.5, middle), (middle, 0.86), wide=coarse),
        Cell(Marked("change"), "change, heavy tails, fewest admitted", "5 units", stepping(heavy, 5),
             Terms("within", 1.5, middle), wide=coarse),
        Cell(Marked("change"), "change, all units at the same place", "10 units", together, Terms("within", 1.9, middle),
             wide=coarse),
        Cell(Marked("peak"), "peak at 4 ± 1.5 steps of the grid", "10 units", humped, Terms("within", 1.5, middle),
             (middle, 0.82), wide=coarse),
    ]  # fmt: skip


CELLS = [*_peak_cells(), *_landmark_cells()]
