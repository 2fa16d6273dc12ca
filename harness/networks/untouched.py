"""A user's module, run and copied without leaving a trace on it.

Running a module can change it: its mode, running statistics, attributes that ``forward`` sets, the state of random generators.
:func:`untouched` puts all of it back.  Copying a module can fail, or copy too much: old ``weight_norm`` leaves a tensor in the
module that cannot be deep-copied, and a hook may belong to an object that holds half of a program.  :func:`copied` takes hooks
by reference, and redirects to the copy only those that are methods of the module's own parts.
"""

from __future__ import annotations

import copy
import operator
import random
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np
import torch
from torch.autograd.grad_mode import _unsafe_preserve_version_counter

CALLED = ("_forward_hooks", "_forward_pre_hooks")
OTHER = (
    "_backward_hooks", "_backward_pre_hooks", "_state_dict_hooks", "_state_dict_pre_hooks", "_load_state_dict_pre_hooks",
    "_load_state_dict_post_hooks",
)  # fmt: skip
DEPTH = 6  # of containers and plain objects inside a part, in which what forward writes is found


class Attributes:
    """What a module and its parts hold, to be restored: attributes, and what forward has put into lists, dicts and objects.

    Args:
        module: whose attributes.

    Attributes:
        tensors: every tensor that was found on the way.
        arrays: every array.
        generators: every generator of random numbers.
    """

    def __init__(self, module: torch.nn.Module) -> None:
        self.tensors: list[torch.Tensor] = []
        self.arrays: list[np.ndarray] = []
        self.generators: list[Any] = []
        self._kept: list[tuple[Any, Any]] = []
        self._seen: set[int] = set()
        for part in module.modules():
            self._look(part, DEPTH)

    def _look(self, value: Any, depth: int) -> None:
        if isinstance(value, PLAIN) or id(value) in self._seen or not depth:
            return
        self._seen.add(id(value))
        if isinstance(value, torch.Tensor):
            self.tensors.append(value)
        elif isinstance(value, np.ndarray):
            self.arrays.append(value)
        elif isinstance(value, GENERATORS):
            self.generators.append(value)
        elif isinstance(value, dict | list | set | deque):
            self._kept.append((value, value.copy()))
            for each in list(value.values() if isinstance(value, dict) else value):
                self._look(each, depth - 1)
        elif isinstance(value, tuple):
            for each in value:
                self._look(each, depth - 1)
        elif isinstance(own := getattr(value, "__dict__", None), dict):
            self._look(own, depth - 1 + isinstance(value, torch.nn.Module))  # a part is no deeper than what holds it

    def restore(self) -> None:
        """Restore them, each as the same object."""
        for container, entries in self._kept:
            if not _alike(container, entries):
                container.clear()
                (container.update if isinstance(container, dict | set) else container.extend)(entries)


PLAIN: tuple[type, ...] = (
    str, bytes, int, float, complex, bool, type(None), type, ModuleType, FunctionType, BuiltinFunctionType, torch.dtype,
    torch.device,
)  # fmt: skip
GENERATORS: tuple[type, ...] = (torch.Generator, np.random.Generator, np.random.RandomState, random.Random)


def _alike(one: Any, other: Any) -> bool:
    """Whether two containers hold the same objects, tables by the same names."""
    if len(one) != len(other):
        return False
    if isinstance(one, set):
        return bool(one == other)
    if isinstance(one, dict):
        return all(map(operator.is_, one.values(), other.values())) and all(map(operator.eq, one, other))
    return all(map(operator.is_, one, other))


@contextmanager
def draws_kept(*generators: Any) -> Iterator[None]:
    """Afterwards the generators of torch, numpy and Python, and those that are given, are back in their earlier state."""
    python, legacy, torch_state = random.getstate(), np.random.get_state(), torch.get_rng_state()  # noqa: NPY002
    states = [_state(each) for each in generators]
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(legacy)  # noqa: NPY002 - the user's own
        torch.set_rng_state(torch_state)
        for each, state in zip(generators, states, strict=True):
            _set_state(each, state)


def _state(generator: Any) -> Any:
    if isinstance(generator, np.random.Generator):
        return copy.deepcopy(generator.bit_generator.state)
    return generator.getstate() if isinstance(generator, random.Random) else generator.get_state()


