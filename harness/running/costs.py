"""What claims would cost: hours, memory and disk, from the rates of this machine (:mod:`harness.running.rates`)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from harness.device import memory_limit
from harness.running.rates import CANNOT, Rates
from harness.spec import describe, digest
from harness.store.lineages import ancestry
from harness.store.sharing import measured_together, trained_together

if TYPE_CHECKING:
    from harness.measure.base import Measurement
    from harness.recipe import Recipe
    from harness.running.asking import ClaimDesign
    from harness.store import Store

HEADER = 600  # bytes beside the parameters of a member


@dataclass
class Needed:
    """What some claims ask for, each thing once.

    Attributes:
        members: seeds by recipe, parents included.
        tables: (measurement, recipe, seeds) by what tells them apart.
        unknown: tables that belong to no member, and whose time is not known.
    """

    members: dict[Recipe, set[int]] = field(default_factory=dict)
    tables: dict[str, tuple[Measurement, Recipe, set[int]]] = field(default_factory=dict)
    unknown: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, designs: Iterable[ClaimDesign]) -> Needed:
        """What several claims ask for together."""
        found = cls()
        for design in designs:
            for recipe, seeds in design.recipes:
                for each in ancestry(recipe):
                    found.members.setdefault(each, set()).update(seeds)
            for measurement, populations in design.measured:
                for recipe, seeds in populations:
                    key = digest([describe(measurement), recipe.key])
                    found.tables.setdefault(key, (measurement, recipe, set()))[2].update(seeds)
            found.unknown |= set(design.alone)
        return found

    def lacking(self, store: Store) -> dict[Recipe, str]:
        """Networks whose data cannot be loaded here, with the reason."""
        found = {}
        for recipe in self.members:
            try:
                store.data(recipe.data)
            except CANNOT as problem:
                found[recipe] = str(problem).split("; ")[0]
        return found

    def without(self, lacking: Mapping[Recipe, str]) -> Needed:
        """The same without some networks; these, and their tables, are not known."""
        return Needed(
            {recipe: seeds for recipe, seeds in self.members.items() if recipe not in lacking},
            {key: table for key, table in self.tables.items() if table[1] not in lacking},
            self.unknown | {f"{recipe.name} ({lacking[recipe]})" for recipe in self.members if recipe in lacking},
        )


@dataclass(frozen=True)
class Cost:
    """What something takes.

    Attributes:
        members: networks.
        tables: measurements of one network each.
        seconds: of one process, on an empty store.
        left: seconds for what is not in the store.
        memory: bytes that one process holds.
        disk: bytes of the store.
        at_most: whether members may stop earlier than was counted.
        untimed: things that could not be timed, and count as nothing.
    """

    members: int
    tables: int
    seconds: float
    left: float
    memory: int
    disk: int
    at_most: bool
    untimed: tuple[str, ...]


def cost_of(needed: Needed, rates: Rates, store: Store, base: int) -> Cost:
    """What some claims take together.

    Args:
        needed: by them.
        rates: of this machine.
        store: what it has is not left to be done.
        base: bytes that a process holds before it works.
    """
    seconds = left = disk = 0.0
    memory, tables = 0, 0
    untimed = dict.fromkeys(needed.unknown)
    for recipe, seeds in needed.members.items():
        each = rates.training(recipe, seeds)
        if each is None:
            untimed[f"training of {recipe.name}"] = None
            continue
        absent = len(seeds) - len(store.trained_of(recipe, sorted(seeds)))
        seconds, left = seconds + len(seeds) * each, left + absent * each
        disk += len(seeds) * (4 * recipe.program().layout.total * len(recipe.kept) + HEADER)
        memory = max(memory, _memory(recipe, store))
    for measurement, recipe, seeds in needed.tables.values():
        tables += len(seeds)
        try:
            each = rates.measuring(measurement, recipe, seeds)
        except CANNOT:
            each = None
        if each is None:
            untimed[f"{measurement.name} of {recipe.name}"] = None
            continue
        absent = len(seeds) - len(store.measured_of(recipe, sorted(seeds), measurement))
        seconds, left = seconds + len(seeds) * each, left + absent * each
        disk += len(seeds) * rates.bytes_of(measurement, recipe)
    at_most = any(map(rates.at_most, needed.members))
    return Cost(
        sum(map(len, needed.members.values())), tables, seconds, left, base + memory, int(disk), at_most, tuple(untimed)
    )  # fmt: skip


def _memory(recipe: Recipe, store: Store) -> int:
    """Bytes that work on the recipe's members holds: the data, and a stack, or what stacked work is allowed."""
    from harness.training.train import memory_needed

    data = store.data(recipe.data)
    own = data.train_x.nbytes + data.test_x.nbytes
    stack = trained_together(recipe, data, store.device)
    read = measured_together(recipe, store.device) * 4 * recipe.program().layout.total * len(recipe.kept)
    return 2 * own + max(memory_needed(recipe, data, stack), read + memory_limit(store.device))
