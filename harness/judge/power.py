"""What a study of a given size can find: power of the written rule, the smallest effect, the units that a margin needs.

Nothing here looks at what a study found, only at how precisely: power at the effect that was observed repeats its p value and
says nothing more (Hoenig & Heisey 2001, The American Statistician 55(1), 19-24).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import singledispatch
from typing import Any

import numpy as np
import scipy

from harness.judge.rule import supports
from harness.predict import Estimate, Prediction, Rule, words
from harness.predict.base import FEWEST_LEVELS
from harness.showing import Shown
from harness.stats import Anytime, Blurred, Confidence, Least, Ranked, Share, Skewed, Student

POWER = 0.9
MOST_UNITS = 100_000
_GRID = (np.arange(400) + 0.5) / 400  # quantiles of the error's own distribution
_LEANS = (np.arange(40) + 0.5) / 40  # of the lean's


@dataclass(frozen=True)
class Terms:
    """The terms against which a study is judged.

    Attributes:
        rule: "above", "below" or "within".
        centre: value that the rule measures from, in natural units.
        margin: smallest effect of interest, or largest that counts as none.
        alpha: error rate on each side.
        far: error rate of the end by which a direction is refuted, if it differs (with several levels, any of which refutes).
    """

    rule: Rule
    centre: float
    margin: float
    alpha: float
    far: float | None = None

    @property
    def sign(self) -> int:
        """Direction of the prediction."""
        return -1 if self.rule == "below" else 1


@singledispatch
def power(study: Confidence, terms: Terms, effect: float) -> float:
    """Probability that a study as precise as this one supports the claim, were its effect ``effect``."""
    return power(study.approximate(terms.alpha), terms, effect)


@power.register
def _(study: Student, terms: Terms, effect: float) -> float:
    """Exact for normal estimates: an integral over the distribution of the standard error."""
    error, freedom = float(study.error), float(study.freedom)
    seen = np.full(1, error) if np.isinf(freedom) else error * np.sqrt(scipy.stats.chi2.ppf(_GRID, freedom) / freedom)
    near, further = _quantiles(study, terms.alpha), _quantiles(study, terms.far or terms.alpha)
    reach, far = near[0] * seen, further[1] * seen
    # Mirrored for "below"; both links are odd.
    centre, true = (study.scaled(terms.sign * value) for value in (terms.centre, effect))
    upper = study.scaled(terms.sign * terms.centre + terms.margin)
    if terms.rule == "within":
        lower = study.scaled(terms.centre - terms.margin)
        ends = (upper - near[1] * seen - true) / error, (lower + reach - true) / error
        inside = scipy.special.ndtr(ends[0]) - scipy.special.ndtr(ends[1])
        return float(np.maximum(inside, 0).mean())
    return float(scipy.stats.norm.sf((np.maximum(centre + reach, upper - far) - true) / error).mean())


def _quantiles(study: Student, alpha: float) -> tuple[Any, Any]:
    """T at which the lower and the upper end of the interval lie, including the second opinion, for normal units.

    The skewness that normal units show is as good as normal itself, with variance 6 n (n - 1) / ((n - 2) (n + 1) (n + 3))
    (Fisher 1930), and independent of mean and spread; one row for each of its quantiles.  Of a trimmed mean it spreads less, by
    about the share of the units that it counts (0.55 to 0.65 from 8 units on, simulated).
    """
    freedom = float(study.freedom)
    plain = scipy.special.stdtrit(freedom, 1 - alpha)
    if study.lean is None or np.isinf(freedom):
        return plain, plain
    n = max((freedom + 1) / study.gain, 3.0)
    lean = study.gain * np.sqrt(6 * (n - 1) / ((n - 2) * (n + 1) * (n + 3))) * scipy.special.ndtri(_LEANS)[:, None]
    leaning = Skewed(replace(study, estimate=0.0, error=1.0, lean=lean))
    quantile = scipy.special.stdtrit(freedom, 1 - study.caution * alpha)
    return np.maximum(plain, leaning.reached(quantile)), np.maximum(plain, -leaning.reached(-quantile))


@power.register
def _(study: Ranked, terms: Terms, effect: float) -> float:
    """Exact for a normal mean of Fisher's z: the claim is supported beyond (or between) values given by the score tests."""
    near, far = (float(study.law.ppf(1 - alpha)) for alpha in (terms.alpha, terms.far or terms.alpha))
    # Mirrored for "below"; expectations are odd in the correlation.
    centre, true = terms.sign * terms.centre, terms.sign * effect
    if terms.rule == "within":
        low, high = (max(min(centre + side * terms.margin, 1.0), -1.0) for side in (-1, 1))
        ends = study.expected(low) + near * study.error(low), study.expected(high) - near * study.error(high)
    else:
        target = centre + terms.margin
        reached = study.expected(target) - far * study.error(target) if target < 1 else np.inf
        ends = max(study.expected(centre) + near * study.error(centre), reached), np.inf
    least, most = ((end - study.expected(true)) / study.error(true) for end in ends)
    return float(max(study.law.cdf(most) - study.law.cdf(least), 0.0))


