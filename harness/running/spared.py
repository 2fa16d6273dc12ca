"""What the judged rows of a claim do not need is not made in the settings of a search.

A study serves many claims: it trains three regimes and measures six parts of each network, of which one claim may judge two
regimes and one part.  At the defaults all of it is made once.  In every other setting it would be made anew, for one claim
that reads a fraction of it.

Nobody has to declare what a claim reads.  At the defaults everything is there, so it can be tried: what the judged tables do
not hold is changed beyond recognition, with the measured values as they are and shuffled, and its networks may not be looked
at.  If no judged row changes, it is not made in the settings.  There its rows have stand-ins, with values far up, far
down and all alike; where a judged row follows those, all of it is made after all.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from harness.design import Design, labelled
from harness.measure.llc.estimate import LLC
from harness.running.narrowing import Cell, Change, NarrowStore, Needed, Recipes, Strayed, sealed
from harness.running.quiet import quietly
from harness.store.names import stored

if TYPE_CHECKING:
    import pandas as pd

    from harness.claim import Evidence
    from harness.measure.base import Measurement
    from harness.measure.views import View
    from harness.population import Population
    from harness.recipe import Recipe
    from harness.running.growth import Body
    from harness.running.session import Harness
    from harness.store import Store

SHUFFLES = 3  # of the measured values
FAR = 1e6  # factor by which what must not matter is changed
FACTORS = (FAR, -FAR, 1 / FAR)  # far up and down, differing far among themselves, and all alike, next to nothing
NAMES = ("seed", "epoch", "recipe", "architecture", "regime", "scope")  # columns that say what a row is of
SLOW = 10.0  # seconds of a call at the defaults, beyond which a score of them would cost more than they save


class Narrowed:
    """A claim's body that has no more made than its judged rows need; what they need is found out when it is first called.

    Args:
        body: the claim's.
        harness: the session's, whose store has all that the claim asks for at the defaults.
        usual: what the body returns there.
    """

    def __init__(self, body: Body, harness: Harness, usual: Evidence) -> None:
        self._body, self._harness, self._usual = body, harness, usual

    @cached_property
    def needed(self) -> Needed | None:
        """What the judged rows need; None where they need all, or that cannot be told."""
        return needed(self._body, self._harness, self._usual)

    def __call__(self, harness: Harness | None) -> Evidence:
        """What the claim's body returns; with all of it made where something is missing after all."""
        if harness is None or self.needed is None:
            return self._body(harness)
        found = _narrowly(self._body, harness, self.needed)
        return self._body(harness) if found is None else found  # whatever broke breaks again, if all of it is needed for that


class _Seen:
    """A store that hands everything through and notes what it is asked for; what it would have to make ends the call.

    Args:
        store: the session's, at the defaults, where all of it is there.
        change: of every measured table.
        sealed: keys of recipes whose networks may be measured and not looked at.
    """

    def __init__(self, store: Store, change: Change | None = None, sealed: frozenset[str] = frozenset()) -> None:
        self._store, self._change, self._sealed = store, change, sealed
        self.calls: list[tuple[Cell, ...]] = []
        self.tables: list[pd.DataFrame] = []
        self.scopes: dict[str, None] = {}  # in the order in which they were asked for

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def cached(self, *given: Any, **named: Any) -> pd.DataFrame:
        """What is kept under a name of its own hides what it was made of."""
        raise Strayed

    def population(self, recipe: Recipe, seeds: Iterable[int], *, name: str | None = None) -> Population:
        """The members of one recipe."""
        return self.populations([recipe], seeds, name=name)[0]

    def populations(self, recipes: Recipes, seeds: Iterable[int], *, name: str | None = None) -> list[Population]:
        """The members of several recipes."""
        asked, own = recipes if isinstance(recipes, Design) else list(recipes), tuple(seeds)
        if any(self._store.lacks(recipe, own) for _, recipe in labelled(asked)):
            raise Strayed
        found = self._store.populations(asked, own, name=name)
        self.calls.append(tuple(Cell(each.recipe.key, each.labels, each.seeds, each.epochs) for each in found))
        return [sealed(each) if each.recipe.key in self._sealed else each for each in found]

    def measure(
        self, populations: Iterable[Population], measurement: Measurement, *, on: View | None = None, name: str | None = None
    ) -> pd.DataFrame:
        """One table of all members' measurements, changed."""
        if isinstance(measurement, LLC):
            self.scopes |= dict.fromkeys(measurement.scopes)
        every = [
            replace(each, parameters=self._store.expected(each.recipe, each.seeds).parameters)
            if each.recipe.key in self._sealed else each
            for each in populations
        ]  # fmt: skip
        named = on is None and all(map(stored, every))
        if named and any(self._store.lacks(each.recipe, each.seeds, measurement) for each in every):
            raise Strayed
        table = self._store.measure(every, measurement, on=on, name=name)
        self.tables.append(table)
        return table if self._change is None else self._change(table, frozenset(every[0].labels))


