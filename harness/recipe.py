"""How one kind of network is made: data, architecture, training regime, optimiser, epochs.

A recipe is frozen data.  Its digest, with a seed, names a trained network everywhere: in the store, in the report, in a
diff.  Change one value and only what depends on it is trained again.
"""

from __future__ import annotations

import hashlib
import json
import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from functools import cached_property, lru_cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal

from harness.code import code_digest

if TYPE_CHECKING:
    from harness.data.base import DataSpec
    from harness.models.base import Program

Norm = Literal["linf", "l2"]


class RecipeError(ValueError):
    """A recipe with an impossible value; the message says which value, what is allowed and what to do."""


def require(condition: bool, owner: object, name: str, allowed: str) -> None:
    """Raise a :class:`RecipeError` unless ``condition`` holds for ``owner.name``."""
    if not condition:
        raise RecipeError(f"{type(owner).__name__} has {name}={getattr(owner, name)!r}; it has to be {allowed}")


def describe(value: Any) -> Any:
    """A frozen dataclass as plain JSON, its type's name first; the canonical form that digests are made of."""
    if hasattr(value, "describe") and not isinstance(value, type):
        return value.describe()
    if is_dataclass(value) and not isinstance(value, type):
        return {"type": type(value).__name__} | {f.name: describe(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): describe(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [describe(item) for item in value]
    return value


def digest(value: Any) -> str:
    """SHA-256 of the canonical JSON of ``value``, 16 hexadecimal digits."""
    text = json.dumps(describe(value), sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


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

    def function(self) -> Any:
        """The function that :attr:`build` names."""
        module, _, name = self.build.partition(":")
        try:
            return getattr(import_module(module), name)
        except (ImportError, AttributeError) as problem:
            raise RecipeError(
                f"Module has build={self.build!r}, which cannot be imported ({problem}); "
                "give 'package.module:function' of an importable module"
            ) from problem

    def describe(self) -> dict[str, Any]:
        """Canonical form; it holds a digest of the function's module, so that an edited network is another network."""
        code = code_digest((sys.modules[self.function().__module__],))
        return {"type": "Module", "build": self.build, "arguments": describe(self.arguments), "code": code}

    def program(self, shape: tuple[int, ...], classes: int) -> Program:
        """See :meth:`Architecture.program`."""
        return _module_program(self, shape, classes)


@lru_cache
def _module_program(architecture: Module, shape: tuple[int, ...], classes: int) -> Program:
    from harness.models import program_of

    function, arguments = architecture.function(), dict(architecture.arguments)
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
class SGD:
    """Stochastic gradient descent.

    Attributes:
        learning_rate: step size.
        momentum: heavy-ball momentum, as in ``torch.optim.SGD``.
        row_radius: None, or the radius of the Euclidean ball around its initial value onto which each row of each weight
            matrix is projected after every step (the lazy regime's B_{2,∞}(W₀, C₀/√m)).
    """

    learning_rate: float = 0.01
    momentum: float = 0.0
    row_radius: float | None = None

    def __post_init__(self) -> None:
        require(self.learning_rate > 0, self, "learning_rate", "above 0")
        require(0 <= self.momentum < 1, self, "momentum", "at least 0 and below 1")
        require(self.row_radius is None or self.row_radius > 0, self, "row_radius", "None or above 0")


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
        epochs: passes over the data; 0 gives the initialised network.
        batch_size: points a step.
        checkpoints: epochs after which the parameters are kept, besides the last.
        parent: None, or the recipe whose trained member of the same seed is the start (finetuning).
    """

    data: DataSpec
    architecture: Architecture
    regime: Regime = STANDARD
    optimiser: SGD = field(default_factory=SGD)
    epochs: int = 100
    batch_size: int = 32
    checkpoints: tuple[int, ...] = ()
    parent: Recipe | None = None

    def __post_init__(self) -> None:
        require(self.epochs >= 0, self, "epochs", "0 or more")
        require(self.batch_size >= 1, self, "batch_size", "1 or more")
        inside = all(0 <= epoch <= self.epochs for epoch in self.checkpoints)
        require(inside, self, "checkpoints", f"epochs from 0 to the last, {self.epochs}")
        require(
            self.parent is None or self.parent.architecture == self.architecture, self, "parent",
            f"a recipe of the same architecture, {self.architecture}",
        )  # fmt: skip

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
