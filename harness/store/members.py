"""Members of a store: those that are there are read, the others are trained, parents first."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, cast

from harness.device import standard_numerics
from harness.recipe import digest
from harness.store import files
from harness.store.copies import CONTENT
from harness.store.forward import explained
from harness.store.halving import in_halves
from harness.store.lineages import ancestry
from harness.store.names import Names, check_unmoved
from harness.store.orders import Order
from harness.store.sharing import Progress, Shard, cut, raise_first, trained_together, training_work
from harness.store.shelf import Shelf

if TYPE_CHECKING:
    import torch

    from harness.data.base import Dataset, DataSpec
    from harness.population import Unread
    from harness.recipe import Recipe
    from harness.store.loops import LoopDiverged
    from harness.training.train import Diverged


class Members:
    """Reads the members that are there and trains the others, together with the other workers.

    Args:
        names: what they are called.
        shelf: where they lie.
        device: "cpu" or "cuda"; where they are trained.
        data: loads the data of a spec.
        share: does the missing work; it is told, in words, what is worked on and what is done to it.
    """

    def __init__(
        self, names: Names, shelf: Shelf, device: str, data: Callable[[DataSpec], Dataset],
        share: Callable[[Sequence[Shard], str, str], None],
    ) -> None:  # fmt: skip
        self._names, self._shelf, self._device, self._data, self._share = names, shelf, device, data, share

    def there(self, recipe: Recipe, seeds: Sequence[int]) -> tuple[int, ...]:
        """Seeds whose member exists."""
        missing = set(self._shelf.missing(self._names.member_paths(recipe, seeds)))
        return tuple(seed for seed in seeds if seed not in missing)

    def unread(self, recipe: Recipe, seeds: tuple[int, ...]) -> Unread:
        """Parameters of members that are in the store, or that will be when somebody looks at them."""
        from harness.population import Unread

        names = self._names.members(recipe, seeds)
        return Unread(recipe.kept, seeds, partial(self._parameters, recipe, names), names)

    def make(self, recipes: Sequence[Recipe], seeds: tuple[int, ...], name: str) -> None:
        """Train what is missing, parents first."""
        if not any(self._shelf.missing(self._names.member_paths(recipe, seeds)) for recipe in recipes):
            return
        with_parents = dict.fromkeys(r for recipe in recipes for r in ancestry(recipe))
        failures: list[LoopDiverged] = []
        shards = [
            self.training(recipe, some, failures)
            for recipe in with_parents
            for some in cut(seeds, trained_together(recipe, self._data(recipe.data), self._device))
        ]
        self._share(shards, name, "trained")
        if failures:
            raise_first(failures)

    def training(self, recipe: Recipe, seeds: tuple[int, ...], failures: list[LoopDiverged] | None = None) -> Shard:
        """The work on some members of a recipe.

        Args:
            recipe: what they are.
            seeds: of the members.
            failures: where it is put that a loop of the user's diverged, so that its other members are still trained; the shard
                has then been tried.  None to raise it.
        """
        tried: list[bool] = []
        paths = self._names.member_paths(recipe, seeds)
        parents = self._names.member_paths(recipe.parent, seeds) if recipe.parent else {}
        names = tuple(path.stem for path in paths.values())

        def run(progress: Progress) -> None:
            try:
                self._train(recipe, paths, progress)
            except RuntimeError as problem:
                if failures is None or not hasattr(problem, "take_in"):
                    raise
                failures.append(cast("LoopDiverged", problem))
                tried.append(True)

        return Shard(
            key=digest(names),
            done=lambda: bool(tried) or not self._shelf.missing(paths),
            ready=lambda: not self._shelf.missing(parents),
            run=run,
            size=len(seeds),
            work=len(seeds) * training_work(recipe, self._data(recipe.data)),
            order=Order(recipe, seeds, names),
        )

    def _train(self, recipe: Recipe, paths: Mapping[int, Path], progress: Progress) -> None:
        from harness.training.train import Diverged

        missing = self._shelf.missing(paths)
        if not missing:
            return  # made by a worker that did not see the lock
        diverged: list[Diverged] = []

        def work(seeds: tuple[int, ...]) -> None:
            try:
                self._train_together(recipe, paths, seeds, progress)
            except Diverged as problem:
                diverged.append(problem)

        in_halves(missing, work, f"training {recipe.name}", self._device)
        if diverged:
            raise united(recipe, diverged)

    def _train_together(self, recipe: Recipe, paths: Mapping[int, Path], missing: tuple[int, ...], progress: Progress) -> None:
        from harness.own.training import elsewhere, trained
        from harness.store.loops import broken
        from harness.training.train import Diverged, train

        began = time.monotonic()
        start = None
        if recipe.parent:
            start = self.last(recipe.parent, missing)
            if start is None:
                return  # a parent was damaged and set aside; the shard that makes it runs again
        data = self._data(recipe.data)
        failed: Diverged | None = None
        try:
            with standard_numerics(self._device), explained():
                if elsewhere(recipe):
                    kept = trained(recipe, missing)
                    failed = broken(recipe, missing, kept)
                else:
                    kept = train(recipe, data, missing, start=start, device=self._device, progress=progress)
        except Diverged as problem:
            failed, kept = problem, problem.kept
        self.keep(recipe, paths, missing, kept, failed, (time.monotonic() - began) / len(missing))
        if failed is not None:
            raise failed

    def keep(
        self, recipe: Recipe, paths: Mapping[int, Path], seeds: Sequence[int], kept: Mapping[int, torch.Tensor],
        failed: Diverged | None, seconds: float,
    ) -> None:  # fmt: skip
        """Write the members that were trained, without those that diverged.

        Args:
            recipe: what they are.
            paths: where they, and perhaps others of the recipe, were to lie when they were asked for.
            seeds: which of them were trained.
            kept: their parameters by epoch, shape (member, parameter).
            failed: which of them diverged; None if none did.
            seconds: that one of them took.

        Raises:
            CodeError: their names have changed since then, because code has been imported again.
        """
        from harness.own.training import elsewhere

        check_unmoved(recipe.name, paths, self._names.member_paths(recipe, list(paths)))
        for row, seed in enumerate(seeds):
            if failed is None or seed not in failed.seeds:
                tensors = {f"epoch {epoch}": theta[row] for epoch, theta in kept.items()}
                about = {"recipe": recipe.name, "digest": recipe.key, "seed": seed, "seconds": seconds}
                if elsewhere(recipe):
                    about[CONTENT] = files.checksum(*files.parts_of(tensors))
                files.write_tensors(paths[seed], tensors, about)
                self._shelf.written(paths[seed])

    def last(self, recipe: Recipe, seeds: Sequence[int]) -> torch.Tensor | None:
        """The last parameters of members, shape (member, parameter); None where some have to be made again."""
        read = self._read(recipe, seeds)
        return None if read is None else read[recipe.kept[-1]]

    def _parameters(self, recipe: Recipe, names: Mapping[int, str], seeds: Sequence[int]) -> dict[int, torch.Tensor]:
        """Parameters of members by kept epoch; those that turn out to be damaged are trained again.

        Args:
            recipe: what they are.
            names: what they were called when they were asked for.
            seeds: which of them.

        Raises:
            CodeError: their names have changed since then, because code has been imported again.
        """
        now = self._names.members(recipe, seeds)
        check_unmoved(recipe.name, {seed: names[seed] for seed in seeds}, now)
        while True:  # until nothing is damaged; what is damaged twice is an error
            with standard_numerics(self._device):
                parameters = self._read(recipe, seeds)
            if parameters is not None:
                return parameters
            self.make([recipe], tuple(seeds), recipe.name)

    def _read(self, recipe: Recipe, seeds: Sequence[int]) -> dict[int, torch.Tensor] | None:
        """As :meth:`_parameters`; None where some have to be made again."""
        import torch

        paths = self._names.member_paths(recipe, seeds).values()
        read = [self._shelf.content(path, files.read_tensors) for path in paths]
        found = [content[0] for content in read if content is not None]
        if len(found) < len(read):
            return None
        return {epoch: torch.stack([tensors[f"epoch {epoch}"] for tensors in found]) for epoch in recipe.kept}


def united(recipe: Recipe, diverged: Sequence[Diverged]) -> Diverged:
    """What one or more stacks say of members of a recipe that diverged, as one."""
    if len(diverged) == 1:
        return diverged[0]
    return type(diverged[0])(recipe, [seed for each in diverged for seed in each.seeds], {})
