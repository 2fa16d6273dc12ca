"""What stands between a study and the session's store: a store that answers some questions itself, all others as ever."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.design import Design
    from harness.population import Population
    from harness.recipe import Recipe
    from harness.store import Store


class StoreAround:
    """Hands everything to another store; who inherits says what it answers itself, networks by its ``populations`` alone.

    Args:
        store: the session's, or another one around it.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def population(self, recipe: Recipe, seeds: Iterable[int], *, name: str | None = None) -> Population:
        """The members of one recipe."""
        return self.populations([recipe], seeds, name=name)[0]

    def populations(
        self, recipes: Iterable[Recipe] | Design, seeds: Iterable[int], *, name: str | None = None
    ) -> list[Population]:
        """The members of several recipes."""
        return self._store.populations(recipes, seeds, name=name)
