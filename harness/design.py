"""Designs: recipes, each with its levels of the factors in which they differ.

    design = Design({"none": base, "PGD": base.robust(threat)}, "training")
    table = harness.store.measure(harness.store.populations(design, range(12)), Robustness())  # has a column "training"

Whatever is measured on a design's populations has the factors as columns, so that nobody has to work out from a recipe's digest
which cell of the experiment a row belongs to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.recipe import Recipe

MEASURED = ("seed", "epoch", "recipe", "architecture", "regime")  # columns that every measured table has


@dataclass(frozen=True)
class Design:
    """The recipes of an experiment, each with its levels.

    Attributes:
        cells: the recipe for each combination of levels: a tuple with a level of every factor, or the level of the only one.  A
            recipe may be in several cells; it is trained once.
        factors: name of the factor, or names of all of them in the order of the levels.

    Example:
        >>> from harness import MLP, Recipe, ToyImages
        >>> recipes = {width: Recipe(ToyImages(), MLP((width,))) for width in (8, 16)}
        >>> [labels for labels, _ in Design(recipes, "width")]
        [{'width': 8}, {'width': 16}]

    Raises:
        ValueError: there are no cells; a cell does not have one level for each factor; or a factor has the name of another
            column.
    """

    cells: Mapping[Any, Recipe]
    factors: str | Sequence[str]

    def __post_init__(self) -> None:
        names = self.names
        if not self.cells:
            raise ValueError("cells is empty; give the recipe of each combination of levels")
        if not names or len(set(names)) < len(names):
            raise ValueError(f"factors={self.factors!r}; give one or more names, each once")
        if taken := [name for name in names if name in MEASURED]:
            raise ValueError(f"factors={self.factors!r}: every measured table has a column {taken[0]!r}; name it otherwise")
        if odd := [cell for cell in self.cells if len(self._levels(cell)) != len(names)]:
            raise ValueError(f"the cell {odd[0]!r} does not have one level for each of {', '.join(names)}")

    @classmethod
    def crossed(cls, build: Callable[..., Recipe], **levels: Sequence[Any]) -> Design:
        """Every combination of levels, the last factor's changing fastest.

        Args:
            build: makes the recipe of a cell from a level of each factor, by name.
            levels: the levels of each factor.

        Example:
            >>> from harness import MLP, Recipe, ToyImages
            >>> grid = Design.crossed(
            ...     lambda width, depth: Recipe(ToyImages(), MLP((width,) * depth)), width=(8, 16), depth=(1, 2)
            ... )
            >>> len(grid)
            4
        """
        cells = {cell: build(**dict(zip(levels, cell, strict=True))) for cell in product(*levels.values())}
        return cls(cells, tuple(levels))

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the factors."""
        return (self.factors,) if isinstance(self.factors, str) else tuple(self.factors)

    def __iter__(self) -> Iterator[tuple[dict[str, Any], Recipe]]:
        """(levels by factor, recipe) of every cell."""
        for cell, recipe in self.cells.items():
            yield dict(zip(self.names, self._levels(cell), strict=True)), recipe

    def __len__(self) -> int:
        return len(self.cells)

    def _levels(self, cell: Any) -> tuple[Any, ...]:
        return (cell,) if isinstance(self.factors, str) else tuple(cell) if isinstance(cell, tuple | list) else (cell,)


def labelled(recipes: Any) -> list[tuple[dict[str, Any], Recipe]]:
    """Recipes, each with its levels in the design; recipes without a design have none."""
    return list(recipes) if isinstance(recipes, Design) else [({}, recipe) for recipe in recipes]