@power.register
def _(study: Share, terms: Terms, effect: float) -> float:
    """Exact: a sum over all numbers of successes."""
    n = round(float(study.n))
    yes = np.arange(n + 1)
    low, high = Share(yes, n).interval(terms.alpha)
    if terms.far is not None:
        high = Share(yes, n).interval(terms.far)[1]
    return float(scipy.stats.binom.pmf(yes, n, effect) @ supports(terms.rule, terms.centre, terms.margin, low, high))


@power.register
def _(study: Least, terms: Terms, effect: float) -> float:
    """All parts supported, as if they were independent and none better than the least: the least favourable case."""
    each = replace(terms, far=(terms.far or terms.alpha) / len(study.parts))
    return float(np.prod([power(part, each, effect) for part in study.parts]))


@power.register
def _(study: Blurred, terms: Terms, effect: float) -> float:
    """As the sharp study, against limits half a step of the grid further away."""
    if terms.rule == "within":
        left = terms.margin - study.reach
        return power(study.sharp, replace(terms, margin=left), effect) if left > 0 else 0.0
    shift = terms.sign * study.reach
    return power(study.sharp, replace(terms, centre=terms.centre + shift, margin=terms.margin), effect)


@power.register
def _(study: Anytime, terms: Terms, effect: float) -> float:
    """As if the number of units had been fixed beforehand: more looks need more units for the same power."""
    return power(study.whole, terms, effect)


@dataclass(frozen=True, repr=False)
class Plan(Shown):
    """What the units at hand find, and how many are needed.

    Attributes:
        unit: what counts as one unit.
        n: units at hand.
        smallest: smallest distance from the centre that is found with ``POWER``; for an equivalence the smallest margin
            that is confirmed where there is no effect; None where no effect is.
        needed: units with which the margin is found (or confirmed) with ``POWER``; None beyond ``MOST_UNITS``.
        terms: the terms against which they are judged.
        fewest: units below which the kind judges nothing.
        study: how precise they are, as a normal estimate; None for shares, whose precision follows from their number.
    """

    unit: str
    n: int
    smallest: float | None
    needed: int | None
    terms: Terms
    fewest: int
    study: Student | None = None

    def _shown(self) -> tuple[str, Mapping[str, Any]]:
        return "Plan", {"unit": self.unit, "n": self.n, "smallest": self.smallest, "margin": float(self.terms.margin),
                        "needed": self.needed or f"more than {MOST_UNITS:,}", "rule": self.terms.rule}  # fmt: skip

    def __str__(self) -> str:
        noun, columns = ("pair", self.unit[len("pair (") : -1]) if self.unit.startswith("pair (") else ("unit", self.unit)
        whose = f"{words.counted(self.n, noun)} ({columns})"
        needs = f"{self.needed:,}" if self.needed else f"more than {MOST_UNITS:,}"
        return f"With {words.percent(POWER)} power {whose} {self._found()}; {self._margin()} needs {needs}."

    def _found(self) -> str:
        """What the units at hand find."""
        if self.smallest is None:
            return "decide nothing, whatever is true"
        if self.terms.rule == "within":
            within = f"within ± {words.number(self.smallest)} or more"
            at = self.terms.centre
            return f"confirm a value {within} of {words.number(at)}" if at else f"confirm an absence {within}"
        value = words.number(self.terms.centre + self.terms.sign * self.smallest)
        return f"find {value} or {'more' if self.terms.sign > 0 else 'less'}"

    def _margin(self) -> str:
        if self.terms.rule == "within":
            return f"the margin, ± {words.number(self.terms.margin)},"
        target = self.terms.centre + self.terms.sign * self.terms.margin
        return f"the smallest effect of interest, {words.number(target)},"

    def to_json(self) -> dict[str, Any]:
        """The plan's part of a row of the report."""
        return {
            "power": POWER, "unit": self.unit, "n": self.n, "smallest_effect": self.smallest,
            "units_needed": self.needed, "statement": str(self), "study": self._study(),
        }  # fmt: skip

    def _study(self) -> dict[str, Any] | None:
        """What is needed to plan for another number of units."""
        if self.study is None:
            return None
        known = {name: getattr(self.terms, name) for name in ("rule", "centre", "margin", "alpha")}
        freedom = float(self.study.freedom)
        return known | {
            "error": float(self.study.error), "freedom": freedom if np.isfinite(freedom) else None,
            "link": self.study.link, "lost": float(self.study.lost), "fewest": self.fewest, "mean": self.study.lean is not None,
            "gain": self.study.gain, "caution": self.study.caution,
        }  # fmt: skip


def again(power: Mapping[str, Any], n: int) -> Plan | None:
    """The plan of another number of units with the spread of an earlier run.

    Args:
        power: what ``Plan.to_json`` wrote.
        n: units.

    Returns:
        The plan; None where the precision does not follow from the spread, or there are too few units.
    """
    known = earlier(power)
    if known is None or n < 2:
        return None
    study, terms, fewest = known[0].resized(power["n"], n), *known[1:]
    if not np.isfinite(study.error):
        return None
    return _plan(terms, study, n, power["unit"], 1.0 if study.link == "fisher" else np.inf, fewest)


