"""Several predictions that must all come true."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from harness import stats
from harness.predict import AtLeast, Conjunction, Prediction

from .cells import Cell, Draw, Judged, Kind, Terms, decided
from .correlations import Across, Difference, Unrelated
from .differences import Paired
from .draws import Floats, Generator, normal, t_power, triple


class Joint(Kind):
    """Kinds and their terms, each on its own share of the data."""

    def parts(self, data: Any, terms: Terms) -> list[tuple[Kind, Any, Terms]]:
        """Kind, data and terms of every part."""
        raise NotImplementedError

    def confidence(self, data: Any) -> stats.Confidence:
        raise NotImplementedError("a conjunction has none of its own")

    def judged(self, data: Any, terms: Terms, rng: Generator) -> Judged:
        parts, whole = self.parts(data, terms), self.prediction(terms)
        assert isinstance(whole, Conjunction)
        supported, refuted = [], []
        for kind, own, its in parts:
            seen = kind.confidence(own)
            levels = (its.alpha, its.alpha * whole.support_share)
            agreed = np.all([decided(seen, its, level)[0] for level in levels], axis=0)
            supported.append(agreed & kind.agrees(own, its, rng))
            refuted.append(decided(seen, its, its.alpha * whole.refute_share)[1])
        left = len(parts) - np.sum(refuted, axis=0)
        return Judged(np.sum(supported, axis=0) >= whole.needed, left < whole.needed)


@dataclass(frozen=True)
class Differences(Joint):
    """Paired differences at several scopes, shape (study, scope, pair)."""

    count: int
    n: int

    def parts(self, data: Floats, terms: Terms) -> list[tuple[Kind, Any, Terms]]:
        return [(Paired((self.n,)), data[..., i, :], terms) for i in range(self.count)]

    def table(self, data: Floats) -> pd.DataFrame:
        return pd.concat([Paired((self.n,)).table(each).assign(scope=i) for i, each in enumerate(data)])

    def prediction(self, terms: Terms) -> Prediction:
        part = Paired((self.n,)).prediction(terms)
        return Conjunction(tuple(replace(part, where={"scope": i}) for i in range(self.count)))


@dataclass(frozen=True)
class MostDifferences(Differences):
    """So many of the paired differences."""

    needed: int = 1

    def prediction(self, terms: Terms) -> Prediction:
        whole = super().prediction(terms)
        assert isinstance(whole, Conjunction)
        return AtLeast(parts=whole.parts, count=self.needed)


@dataclass(frozen=True)
class HereNotThere(Joint):
    """A correlation here, none there (within 0.5), and a difference between them; y, x here and x there."""

    n: int

    def parts(self, data: Any, terms: Terms) -> list[tuple[Kind, Any, Terms]]:
        y, here, there = data
        size = (self.n,)
        return [
            (Across(size), (here, y), terms),
            (Unrelated(size), (there, y), Terms("within", 0.5, alpha=terms.alpha)),
            (Difference(size), data, terms),
        ]

    def table(self, data: Any) -> pd.DataFrame:
        return Difference((self.n,)).table(data)

    def prediction(self, terms: Terms) -> Prediction:
        here, there, difference = (kind.prediction(its) for kind, _, its in self.parts((None,) * 3, terms))
        return Conjunction((replace(here, where={"scope": "input"}), replace(there, where={"scope": "hidden"}), difference))


def one_false(count: int, n: int, together: float = 0.0) -> Draw:
    """At no effect the first part has none and the others are certain; else all have the effect.

    ``together`` is the correlation of the parts' noise: different measurements of the same pairs.
    """

    def drawn(effect: float, studies: int, rng: Generator) -> Floats:
        means = np.where(np.arange(count) == 0, 0.0, 5.0)[:, None] if effect == 0 else effect
        shared = np.sqrt(together) * normal(rng, studies, 1, n)
        return means + shared + np.sqrt(1 - together) * normal(rng, studies, count, n)

    return drawn


def too_few_true(count: int, needed: int, n: int, together: float = 0.0) -> Draw:
    """At no effect one part too few is certain and the others have none; else ``needed`` have it and the others none.

    The two worst cases: the parts that might err are as many as they can be while the whole is false, or true.
    """

    def drawn(effect: float, studies: int, rng: Generator) -> Floats:
        places = np.arange(count)
        means = np.where(places < needed - 1, 5.0, 0.0) if effect == 0 else np.where(places < needed, effect, -5.0)
        shared = np.sqrt(together) * normal(rng, studies, 1, n)
        return means[:, None] + shared + np.sqrt(1 - together) * normal(rng, studies, count, n)

    return drawn


ERRORS = ("false support", "false refutation", "power")
CELLS = [
    Cell(Differences(2, 15), "2 differences, 1 SD to be found in both", "15 pairs", one_false(2, 15), Terms("above", 0.5),
         (1.0, t_power(1.0, 15, 0.05) ** 2), asked=ERRORS),
    Cell(Differences(5, 10), "5 differences", "10 pairs", one_false(5, 10), Terms("above", 0.5), asked=ERRORS),
    Cell(Differences(5, 10), "5 differences of the same pairs, which correlate at 0.8", "10 pairs", one_false(5, 10, 0.8),
         Terms("above", 0.5), asked=ERRORS),
    Cell(HereNotThere(42), "correlation of 0.6 here, none there, difference", "42 models",
         lambda effect, studies, rng: triple(rng, (effect, 0.0, 0.3), studies, 42), Terms("above", 0.3), (0.6, 0.88),
         asked=("power",)),
    Cell(MostDifferences(6, 20, 4), "4 of 6 differences, 1 SD to be found in 4", "20 pairs", too_few_true(6, 4, 20),
         Terms("above", 0.5), (1.0, t_power(1.0, 20, 0.05 / 3) ** 4), asked=ERRORS),
    Cell(MostDifferences(6, 10, 4), "4 of 6 differences of the same pairs, which correlate at 0.8", "10 pairs",
         too_few_true(6, 4, 10, 0.8), Terms("above", 0.5), asked=ERRORS),
    Cell(MostDifferences(5, 10, 1), "1 of 5 differences", "10 pairs", too_few_true(5, 1, 10), Terms("above", 0.5),
         asked=ERRORS),
]  # fmt: skip
