"""What the judged rows of a claim do not need is not made in the settings of a search.

A study serves many claims: it trains three regimes and measures six parts of each network, of which one claim may judge two
regimes and one part.  At the defaults all of it is made once.  In every other setting it would be made anew, for one claim
that reads a fraction of it.

Nobody has to declare what a claim reads.  At the defaults everything is there, so it can be tried: what the judged tables do
not hold is changed beyond recognition, with the measured values as they are and shuffled, and its networks may not be looked
at.  If no judged row changes, and without all that the evidence is the same, it is left out of the search.  A claim that
picks its networks by what was measured of them needs all of them, and shows it here.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from harness.design import Design, labelled
from harness.errors import Shortfall
from harness.measure.llc.estimate import LLC
from harness.running.narrowing import NarrowStore, Needed, Recipes

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

Change = Callable[["pd.DataFrame"], "pd.DataFrame"]

SHUFFLES = 3  # of the measured values, beside the values themselves
FAR = 1e6  # factor, of either sign, by which what must not matter is changed
KEYS = ("seed", "epoch")
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
        try:
            return self._body(_with(harness, NarrowStore(harness.store, self.needed)))
        except Shortfall:
            raise
        except Exception:  # a setting may lead elsewhere than the defaults do; if it is not that, the same is raised again
            return self._body(harness)


class _Seen:
    """A store that hands everything through and notes what it is asked for.

    Args:
        store: the session's, at the defaults, where all of it is there.
        change: of every measured table.
        sealed: keys of recipes whose networks may be measured and not looked at.
    """

    def __init__(self, store: Store, change: Change = lambda table: table, sealed: frozenset[str] = frozenset()) -> None:
        self._store, self._change, self._sealed = store, change, sealed
        self.calls: list[tuple[str, ...]] = []
        self.scopes: dict[str, None] = {}  # in the order in which they were asked for

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def population(self, recipe: Recipe, seeds: Iterable[int], *, name: str | None = None) -> Population:
        """The members of one recipe."""
        return self.populations([recipe], seeds, name=name)[0]

    def populations(self, recipes: Recipes, seeds: Iterable[int], *, name: str | None = None) -> list[Population]:
        """The members of several recipes."""
        asked = recipes if isinstance(recipes, Design) else list(recipes)
        found = self._store.populations(asked, seeds, name=name)
        self.calls.append(tuple(recipe.key for _, recipe in labelled(asked)))
        return [replace(each, parameters=_Sealed(each)) if each.recipe.key in self._sealed else each for each in found]

    def measure(
        self, populations: Iterable[Population], measurement: Measurement, *, on: View | None = None, name: str | None = None
    ) -> pd.DataFrame:
        """One table of all members' measurements, changed."""
        if isinstance(measurement, LLC):
            self.scopes |= dict.fromkeys(measurement.scopes)
        opened = [each.parameters.whole if isinstance(each.parameters, _Sealed) else each for each in populations]
        return self._change(self._store.measure(opened, measurement, on=on, name=name))


class _Sealed(Mapping[int, Any]):
    """Parameters that nobody may look at."""

    def __init__(self, whole: Population) -> None:
        self.whole = whole

    def __getitem__(self, epoch: int) -> Any:
        raise LookupError("a search tries whether the claim needs these networks")

    def __iter__(self) -> Iterator[int]:
        return iter(self.whole.parameters)

    def __len__(self) -> int:
        return len(self.whole.parameters)