def needed(body: Body, harness: Harness, usual: Evidence) -> Needed | None:
    """What the judged rows of a claim need; None where they need all, or that cannot be told.

    Args:
        body: the claim's.
        harness: the session's, whose store has all that the claim asks for at the defaults.
        usual: what the body returns there.
    """
    if usual.shortfall is not None or not all(len(table) for table in _tables(usual).values()):
        return None
    seen, began = _Seen(harness.store), time.monotonic()
    try:
        again = _called(body, harness, seen)
    except Strayed:
        return None
    if again is None or not _alike(again, usual) or time.monotonic() - began > SLOW:
        return None
    recipes, scopes = _held(usual, "recipe"), _held(usual, "scope")
    calls = [{cell.recipe for cell in call} for call in seen.calls]
    spare = frozenset().union(*(call for call in calls if call & recipes)) - recipes
    spare -= frozenset().union(*(call for call in calls if not call & recipes))
    if not scopes:  # whose judged rows are of no part in particular may need no LLC; one is measured all the same
        scopes = frozenset([*seen.scopes][:1])
    idle = frozenset(set(seen.scopes) - scopes if scopes <= set(seen.scopes) else ())
    for some in dict.fromkeys([_Spare(spare, idle), _Spare(frozenset(), idle), _Spare(spare, frozenset())]):
        found = some.needed(seen)
        if some and _stands(body, harness, usual, found) and _without_influence(body, harness, some):
            return found
    return None


@dataclass(frozen=True)
class _Spare:
    """What a claim may not need.

    Attributes:
        recipes: keys of recipes.
        scopes: parts of the network.
    """

    recipes: frozenset[str] = field(default_factory=frozenset)
    scopes: frozenset[str] = field(default_factory=frozenset)

    def __bool__(self) -> bool:
        return bool(self.recipes or self.scopes)

    def needed(self, seen: _Seen) -> Needed:
        """The rest of what was asked for."""
        calls = tuple(tuple(replace(cell, needed=cell.recipe not in self.recipes) for cell in call) for call in seen.calls)
        return Needed(calls, tuple(seen.tables), frozenset(set(seen.scopes) - self.scopes) if self.scopes else None)

    def rows(self, table: pd.DataFrame) -> Any:
        """Which rows of a measured table are of it, shape (row,)."""
        mine = np.zeros(len(table), dtype=bool)
        for column, levels in (("recipe", self.recipes), ("scope", self.scopes)):
            if column in table:
                mine |= table[column].isin(levels).to_numpy()
        return mine


def _without_influence(body: Body, harness: Harness, spare: _Spare) -> bool:
    """Whether no judged row follows what is spared where measured values are shuffled over all rows."""
    tried = 0
    for shuffle in range(SHUFFLES):
        shuffled = _Shuffled(shuffle)
        try:
            before = _called(body, harness, _Seen(harness.store, shuffled))
        except Strayed:  # other networks are trained where other values are measured
            return False
        if (
            before is None or before.shortfall is not None
        ):  # a study may refuse values that make no sense; nothing is learnt from these
            continue
        for factor in FACTORS:
            changed = _Changed(factor, spare, shuffled)
            try:
                after = _called(body, harness, _Seen(harness.store, changed, spare.recipes))
            except Strayed:
                return False
            if after is None or not _alike(before, after):
                return False
        tried += 1
    return tried > 0


def _stands(body: Body, harness: Harness, usual: Evidence, found: Needed) -> bool:
    """Whether the evidence is the same where what is not needed has stand-ins: high, low, naught, and undefined."""
    read: dict[str, pd.DataFrame] = {}
    for factor in (*FACTORS, np.nan):
        try:
            there = _called(body, harness, NarrowStore(harness.store, found, _Changed(factor), picked=True, read=read))
        except Strayed:
            return False
        if there is None or not _alike(there, usual):
            return False
    return True


def _narrowly(body: Body, harness: Harness, found: Needed) -> Evidence | None:
    """What the body returns with stand-ins for what is not needed; None where that follows from them."""
    read: dict[str, pd.DataFrame] = {}
    stores = [NarrowStore(harness.store, found, _Changed(factor), read=read) for factor in FACTORS]
    seen: list[Evidence] = []
    for store in stores:
        try:
            there = _called(body, harness, store)
        except Strayed:
            return None
        if there is not None and there.shortfall is not None and store.diverged:
            return there
        if (
            there is None
            or there.shortfall is not None
            or (seen and not _alike(seen[0], there))
            or _held(there, "recipe") & store.absent
        ):
            return None
        if found.scopes is not None and _held(there, "scope") - found.scopes:
            return None
        seen.append(there)
    return seen[0]


