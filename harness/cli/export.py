"""The command ``cache export``: networks of claims that the store has, for plain PyTorch."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import TYPE_CHECKING

from harness.cli.words import counted

if TYPE_CHECKING:
    from harness.recipe import Recipe
    from harness.store import Store


def export(store: Store, chosen: argparse.Namespace) -> int:
    """Write a folder for each recipe; nothing is trained.  Exit code 1 where the store lacks networks that were asked for."""
    from harness.cli import CommandError
    from harness.cli.train import wanted
    from harness.data import DataError
    from harness.errors import Shortfall
    from harness.store.exporting import export as written

    asked: dict[str, tuple[Recipe, set[int]]] = {}
    for recipe, seeds in wanted(chosen.others, chosen.scale or "reduced", chosen.folder or Path("claims")):
        asked.setdefault(recipe.key, (recipe, set()))[1].update(seeds)
    text = (chosen.match or "").casefold()
    chosen_ones = [each for key, each in asked.items() if text in f"{each[0].name} {key}".casefold()]
    if not chosen_ones:
        raise CommandError(f"none of {counted(len(asked), 'recipe')} has {chosen.match!r} in its name")
    lacking = 0
    for recipe, wanted_seeds in chosen_ones:
        try:
            there = store.trained_of(recipe, sorted(wanted_seeds))
            if there:
                folder = (chosen.out or Path("export")) / f"{re.sub(r'[^A-Za-z0-9.]+', '-', recipe.name)}-{recipe.key[:8]}"
                written(store.population(recipe, there), folder)
                print(f"{folder}: {counted(len(there), 'member')} of {recipe.name}")
        except (ValueError, DataError, Shortfall) as problem:
            raise CommandError(problem) from None
        lacking += len(wanted_seeds) - len(there)
    if lacking:
        said = "not exported, since the store has none of that name; python -m harness train makes them"
        print(f"{counted(lacking, 'member')} {said}")
    return 1 if lacking else 0
