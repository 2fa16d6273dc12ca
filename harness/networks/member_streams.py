"""Random numbers inside a stacked network: each member draws from its own generator, whatever makes the draw.

``torch.func.vmap`` turns a draw for one network into one draw for the whole stack.  Here it is taken apart again at the level
of the operations that torch runs: row r of what is drawn comes from the generator of member r, in the order of the draws, as
it would if that member were trained alone under a global generator in that state.

Nothing reproducible may draw from the generators of the whole process; :func:`ambient_randomness` shows whether something has.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from harness.spec import RecipeError


def ambient_randomness() -> tuple[object, ...]:
    """The state of the process-wide generators of torch (on the CPU), numpy and Python; it changes once one of them is used."""
    numpys = np.random.get_state(legacy=False)["state"]  # noqa: NPY002 - it is read, not drawn from
    return torch.get_rng_state().numpy().tobytes(), numpys["key"].tobytes(), numpys["pos"], random.getstate()


aten = torch.ops.aten
Fill = Callable[[torch.Tensor, torch.Generator], object]


class MemberStreams(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """While it is entered, all draws of a stack come from its members' generators.

    Args:
        generators: one for each member, on the device of the stack.
        listen: False to do nothing, if it is known that nothing is drawn.

    Attributes:
        drawn: whether anything has been drawn.
    """

    def __init__(self, generators: Sequence[torch.Generator], *, listen: bool = True) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.generators, self.listen, self.drawn = generators, listen, False

    def __enter__(self) -> MemberStreams:
        if self.listen:
            super().__enter__()  # type: ignore[no-untyped-call]
        return self

    def __exit__(self, *problem: Any) -> None:
        if self.listen:
            super().__exit__(*problem)  # type: ignore[no-untyped-call]

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if torch.Tag.nondeterministic_seeded not in func.tags or _draws_nothing(func, args, kwargs):
            return func(*args, **kwargs)
        self.drawn = True
        if kwargs.get("generator") is not None:
            raise RecipeError(
                f"it draws with {func} from its own generator, which all members of a stack would share: leave the "
                "generator out, and each member gets one"
            )
        if func is aten.native_dropout.default:
            return self._native_dropout(*args)
        if func is aten.bernoulli.default:  # a probability for every entry
            return torch.stack([torch.bernoulli(row, generator=own) for row, own in zip(args[0], self.generators, strict=True)])
        return self._filled(func, args, kwargs)

    def _filled(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> torch.Tensor:
        """Draws that fill a tensor with independent numbers of one distribution."""
        name, arguments = func.overloadpacket.__name__, args[1:]
        if func in _FACTORIES:
            name, arguments = _FACTORIES[func], ()
            empty = torch.empty(args[0], dtype=kwargs.get("dtype"), device=kwargs.get("device"))
        elif func in _LIKE:
            name = _LIKE[func]
            empty = torch.empty(args[0].shape, dtype=kwargs.get("dtype") or args[0].dtype, device=args[0].device)
        elif name in _IN_PLACE and not any(isinstance(each, torch.Tensor) for each in arguments):
            empty = torch.empty(args[0].shape, dtype=args[0].dtype, device=args[0].device)
        else:
            raise RecipeError(
                f"it draws random numbers with {func}, which cannot draw for each member of a stack separately: use "
                "torch.rand, torch.randn, torch.bernoulli, their in-place forms or a dropout layer"
            )
        for row, own in zip(empty, self.generators, strict=True):
            getattr(row, name)(*arguments, generator=own)
        in_place = func not in _FACTORIES and func not in _LIKE
        return args[0].copy_(empty) if in_place else empty

    def _native_dropout(self, inputs: torch.Tensor, share: float, train: bool | None = True) -> tuple[torch.Tensor, ...]:
        """What torch makes of dropout on a GPU: the result and the mask."""
        kept = torch.empty(inputs.shape, dtype=inputs.dtype, device=inputs.device)
        for row, own in zip(kept, self.generators, strict=True):
            row.bernoulli_(1 - share, generator=own)
        scale = 0.0 if share == 1 else 1 / (1 - share)
        return inputs * kept * scale, kept.bool()


_FACTORIES = {aten.rand.default: "uniform_", aten.randn.default: "normal_"}
_LIKE = {aten.rand_like.default: "uniform_", aten.randn_like.default: "normal_", aten.bernoulli.p: "bernoulli_"}
_IN_PLACE = ("bernoulli_", "uniform_", "normal_", "exponential_", "cauchy_", "geometric_", "log_normal_")


def _draws_nothing(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Attention is tagged as a random operation even without dropout."""
    for place, argument in enumerate(func._schema.arguments):
        if argument.name == "dropout_p":
            given = args[place] if place < len(args) else kwargs.get("dropout_p", argument.default_value)
            return float(given) == 0
    return func is aten.native_dropout.default and len(args) > 2 and args[2] is False
