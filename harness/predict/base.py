"""What every prediction has: the terms that are fixed beforehand, an estimate, a sentence.

A prediction says what must be seen and turns a tidy table into an :class:`Estimate`; it decides nothing (that
is ``harness.judge``).  A new kind is one small file, a frozen dataclass with its columns, ``rule``, ``sentence``,
``estimate`` and ``finding``, and one line of :mod:`harness.kinds`.  Everything else that is asked of a kind (units, what a plan
counts, which columns are judged, the largest effect) has a default here.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from harness.declaring import Declared
from harness.errors import ClaimError
from harness.factors import Factors
from harness.limits import briefly, canonical
from harness.predict import words
from harness.predict.estimate import Estimate, Stratum
from harness.predict.roles import check_roles, check_units
from harness.rows import Where
from harness.showing import Shown
from harness.stats import Confidence

if TYPE_CHECKING:
    import pandas as pd

Rule = Literal["above", "below", "within", "exact", "all"]
MINIMUM = 5
"""Fewest units for an interval; at 5 only effects of two standard deviations and more can be decided."""

FEWEST_LEVELS = 3
"""Fewest levels of a random factor above the unit: with two, which leave one degree of freedom, t is 6.3 at alpha = 0.05."""


class Unusable(ValueError):  # noqa: N818 - a state of evidence, not a fault of the program
    """Evidence that cannot be judged: a pair without its partner, an infinite value, too few units."""


@dataclass(frozen=True, kw_only=True, repr=False)
class Prediction(Shown, metaclass=Declared):
    """What must be seen if a claim holds.

    Attributes:
        margin: smallest effect of interest (or largest that counts as none), in natural units.
        margin_reason: where the margin comes from.
        alpha: error rate on each side; the interval that decides is the two-sided (1 - 2 alpha) one.
        where: the rows that it is about, by what their columns hold (:mod:`harness.rows`); by default all rows.
        names: how columns and levels read in sentences; otherwise underscores read as spaces.
        population: the population to which it generalises (:class:`harness.factors.Factors`); its claim hands its own on with
            :meth:`drawn_from`.  Without one, units are taken as drawn one by one, and strata and blocks as fixed.
    """

    fewest: ClassVar[int] = MINIMUM
    """Units below which the evidence is not judged."""

    in_a_block: ClassVar[str] = ""
    """How blocks of seeds, added until a claim is decided, are analysed, where a reader would ask."""

    trim: ClassVar[float] = 0.0
    """Share of the units that its mean leaves out at either end."""

    margin: float
    margin_reason: str
    alpha: float = 0.05
    where: Mapping[str, Any] = field(default_factory=Where)
    names: Mapping[str, str] = field(default_factory=dict, hash=False)
    population: Factors | None = None

    def __post_init__(self) -> None:
        self._read_where()
        kind = type(self).__name__
        self._check_types(kind)
        if not (np.isfinite(self.margin) and self.margin > 0):
            raise ClaimError(f"{kind} has margin={self.margin}; the smallest effect of interest is a number above 0")
        if not self.margin_reason.strip():
            raise ClaimError(f"{kind} has no margin_reason: say where margin={self.margin} comes from")
        if not 0 < self.alpha < 0.5:
            raise ClaimError(f"{kind} has alpha={self.alpha}; allowed is 0 < alpha < 0.5")
        check_roles(self)

    @property
    @abstractmethod
    def rule(self) -> Rule:
        """Which rule of ``harness.judge.decide`` applies."""

    @property
    def centre(self) -> float:
        """The value that the rule measures from."""
        return 0.0

    @property
    def units(self) -> tuple[str, ...]:
        """Columns that identify a unit of replication in the whole table."""
        named: tuple[str, ...] = getattr(self, "keys", None) or getattr(self, "unit", None) or ()
        return tuple(named)

    @property
    def own_factors(self) -> tuple[str, ...]:
        """Columns for which a population says whether their levels stand for others: those of units, strata and blocks."""
        within = (getattr(self, "strata", None) or (), getattr(self, "blocks", None) or ())
        return tuple(dict.fromkeys((*self.units, *within[0], *within[1])))

    @property
    def singles(self) -> tuple[Prediction, ...]:
        """The predictions that are judged by themselves: this one, or the parts of one that joins several."""
        return (self,)

    @property
    def for_support(self) -> tuple[Prediction, ...]:
        """The same at the level at which their support counts for the whole; plans are made for these."""
        return (self,)

    @property
    def outcomes(self) -> tuple[str, ...]:
        """Columns whose values are judged: those named by its fields value, y, x and of, unless a kind says otherwise."""
        named = (getattr(self, name, None) for name in ("value", "y", "x", "of"))
        return tuple(column for column in named if isinstance(column, str))

    @property
    def more_factors(self) -> tuple[str, ...]:
        """Columns, such as samples, whose levels are the very ones that it is about unless a population says otherwise."""
        return ()

    def random_among(self, columns: tuple[str, ...]) -> tuple[str, ...]:
        """Which of these columns have levels that stand for others; none if no population is declared."""
        random = self.population.random if self.population else ()
        return tuple(column for column in dict.fromkeys(columns) if column in random)

    @property
    def replicated(self) -> tuple[str, ...]:
        """Columns that identify what a plan counts: each random factor by itself, or the unit where none is declared."""
        return self.random_among(self.own_factors) or self.units

    def drawn_from(self, population: Factors | None, elsewhere: Collection[str] = ()) -> Prediction:
        """The same prediction with what a population says about it; exact kinds, which sample nothing, stay unchanged.

        Args:
            population: that of the whole claim, or None.
            elsewhere: columns that identify the units of the claim's other predictions.

        Raises:
            ClaimError: a column of its units, strata or blocks is not declared, or none of them is random.
        """
        if population is None or not self.own_factors:
            return self
        held = (*self.own_factors, *self.more_factors)
        restricted = population.restricted(type(self).__name__, self.own_factors, held, elsewhere)
        return replace(self, population=restricted)

    def speaks(self, levels: Mapping[str, int] | None = None) -> str:
        """What it generalises to: "for others like these 16 seeds; on these very 6 architectures", with the numbers known."""
        if self.population is None:
            return ""
        held = (*self.own_factors, *self.more_factors)
        counts = {column: f"{number:,} " for column, number in (levels or {}).items() if column in held}

        def several(names: Iterable[str]) -> list[str]:
            return [f"{counts.get(name, '')}{words.plural(self.word(name))}" for name in names]

        random = several(self.random_among(held))
        fixed = several(self.population.fixed)
        said = [f"for others like these {words.listed(random)}"] if random else []
        return "; ".join([*said, *([f"on these very {words.listed(fixed)}"] if fixed else [])])

    def undeclared(self) -> str:
        """What is taken as the population where none is declared."""
        strata = getattr(self, "strata", None) or ()
        rest = [column for column in self.own_factors if column not in self.units or column in strata]
        very = f", on these very {words.listed(words.plural(self.word(column)) for column in rest)}" if rest else ""
        return f"not declared; units ({self.crossed(self.units)}) are taken as drawn one by one{very}"

    def pilot(self, n: int) -> Confidence | None:
        """How precise a study of ``n`` units is before any has run; None where that depends on their spread."""
        return None

    @property
    def largest(self) -> float:
        """Size that the effect cannot exceed: 1 for correlations and shares, infinite for what has a unit."""
        return np.inf

    @abstractmethod
    def own_columns(self) -> tuple[str, ...]:
        """Columns that the estimate reads, apart from those of ``where``."""

    @abstractmethod
    def sentence(self) -> str:
        """What is tested, without the rows that it is about and without the margin."""

    @abstractmethod
    def estimate(self, table: pd.DataFrame, *, rng: np.random.Generator) -> Estimate:
        """Estimate the effect.

        Args:
            table: tidy table with the columns of :meth:`columns`; the order of its rows has no influence.
            rng: generator for Monte-Carlo tests.

        Raises:
            ClaimError: a column is missing.
            Unusable: the evidence cannot be judged; the text says why.
        """

    @abstractmethod
    def finding(self, estimate: Estimate) -> str:
        """What was seen, in one clause with its numbers."""

    def seen(self, confidence: Confidence, **said: Any) -> Estimate:
        """An estimate with the effect and the interval of its confidence; ``said`` are its other fields."""
        low, high = map(float, confidence.interval(self.alpha))
        effect = float(confidence.effect)  # a correlation near 1 may lie beyond the interval of its score test
        return Estimate(effect=effect, interval=(min(low, effect), max(high, effect)), confidence=confidence, **said)

    def tail(self, confidence: Confidence) -> float:
        """One-sided p of its rule, by the curve from which the interval is read."""
        if self.rule == "within":
            return float(confidence.within(self.centre, self.margin))
        return float((confidence.above if self.rule == "above" else confidence.below)(self.centre))

    def stratum(self, name: str, confidence: Confidence, n: int) -> Stratum:
        """The same estimate within one stratum."""
        low, high = confidence.interval(self.alpha)
        return Stratum(name, float(confidence.effect), (float(low), float(high)), n)

    def picture(self) -> Mapping[str, Any] | None:
        """How its evidence is drawn where a claim draws none: fields of :class:`harness.evidence.Figure`; None for nothing.

        "pair" may name several columns, which identify a pair together.
        """
        return None

    def stricter(self, share: float) -> Prediction:
        """The same prediction at alpha times ``share``; kinds without an alpha stay unchanged."""
        return replace(self, alpha=self.alpha * share)

    def columns(self) -> tuple[str, ...]:
        """Columns that the table must have."""
        return tuple(dict.fromkeys((*self.own_columns(), *self.where)))

    def check_columns(self, table: pd.DataFrame) -> None:
        """Raise ClaimError where the table lacks a column."""
        missing = [column for column in self.columns() if column not in table.columns]
        if twice := [str(column) for column in self.columns() if list(table.columns).count(column) > 1]:
            raise ClaimError(f"the table has several columns named {words.listed(twice)}; {type(self).__name__} reads one")
        if missing:
            raise ClaimError(
                f"{type(self).__name__} needs the columns {', '.join(self.columns())}; the table has "
                f"{', '.join(map(str, table.columns)) or 'none'} and so lacks {words.listed(missing)}"
            )

    def check_units(self) -> None:
        """Raise ClaimError where epochs, samples or chains would count as drawn one by one (:mod:`harness.predict.roles`)."""
        for part in self.singles:
            check_units(part)

    def describe(self) -> dict[str, Any]:
        """All that was fixed beforehand, as JSON, except for the population, which belongs to its claim; for digests."""
        return {
            "kind": type(self).__name__,
            **{each.name: words.plain(getattr(self, each.name)) for each in fields(self) if each.name != "population"},
        }

    def strength(self, estimate: Estimate) -> float:
        """Effect in units of its margin, signed towards the prediction; least in the weakest part.

        For the rule "within" it is the distance from the nearer limit, for exact kinds plus or minus
        infinity.
        """
        if self.rule == "exact":
            return np.inf if estimate.effect == self.centre else -np.inf
        offset = (estimate.effect - self.centre) / self.margin
        if self.rule == "within":
            return 1 - abs(offset)
        return offset if self.rule == "above" else -offset

    def word(self, column: object) -> str:
        """A column or a level as the reader sees it; a whole number is one, whatever type its column has."""
        if (named := self.names.get(str(column))) is not None:
            return named
        if isinstance(column, float) and column.is_integer() and abs(column) < 1e15:
            return str(int(column))
        return str(column).replace("_", " ")

    def crossed(self, columns: str | tuple[str, ...] | None) -> str:
        """Several columns as one unit: "architecture × seed"."""
        return " × ".join(map(self.word, (columns,) if isinstance(columns, str) else columns or ()))

    def at(self, column: str, value: object) -> str:
        """A level of a column."""
        return f"{self.word(column)} = {self.word(value)}"

    def briefly_level(self, column: str, value: object) -> str:
        """As :meth:`level`, in a finding."""
        return f"in {self.word(value)}" if isinstance(value, str) else f"at {self.briefly_at(column, value)}"

    def briefly_at(self, column: str, value: object) -> str:
        """A level of a column in a finding: a number alone says nothing, a name does."""
        return self.word(value) if isinstance(value, str) else f"{self.word(column)} {self.word(value)}"

    def level(self, column: str, value: object) -> str:
        """Where something is seen: "in robust"; "at threshold = 2", as a number alone says nothing."""
        return f"in {self.word(value)}" if isinstance(value, str) else f"at {self.at(column, value)}"

    def about(self) -> str:
        """The rows that it is about: ", where scope = input"."""
        where = Where(self.where)
        rows = [where.worded(column, self.word) for column in where]
        return f", where {words.listed(rows)}" if rows else ""

    def briefly_about(self) -> str:
        """The rows that it is about, in as few words as tell them: " (scope: input; last)"."""
        where = Where(self.where)
        rows = [where.worded(column, self.word).removesuffix(" = True").replace(" = ", ": ", 1) for column in where]
        return f" ({'; '.join(rows)})" if rows else ""

    def generality(self) -> str:
        """What it generalises to, as a clause of its sentence: " (for others like these seeds; on these very test points)"."""
        return f" ({self.speaks()})" if self.population else ""

    def _shown(self) -> tuple[str, Mapping[str, Any]]:
        terms = {} if self.rule in ("exact", "all") else {"margin": float(self.margin), "alpha": self.alpha, "rule": self.rule}
        return type(self).__name__, {"tests": str(self), **terms, "margin from": self.margin_reason, "speaks": self.speaks()}

    def __str__(self) -> str:
        return f"{self.sentence()}{self.about()}{self.generality()}{self._terms()}"

    __repr__ = __str__

    def _terms(self) -> str:
        return f"; the smallest effect of interest is {words.number(self.margin)}"

    def _check_types(self, kind: str) -> None:
        """Refuse a field that should be a number or the name of a column and is not."""
        for each in fields(self):
            value = getattr(self, each.name)
            if each.type == "str" and (not isinstance(value, str) or (each.name != "margin_reason" and not value.strip())):
                what = "say where the margin comes from" if each.name == "margin_reason" else "name a column"
                raise ClaimError(f"{kind} has {each.name}={briefly(value)}; {what}, as text")
            if each.type == "float" and not isinstance(value, float) and canonical(value) is None:
                raise ClaimError(f"{kind} has {each.name}={briefly(value)}; give a number, as a float or an int")

    def _read_where(self) -> None:
        """Check the conditions on rows and bring them into their canonical form."""
        object.__setattr__(self, "where", Where(self.where, owner=type(self).__name__))

    def _columns_as_tuples(self, *names: str) -> None:
        """Let a single column be given as plain text."""
        for name in names:
            value = getattr(self, name)
            object.__setattr__(self, name, (value,) if isinstance(value, str) else tuple(value or ()))
