"""A user's own training loop as a recipe: stored, shared among workers and resumed as recipes of this library are."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from types import FunctionType
from typing import TYPE_CHECKING, Any

from harness.own.architecture import Model, architecture_of, module_of
from harness.own.checkpoints import Given
from harness.own.fitting import fitted
from harness.own.weights import read
from harness.progress import parts
from harness.recipe import Recipe, RecipeError, digest, require
from harness.spec import is_whole
from harness.streams import sequence

if TYPE_CHECKING:
    import torch

    from harness.data.base import DataSpec

Loop = Callable[..., Any]


@dataclass(frozen=True)
class Own(Given):
    """Training by a function of the user's.

    Attributes:
        name: for tables and figures.
        loop: ``loop(seed, config)`` returns a state_dict, a module, or one for each step that is kept.
        config: JSON-able values that it is given.
    """

    name: str
    loop: Loop = field(kw_only=True)
    config: Mapping[str, Any] = field(default_factory=dict, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        named = isinstance(self.loop, FunctionType | partial)
        require(named, self, "loop", "a function of a module, called as train(seed, config)")
        digest(self)  # a lambda, or a config that cannot be told from others, is refused here

    def __hash__(self) -> int:
        return hash(digest(self))


def Trained(  # noqa: N802 - it makes a recipe, and reads like one
    train: Loop, config: Mapping[str, Any] | None = None, *, model: Model, data: DataSpec, steps: int | Sequence[int] = 1,
    name: str | None = None, arguments: Mapping[str, Any] | None = None, architecture: str | None = None,
) -> Recipe:  # fmt: skip
    """A recipe whose networks a function of yours trains.

    ``harness.store.populations([Trained(train, …)], range(8))`` calls it for every seed that the store does not have yet, one
    after the other, with the work shared among the workers; each network is kept as soon as it is trained.  It is named by the
    code of ``train`` (followed through its imports), the config, the model and the data; change one and it is trained again.

    While it runs, the generators of torch, numpy and Python are seeded from the seed, and torch computes in single precision
    with one thread, as for every recipe.

    Args:
        train: ``train(seed, config)`` returns a state_dict or a module, or ``{step: state_dict}`` with ``steps``.
        config: JSON-able values, by name.
        model: see :func:`harness.Checkpoints`, as are ``arguments`` and ``architecture``.
        data: what the networks are measured on; ``train`` loads what it needs itself.
        steps: the number of steps, which the column "epoch" then holds, or all steps at which weights are returned.
        name: for tables, the column "regime"; None for the function's name.
        arguments: of the function that builds the network.
        architecture: its name for tables.

    Raises:
        RecipeError: the function or the config cannot be told from others by what they are.
    """
    inner = train.func if isinstance(train, partial) else train
    if not isinstance(inner, FunctionType):
        raise RecipeError(f"train is {type(train).__name__}; give a function of a module, called as train(seed, config)")
    kept: tuple[int, ...] = tuple(steps) if isinstance(steps, Sequence) else (steps,)
    if not kept or not all(is_whole(step) and step >= 0 for step in kept):
        raise RecipeError(f"steps={steps!r}; give the number of steps, or the steps at which weights are returned")
    regime = Own(name or inner.__name__, loop=train, config=dict(config or {}))
    made = architecture_of(model, architecture, dict(arguments or {}))
    last = max(kept)
    return Recipe(data, made, regime, epochs=last, checkpoints=tuple(sorted({*kept} - {last})))


def elsewhere(recipe: Recipe) -> bool:
    """Whether its networks are trained by a function of the user's, or were given."""
    return isinstance(recipe.regime, Given)


def trained(recipe: Recipe, seeds: Sequence[int]) -> dict[int, torch.Tensor]:
    """The members of a recipe of :func:`Trained`, as :func:`harness.training.train.train` returns those of others.

    Args:
        recipe: what to train.
        seeds: of its members.

    Raises:
        RecipeError: its networks were given, or the function returns something else than weights of the model at its steps.
    """
    import torch

    regime = recipe.regime
    assert isinstance(regime, Given)
    if not isinstance(regime, Own):
        raise regime.refusal()
    program = recipe.program()
    rows: dict[int, list[torch.Tensor]] = {step: [] for step in recipe.kept}
    for seed in parts(seeds):
        with _seeded(seed):
            found = regime.loop(seed, dict(regime.config))
        module = module_of(recipe.architecture, recipe.data.shape, recipe.data.classes)
        states = {step: read(given) for step, given in _by_step(found, recipe, seed).items()}
        _check_apart(states, f"{regime.name} returned for seed {seed}")
        for step, state in states.items():
            rows[step].append(fitted(state, module, program.layout, f"what {regime.name} returned for seed {seed}"))
    return {step: torch.stack(own) for step, own in rows.items()}


def _by_step(found: Any, recipe: Recipe, seed: int) -> dict[int, Any]:
    stepped = isinstance(found, Mapping) and bool(found) and all(is_whole(step) for step in found)
    by_step = dict(found) if stepped else {recipe.epochs: found}
    if set(by_step) != set(recipe.kept):
        raise RecipeError(
            f"{recipe.regime.name} returned weights of seed {seed} at steps {sorted(by_step)}, and steps= names "
            f"{list(recipe.kept)}: return {{step: state_dict}} for these very steps"
        )
    return by_step


def _check_apart(states: Mapping[int, Mapping[str, torch.Tensor]], what: str) -> None:
    """Refuses steps of which all weights lie in the same memory: a state_dict is no copy, and goes on with the training."""
    seen: dict[frozenset[int], int] = {}
    for step, state in states.items():
        first = seen.setdefault(frozenset(value.data_ptr() for value in state.values() if value.numel()), step)
        if first != step:
            raise RecipeError(
                f"what {what} at steps {first} and {step} is one and the same memory, which holds the weights of the "
                "last step; return copies: {name: value.clone() for name, value in model.state_dict().items()}"
            )


@contextlib.contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """The global generators seeded, and afterwards as they were."""
    import numpy as np
    import torch

    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002 - the user's loop may draw from it
    with torch.random.fork_rng():
        # Both take the lower 32 bits of a seed, torch without a word; so longer ones are mixed down to as many.
        word = seed if 0 <= seed < 2**32 else int(sequence("own training", str(seed)).generate_state(1)[0])
        torch.manual_seed(word)
        np.random.seed(word)  # noqa: NPY002
        random.seed(seed)
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numpy)  # noqa: NPY002
