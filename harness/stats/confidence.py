"""What a study says about every value that an effect might have: one-sided p values, and intervals where they reach alpha.

One object answers all that is asked of an estimate: its interval at any alpha, its p against any null, and whether two of them
agree, since each is read off the same curve (the p-value function, or confidence distribution; Schweder & Hjort 2016,
"Confidence, Likelihood, Probability").  Fields are arrays over studies, or numbers for one study.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import scipy
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Link = Literal["identity", "fisher"]

CAUTION = 0.64
"""Share of alpha at which a skewed mean is read: what the skewness of a few units is, is hardly known (docs/decisions/0031)."""


class Confidence(ABC):
    """An effect with the p value of every one-sided hypothesis about it."""

    @property
    @abstractmethod
    def effect(self) -> Any:
        """The estimate in natural units, shape (...)."""

    @abstractmethod
    def above(self, value: float) -> Any:
        """One-sided p of "the effect is above ``value``", shape (...)."""

    @abstractmethod
    def below(self, value: float) -> Any:
        """One-sided p of "the effect is below ``value``", shape (...)."""

    @abstractmethod
    def interval(self, alpha: float) -> tuple[Any, Any]:
        """The values that neither of the two one-sided tests rejects at ``alpha``: a (1 - 2 alpha) interval."""

    @property
    def cautious(self) -> Confidence | None:
        """The same effect read with the skewness that the units show (:class:`Skewed`); None if it is no mean of units."""
        return None

    @abstractmethod
    def resized(self, before: float, after: float) -> Confidence:
        """The same study of ``before`` units with ``after`` units: as precise as that many make it, with the same effect."""

    def approximate(self, alpha: float) -> Student:
        """A normal estimate whose interval at ``alpha`` is as wide as this one's, for planning."""
        low, high = self.interval(alpha)
        return Student(self.effect, (high - low) / (2 * scipy.stats.norm.ppf(1 - alpha)))

    def within(self, centre: float, margin: float) -> Any:
        """P of "the effect lies inside centre ± margin": the larger one-sided p (TOST, Schuirmann 1987)."""
        return np.maximum(self.above(centre - margin), self.below(centre + margin))


@dataclass(frozen=True)
class Student(Confidence):
    """An estimate with a standard error: a t distribution (a normal one where ``freedom`` is infinite).

    Attributes:
        estimate: the estimate on the scale of the link.
        error: its standard error on that scale.
        freedom: degrees of freedom of the error.
        link: "identity", or "fisher" for correlations, whose z = atanh(rho) is nearly normal.
        lost: share of the units that the error does not shrink with (3 of the n of a correlation).
        spread: standard deviation between units, where the estimate is a mean of them; None where it is not known.
        lean: of a mean of units its own skewness, estimated: its third cumulant over the cube of its error (the skewness of
            n units over the root of n); None if it is no mean.
        gain: degrees of freedom that one more unit adds; fewer than one where some of the units are left out.
        caution: share of alpha at which it is read as skewed (:class:`Skewed`).
    """

    estimate: Any
    error: Any
    freedom: Any = np.inf
    link: Link = "identity"
    lost: float = 0.0
    spread: Any = None
    lean: Any = None
    gain: float = 1.0
    caution: float = CAUTION

    def scaled(self, value: Any) -> Any:
        """A value in natural units, on the scale of the link."""
        if self.link == "identity":
            return value
        with np.errstate(divide="ignore"):
            return np.arctanh(np.clip(value, -1, 1))

    def natural(self, value: Any) -> Any:
        """A value on the scale of the link, in natural units."""
        return np.tanh(value) if self.link == "fisher" else value

    def _deviation(self, value: float) -> Any:
        """Standard errors by which the estimate lies above a value."""
        return (self.estimate - self.scaled(value)) / self.error

    @property
    def effect(self) -> Any:
        """The estimate in natural units."""
        return self.natural(self.estimate)

    # Here and below distributions are called by the functions that scipy.stats calls itself: for a few numbers that takes a
    # sixtieth of the time, and an interval over looks is a bisection, a planned power a mean.
    def above(self, value: float) -> Any:
        """One-sided p of "the effect is above ``value``"."""
        return scipy.special.stdtr(self.freedom, -self._deviation(value))

    def below(self, value: float) -> Any:
        """One-sided p of "the effect is below ``value``"."""
        return scipy.special.stdtr(self.freedom, self._deviation(value))

    def interval(self, alpha: float) -> tuple[Any, Any]:
        """Estimate plus and minus the (1 - alpha) quantile times the error, in natural units."""
        reach = scipy.special.stdtrit(self.freedom, 1 - alpha) * self.error
        return self.natural(self.estimate - reach), self.natural(self.estimate + reach)

    def approximate(self, alpha: float) -> Student:
        """Itself."""
        return self

    @property
    def cautious(self) -> Skewed | None:
        """With its lean, where that is known."""
        return None if self.lean is None else Skewed(self)

    def resized(self, before: float, after: float) -> Student:
        """The error shrinks with the root of the number of units; at least one degree of freedom is left."""
        gone = self.lost * before
        left = max(after - gone, 1e-9)
        return replace(
            self,
            error=self.error * np.sqrt((before - gone) / left),
            freedom=np.maximum(self.freedom + self.gain * (after - before), 1),
            lost=min(gone / after, 1.0),
            lean=None if self.lean is None else self.lean * np.sqrt(before / after),
        )


