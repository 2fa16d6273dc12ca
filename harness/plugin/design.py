"""Which members a claim asks for, found by running its fixtures against a store that trains nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn, cast

import pytest

from harness.plugin.fixture import Harness
from harness.plugin.growth import Rerun, depends
from harness.rows import Where

if TYPE_CHECKING:
    from harness.population import Population
    from harness.recipe import Recipe
    from harness.store import Store


@dataclass(frozen=True)
class Design:
    """The members that a claim asks for.

    Attributes:
        members: one (recipe, architecture, regime, seed) each, as the columns of a measured table name them.
    """

    members: tuple[tuple[str, str, str, int], ...]

    COLUMNS = ("recipe", "architecture", "regime", "seed")

    @property
    def seeds(self) -> int:
        """Different training seeds."""
        return len({member[3] for member in self.members})

    def units(self, columns: Iterable[str], where: Mapping[str, Any]) -> int:
        """Different combinations of those of the columns that a design knows, among the members that ``where`` admits."""
        places = [self.COLUMNS.index(column) for column in columns if column in self.COLUMNS]
        rows = Where(where)
        admitted = [
            member for member in self.members
            if all(rows.admits(column, value) for column, value in zip(self.COLUMNS, member, strict=True))
        ]  # fmt: skip
        return len({tuple(member[place] for place in places) for member in admitted})


class _Asked(BaseException):
    """Raised where a fixture begins to measure; no ``except Exception`` of a fixture may catch it."""


class _Drawing:
    """A store that writes down what it is asked for."""

    def __init__(self) -> None:
        self.members: dict[tuple[str, str, str, int], None] = {}

    def population(self, recipe: Recipe, seeds: Iterable[int], *, name: str | None = None) -> Population:
        return self.populations([recipe], seeds, name=name)[0]

    def populations(
        self, recipes: Iterable[Recipe], seeds: Iterable[int], *, name: str | None = None
    ) -> list[Population]:
        from harness.population import Population

        recipes, seeds = list(recipes), tuple(seeds)
        for recipe in recipes:
            for seed in seeds:
                self.members[recipe.key, recipe.architecture.name, recipe.regime.name, int(seed)] = None
        return [Population(recipe, seeds, {}) for recipe in recipes]

    def __getattr__(self, name: str) -> NoReturn:
        raise _Asked(name)


def design_of(item: pytest.Function, scale: str) -> Design | None:
    """What a claim asks for at a scale; None where its fixtures never come to ask for models.

    Fixtures run up to their first measurement.  What they ask for after it is not seen, so that a design is what the first
    measurement needs.
    """
    if not depends(item):
        return None
    drawing = _Drawing()
    harness = Harness(scale=scale, device="cpu", llc_engine="stacked", store=cast("Store", drawing))
    try:
        Rerun(item, harness, _absent).body()
    except _Asked:
        pass
    except Exception:  # a fixture that wants more than a design; what it asked for so far stands
        if not drawing.members:
            return None
    return Design(tuple(drawing.members)) if drawing.members else None


def _absent(name: str) -> NoReturn:
    raise LookupError(f"fixture {name} is not made for a design")
