"""How one kind of network is made: data, architecture, training regime, optimiser, epochs.

A recipe is frozen data.  Its digest, with a seed, names a trained network everywhere: in the store, in the report, in a
diff.  Change one value and only what depends on it is trained again.
"""

from __future__ import annotations

import pkgutil
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from harness.optimiser import SGD, Adam, AdamW, Cosine, Schedule, StepDecay, Until, WarmUp
from harness.regime import STANDARD, Adversarial, Norm, Regime, Standard, Threat, TrainingStep
from harness.showing import Shown
from harness.spec import LATER, RecipeError, describe, described, digest, is_whole, require

if TYPE_CHECKING:
    from harness.data.base import DataSpec
    from harness.networks.program import Program

__all__ = [
    "MLP", "SGD", "STANDARD", "Adam", "AdamW", "Adversarial", "Architecture", "Cosine", "Module", "Norm", "Recipe",
    "RecipeError", "Regime", "Schedule", "Standard", "StepDecay", "Threat", "TrainingStep", "Until", "WarmUp", "describe",
    "digest", "require",
]  # fmt: skip

TrainingLoss = Literal["cross_entropy", "mse"]
Augmentation: TypeAlias = Callable[..., Any]  # (inputs, generator) → inputs; torch is not imported here


class Architecture(ABC):
    """What a network looks like; :meth:`program` makes the stacked tensor program of it."""

    name: str

    @abstractmethod
    def program(self, shape: tuple[int, ...], classes: int) -> Program:
        """The tensor program for inputs of ``shape`` and that many classes."""

    def drawn(self) -> Architecture:
        """The architecture whose digest names the random streams of its networks: itself, unless code of it has moved."""
        return self


@dataclass(frozen=True)
class MLP(Architecture):
    """A fully connected ReLU network.

    Attributes:
        hidden: units of each hidden layer; (16, 16, 16) is "3 hidden layers of 16".
    """

    hidden: tuple[int, ...]

    def __post_init__(self) -> None:
        listed = isinstance(self.hidden, tuple) and bool(self.hidden)
        sane = listed and all(is_whole(width) and width > 0 for width in self.hidden)
        require(sane, self, "hidden", "one positive whole number for each hidden layer")

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

    from harness.networks import MLPProgram

    return MLPProgram((prod(shape), *hidden, classes))


@dataclass(frozen=True)
class Module(Architecture):
    """Any ``torch.nn.Module``: the address of a function that builds it, and the function's arguments.

    Attributes:
        build: "package.module:function"; called as ``function(shape=…, classes=…, **arguments)`` it returns a module that
            maps (point, *shape) to logits (point, class).
        arguments: JSON-able keyword arguments of the function.
        name: short name for tables and figures.
        moved_from: the address at which the function was when its networks were first drawn, where it has moved since.  That
            address goes on naming their random streams, so moving a function does not redraw them.
    """

    build: str
    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    moved_from: str | None = field(default=None, metadata=LATER)

    def __post_init__(self) -> None:
        written = isinstance(self.build, str) and ":" in self.build
        require(written, self, "build", "the address of a function, written 'package.module:function'")
        moved = self.moved_from is None or (isinstance(self.moved_from, str) and ":" in self.moved_from)
        require(moved, self, "moved_from", "None, or the address at which the function of build used to be")

    def drawn(self) -> Module:
        """See :meth:`Architecture.drawn`."""
        return self if self.moved_from is None else replace(self, build=self.moved_from, moved_from=None)

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
    from harness.networks import program_of

    arguments = dict(architecture.arguments)
    return program_of(lambda: function(shape=shape, classes=classes, **arguments), classes)


def _require_parts(recipe: Recipe) -> None:
    """Check the type of every part of a recipe; a string, or one of torch's classes, in its place is the commonest mistake."""
    from harness.data.base import DataSpec

    require(isinstance(recipe.data, DataSpec), recipe, "data", "a DataSpec, such as ToyImages() or Mnist(train=1000, test=200)")
    require(
        isinstance(recipe.architecture, Architecture), recipe, "architecture",
        "an Architecture, such as MLP((16, 16)) or Module('package.module:function', 'name')",
    )  # fmt: skip
    frozen = getattr(getattr(recipe.regime, "__dataclass_params__", None), "frozen", False)
    named = isinstance(getattr(recipe.regime, "name", None), str)
    require(
        isinstance(recipe.regime, Regime) and frozen and named, recipe, "regime",
        "a Regime, which is a frozen dataclass with a name; write recipe.robust(Threat(…)) for a robust one",
    )  # fmt: skip
    meant = {"adamw": "AdamW(0.001)", "adam": "Adam(0.001)"}.get(str(recipe.optimiser).lower(), "SGD(0.01)")
    allowed = f"an SGD, Adam or AdamW of harness.recipe: write optimiser={meant}"
    require(isinstance(recipe.optimiser, SGD | Adam), recipe, "optimiser", allowed)
    require(recipe.parent is None or isinstance(recipe.parent, Recipe), recipe, "parent", "None or a Recipe")
    require(recipe.until is None or isinstance(recipe.until, Until), recipe, "until", "None or Until(quantity, threshold)")
    scheduled = recipe.schedule is None or isinstance(recipe.schedule, StepDecay | Cosine | WarmUp)
    require(scheduled, recipe, "schedule", "None, StepDecay(…), Cosine(…) or WarmUp(…) of harness.recipe")
    require(
        recipe.augment is None or callable(recipe.augment), recipe, "augment",
        "None or a function of (inputs, generator) that returns inputs of the same shape",
    )  # fmt: skip


