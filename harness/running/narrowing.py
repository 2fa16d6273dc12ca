"""A store that makes no more than the judged rows of a claim need; what that is, :mod:`harness.running.spared` finds out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

from harness.design import Design, labelled
from harness.measure.llc.estimate import LLC

if TYPE_CHECKING:
    import pandas as pd

    from harness.measure.base import Measurement
    from harness.measure.views import View
    from harness.population import Population
    from harness.recipe import Recipe
    from harness.store import Store

Recipes = Iterable["Recipe"] | Design


@dataclass(frozen=True)
class Needed:
    """What the judged rows of a claim are made of.

    Attributes:
        calls: of every call for populations in turn: how many recipes it asked for, and the places of those needed.
        scopes: parts of the network whose LLC is needed; None for all that are asked for.
    """

    calls: tuple[tuple[int, tuple[int, ...]], ...] = ()
    scopes: frozenset[str] | None = None

    def of(self, measurement: Measurement) -> Measurement:
        """The measurement of no more than is needed; every part has random streams of its own, so the rows are the same."""
        if self.scopes is None or not isinstance(measurement, LLC) or not self.scopes <= set(measurement.scopes):
            return measurement
        some: Measurement = replace(measurement, scopes=tuple(scope for scope in measurement.scopes if scope in self.scopes))
        return some


class NarrowStore:
    """A store that makes only what is needed.

    Args:
        store: the session's.
        needed: what that is.
        picked: measure all parts, which are there, and pick the rows of those that are needed.
    """

    def __init__(self, store: Store, needed: Needed, *, picked: bool = False) -> None:
        self._store, self._needed, self._picked, self._calls = store, needed, picked, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def population(self, recipe: Recipe, seeds: Iterable[int], *, name: str | None = None) -> Population:
        """The members of one recipe."""
        return self.populations([recipe], seeds, name=name)[0]

    def populations(self, recipes: Recipes, seeds: Iterable[int], *, name: str | None = None) -> list[Population]:
        """The members of those recipes that are needed; of all where others are asked for than at the defaults."""
        asked: Sequence[Recipe] | Design = recipes if isinstance(recipes, Design) else list(recipes)
        calls, self._calls = self._needed.calls, self._calls + 1
        count, places = calls[self._calls - 1] if self._calls <= len(calls) else (-1, ())
        if count == len(labelled(asked)):
            asked = _some(asked, places)
        return self._store.populations(asked, seeds, name=name)

    def measure(
        self, populations: Iterable[Population], measurement: Measurement, *, on: View | None = None, name: str | None = None
    ) -> pd.DataFrame:
        """One table of all members' measurements, of the parts that are needed."""
        needed = self._needed.of(measurement)
        if needed == measurement or not self._picked:
            return self._store.measure(populations, needed, on=on, name=name)
        table = self._store.measure(populations, measurement, on=on, name=name)
        return table[table["scope"].isin(cast("LLC", needed).scopes)].reset_index(drop=True)


def _some(recipes: Sequence[Recipe] | Design, places: Sequence[int]) -> Sequence[Recipe] | Design:
    if isinstance(recipes, Design):
        cells = list(recipes.cells.items())
        return Design({cells[place][0]: cells[place][1] for place in places}, recipes.factors)
    return [recipes[place] for place in places]
