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
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from harness.design import Design, labelled
from harness.measure.llc.estimate import LLC
from harness.running.changing import FACTORS, Changed, Shuffled, Spare
from harness.running.narrowing import Cell, Change, NarrowStore, Needed, Recipes, Strayed, TriedStore, sealed
from harness.running.quiet import quietly
from harness.store.names import stored

if TYPE_CHECKING:
    import pandas as pd

    from harness.evidence import Evidence
    from harness.measure.base import Measurement
    from harness.measure.views import View
    from harness.population import Population
    from harness.running.growth import Body
    from harness.running.session import Harness
    from harness.store import Store

SHUFFLES = 3  # of the measured values
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


class _Seen(TriedStore):
    """A store that hands everything through and notes what it is asked for; what it would have to make ends the call.

    Args:
        store: the session's, at the defaults, where all of it is there.
        change: of every measured table.
        sealed: keys of recipes whose networks may be measured and not looked at.
    """

    def __init__(self, store: Store, change: Change | None = None, sealed: frozenset[str] = frozenset()) -> None:
        super().__init__(store)
        self._change, self._sealed = change, sealed
        self.calls: list[tuple[Cell, ...]] = []
        self.tables: list[pd.DataFrame] = []
        self.scopes: dict[str, None] = {}  # in the order in which they were asked for

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
    for some in dict.fromkeys([Spare(spare, idle), Spare(frozenset(), idle), Spare(spare, frozenset())]):
        found = _needed(some, seen)
        if some and _stands(body, harness, usual, found) and _without_influence(body, harness, some):
            return found
    return None


def _needed(spare: Spare, seen: _Seen) -> Needed:
    """What was asked for besides what is spared."""
    calls = tuple(tuple(replace(cell, needed=cell.recipe not in spare.recipes) for cell in call) for call in seen.calls)
    return Needed(calls, tuple(seen.tables), frozenset(set(seen.scopes) - spare.scopes) if spare.scopes else None)


def _without_influence(body: Body, harness: Harness, spare: Spare) -> bool:
    """Whether no judged row follows what is spared where measured values are shuffled over all rows."""
    tried = 0
    for shuffle in range(SHUFFLES):
        shuffled = Shuffled(shuffle)
        try:
            before = _called(body, harness, _Seen(harness.store, shuffled))
        except Strayed:  # other networks are trained where other values are measured
            return False
        if before is None or before.shortfall is not None:  # a study may refuse values that make no sense
            continue
        for factor in FACTORS:
            changed = Changed(factor, spare, shuffled)
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
            there = _called(body, harness, NarrowStore(harness.store, found, Changed(factor), picked=True, read=read))
        except Strayed:
            return False
        if there is None or not _alike(there, usual):
            return False
    return True


def _narrowly(body: Body, harness: Harness, found: Needed) -> Evidence | None:
    """What the body returns with stand-ins for what is not needed; None where that follows from them."""
    read: dict[str, pd.DataFrame] = {}
    stores = [NarrowStore(harness.store, found, Changed(factor), read=read) for factor in FACTORS]
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