@dataclass(frozen=True, repr=False)
class Recipe(Shown):
    """One kind of trained network.

    Attributes:
        data: what it is trained on.
        architecture: what it looks like.
        regime: standard or adversarial training, or a :class:`Regime` of your own.
        optimiser: how it descends.
        epochs: passes over the data; 0 gives the initialised network.  With ``until``, the most that a member may take.
        batch_size: points per step.
        checkpoints: epochs after which the parameters are kept, besides the last.
        parent: None, or the recipe whose trained member of the same seed is the start (finetuning).
        loss: "cross_entropy", or "mse" (least squares; half the squared distance to the target, averaged over points).
        until: None, or what ends a member's training before the last epoch.
        schedule: None for a constant learning rate, or how it changes: :class:`StepDecay`, :class:`Cosine` or :class:`WarmUp`.
        augment: None, or a function of (inputs, generator) that changes the inputs of every batch of training.  The inputs
            have shape (point, *shape) and may be overwritten; what it returns has the same shape.  Anything random in it
            has to be drawn from the generator, a ``torch.Generator`` on the CPU that is the member's own.
    """

    data: DataSpec
    architecture: Architecture
    regime: Regime = STANDARD
    optimiser: SGD | Adam = field(default_factory=SGD)
    epochs: int = 100
    batch_size: int = 32
    checkpoints: tuple[int, ...] = ()
    parent: Recipe | None = None
    loss: TrainingLoss = field(default="cross_entropy", metadata=LATER)
    until: Until | None = field(default=None, metadata=LATER)
    schedule: Schedule | None = field(default=None, metadata=LATER)
    augment: Augmentation | None = field(default=None, metadata=LATER)

    def __post_init__(self) -> None:
        _require_parts(self)
        require(is_whole(self.epochs) and self.epochs >= 0, self, "epochs", "a whole number, 0 or more")
        require(is_whole(self.batch_size) and self.batch_size >= 1, self, "batch_size", "a whole number, 1 or more")
        require(isinstance(self.checkpoints, tuple), self, "checkpoints", "a tuple of epochs, such as (0, 10)")
        inside = all(is_whole(epoch) and 0 <= epoch <= self.epochs for epoch in self.checkpoints)
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

    def _shown(self) -> tuple[str, Mapping[str, Any]]:
        changed = {each.name: getattr(self, each.name) for each in fields(self) if each.metadata == LATER}
        more = {name: value for name, value in changed.items() if value not in (None, "cross_entropy")}
        parent = {"from": f"{self.parent.name}, {self.parent.epochs:,} epochs"} if self.parent else {}
        return f"Recipe {self.name}", {
            "key": self.key, "data": self.data, "epochs": self.epochs, "batch": self.batch_size, "optimiser": self.optimiser,
            "checkpoints": self.checkpoints, **parent, **more, "regime": self.regime,
        }  # fmt: skip

    def describe(self) -> dict[str, Any]:
        """Canonical form: type and fields, except those that were added later and have their default value."""
        return described(self)

    @cached_property
    def key(self) -> str:
        """Digest of everything above."""
        return digest(self)

    @cached_property
    def drawn_key(self) -> str:
        """What names random streams: :attr:`key`, except that moving the function of a Module does not change it."""
        return self._drawn().key

    def _drawn(self) -> Recipe:
        own, parent = self.architecture.drawn(), None if self.parent is None else self.parent._drawn()
        same = own is self.architecture and parent is self.parent
        return self if same else replace(self, architecture=own, parent=parent)

    @property
    def kept(self) -> tuple[int, ...]:
        """All epochs that are kept, the last one included, in order."""
        return tuple(sorted({*self.checkpoints, self.epochs}))

    @property
    def name(self) -> str:
        """Architecture and regime, for readers."""
        return f"{self.architecture.name} {self.regime.name}"

    def program(self) -> Program:
        """The stacked tensor program of the architecture on this data."""
        return self.architecture.program(self.data.shape, self.data.classes)

    def under(self, regime: Regime) -> Recipe:
        """The same training under another regime."""
        return replace(self, regime=regime)

    def robust(self, threat: Threat, *, share: float = 0.5) -> Recipe:
        """The same training with ``share`` of each batch replaced by adversarial examples."""
        return self.under(Adversarial("robust", share, threat))

    def finetuned(self, threat: Threat | Regime, *, epochs: int) -> Recipe:
        """Training of this recipe's members continued: with batches full of adversarial examples, or under another regime."""
        regime = Adversarial("finetuned", 1.0, threat) if isinstance(threat, Threat) else threat
        return replace(self, regime=regime, epochs=epochs, checkpoints=(), parent=self)