def _called(body: Body, harness: Harness, store: Any) -> Evidence | None:
    """What the body returns with a store, in silence; None where it breaks on what that holds."""
    try:
        with quietly():
            return body(replace(harness, store=cast("Store", store)))
    except Exception:
        return None


@dataclass(frozen=True)
class _Shuffled:
    """Gives every row the measured values of another one; what networks are, and their seeds, stay."""

    seed: int

    def __call__(self, table: pd.DataFrame, labels: frozenset[str]) -> pd.DataFrame:
        order = np.random.default_rng(self.seed).permutation(len(table))
        return table.assign(**{name: table[name].to_numpy()[order] for name in _measured(table, labels)})


@dataclass(frozen=True)
class _Changed:
    """Changes measured values beyond recognition: far up or down, all alike or undefined; truths and words likewise.

    Attributes:
        factor: of numbers.
        spare: whose values are changed; None for all.
        first: another change before it.
    """

    factor: float
    spare: _Spare | None = None
    first: _Shuffled | None = None

    def __call__(self, table: pd.DataFrame, labels: frozenset[str]) -> pd.DataFrame:
        measured = _measured(table, labels)
        table = table.copy() if self.first is None else self.first(table, labels)
        mine = np.ones(len(table), dtype=bool) if self.spare is None else self.spare.rows(table)
        for name in measured:
            old = table[name].to_numpy()
            table[name] = np.where(mine, self._far(old), old)
        return table

    def _far(self, old: Any) -> Any:
        if old.dtype.kind == "b":
            return np.full(len(old), self.factor > 0) if abs(self.factor) >= FAR else ~old
        if old.dtype.kind not in "fiu":
            words = {FAR: "~", -FAR: ""}
            return np.full(len(old), words.get(self.factor, old[0] if len(old) else ""), dtype=object)
        if old.dtype.kind == "f":
            with np.errstate(all="ignore"):
                return (self.factor * (1 + np.abs(np.nan_to_num(old)))).astype(old.dtype)
        ends = np.iinfo(old.dtype)
        far = (FAR if np.isnan(self.factor) else self.factor) * (1 + np.abs(old.astype(float)))
        return np.clip(far, ends.min / 2, ends.max / 2).astype(old.dtype)


def _measured(table: pd.DataFrame, labels: frozenset[str]) -> list[str]:
    """Columns that are measured, as far as they can be told from those that say what a row is of.

    These are truths; what differs from seed to seed; what is the same in all rows, since it may be the best possible value; and
    fractions that differ from recipe to recipe.  Levels of a radius and numbers of parameters are none of these.
    """
    names = [name for name in table.columns if name not in NAMES and name not in labels]
    return [str(name) for name in names if _can_change(table[name]) and _is_measured(table, name)]


def _can_change(column: pd.Series[Any]) -> bool:
    import pandas as pd

    return column.dtype.kind in "fiub" or pd.api.types.is_string_dtype(column)


def _is_measured(table: pd.DataFrame, name: str) -> bool:
    column = table[name]
    if column.dtype.kind == "b" or len(column.unique()) <= 1:
        return True
    others = [by for by in ("seed", "recipe") if by in table and (by == "seed" or column.dtype.kind == "f")]
    return not others or any(len({frozenset(own.unique()) for _, own in table.groupby(by)[name]}) > 1 for by in others)


def _held(evidence: Evidence, column: str) -> frozenset[str]:
    """The levels of a column in all judged tables; none where a table lacks it."""
    tables = _tables(evidence)
    if not all(column in table for table in tables.values()):
        return frozenset()
    return frozenset(str(level) for table in tables.values() for level in table[column].unique())


def _tables(evidence: Evidence) -> Mapping[Any, pd.DataFrame]:
    return evidence.table if isinstance(evidence.table, Mapping) else {None: evidence.table}


def _alike(one: Evidence, other: Evidence) -> bool:
    """Whether two have the same judged rows, to the last bit, and as many were left out for the same reasons."""
    mine, others = _tables(one), _tables(other)
    return (
        list(mine) == list(others) and one.shortfall == other.shortfall and _drops(one) == _drops(other)
        and all(mine[name].reset_index(drop=True).equals(others[name].reset_index(drop=True)) for name in mine)
    )  # fmt: skip


def _drops(evidence: Evidence) -> Any:
    """What was left out under each protocol."""
    rows = evidence.rows
    return {name: own.drops for name, own in rows.items()} if isinstance(rows, Mapping) else rows and rows.drops
