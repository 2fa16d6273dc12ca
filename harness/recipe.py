"""How one kind of network is made: data, architecture, training regime, optimiser, epochs.

A recipe is frozen data.  Its digest, with a seed, names a trained network everywhere: in the store, in the report, in a
diff.  Change one value and only what depends on it is trained again.
"""

from __future__ import annotations

import pkgutil
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, Literal

from harness.optimiser import SGD, Adam, Until
from harness.spec import RecipeError, describe, digest, require, type_name

if TYPE_CHECKING:
    from harness.data.base import DataSpec
    from harness.models.base import Program

__all__ = [
    "MLP", "SGD", "STANDARD", "Adam", "Architecture", "Module", "Norm", "Recipe", "RecipeError", "Regime", "Threat", "Until",
    "describe", "digest", "require",
]  # fmt: skip

Norm = Literal["linf", "l2"]
TrainingLoss = Literal["cross_entropy", "mse"]
LATER_FIELDS = ("loss", "until")
"""Fields of a recipe that are left out of its canonical form at their defaults: recipes from before them keep their names."""


class Architecture(ABC):
    """What a network looks like; :meth:`program` makes the stacked tensor program of it."""

    name: str

    @abstractmethod
    def program(self, shape: tuple[int, ...], classes: int) -> Program:
        """The tensor program for inputs of ``shape`` and that many classes."""


@dataclass(frozen=True)
class MLP(Architecture):
    """A fully connected ReLU network.

    Attributes:
        hidden: units of each hidden layer; (16, 16, 16) is "3 hidden layers of 16".
    """

    hidden: tuple[int, ...]

    def __post_init__(self) -> None:
        widths_are_sane = all(isinstance(width, int) and width > 0 for width in self.hidden)
        require(bool(self.hidden) and widths_are_sane, self, "hidden", "one positive whole number for each hidden layer")

    @property
    def name(self) -> str:  # type: ignore[override]
        """Depth × width for equal layers ("3x16"), else the widths ("16-8")."""
        equal = len(set(self.hidden)) == 1
        return f"{len(self.hidden)}x{self.hidden[0]}" if equal else "-".join(map(str, self.hidden))

    def program(self, shape: tuple[int, ...], classes: int) -> Program:
        """See :meth:`Architecture.program`."""
        return _mlp_program(self.hidden, shape, classes)


@lru_cache
def _mlp_program(hidden: tuple[int, ...], shape: tuple[int, ...], classes: int) -> Program:
    from math import prod

    from harness.models import MLPProgram

    return MLPProgram((prod(shape), *hidden, classes))


@dataclass(frozen=True)
class Module(Architecture):
    """Any ``torch.nn.Module``: the address of a function that builds it, and the function's arguments.

    Attributes:
        build: "package.module:function"; called as ``function(shape=…, classes=…, **arguments)`` it returns a module that
            maps (point, *shape) to logits (point, class).
        arguments: JSON-able keyword arguments of the function.
        name: short name for tables and figures.
    """

    build: str
    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        require(":" in self.build, self, "build", "the address of a function, written 'package.module:function'")

    def __hash__(self) -> int:
        return hash(digest(self))

    def definitions(self) -> Iterator[Any]:
        """The function that builds it: its code decides the network."""
        yield self.function()

    def function(self) -> Any:
        """The function that :attr:`build` names, as it is now."""
        try:
            return pkgutil.resolve_name(self.build)
        except (ImportError, AttributeError, ValueError) as problem:
            raise RecipeError(
                f"Module has build={self.build!r}, which cannot be imported ({problem}); "
                "give 'package.module:function' of an importable module"
            ) from problem

    def program(self, shape: tuple[int, ...], classes: int) -> Program:
        """See :meth:`Architecture.program`."""
        function = self.function()
        return _module_program(self, function, getattr(function, "__code__", None), shape, classes)


@lru_cache
def _module_program(architecture: Module, function: Any, code: Any, shape: tuple[int, ...], classes: int) -> Program:
    """Made once for what a function does now: a module that is imported again may put other code into the same function."""
    from harness.models import program_of

    arguments = dict(architecture.arguments)
    return program_of(lambda: function(shape=shape, classes=classes, **arguments), classes)


