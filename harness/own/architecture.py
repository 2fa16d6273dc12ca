"""An architecture that is a function of the user's, or the class of a module."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from types import FunctionType
from typing import TYPE_CHECKING, Any

from harness.recipe import Architecture, Module, RecipeError, digest, require

if TYPE_CHECKING:
    import torch

    from harness.networks.program import Program

Model = Architecture | str | Callable[..., "torch.nn.Module"]


@dataclass(frozen=True)
class Built(Architecture):
    """What a function, or the class of a module, builds.

    Attributes:
        build: returns a module that maps (point, *shape) to outputs (point, class); it is called with those of ``shape`` and
            ``classes`` that it takes, and with the arguments.
        name: for tables and figures.
        arguments: of the function, by name.
    """

    build: Callable[..., Any]
    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        named = isinstance(self.build, FunctionType | type | partial)
        require(named, self, "build", "a function of a module, a class, or a functools.partial of either")
        digest(self)  # what has no name is refused here, and not in the middle of a run

    def __hash__(self) -> int:
        return hash(digest(self))

    def made(self, shape: tuple[int, ...], classes: int) -> torch.nn.Module:
        """A fresh module; nobody's random numbers are drawn for it.

        Raises:
            RecipeError: the function returns something else.
        """
        import torch

        with torch.random.fork_rng(devices=[]):
            return _call(self.build, shape, classes, dict(self.arguments))

    def program(self, shape: tuple[int, ...], classes: int) -> Program:
        """See :meth:`Architecture.program`."""
        from harness.networks import program_of

        return program_of(partial(_call, self.build, shape, classes, dict(self.arguments)), classes)


def _call(build: Callable[..., Any], shape: tuple[int, ...], classes: int, arguments: Mapping[str, Any]) -> torch.nn.Module:
    """What a function builds, given those of shape and classes that it takes."""
    import torch

    name = getattr(build, "__name__", "build")
    try:
        signature = inspect.signature(build)
    except ValueError:  # of what is written in C
        signature = inspect.signature(lambda: None)
    every = any(each.kind is each.VAR_KEYWORD for each in signature.parameters.values())
    own = {"shape": shape, "classes": classes}
    given = {each: value for each, value in own.items() if each in signature.parameters or every} | dict(arguments)
    try:
        signature.bind(**given)
    except TypeError as problem:
        raise RecipeError(
            f"{name} cannot be called to build a network ({problem}): it is given shape and classes where it takes them; give "
            "what else it needs with arguments={…}"
        ) from None
    found = build(**given)
    if not isinstance(found, torch.nn.Module):
        raise RecipeError(f"{name} returned {type(found).__name__}; what builds a network has to return a torch.nn.Module")
    return found


def architecture_of(model: Model, name: str | None, arguments: Mapping[str, Any]) -> Architecture:
    """The architecture that a user means.

    Args:
        model: a function that builds it, its address "package.module:function", a class of modules, or an architecture.
        name: for tables; None for the function's own.
        arguments: of the function, by name.

    Raises:
        RecipeError: it is none of these, or has no name by which it can be told from others.
    """
    if isinstance(model, Architecture):
        return model
    if isinstance(model, str):
        return Module(model, name or model.rpartition(":")[2], arguments)
    inner = model.func if isinstance(model, partial) else model
    if not callable(model) or not isinstance(inner, FunctionType | type):
        raise RecipeError(
            f"model is {type(model).__name__}; give the function that builds the network, its class, or its address "
            "'package.module:function'; an instance holds weights, and belongs among the weights"
        )
    return Built(model, name or inner.__name__, arguments)


def module_of(architecture: Architecture, shape: tuple[int, ...], classes: int) -> torch.nn.Module:
    """A module of an architecture, into which weights can be put."""
    import torch

    if isinstance(architecture, Built):
        return architecture.made(shape, classes)
    if isinstance(architecture, Module):
        with torch.random.fork_rng(devices=[]):
            found: torch.nn.Module = architecture.function()(shape=shape, classes=classes, **architecture.arguments)
        return found
    program = architecture.program(shape, classes)
    return program.module(torch.zeros(program.layout.total))