def needed(body: Body, harness: Harness, usual: Evidence) -> Needed | None:
    """What the judged rows of a claim need; None where they need all, or that cannot be told.

    Args:
        body: the claim's.
        harness: the session's, whose store has all that the claim asks for at the defaults.
        usual: what the body returns there.
    """
    if usual.shortfall is not None:
        return None
    seen, began = _Seen(harness.store), time.monotonic()
    try:
        if not _alike(body(_with(harness, seen)), usual) or time.monotonic() - began > SLOW:
            return None
    except Exception:
        return None
    recipes, scopes = _held(usual, "recipe"), _held(usual, "scope")
    spare = frozenset(key for call in seen.calls if recipes.intersection(call) for key in call) - recipes
    if not scopes:  # whose judged rows are of no part in particular may need no LLC; one is measured all the same
        scopes = frozenset([*seen.scopes][:1])
    idle = frozenset(set(seen.scopes) - scopes if scopes <= set(seen.scopes) else ())
    for some in dict.fromkeys([_Spare(spare, idle), _Spare(frozenset(), idle), _Spare(spare, frozenset())]):
        found = some.needed(seen)
        if some and _without_influence(body, harness, usual, some) and _stands(body, harness, usual, found):
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
        kept = [tuple(place for place, key in enumerate(call) if key not in self.recipes) for call in seen.calls]
        calls = tuple((len(call), places) for call, places in zip(seen.calls, kept, strict=True))
        return Needed(calls, frozenset(set(seen.scopes) - self.scopes) if self.scopes else None)

    def rows(self, table: pd.DataFrame) -> Any:
        """Which rows of a measured table are of it, shape (row,)."""
        mine = np.zeros(len(table), dtype=bool)
        for column, levels in (("recipe", self.recipes), ("scope", self.scopes)):
            if column in table:
                mine |= table[column].isin(levels).to_numpy()
        return mine


def _without_influence(body: Body, harness: Harness, usual: Evidence, spare: _Spare) -> bool:
    """Whether no judged row follows what is spared: with the values as they are, and shuffled over all rows."""
    tried = 0
    for shuffle in (None, *range(SHUFFLES)):
        try:
            before = usual if shuffle is None else body(_with(harness, _Seen(harness.store, _Shuffled(shuffle))))
        except Exception:  # a study may refuse values that make no sense; nothing is learnt from these
            continue
        for factor in (FAR, -FAR):
            change = _Changed(spare, factor, shuffle)
            try:
                after = body(_with(harness, _Seen(harness.store, change, spare.recipes)))
            except Exception:
                return False
            if not _alike(before, after):
                return False
        tried += shuffle is not None
    return tried > 0


def _stands(body: Body, harness: Harness, usual: Evidence, found: Needed) -> bool:
    """Whether the evidence is the same where only what is needed is asked for."""
    try:
        return _alike(body(_with(harness, NarrowStore(harness.store, found, picked=True))), usual)
    except Exception:
        return False


@dataclass(frozen=True)
class _Shuffled:
    """Gives every row the measured values of another one; what networks are, and their seeds, stay."""

    seed: int

    def __call__(self, table: pd.DataFrame) -> pd.DataFrame:
        order = np.random.default_rng(self.seed).permutation(len(table))
        return table.assign(**{name: table[name].to_numpy()[order] for name in _measured(table)})


@dataclass(frozen=True)
class _Changed:
    """Changes the measured values of what is spared beyond recognition: numbers far up or down, truths turned round."""

    spare: _Spare
    factor: float
    shuffle: int | None

    def __call__(self, table: pd.DataFrame) -> pd.DataFrame:
        table = table.copy() if self.shuffle is None else _Shuffled(self.shuffle)(table)
        mine = self.spare.rows(table)
        for name in _measured(table):
            old = table[name].to_numpy()
            new = ~old if old.dtype.kind == "b" else (self.factor * (old + 1)).astype(old.dtype)
            table[name] = np.where(mine, new, old)
        return table


def _measured(table: pd.DataFrame) -> list[str]:
    """Columns of numbers and truths that are not the same for every seed."""
    numbers = [str(name) for name in table.columns if table[name].dtype.kind in "fiub" and name not in KEYS]
    if "seed" not in table:
        return numbers
    groups = list(table.groupby("seed"))
    return [name for name in numbers if len({frozenset(own[name].unique()) for _, own in groups}) > 1]


def _with(harness: Harness, store: Any) -> Harness:
    return replace(harness, store=cast("Store", store))


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