@dataclass(frozen=True)
class Skewed(Confidence):
    """A mean that is read as skewed as its units look, and nowhere more sharply than by t.

    Studentised means of skewed units are skewed the other way, so that t errs at one end.  With the lean a the transform

        h(T) = T + a T^2 / 3 + a^2 T^3 / 27 + a / 6

    takes the skewness off to order 1/n and rises everywhere (Hall 1992, J. R. Statist. Soc. B 54(1), 221-228).  p is the larger
    of that of t and of that of h(T) over the mean's ``caution``, each by the t distribution.

    Attributes:
        plain: the mean as t reads it, with its lean.
    """

    plain: Student

    @property
    def effect(self) -> Any:
        """The mean."""
        return self.plain.effect

    def _transformed(self, value: Any) -> Any:
        t = (self.plain.estimate - self.plain.scaled(value)) / self.plain.error
        a = self.plain.lean
        with np.errstate(over="ignore", invalid="ignore"):
            return np.where(np.isinf(t), t, t + a * t**2 / 3 + a**2 * t * t**2 / 27 + a / 6)

    def above(self, value: float) -> Any:
        """The larger p of "the effect is above ``value``"."""
        p = scipy.special.stdtr(self.plain.freedom, -self._transformed(value)) / self.plain.caution
        return np.minimum(1, np.maximum(p, self.plain.above(value)))

    def below(self, value: float) -> Any:
        """The larger p of "the effect is below ``value``"."""
        p = scipy.special.stdtr(self.plain.freedom, self._transformed(value)) / self.plain.caution
        return np.minimum(1, np.maximum(p, self.plain.below(value)))

    def interval(self, alpha: float) -> tuple[Any, Any]:
        """The lower of both lower ends and the higher of both upper ones."""
        low, high = self.plain.interval(alpha)
        quantile = scipy.special.stdtrit(self.plain.freedom, 1 - self.plain.caution * alpha)
        ends = [self.plain.natural(self.plain.estimate - self.plain.error * self.reached(q)) for q in (quantile, -quantile)]
        return np.minimum(low, ends[0]), np.maximum(high, ends[1])

    def reached(self, quantile: Any) -> Any:
        """The T with h(T) = quantile: 3 ((1 + a (quantile - a / 6))^(1/3) - 1) / a."""
        a = np.asarray(self.plain.lean, dtype=float)
        small = np.abs(a) < _STRAIGHT
        safe = np.where(small, 1.0, a)
        return np.where(small, quantile, 3 * (np.cbrt(1 + safe * (quantile - safe / 6)) - 1) / safe)

    def resized(self, before: float, after: float) -> Skewed:
        """The lean of a mean shrinks with the root of the number of units."""
        return Skewed(self.plain.resized(before, after))


_STRAIGHT = 1e-7  # a lean below which the inverse loses its digits and is the identity to as many


