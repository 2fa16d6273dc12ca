"""A cell: one kind of prediction in one situation, the rates that are measured in it, and their bounds."""

from __future__ import annotations

import zlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats as sps

from harness.judge.rule import refutes, supports
from harness.predict import Prediction, Rule
from harness.stats import Confidence

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Asked = Literal["false support", "false refutation", "power", "coverage"]

Draw = Callable[[float, int, np.random.Generator], Any]
"""Data of so many studies with a true effect."""

ALPHA = 0.05
STRICT = 0.005
MANY = 40_000  # studies at the strict level, where errors are rare
SURE = 0.99  # of every bound: one cell in a hundred would fail by chance, but seeds are fixed


@dataclass(frozen=True)
class Terms:
    """What a claim fixes: rule, centre, margin, alpha."""

    rule: Rule
    margin: float
    centre: float = 0.0
    alpha: float = ALPHA

    @property
    def nulls(self) -> tuple[float, ...]:
        """Effects at which the claim is just false."""
        if self.rule == "within":
            return (self.centre - self.margin, self.centre + self.margin)
        return (self.centre,)

    @property
    def edges(self) -> tuple[float, ...]:
        """Effects at which it is just true: the smallest of interest."""
        if self.rule == "within":
            return self.nulls
        return (self.centre + (self.margin if self.rule == "above" else -self.margin),)


@dataclass(frozen=True)
class Judged:
    """Of every study: what was decided, and the interval of kinds that have one."""

    supported: Bools
    refuted: Bools
    low: Floats | None = None
    high: Floats | None = None


class Kind(ABC):
    """How a kind of prediction judges arrays of studies, and how one of them looks as a table.

    ``data`` is what a cell draws: an array, or a tuple of arrays, with one study in each place of the first axis.
    """

    @abstractmethod
    def confidence(self, data: Any) -> Confidence:
        """Of every study, by the functions of ``harness.stats`` that the prediction calls."""

    def agrees(self, data: Any, terms: Terms, rng: np.random.Generator) -> Any:
        """Whether the second test of a kind that has one agrees, for every study."""
        return True

    def judged(self, data: Any, terms: Terms, rng: np.random.Generator) -> Judged:
        """What is decided in every study, by the written rule."""
        seen = self.confidence(data)
        supported, refuted = decided(seen, terms, terms.alpha)
        supported[supported] &= self.agrees(taken(data, supported), terms, rng)
        return Judged(supported, refuted, *seen.interval(terms.alpha))

    @abstractmethod
    def table(self, data: Any) -> pd.DataFrame:
        """One study (no first axis) as the prediction reads it."""

    @abstractmethod
    def prediction(self, terms: Terms) -> Prediction:
        """The prediction that reads it."""

    @property
    def name(self) -> str:
        """Of the prediction."""
        return type(self.prediction(Terms("above", 0.1))).__name__


def decided(seen: Confidence, terms: Terms, alpha: float) -> tuple[Bools, Bools]:
    """Which studies are supported and which refuted at a level, by the interval and by the second opinion."""
    readings = [each.interval(alpha) for each in (seen, seen.cautious) if each is not None]
    supported, refuted = (
        np.all([rule(terms.rule, terms.centre, terms.margin, *ends) for ends in readings], axis=0)
        for rule in (supports, refutes)
    )
    return supported, refuted


def taken(data: Any, which: Any) -> Any:
    """Some of the studies, or one."""
    return tuple(each[which] for each in data) if isinstance(data, tuple) else data[which]


