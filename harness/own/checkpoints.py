"""Networks that somebody else has trained, as a population."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.drawn import drawn
from harness.own.architecture import Model, architecture_of, module_of
from harness.own.fitting import fitted
from harness.own.weights import read
from harness.population import Population
from harness.recipe import Recipe, RecipeError, Regime, digest, require
from harness.runs.read import Read, told
from harness.spec import is_whole

if TYPE_CHECKING:
    import torch

    from harness.data.base import DataSpec

_FIELD = re.compile(r"\{(seed|step)\}")


@dataclass(frozen=True)
class Given(Regime):
    """How networks came to be that were trained elsewhere: nobody here can train more of them.

    Attributes:
        name: for tables and figures.
    """

    name: str = "given"

    def __post_init__(self) -> None:
        require(isinstance(self.name, str) and bool(self.name.strip()), self, "name", "a short text")

    def examples(self, step: Any, inputs: Any, targets: Any) -> Any:
        """Raise, since they are not trained here."""
        raise self.refusal()

    def refusal(self) -> RecipeError:
        """What is said to who wants to train them."""
        return RecipeError(
            f"the networks of {self.name!r} were given, so no more of them can be trained: measure the population that "
            "Checkpoints made, and give further seeds as further files; harness.Trained makes a recipe of a function that "
            "trains"
        )


def Checkpoints(  # noqa: N802 - it makes a population, and reads like one
    weights: Any, *, model: Model, data: DataSpec, name: str = "given", labels: Mapping[str, Any] | None = None,
    arguments: Mapping[str, Any] | None = None, architecture: str | None = None, key: str | None = None, prefix: str = "",
    ignore: str | Sequence[str] = (), cast: bool = False,
) -> Population:  # fmt: skip
    """Networks that were trained elsewhere, as a population that every instrument measures.

    Tables of their measurements are named by the weights themselves and by the code of ``model``: where a file lies and what it
    is called does not count.  The column "seed" tells members apart, "epoch" holds the step of a checkpoint.

    Example:
        >>> from harness import Checkpoints, Mnist
        >>> Checkpoints("runs/seed{seed}/step{step}.pt", model=build, data=Mnist(train=1000, test=200))  # doctest: +SKIP

    Args:
        weights: of each member: ``{seed: file}``, or ``{seed: {step: file}}`` for checkpoints through training, at the
            same steps for every seed; a list of files, whose seeds are 0, 1, …; or a path with ``{seed}`` in it, and
            ``{step}`` perhaps.
            In place of a file (safetensors, or a state_dict of torch.save) there may be a folder of Hugging Face, a state_dict,
            or a module.
        model: a function or class that builds the network, its address "package.module:function", or an architecture.
        data: what the members are measured on; inputs have its shape.
        name: how they were trained, for tables and figures: the column "regime".
        labels: levels of factors, as further columns.
        arguments: of the function that builds the network.
        architecture: its name for tables; None for the function's.
        key: under which files hold the state_dict, as Lightning's do under "state_dict".
        prefix: what stands before the names of the weights, as Lightning's "model."; names without it do not count.
        ignore: patterns of names that do not count.
        cast: whether weights of another type than the model's are turned into it.

    Raises:
        RecipeError: a file cannot be read, or its weights are not those of the model.
        NotFinite: weights are NaN or infinite.
    """
    import torch

    from harness.networks.finite import NotFinite, diverged

    places, shape, classes = _places(weights), data.shape, data.classes
    made = architecture_of(model, architecture, dict(arguments or {}))
    steps = _steps(places)
    recipe = Recipe(data, made, Given(name), epochs=steps[-1], checkpoints=steps[:-1])
    layout, module = recipe.program().layout, module_of(made, shape, classes)
    ignored = (ignore,) if isinstance(ignore, str) else tuple(ignore)

    def flat(seed: int, step: int) -> torch.Tensor:
        source = places[seed][step]
        where = Path(source).name if isinstance(source, str | PathLike) else f"the weights of seed {seed} at step {step}"
        return fitted(read(source, key), module, layout, where, prefix=prefix, ignore=ignored, cast=cast)

    seeds = tuple(places)
    found = {step: torch.stack([flat(seed, step) for seed in seeds]) for step in steps}
    if wrong := diverged(recipe.program(), seeds, found, steps):
        raise NotFinite(recipe.name, wrong)
    _note(name, seeds, found)
    return Population(recipe, seeds, found, dict(labels or {}))


def _note(name: str, seeds: Sequence[int], found: Mapping[int, torch.Tensor]) -> None:
    """Say to the card and to the claim's design which weights were read."""
    content = digest([list(seeds), {str(step): theta for step, theta in found.items()}])
    told([Read(f"weights of {name}", f"{len(seeds)} networks at {len(found)} steps, digest {content}")])
    if (drawing := drawn()) is not None:
        drawing.instead(f"weights of {name}", {"seeds": list(seeds), "steps": list(found), "content": content})