@dataclass(frozen=True)
class Share(Confidence):
    """A share of units, exact: binomial tests and the interval of Clopper & Pearson (1934, Biometrika 26, 404-413).

    Attributes:
        yes: units with the property.
        n: units; no whole number where they are as many independent ones as units that are alike are worth.
    """

    yes: Any
    n: Any

    @property
    def effect(self) -> Any:
        """The share."""
        return self.yes / self.n

    def above(self, value: float) -> Any:
        """One-sided exact binomial p of "the share is above ``value``", by the beta distribution."""
        yes, no = self._counts()
        return np.where(yes == 0, 1.0, scipy.stats.beta.cdf(value, np.where(yes == 0, 1, yes), no + 1))

    def below(self, value: float) -> Any:
        """One-sided exact binomial p of "the share is below ``value``", by the beta distribution."""
        yes, no = self._counts()
        return np.where(no == 0, 1.0, scipy.stats.beta.sf(value, yes + 1, np.where(no == 0, 1, no)))

    def _counts(self) -> tuple[Floats, Floats]:
        yes = np.asarray(self.yes, dtype=float)
        return yes, np.asarray(self.n, dtype=float) - yes

    def interval(self, alpha: float) -> tuple[Any, Any]:
        """Clopper & Pearson's interval, by quantiles of the beta distribution."""
        yes, no = self._counts()
        low = np.where(yes == 0, 0.0, scipy.special.betaincinv(np.where(yes == 0, 1, yes), no + 1, alpha))
        high = np.where(no == 0, 1.0, scipy.special.betaincinv(yes + 1, np.where(no == 0, 1, no), 1 - alpha))
        return low, high

    def resized(self, before: float, after: float) -> Share:
        """The same share of so many units, rounded to whole ones."""
        n = np.maximum(1, np.round(np.asarray(self.n) * after / before))
        return Share(np.round(n * self.effect), n)


@dataclass(frozen=True)
class Least(Confidence):
    """The smallest of several effects, each with its own confidence; nothing is assumed about how they depend on each other.

    All of them are above a value if each is (intersection-union: no correction, Berger 1982); one of k is below it if any is
    at alpha / k (Bonferroni).

    Attributes:
        parts: confidence of each effect.
    """

    parts: Sequence[Confidence]

    @property
    def effect(self) -> Any:
        """The smallest estimate."""
        return np.min([part.effect for part in self.parts], axis=0)

    def above(self, value: float) -> Any:
        """P of "every effect is above ``value``"."""
        return np.max([part.above(value) for part in self.parts], axis=0)

    def below(self, value: float) -> Any:
        """P of "some effect is below ``value``"."""
        least = np.min([part.below(value) for part in self.parts], axis=0)
        return np.minimum(1, len(self.parts) * least)

    def interval(self, alpha: float) -> tuple[Any, Any]:
        """The lowest lower end at alpha and the lowest upper end at alpha / k."""
        low = np.min([part.interval(alpha)[0] for part in self.parts], axis=0)
        high = np.min([part.interval(alpha / len(self.parts))[1] for part in self.parts], axis=0)
        return low, high

    def resized(self, before: float, after: float) -> Least:
        """Every part resized."""
        return Least(tuple(part.resized(before, after) for part in self.parts))


@dataclass(frozen=True)
class Blurred(Confidence):
    """An effect that is read off a grid, so that it is known to within ``reach`` and no number of units makes it better known.

    Attributes:
        sharp: confidence of the effect as read.
        reach: half a step of the grid, in natural units.
    """

    sharp: Confidence
    reach: float

    @property
    def effect(self) -> Any:
        """The effect as read."""
        return self.sharp.effect

    def above(self, value: float) -> Any:
        """P of "the effect is above ``value``", were it ``reach`` lower than it was read."""
        return self.sharp.above(value + self.reach)

    def below(self, value: float) -> Any:
        """P of "the effect is below ``value``", were it ``reach`` higher than it was read."""
        return self.sharp.below(value - self.reach)

    def interval(self, alpha: float) -> tuple[Any, Any]:
        """The interval, ``reach`` wider at both ends."""
        low, high = self.sharp.interval(alpha)
        return low - self.reach, high + self.reach

    @property
    def cautious(self) -> Blurred | None:
        """That of the effect as read, as much wider."""
        sharp = self.sharp.cautious
        return None if sharp is None else Blurred(sharp, self.reach)

    def resized(self, before: float, after: float) -> Blurred:
        """The sharp study resized; the grid stays."""
        return Blurred(self.sharp.resized(before, after), self.reach)