def _set_state(generator: Any, state: Any) -> None:
    if isinstance(generator, np.random.Generator):
        generator.bit_generator.state = state
    else:
        (generator.setstate if isinstance(generator, random.Random) else generator.set_state)(state)


@contextmanager
def untouched(module: torch.nn.Module) -> Iterator[None]:
    """Run a module in evaluation mode, and afterwards restore it and the random generators.

    This restores modes, parameters and buffers with their values, hooks, every attribute of every part, what lists, dicts and
    plain objects among them hold, and tensors, arrays and generators that are found there.  What a user's hook writes elsewhere
    stays written, as after any call of the module.
    """
    attributes = Attributes(module)
    tensors = [value for value in attributes.tensors if value.layout == torch.strided and not value.is_meta]
    values = [value.detach().clone() for value in tensors]
    arrays = [each.copy() for each in attributes.arrays]
    counted = tuple(value for value in tensors if not value.is_inference())
    modes = [(part, part.training) for part in module.modules()]
    # What was written and put back is as good as never written, also to a graph that waits for its backward pass.
    with _unsafe_preserve_version_counter(counted), draws_kept(*attributes.generators):
        try:
            for part, _ in modes:
                set_mode(part, training=False)
                part.__dict__.pop("_compiled_call_impl", None)
            yield
        finally:
            attributes.restore()
            for part, mode in modes:
                set_mode(part, training=mode)
            with torch.no_grad():
                for tensor, value in zip(tensors, values, strict=True):
                    if not _same(tensor, value):
                        tensor.copy_(value)
            for array, numbers in zip(attributes.arrays, arrays, strict=True):
                if array.flags.writeable:
                    array[...] = numbers


def set_mode(part: torch.nn.Module, *, training: bool) -> None:
    """Set the mode, bypassing ``eval`` and ``__setattr__``, which may be overridden; a compiled script keeps it elsewhere."""
    if "training" in part.__dict__:
        part.__dict__["training"] = training
    elif part.training != training:
        part.training = training


def _same(one: torch.Tensor, other: torch.Tensor) -> bool:
    return torch.equal(one, other) or bool(torch.equal(one.isnan(), other.isnan())
                                           and torch.equal(one.nan_to_num(), other.nan_to_num()))  # fmt: skip


def copied(module: torch.nn.Module, *, hooks: bool) -> torch.nn.Module:
    """A copy in evaluation mode that shares no tensor with the module.

    Args:
        module: what is copied.
        hooks: whether the copy has the forward and pre-forward hooks; it never has backward hooks.

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
    own = Attributes(module)  # a __getstate__ or __deepcopy__ may write into what it copies
    try:
        with draws_kept():
            twin = copy.deepcopy(module, memo)
    except Exception as problem:
        name = type(module).__name__
        raise TypeError(f"{name} cannot be copied ({problem}); give a module that copy.deepcopy can copy") from problem
    finally:
        own.restore()
    _require_apart(module, twin)
    for part in twin.modules():
        set_mode(part, training=False)
        for table in CALLED:
            found = part.__dict__[table]
            for number, hook in list(found.items()):
                found[number] = _turned(hook, memo)
    return twin


def _require_apart(module: torch.nn.Module, twin: torch.nn.Module) -> None:
    """A user's ``__deepcopy__`` may return the very object that it should have copied."""
    for of in (torch.nn.Module.modules, torch.nn.Module.parameters, torch.nn.Module.buffers):
        mine = {id(each) for each in of(module)}
        if type(twin) is not type(module) or any(id(each) in mine for each in of(twin)):
            raise TypeError(f"the copy that copy.deepcopy makes of {type(module).__name__} shares parts or parameters with it; "
                            "give a module whose __deepcopy__ creates new ones")  # fmt: skip


def _detached(value: Any, memo: dict[int, Any], depth: int = 3) -> None:
    """Give deepcopy a plain copy of every computed tensor, since it refuses to copy those itself."""
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
    """A method of a part of the module, bound to that part's copy instead; anything else unchanged."""
    owner = getattr(hook, "__self__", None)
    if isinstance(hook, MethodType) and isinstance(owner, torch.nn.Module) and id(owner) in memo:
        return MethodType(hook.__func__, memo[id(owner)])
    return hook
