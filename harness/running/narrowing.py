"""A store that makes no more than the judged rows of a claim need; what that is, :mod:`harness.running.spared` finds out.

What is not made has stand-ins: networks that cannot be looked at, and rows of the defaults with other values.  So a claim asks
and selects in a setting as if all of it were there, and whether a judged row follows a stand-in can be seen in that setting.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.design import Design, labelled
from harness.fixed import stable
from harness.measure.llc.estimate import LLC
from harness.population import Population, Unread
from harness.running.around import StoreAround
from harness.spec import digest
from harness.store.names import stored
from harness.training.train import Diverged

if TYPE_CHECKING:
    import pandas as pd

    from harness.measure.base import Measurement
    from harness.measure.views import View
    from harness.recipe import Recipe
    from harness.store import Store

Recipes = Iterable["Recipe"] | Design
Change = Callable[["pd.DataFrame", frozenset[str]], "pd.DataFrame"]  # of a table whose columns of these names are labels


class Strayed(BaseException):
    """Ends a call that asks for what only the whole store has; no ``except Exception`` of a study may catch it."""


@dataclass(frozen=True)
class Cell:
    """A population that is asked for at the defaults.

    Attributes:
        recipe: its key.
        labels: its levels of a design.
        seeds: its members.
        epochs: that are kept.
        needed: whether judged rows need it.
    """

    recipe: str
    labels: Mapping[str, Any]
    seeds: tuple[int, ...]
    epochs: tuple[int, ...]
    needed: bool = True


@dataclass(frozen=True, eq=False)
class Needed:
    """What the judged rows of a claim are made of.

    Attributes:
        calls: the populations of every call for some, in turn.
        tables: of every call that measures, all of it.
        scopes: parts of the network whose LLC is needed; None for all that are asked for.
    """

    calls: tuple[tuple[Cell, ...], ...] = ()
    tables: tuple[pd.DataFrame, ...] = ()
    scopes: frozenset[str] | None = None
    _changed: dict[Any, pd.DataFrame] = field(default_factory=dict)

    def stand_ins(self, number: int, change: Change, labels: frozenset[str]) -> pd.DataFrame:
        """The table of one call that measures, with other values."""
        if (number, change) not in self._changed:
            self._changed[number, change] = change(self.tables[number], labels)
        return self._changed[number, change]

    def of(self, measurement: Measurement) -> Measurement:
        """The measurement of no more than is needed; every part has random streams of its own, so the rows are the same."""
        if self.scopes is None or not isinstance(measurement, LLC) or not self.scopes <= set(measurement.scopes):
            return measurement
        some: Measurement = replace(measurement, scopes=tuple(scope for scope in measurement.scopes if scope in self.scopes))
        return some


@dataclass(frozen=True)
class _Known:
    """What a population of a setting stands for: one of the defaults, whose seeds and epochs have others in their place."""

    cell: Cell
    seeds: dict[int, int]
    epochs: dict[int, int]


class TriedStore(StoreAround):
    """A store for calls that are only tries: what is kept under a name of its own would hide what it was made of."""

    def cached(self, *given: Any, **named: Any) -> pd.DataFrame:
        """See :meth:`harness.store.Store.cached`."""
        raise Strayed


class NarrowStore(TriedStore):
    """A store that makes only what is needed, and has stand-ins for the rest.

    Args:
        store: the session's.
        needed: what that is.
        change: gives rows of the defaults other values.
        picked: measure all parts, which are there, and pick the rows of those that are needed.
        read: tables of what is needed that were read before, which are not read again.
    """

    def __init__(
        self, store: Store, needed: Needed, change: Change, *, picked: bool = False, read: dict[str, pd.DataFrame] | None = None
    ) -> None:
        super().__init__(store)
        self._needed, self._change, self._picked = needed, change, picked
        self._read = {} if read is None else read
        self._calls = self._tables = 0
        self._known: dict[Any, _Known] = {}
        self.absent: set[str] = set()  # keys of recipes that have stand-ins
        self.diverged = False  # a network that is needed, which would keep the whole from being judged, too

    def populations(self, recipes: Recipes, seeds: Iterable[int], *, name: str | None = None) -> list[Population]:
        """The members of those recipes that are needed, and stand-ins for the others."""
        asked: Sequence[Recipe] | Design = recipes if isinstance(recipes, Design) else list(recipes)
        cells, calls = labelled(asked), self._needed.calls
        if self._calls >= len(calls) or len(calls[self._calls]) != len(cells):
            raise Strayed
        usual = calls[self._calls]
        self._calls += 1
        places = [place for place, cell in enumerate(usual) if cell.needed]
        try:
            made = self._store.populations(_some(asked, places), seeds, name=name)
        except Diverged:
            self.diverged = True
            raise
        found = dict(zip(places, made, strict=True))
        for place, (labels, recipe) in enumerate(cells):
            if place not in found:
                found[place] = sealed(replace(self._store.expected(recipe, made[0].seeds), labels=labels))
        spared = {cells[place][1].key: cells[place][1] for place in range(len(cells)) if place not in places}
        self.absent |= set(spared)
        self._store.trained += [(recipe, made[0].seeds) for recipe in spared.values()]
        for place, cell in enumerate(usual):
            self._know(found[place], cell)
        return [found[place] for place in range(len(cells))]

    def _know(self, population: Population, cell: Cell) -> None:
        """Note which population of the defaults one of a setting stands for."""
        if len(population) > len(cell.seeds) or len(population.epochs) != len(cell.epochs):
            raise Strayed
        seeds = dict(zip(cell.seeds, population.seeds, strict=False))
        epochs = dict(zip(cell.epochs, population.epochs, strict=True))
        known = self._known.setdefault(_name(population), _Known(cell, seeds, epochs))
        if known.cell.recipe != cell.recipe or any(known.seeds.get(old, new) != new for old, new in seeds.items()):
            raise Strayed  # what differs at the defaults is the same here
        known.seeds.update(seeds)

    def measure(
        self, populations: Iterable[Population], measurement: Measurement, *, on: View | None = None, name: str | None = None
    ) -> pd.DataFrame:
        """One table of all members' measurements: those of what is needed, and stand-ins for the others."""
        import pandas as pd

        every = list(populations)
        if self._tables >= len(self._needed.tables) or any(_name(each) not in self._known for each in every):
            raise Strayed
        usual = self._needed.stand_ins(self._tables, self._change, frozenset(every[0].labels) if every else frozenset())
        self._tables += 1
        some = self._needed.of(measurement)
        own = [each for each in every if self._known[_name(each)].cell.needed]
        made = None
        if own:
            made = self._made(own, measurement if self._picked else some, on, name)
            if some != measurement and self._picked:
                made = made[made["scope"].isin(_scopes(some))]
            if some == measurement and len(own) == len(every):
                return made
        parts = [self._rows(each, made, usual, measurement, some) for each in every]
        if made is not None and sum(int((~part["stand-in"]).sum()) for part in parts) != len(made):
            raise Strayed
        table: pd.DataFrame = pd.concat(parts, ignore_index=True).drop(columns="stand-in")
        return table

    def _made(self, own: list[Population], measurement: Measurement, on: View | None, name: str | None) -> pd.DataFrame:
        if on is not None or not all(map(stored, own)):
            return self._store.measure(own, measurement, on=on, name=name)
        key = digest([stable(measurement), [[_name(each), each.seeds] for each in own]])
        if key not in self._read:
            self._read[key] = self._store.measure(own, measurement, name=name)
        return self._read[key].copy()

    def _rows(
        self, population: Population, made: pd.DataFrame | None, usual: pd.DataFrame, whole: Measurement, some: Measurement
    ) -> pd.DataFrame:
        """The rows of a population, in the order in which the store has them, with a column that says which are stand-ins."""
        import pandas as pd

        known = self._known[_name(population)]
        cell = known.cell
        parts = []
        if cell.needed:
            assert made is not None
            parts.append(made[_of(made, population.recipe.key, population.labels)].assign(**{"stand-in": False}))
        if not cell.needed or some != whole:
            rows = usual[_of(usual, cell.recipe, cell.labels)]
            if cell.needed:
                rows = rows[~rows["scope"].isin(_scopes(some))]
            rows = rows[rows["seed"].isin([each for each, seed in known.seeds.items() if seed in population.seeds])]
            if not cell.needed and rows["seed"].nunique() != len(population.seeds):
                raise Strayed
            recipe = population.recipe
            parts.append(rows.assign(
                seed=rows["seed"].map(known.seeds), epoch=rows["epoch"].map(known.epochs), recipe=recipe.key,
                architecture=recipe.architecture.name, regime=recipe.regime.name, **population.labels,
                **{"stand-in": True},
            ))  # fmt: skip
        both: pd.DataFrame = pd.concat(parts)
        if len(parts) == 1:
            return both
        order = [*_scopes(whole)]
        place = [both["scope"].map(order.index), both["epoch"], both["seed"].map(population.seeds.index)]
        return both.take(np.lexsort(place))


def sealed(population: Population) -> Population:
    """The same, whose parameters nobody may look at."""

    def read(seeds: Sequence[int]) -> Any:
        raise Strayed

    names = getattr(population.parameters, "names", {})
    return replace(population, parameters=Unread(population.epochs, population.seeds, read, names))


def _scopes(measurement: Measurement) -> tuple[str, ...]:
    assert isinstance(measurement, LLC)
    return measurement.scopes


def _name(population: Population) -> Any:
    return population.recipe.key, repr(sorted(population.labels.items()))


def _of(table: pd.DataFrame, recipe: str, labels: Mapping[str, Any]) -> Any:
    """Which rows are a population's, shape (row,)."""
    return np.logical_and.reduce([table["recipe"] == recipe, *(table[name] == level for name, level in labels.items())])


def _some(recipes: Sequence[Recipe] | Design, places: Sequence[int]) -> Sequence[Recipe] | Design:
    if isinstance(recipes, Design):
        cells = list(recipes.cells.items())
        return Design({cells[place][0]: cells[place][1] for place in places}, recipes.factors)
    return [recipes[place] for place in places]
