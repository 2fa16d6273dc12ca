"""Loops of one's own that diverged: their networks are told, and kept from the store, as those of recipes are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from harness.networks.finite import diverged
from harness.training.train import Diverged

if TYPE_CHECKING:
    import torch

    from harness.recipe import Recipe


class LoopDiverged(Diverged):
    """A function of the user's returned weights that are not finite, for some seeds."""

    def __init__(self, recipe: Recipe, seeds: Sequence[int], kept: dict[int, torch.Tensor]) -> None:
        self.name, self.loop = recipe.name, recipe.regime.name
        self.seeds, self.kept = tuple(seeds), kept
        self._say()

    def _say(self) -> None:
        self.args = (
            f"training of {self.name} diverged for seeds {list(self.seeds)}: {self.loop} returned weights that are not finite; "
            "train more gently there, or leave these seeds out everywhere",
        )

    def take_in(self, others: Sequence[Exception]) -> None:
        """Say of all that failed likewise what is said of these: every network of a loop is trained by itself."""
        alike = [each for each in others if isinstance(each, LoopDiverged) and each.name == self.name]
        self.seeds = tuple(sorted({seed for each in (self, *alike) for seed in each.seeds}))
        self._say()


def broken(recipe: Recipe, seeds: Sequence[int], kept: Mapping[int, torch.Tensor]) -> LoopDiverged | None:
    """What is said of members that a loop returned with weights that are not finite; None where all are.

    Args:
        recipe: what was trained.
        seeds: of the members.
        kept: their parameters by kept epoch, shape (member, parameter).
    """
    bad = diverged(recipe.program(), seeds, kept, list(kept))
    return LoopDiverged(recipe, tuple(bad), dict(kept)) if bad else None
