"""Share of units that have a property."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from harness import stats
from harness.errors import ClaimError
from harness.factors import Factors
from harness.limits import Limit, Limited
from harness.predict import sampling, tables, words
from harness.predict.base import Prediction, Rule, Unusable
from harness.predict.estimate import Estimate, Stratum

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

_HAS = "has the property"
"""Column that a table of its own holds beside those that the prediction names."""


@dataclass(frozen=True, repr=False)
class Proportion(Limited, Prediction):
    """More than a given share of the units has a property, at every level of some columns.

    A unit has it where a column lies between limits (numbers, or other columns of the same row); without limits, where a column
    of booleans is true, for what is a matter of yes and no by itself.

    The interval is Clopper & Pearson's.  With ``every`` the estimand is the smallest share over all combinations
    of levels (``stats.Least``): support needs no correction for their number, the upper end of the interval,
    by which it is refuted, is taken at alpha divided by it.

    Attributes:
        of: column of what was measured; without limits, of booleans or of 0 and 1.
        unit: columns that identify a unit within each combination of levels.
        exceeds: share that must be exceeded.
        every: columns at whose every combination of levels the claim must hold.
        at_least: smallest value with which a unit has the property, or None.
        at_most: largest value with which it has the property, or None.
        above: value above which it has the property, or None.
        below: value below which it has the property, or None.
    """

    of: str
    unit: str | tuple[str, ...]
    exceeds: float
    every: str | tuple[str, ...] = ()
    at_least: Limit | None = field(default=None, kw_only=True)
    at_most: Limit | None = field(default=None, kw_only=True)
    above: Limit | None = field(default=None, kw_only=True)
    below: Limit | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_limits("Proportion")
        self._columns_as_tuples("unit", "every")
        if not self.unit:
            raise ClaimError("Proportion has no unit: name the columns that identify one unit")
        if not 0 <= self.exceeds < 1:
            raise ClaimError(f"Proportion has exceeds={self.exceeds}; allowed is 0 to below 1")
        if self.exceeds + self.margin > 1:
            raise ClaimError(
                f"Proportion has exceeds={self.exceeds} and margin={self.margin}; no share reaches the "
                f"sum: the margin may be {1 - self.exceeds:.3g} at most"
            )

    def picture(self) -> Mapping[str, Any]:
        """See :meth:`Prediction.picture`."""
        return {"kind": "strip", "x": self.every[0] if self.every else self.unit[0], "y": self.of}

    @property
    def rule(self) -> Rule:
        """Direction: above ``exceeds``."""
        return "above"

    @property
    def centre(self) -> float:
        """The share that must be exceeded."""
        return self.exceeds

    def pilot(self, n: int) -> stats.Confidence | None:
        """Exact, at one level, since the number of levels is not known beforehand."""
        return stats.Share(n, n)

    @property
    def largest(self) -> float:
        """A share's."""
        return 1.0

    def own_columns(self) -> tuple[str, ...]:
        """What was measured, its limits, unit and every."""
        return (self.of, *self.limit_columns, *self.unit, *self.every)

    @property
    def trait(self) -> str:
        """What a unit has, in words: "accuracy of at least 0.95", "robust error above 0.9"; or the column that says so."""
        if not self.limits:
            return self.word(self.of)
        limits = self.limits_in_words(self.word)
        return f"{self.word(self.of)} {'of ' if limits.startswith('at ') else ''}{limits}"

    def _terms(self) -> str:
        return f"; the smallest share of interest is {words.number(self.exceeds + self.margin)}"

    def sentence(self) -> str:
        """What is tested."""
        every = f" at every level of {self.crossed(self.every)}" if self.every else ""
        return f"More than {words.number(self.exceeds)} of the units ({self.crossed(self.unit)}) have {self.trait}{every}"

    def estimate(self, table: pd.DataFrame, *, rng: np.random.Generator) -> Estimate:
        """Share of units with the property; see the class and :meth:`Prediction.estimate`."""
        keys = tuple(dict.fromkeys((*self.every, *self.unit)))
        read = (self.of, *self.limit_columns)
        frame = tables.usable(self, table, keys=keys, **{"compared" if self.limits else "numeric": read})
        tables.once(frame, keys)
        frame = frame.assign(**{_HAS: self._has(frame)})
        parts, shares, samples = tables.groups(frame, tuple(self.every)), [], []
        for name, part in parts:
            tables.enough(len(part), f"units ({self.crossed(self.unit)})" + (f" in {name}" if name else ""))
            samples.append(sampling.of(self, part))
            shares.append(samples[-1].share(part[_HAS].to_numpy(dtype=bool)))
        least = stats.Least(tuple(shares))
        levels = tuple(self.stratum(name, share, len(part)) for (name, part), share in zip(parts, shares, strict=True))
        strata = levels if self.every else ()
        return self.seen(
            least,
            estimand=f"share of units with {self.trait}" + self._over(strata),
            unit=self.crossed(self.unit),
            p=float(least.above(self.exceeds)),
            n=_lowest(levels).n,
            standardised=self._cohen(least),
            strata=strata,
            notes=self._worth(samples, shares),
            **replace(samples[0], frame=frame).fields(),
        )

    def drawn_from(self, population: Factors | None, elsewhere: Collection[str] = ()) -> Prediction:
        """With a population; what has to hold at every level speaks of these very levels, whatever other predictions do."""
        if population is not None:
            every = tuple(column for column in self.every if column in population.random)
            random = tuple(column for column in population.random if column not in every)
            population = Factors(random, (*every, *population.fixed))
        return super().drawn_from(population, elsewhere)

    @property
    def more_factors(self) -> tuple[str, ...]:
        """The levels at every combination of which it has to hold."""
        return tuple(self.every)

    def _worth(self, samples: Sequence[sampling.Sample], shares: Sequence[stats.Share]) -> tuple[str, ...]:
        """How many independent units the units are worth, given that they share random factors."""
        if not samples[0].carried:
            return ()
        least = words.number(min(float(share.n) for share in shares))
        alike = words.listed(words.plural(self.word(name)) for name in samples[0].carried)
        return (f"Units of one level of a random factor may be alike ({alike}): they count as {least} independent ones.",)

    def _has(self, frame: pd.DataFrame) -> NDArray[np.bool_]:
        """Which units have the property."""
        values = frame[self.of].to_numpy(dtype=float)
        if self.limits:
            return self.admitted(values, frame)
        odd = ~np.isin(values, (0, 1))
        if odd.any():
            raise Unusable(
                f"{self.of} holds {values[odd][0]:.3g}; without at_least, at_most, above or below it must be yes or no, 1 or 0"
            )
        return np.asarray(values == 1)

    def _cohen(self, share: stats.Confidence) -> tuple[float, float, float]:
        """Cohen's h (1988, chapter 6): 2 asin sqrt(share) - 2 asin sqrt(exceeds), with its interval."""
        ends = np.array([share.effect, *share.interval(self.alpha)], dtype=float)
        h, low, high = 2 * np.arcsin(np.sqrt(ends)) - 2 * np.arcsin(np.sqrt(self.exceeds))
        return float(h), float(low), float(high)

    def finding(self, estimate: Estimate) -> str:
        """What was seen."""
        yes, at = round(estimate.effect * estimate.n), self._at(estimate.strata)
        share = words.bracket(estimate.interval)
        return f"{yes} of {words.counted(estimate.n, 'unit')} have {self.trait}{at}, a share of {share}"

    def _over(self, levels: Sequence[Stratum]) -> str:
        """Which share is meant where there are levels: the same words whatever was seen, as for every estimand."""
        return f", the smallest over {words.counted(len(levels), 'level')} of {self.crossed(self.every)}" if levels else ""

    def _at(self, levels: Sequence[Stratum]) -> str:
        """Which level the numbers are of."""
        if not levels:
            return ""
        if len({(each.effect, each.n) for each in levels}) == 1:
            return f" at each of {words.counted(len(levels), 'level')}"
        lowest = _lowest(levels).name
        values = lowest.split(", ")  # as `tables.name_of` joins them; a number alone says nothing
        if len(values) == len(self.every):
            pairs = zip(self.every, values, strict=True)
            lowest = words.listed(f"{self.word(column)} = {self.word(value.removesuffix('.0'))}" for column, value in pairs)
        return f" at {lowest}, the lowest of {words.counted(len(levels), 'level')}"


def _lowest(levels: Sequence[Stratum]) -> Stratum:
    """The level with the smallest share; of equal ones, the one about which least is known."""
    return min(levels, key=lambda each: (each.effect, each.interval))
