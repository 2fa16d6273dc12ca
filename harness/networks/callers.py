"""The state of torch while an instrument runs, and while it calls a network, a loss or an ``output=`` of the caller's.

Instruments compute with torch's own default type, so that what they create and draw is the same for everybody.  The caller may
have set another default type (``torch.set_default_dtype``), in which the caller's own functions create tensors; that is part of
what they compute, so the caller's type is restored while they run.

Attention needs kernels that run for a whole stack, with gradients.  In evaluation mode torch takes a fused path through a whole
encoder layer, which has neither a derivative nor a rule for ``vmap``; its fused attention has a derivative, but no such rule.
The plain formula has both, and gives the same numbers up to rounding.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import ParamSpec, TypeVar

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from harness.networks.untouched import draws_kept

Given = ParamSpec("Given")
Result = TypeVar("Result")
_TYPE: ContextVar[torch.dtype | None] = ContextVar("callers type", default=None)


def instrument(function: Callable[Given, Result]) -> Callable[Given, Result]:
    """An instrument that leaves the process as it found it: random generators, torch's default type.

    Whatever draws random numbers inside it (a caller's network, loss or ``output=``) does not advance the caller's generators.
    """

    @wraps(function)
    def measured(*given: Given.args, **named: Given.kwargs) -> Result:
        with draws_kept(), _gpu_draws_kept(), _standard_type():
            return function(*given, **named)

    return measured


@contextmanager
def _gpu_draws_kept() -> Iterator[None]:
    """Afterwards the GPUs' generators are back in their earlier state; where no GPU has been used, none is started for this."""
    states = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        for number, state in enumerate(states):
            torch.cuda.set_rng_state(state, number)


@contextmanager
def _standard_type() -> Iterator[None]:
    """Torch's own default type; the outermost instrument remembers the caller's."""
    before = torch.get_default_dtype()
    outermost = _TYPE.set(before) if _TYPE.get() is None else None
    torch.set_default_dtype(torch.float32)
    try:
        yield
    finally:
        torch.set_default_dtype(before)
        if outermost is not None:
            _TYPE.reset(outermost)


def own_type() -> torch.dtype | None:
    """The caller's default type if it differs from the present one, else None."""
    own = _TYPE.get()
    return None if own == torch.get_default_dtype() else own


@contextmanager
def callers_type() -> Iterator[None]:
    """The caller's default type, for as long as the caller's own functions run."""
    before, own = torch.get_default_dtype(), own_type()
    if own is None:
        yield
        return
    torch.set_default_dtype(own)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def as_called(function: Callable[Given, Result]) -> Callable[Given, Result]:
    """A function of the caller's, run with the caller's default type; unchanged if that is torch's own."""
    if own_type() is None:
        return function

    @wraps(function)
    def called(*given: Given.args, **named: Given.kwargs) -> Result:
        with callers_type():
            return function(*given, **named)

    return called


@contextmanager
def unfused() -> Iterator[None]:
    """Encoder layers operation by operation, as they run in training."""
    fused = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fused)


@contextmanager
def batchable() -> Iterator[None]:
    """Attention by its plain formula; operations without a rule for ``vmap`` run row by row without a warning."""
    with unfused(), sdpa_kernel(SDPBackend.MATH), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="There is a performance drop because we have not yet implemented")
        yield