def _places(weights: Any) -> dict[int, dict[int, Any]]:
    """Where the weights of each member are, by seed and step.

    Raises:
        RecipeError: they are given in another form.
    """
    if isinstance(weights, str | PathLike):
        return _matching(str(weights))
    if isinstance(weights, Mapping):
        members = {seed: source if _by_step(source) else {0: source} for seed, source in weights.items()}
    elif isinstance(weights, Sequence):
        members = {seed: source if _by_step(source) else {0: source} for seed, source in enumerate(weights)}
    else:
        members = {}
    if not members or not all(map(_is_number, members)):
        raise RecipeError(
            f"weights are {type(weights).__name__}{_keys(weights)}; give {{seed: file}}, {{seed: {{step: file}}}}, a list of "
            "files, or a path with {seed} in it; seeds are whole numbers from 0"
        )
    return dict(sorted(members.items()))


def _keys(weights: Any) -> str:
    return f" of {', '.join(map(repr, list(weights)[:3]))}" if isinstance(weights, Mapping) and weights else ""


def _by_step(source: Any) -> bool:
    return isinstance(source, Mapping) and bool(source) and all(map(_is_number, source))


def _is_number(value: object) -> bool:
    return is_whole(value) and value >= 0  # type: ignore[operator]


def _matching(pattern: str) -> dict[int, dict[int, Any]]:
    """The files that a path stands for."""
    parts = _FIELD.split(pattern)
    if parts[1::2].count("seed") != 1 or parts[1::2].count("step") > 1:
        raise RecipeError(
            f"weights={pattern!r} is one path; write {{seed}} where its number stands, and {{step}} for checkpoints"
        )
    fitting = re.compile("".join(f"(?P<{part}>[0-9]+)" if odd % 2 else re.escape(part) for odd, part in enumerate(parts)))
    path = Path("".join("*" if odd % 2 else part for odd, part in enumerate(parts)))
    root = Path(path.anchor) if path.is_absolute() else Path()
    found: dict[int, dict[int, Any]] = {}
    for each in root.glob(str(path.relative_to(root))):
        if match := fitting.fullmatch(str(each)):
            numbers = match.groupdict()
            members = found.setdefault(int(numbers["seed"]), {})
            if int(numbers.get("step") or 0) in members:
                raise RecipeError(f"{pattern} stands for two files of seed {numbers['seed']}: {each.name} is one of them")
            members[int(numbers.get("step") or 0)] = each
    if not found:
        where = "" if path.is_absolute() else f" (the working directory is {Path.cwd()})"
        raise RecipeError(f"no file is called {pattern}{where}")
    return dict(sorted(found.items()))


def _steps(places: Mapping[int, Mapping[int, Any]]) -> tuple[int, ...]:
    """The steps, which are the same for every member."""
    first = next(iter(places))
    for seed, members in places.items():
        if set(members) != set(places[first]):
            differ = sorted(set(members) ^ set(places[first]))
            raise RecipeError(
                f"seeds {first} and {seed} have checkpoints at different steps ({', '.join(map(str, differ[:6]))} only one of "
                "them): give the same steps of every seed"
            )
    return tuple(sorted(places[first]))