def plan(prediction: Prediction, estimate: Estimate) -> Plan | None:
    """What a study as precise as this one finds; None for kinds without sampling error."""
    if estimate.confidence is None or prediction.rule not in ("above", "below", "within"):
        return None
    study = estimate.planned or estimate.confidence
    if estimate.counted is not None:
        return plan_for(prediction, study, estimate.counted[1], estimate.counted[0], FEWEST_LEVELS)
    return plan_for(prediction, study, estimate.n, estimate.unit)


def plan_for(prediction: Prediction, study: Confidence, n: int, unit: str, fewest: int | None = None) -> Plan:
    """The plan of a study of ``n`` units with this precision; units are levels of a random factor where one is above them."""
    least = prediction.fewest if fewest is None else fewest
    return _plan(terms_of(prediction), study, n, unit, prediction.largest, least)


def terms_of(prediction: Prediction) -> Terms:
    """The terms against which a study of this prediction is judged."""
    return Terms(prediction.rule, float(prediction.centre), float(prediction.margin), prediction.alpha)


def _plan(terms: Terms, study: Confidence, n: int, unit: str, largest: float, fewest: int) -> Plan:
    needed = _fewest(lambda units: _at(terms.margin, study.resized(n, units), terms), fewest)
    normal = None if isinstance(study, Share | Least) else study.approximate(terms.alpha)
    return Plan(unit, n, smallest(study, terms, largest - abs(terms.centre)), needed, terms, fewest, normal)


def surviving(terms: Terms, study: Confidence, n: int, family: int, fewest: int) -> int | None:
    """Units with which the margin is found and survives Holm's adjustment with ``POWER``, whatever else the document holds.

    That is certain where p is alpha / ``family`` at most; the verdict itself is still that of alpha.

    Args:
        terms: what the study is held against.
        study: how precise it is.
        n: its units.
        family: claims of the document that an interval decides.
        fewest: units below which the kind judges nothing.

    Returns:
        Units; None beyond ``MOST_UNITS``.
    """
    strict = replace(terms, alpha=terms.alpha / family, far=terms.far or terms.alpha)
    return _fewest(lambda units: _at(terms.margin, study.resized(n, units), strict), fewest)


def least_units(study: Confidence, terms: Terms, family: int) -> int | None:
    """Units below which nothing can survive, since even a unanimous share has too large a p; None if there is no such limit."""
    if not isinstance(study, Share | Least) or not 0 < terms.centre < 1:
        return None
    return max(1, math.ceil(math.log(terms.alpha / family) / math.log(terms.centre) - 1e-9))


def earlier(power: Mapping[str, Any]) -> tuple[Student, Terms, int] | None:
    """Precision, terms and fewest units of an earlier run, as ``Plan.to_json`` wrote them; None if it did not."""
    known = power["study"]
    if known is None:
        return None
    freedom = np.inf if known["freedom"] is None else known["freedom"]
    lean = 0.0 if known.get("mean") else None
    kept = {name: known[name] for name in ("gain", "caution") if name in known}
    study = Student(known["centre"], known["error"], freedom, known["link"], known["lost"], lean=lean, **kept)
    return study, Terms(known["rule"], known["centre"], known["margin"], known["alpha"]), known["fewest"]


def _at(size: float, study: Confidence, terms: Terms) -> float:
    """Power at a distance from the centre; for an equivalence, with no effect and the margin ``size``."""
    if terms.rule == "within":
        return power(study, replace(terms, margin=size), terms.centre)
    return power(study, terms, terms.centre + terms.sign * size)


def smallest(study: Confidence, terms: Terms, room: float = np.inf) -> float | None:
    """Smallest distance from the centre (or margin of an equivalence) with power ``POWER``.

    Args:
        study: how precise the study is.
        terms: what it is held against.
        room: how far from the centre an effect can lie.

    Returns:
        The distance; None where there is none within ``room``.
    """
    low, high = study.interval(terms.alpha)
    edge = room * (1 - 1e-6)
    size = min(float(high - low), edge)  # about twice what is looked for, and of its order
    while _at(size, study, terms) < POWER:
        if size >= edge or not (np.isfinite(size) and size > 0):
            return None
        size = min(2 * size, edge)
    lower = size
    while _at(lower, study, terms) >= POWER:
        size, lower = lower, lower / 2
    return float(scipy.optimize.brentq(lambda each: _at(each, study, terms) - POWER, lower, size, rtol=1e-4))


def _fewest(at: Callable[[int], float], least: int) -> int | None:
    """Fewest units with the power asked for; power rises with their number, except for the steps of an exact test."""
    if at(least) >= POWER:
        return least
    high = 2 * least
    while at(high) < POWER:
        if high >= MOST_UNITS:
            return None
        high = min(2 * high, MOST_UNITS)
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if at(middle) >= POWER else (middle, high)
    return high
