"""Predictions without sampling error: a theorem that is searched for counterexamples, a printed number."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np

from harness.errors import ClaimError
from harness.predict import tables, words
from harness.predict.base import Prediction, Rule, Unusable
from harness.predict.estimate import Estimate, Stratum
from harness.predict.roles import check_roles

if TYPE_CHECKING:
    import pandas as pd

MAX_NOTES = 6
"""Cases or counterexamples that a reason names; the differing ones first."""


@dataclass(frozen=True, repr=False)
class _Exact(Prediction):
    """A prediction that counts failures: none supports, one refutes; margin and alpha have no role."""

    margin: float = field(init=False, default=0.0)
    margin_reason: str = field(init=False, default="exact")
    alpha: float = field(init=False, default=0.05)

    def __post_init__(self) -> None:
        """Skip the checks of the statistical terms, which have no role here."""
        self._read_where()
        check_roles(self)

    @property
    def rule(self) -> Rule:
        """No failure at all."""
        return "exact"

    def stricter(self, share: float) -> Prediction:
        """Itself: there is no alpha."""
        return self

    def _terms(self) -> str:
        return ""


@dataclass(frozen=True, repr=False)
class Theorem(_Exact):
    """No admissible example contradicts the statement.

    The table has a row per search, with the number of ``examples`` tried and the ``counterexample`` found
    (shrunk, as text) or None.  A search that found none must have tried ``at_least_examples``.

    Attributes:
        at_least_examples: fewest examples per search.
    """

    at_least_examples: int

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.at_least_examples < 1:
            raise ClaimError(f"Theorem has at_least_examples={self.at_least_examples}; a search tries 1 or more")

    def own_columns(self) -> tuple[str, ...]:
        """Examples and counterexample."""
        return ("examples", "counterexample")

    def sentence(self) -> str:
        """What is tested."""
        return f"No counterexample is found among {self.at_least_examples:,} or more admissible examples"

    def estimate(self, table: pd.DataFrame, *, rng: np.random.Generator) -> Estimate:
        """Number of counterexamples; see the class and :meth:`Prediction.estimate`."""
        self.check_columns(table)
        searches = tables.selected(table, self.where)
        numbered = searches.assign(search=range(len(searches)))
        frame = tables.usable(self, numbered, keys=("search",), numeric=("examples",))
        found = searches["counterexample"]
        counterexamples = [str(text) for text in found[found.notna()]]
        tried = int(frame["examples"].min())
        if tried < self.at_least_examples and not counterexamples:
            raise Unusable(f"a search tried {tried:,} examples and found nothing; required: {self.at_least_examples:,}")
        count = float(len(counterexamples))
        return Estimate(
            estimand="number of counterexamples",
            unit="example",
            effect=count,
            interval=(count, count),
            p=None,
            n=int(frame["examples"].sum()),
            notes=tuple(f"Counterexample: {text}." for text in counterexamples[:MAX_NOTES]),
        )

    def finding(self, estimate: Estimate) -> str:
        """What was seen."""
        among = f"among {words.counted(estimate.n, 'admissible example')}"
        if estimate.effect == 0:
            return f"No counterexample was found {among}"
        return f"{words.counted(int(estimate.effect), 'counterexample')} found {among}"


@dataclass(frozen=True, repr=False)
class DataFact(_Exact):
    """Every computed value equals the printed one at the precision that is printed.

    A value agrees when it lies within half a unit of the last printed digit, ties included (a document may
    round them either way); compared in decimal arithmetic.

    Attributes:
        value: column of the computed values.
        reported: column of the printed values.
        digits: column of the number of decimals printed.
        case: column that names the cases, one row each.
    """

    value: str = "value"
    reported: str = "reported"
    digits: str = "digits"
    case: str = "case"

    def own_columns(self) -> tuple[str, ...]:
        """The four columns."""
        return (self.value, self.reported, self.digits, self.case)

    def sentence(self) -> str:
        """What is tested."""
        return f"In every case, {self.word(self.value)} equals {self.word(self.reported)} to the digits printed"

    def estimate(self, table: pd.DataFrame, *, rng: np.random.Generator) -> Estimate:
        """Number of cases that differ; see the class and :meth:`Prediction.estimate`."""
        frame = tables.usable(self, table, keys=(self.case,), numeric=(self.value, self.reported, self.digits))
        tables.once(frame, (self.case,))
        notes: list[tuple[bool, str]] = []
        strata: list[Stratum] = []
        columns = (frame[name] for name in (self.case, self.value, self.reported, self.digits))
        for case, value, reported, digits in zip(*columns, strict=True):
            equal = _agrees(str(case), value, reported, digits)
            printed = f"{reported:.{int(digits)}f}"
            text = f"{case}: {value:.{int(digits) + 2}f}, printed {printed}"
            notes.append((equal, f"{text}." if equal else f"{text}, differs."))
            strata.append(Stratum(str(case), value, (value, value), 1))
        differ = sum(not equal for equal, _ in notes)
        return Estimate(
            estimand="number of cases that differ from the printed value",
            unit="case",
            effect=float(differ),
            interval=(float(differ), float(differ)),
            p=None,
            n=len(frame),
            strata=tuple(strata),
            notes=tuple(note for _, note in sorted(notes, key=lambda each: each[0])[:MAX_NOTES]),
        )

    def finding(self, estimate: Estimate) -> str:
        """What was seen."""
        if estimate.effect == 0:
            return f"All of {words.counted(estimate.n, 'case')} equal the printed value to its digits"
        return f"{int(estimate.effect)} of {words.counted(estimate.n, 'case')} differ from the printed value"


def _agrees(case: str, value: float, reported: float, digits: float) -> bool:
    """Whether a value rounds to the printed one; exact on the shortest decimals of the floats."""
    if digits != int(digits) or not 0 <= digits <= 15:
        raise Unusable(f"{case} has {digits:g} digits printed; a number of decimals is required")
    unit = Decimal(1).scaleb(-int(digits))
    printed = Decimal(repr(float(reported)))
    if printed % unit != 0:
        raise Unusable(f"{case} reports {reported!r}, which has more than the {int(digits)} decimals that it claims")
    return abs(Decimal(repr(float(value))) - printed) * 2 <= unit