@dataclass(frozen=True)
class Threat:
    """What the attacker may do: the set of perturbations around a point, and how it is searched in training.

    Attributes:
        norm: "linf" or "l2".
        epsilon: radius of the ball, in the units of the data.
        steps: steps of projected gradient ascent (Madry et al. 2018).
        relative_step: size of a step in units of ``epsilon / steps``.
        random_start: start at a uniformly random point of the ball, else at its centre.
    """

    norm: Norm = "linf"
    epsilon: float = 2.0
    steps: int = 7
    relative_step: float = 2.5
    random_start: bool = True

    def __post_init__(self) -> None:
        require(self.norm in ("linf", "l2"), self, "norm", "'linf' or 'l2'")
        require(self.epsilon > 0, self, "epsilon", "above 0")
        require(self.steps >= 1, self, "steps", "1 or more")
        require(self.relative_step > 0, self, "relative_step", "above 0")


@dataclass(frozen=True)
class Regime:
    """What the batches are made of; see :func:`standard`, :func:`robust` and :func:`finetuned`.

    Attributes:
        name: for tables and figures.
        adversarial_share: share of each batch that is replaced by adversarial examples.
        threat: how they are made; None exactly where the share is 0.
    """

    name: str
    adversarial_share: float = 0.0
    threat: Threat | None = None

    def __post_init__(self) -> None:
        require(0 <= self.adversarial_share <= 1, self, "adversarial_share", "from 0 to 1")
        require(
            (self.threat is None) == (self.adversarial_share == 0), self, "threat",
            "None where adversarial_share is 0, and a Threat where it is above 0",
        )  # fmt: skip


STANDARD = Regime("standard")


@dataclass(frozen=True)
class Recipe:
    """One kind of trained network.

    Attributes:
        data: what it is trained on.
        architecture: what it looks like.
        regime: standard or adversarial training.
        optimiser: how it descends.
        epochs: passes over the data; 0 gives the initialised network.  With ``until``, the most that a member may take.
        batch_size: points a step.
        checkpoints: epochs after which the parameters are kept, besides the last.
        parent: None, or the recipe whose trained member of the same seed is the start (finetuning).
        loss: "cross_entropy", or "mse" (least squares; half the squared distance to the target, averaged over points).
        until: None, or what ends a member's training before the last epoch.
    """

    data: DataSpec
    architecture: Architecture
    regime: Regime = STANDARD
    optimiser: SGD | Adam = field(default_factory=SGD)
    epochs: int = 100
    batch_size: int = 32
    checkpoints: tuple[int, ...] = ()
    parent: Recipe | None = None
    loss: TrainingLoss = "cross_entropy"
    until: Until | None = None

    def __post_init__(self) -> None:
        require(self.epochs >= 0, self, "epochs", "0 or more")
        require(self.batch_size >= 1, self, "batch_size", "1 or more")
        inside = all(0 <= epoch <= self.epochs for epoch in self.checkpoints)
        require(inside, self, "checkpoints", f"epochs from 0 to the last, {self.epochs}")
        require(
            self.parent is None or self.parent.architecture == self.architecture, self, "parent",
            f"a recipe of the same architecture, {self.architecture}",
        )  # fmt: skip
        require(self.loss in ("cross_entropy", "mse"), self, "loss", "'cross_entropy' or 'mse'")
        if self.data.classes < 2:  # one real output
            require(self.loss == "mse", self, "loss", "'mse' for data with real targets")
            require(self.regime.threat is None, self, "regime", "standard for data with real targets")
            sane = self.until is None or self.until.quantity != "accuracy"
            require(sane, self, "until", "None, or a residual or a loss, for data with real targets")

    def describe(self) -> dict[str, Any]:
        """Canonical form: type and fields, but those of ``LATER_FIELDS`` that stand at their default."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        default = {each.name: each.default for each in fields(self) if each.name in LATER_FIELDS}
        said = {name: describe(value) for name, value in values.items() if name not in default or value != default[name]}
        return {"type": type_name(type(self))} | said

    @cached_property
    def key(self) -> str:
        """Digest of everything above."""
        return digest(self)

    @property
    def kept(self) -> tuple[int, ...]:
        """All epochs that are kept, the last one included, in order."""
        return tuple(sorted({*self.checkpoints, self.epochs}))

    @property
    def name(self) -> str:
        """Architecture and regime, for people."""
        return f"{self.architecture.name} {self.regime.name}"

    def program(self) -> Program:
        """The stacked tensor program of the architecture on this data."""
        return self.architecture.program(self.data.shape, self.data.classes)

    def robust(self, threat: Threat, *, share: float = 0.5) -> Recipe:
        """The same training with ``share`` of each batch replaced by adversarial examples."""
        return replace(self, regime=Regime("robust", share, threat))

    def finetuned(self, threat: Threat, *, epochs: int) -> Recipe:
        """Training of this recipe's members continued with batches full of adversarial examples."""
        return replace(self, regime=Regime("finetuned", 1.0, threat), epochs=epochs, checkpoints=(), parent=self)
