"""A user's module, run and copied without leaving a trace on it.

Running a module can change it: its mode, running statistics, attributes that ``forward`` sets, the state of random generators.
:func:`untouched` puts all of it back.  Copying one can fail or change what is not its own: old ``weight_norm`` leaves a tensor
in the module that cannot be deep-copied, and a hook may belong to an object that holds half of a program.  :func:`copied` takes
hooks as they are, by reference, and turns only those to the copy that are methods of the module's own parts.
"""

from __future__ import annotations

import copy
import operator
import random
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import MethodType
from typing import Any

import numpy as np
import torch

CALLED = ("_forward_hooks", "_forward_pre_hooks")
OTHER = (
    "_backward_hooks", "_backward_pre_hooks", "_state_dict_hooks", "_state_dict_pre_hooks", "_load_state_dict_pre_hooks",
    "_load_state_dict_post_hooks",
)  # fmt: skip
TABLES = ("_parameters", "_buffers", "_modules", *CALLED)


class Attributes:
    """The attributes of a module and of its parts, to be put back.

    Args:
        module: whose attributes.
    """

    def __init__(self, module: torch.nn.Module) -> None:
        self._kept = [
            (part, dict(part.__dict__), [(part.__dict__[table], dict(part.__dict__[table])) for table in TABLES])
            for part in module.modules()
        ]

    def restore(self) -> None:
        """Put them back, each as the object that it was."""
        for part, own, tables in self._kept:
            if not _alike(part.__dict__, own):
                part.__dict__.clear()
                part.__dict__.update(own)
            for table, entries in tables:
                if not _alike(table, entries):
                    table.clear()
                    table.update(entries)


def _alike(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two tables hold the same objects."""
    return len(one) == len(other) and all(map(operator.is_, one.values(), other.values()))


@contextmanager
def untouched(module: torch.nn.Module) -> Iterator[None]:
    """In evaluation mode inside; afterwards module and random generators are what they were before.

    Put back are modes, parameters and buffers with their values, hooks, and every attribute of every part.  What a hook of the
    user's writes elsewhere is written, as in any call of the module.
    """
    attributes = Attributes(module)
    tensors = [*module.parameters(), *module.buffers()]
    values = [value.detach().clone() for value in tensors]
    python, legacy, torch_state = random.getstate(), np.random.get_state(), torch.get_rng_state()  # noqa: NPY002
    try:
        for part in module.modules():
            part.training = False  # not .eval(), which a subclass may have made do something else
            part.__dict__.pop("_compiled_call_impl", None)
        yield
    finally:
        attributes.restore()
        with torch.no_grad():
            for tensor, value in zip(tensors, values, strict=True):
                if not _same(tensor, value):
                    tensor.copy_(value)
        random.setstate(python)
        np.random.set_state(legacy)  # noqa: NPY002 - the user's own
        torch.set_rng_state(torch_state)


def _same(one: torch.Tensor, other: torch.Tensor) -> bool:
    return torch.equal(one, other) or bool(torch.equal(one.isnan(), other.isnan())
                                           and torch.equal(one.nan_to_num(), other.nan_to_num()))  # fmt: skip


def copied(module: torch.nn.Module, *, hooks: bool) -> torch.nn.Module:
    """A copy in evaluation mode that shares no tensor with the module.

    Args:
        module: what is copied.
        hooks: whether the copy has the forward and pre-forward hooks; backward hooks it never has.

    Raises:
        TypeError: a part of it cannot be copied.
    """
    memo: dict[int, Any] = {}
    kept: list[Any] = []  # a memo of deepcopy is keyed by id: its keys have to live
    for part in module.modules():
        for table in (*CALLED, *OTHER):
            if (given := part.__dict__.get(table)) is not None:
                memo[id(given)] = OrderedDict(given) if hooks and table in CALLED else OrderedDict()
                kept.append(given)
        for value in part.__dict__.values():
            _detached(value, memo)
    try:
        twin = copy.deepcopy(module, memo)
    except Exception as problem:
        name = type(module).__name__
        raise TypeError(f"{name} cannot be copied ({problem}); give a module that copy.deepcopy can copy") from problem
    for part in twin.modules():
        part.training = False
        for table in CALLED:
            found = part.__dict__[table]
            for number, hook in list(found.items()):
                found[number] = _turned(hook, memo)
    return twin


def _detached(value: Any, memo: dict[int, Any], depth: int = 3) -> None:
    """Let deepcopy find a plain copy of every tensor that was computed: it refuses to copy those."""
    if isinstance(value, torch.Tensor):
        if value.grad_fn is not None:
            memo[id(value)] = value.detach().clone()
    elif depth and isinstance(value, list | tuple | set):
        for item in value:
            _detached(item, memo, depth - 1)
    elif depth and isinstance(value, dict):
        for item in value.values():
            _detached(item, memo, depth - 1)


def _turned(hook: Callable[..., Any], memo: dict[int, Any]) -> Callable[..., Any]:
    """A method of a part of the module as the method of that part's copy; anything else as it is."""
    owner = getattr(hook, "__self__", None)
    if isinstance(hook, MethodType) and isinstance(owner, torch.nn.Module) and id(owner) in memo:
        return MethodType(hook.__func__, memo[id(owner)])
    return hook