@dataclass(frozen=True)
class Cell:
    """A kind of prediction in a situation.

    Attributes:
        kind: how it is judged.
        situation: in words.
        n: units, in words.
        draw: data of so many studies with a true effect.
        terms: what the claim fixes.
        power: a true effect and the power with which it is to be found, or None.
        studies: simulated for every true effect.
        wide: why the interval covers more than (1 - 2 alpha), or None; it must not cover less in any case.
        asked: what has a meaning in this situation.
        limit: of either error, where it is not 1.5 alpha (a mean of few units with a long tail, of which nobody knows).
    """

    kind: Kind
    situation: str
    n: str
    draw: Draw
    terms: Terms
    power: tuple[float, float] | None = None
    studies: int = 10_000
    wide: str | None = None
    asked: tuple[Asked, ...] = get_args(Asked)
    limit: float | None = None

    def __str__(self) -> str:
        return f"{self.kind.name}, {self.situation}, {self.n}, α = {self.terms.alpha:g}"


@dataclass(frozen=True)
class Rate:
    """Share of the studies in which something happened."""

    value: float
    studies: int

    def at_most(self, limit: float) -> bool:
        """Whether the upper ``SURE`` limit of the true rate is no higher."""
        return self._limit(round(self.value * self.studies), self.studies) <= limit

    def at_least(self, limit: float) -> bool:
        """Whether the lower ``SURE`` limit of the true rate is no lower."""
        return 1 - self._limit(round((1 - self.value) * self.studies), self.studies) >= limit

    @staticmethod
    def _limit(hits: int, studies: int) -> float:
        """Upper limit by Clopper & Pearson."""
        return 1.0 if hits == studies else float(sps.beta.ppf(SURE, hits + 1, studies - hits))

    def as_in(self, printed: float, resolution: float) -> bool:
        """Whether a rate printed elsewhere may be the same: within 99.9 % limits of two runs of one simulation."""
        spread = np.sqrt(2 * max(self.value * (1 - self.value), 1 / self.studies) / self.studies)
        return abs(printed - self.value) <= resolution / 2 + sps.norm.ppf(0.9995) * spread


@dataclass(frozen=True)
class Rates:
    """What was measured in a cell, the worst of the effects that were simulated; None where it was not asked.

    Attributes:
        false_support: where the claim is just false.
        false_refutation: where it is just true.
        power: support at the effect that is to be found.
        covered: studies whose interval holds the truth.
        beyond: studies in which one end of the interval errs, that which errs more.
    """

    false_support: Rate | None
    false_refutation: Rate | None
    power: Rate | None
    covered: Rate | None
    beyond: Rate | None


def measure(cell: Cell) -> Rates:
    """Simulate a cell; the numbers depend on its name alone."""
    terms, asked = cell.terms, cell.asked
    just_false = {effect: _study(cell, effect) for effect in terms.nulls if "false support" in asked}
    just_true = {effect: _study(cell, effect) for effect in terms.edges if "false refutation" in asked}
    found = [_study(cell, cell.power[0])] if cell.power else []
    everywhere = [*just_false.values(), *just_true.values(), *found] if "coverage" in asked else []
    return Rates(
        false_support=_worst([seen["supported"] for seen in just_false.values()]),
        false_refutation=_worst([seen["refuted"] for seen in just_true.values()]),
        power=found[0]["supported"] if found else None,
        covered=min((seen["covered"] for seen in everywhere), key=lambda rate: rate.value, default=None),
        beyond=_worst([seen[end] for seen in everywhere for end in ("low", "high")]),
    )


def _worst(rates: Sequence[Rate]) -> Rate | None:
    return max(rates, key=lambda rate: rate.value, default=None)


def generator(*names: object) -> np.random.Generator:
    """A stream named by what it is for."""
    return np.random.default_rng([zlib.crc32(str(name).encode()) for name in names])


def _study(cell: Cell, effect: float) -> Mapping[str, Rate]:
    rng = generator(cell, effect)
    seen = cell.kind.judged(cell.draw(effect, cell.studies, rng), cell.terms, rng)
    happened = {"supported": seen.supported, "refuted": seen.refuted}
    if seen.low is not None and seen.high is not None:
        happened |= {"low": seen.low > effect, "high": seen.high < effect}
        happened["covered"] = ~(happened["low"] | happened["high"])
    return {name: Rate(float(np.mean(each)), cell.studies) for name, each in happened.items()}
