"""A card that is not there: tensors say that they lie on CUDA, hold their numbers on the CPU, and refuse what a card refuses.

- An operation on tensors of both devices raises, where CUDA would, except for single numbers and copies.
- Random numbers on the card come from a generator of the card, those on the CPU from one of the CPU.
- Values that are asked of the card (``bool``, ``item``, ``tolist``, ``nonzero``, a copy to the CPU) are counted: each waits.
- A graph holds the operations of the step that was recorded, with their numbers and the memory of that time.  A replay does
  these again and runs no Python.  What CUDA refuses while it records (all of the above, and copies to the card) raises.

Recording computes nothing on a real card; here it takes the step, and the first replay is left out instead.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import pytest
import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_leaves, tree_map

aten = torch.ops.aten
WAITS = {aten._local_scalar_dense.default, aten.nonzero.default, aten.masked_select.default}
COPIES = {aten._to_copy.default, aten.copy_.default}
INDEXED = {aten.index.Tensor, aten.index_put_.default, aten.index_put.default}
CARD = torch.device("cuda", 0)
THERE = ("cuda", "meta")  # see Names


class Carded(torch.Tensor):
    """A tensor that says that it lies on the card."""

    inner: torch.Tensor
    device = CARD  # type: ignore[assignment]
    is_cuda = True  # type: ignore[assignment]

    @staticmethod
    def __new__(cls, inner: torch.Tensor) -> Carded:
        return torch.Tensor._make_wrapper_subclass(
            cls, inner.size(), strides=inner.stride(), storage_offset=inner.storage_offset(), dtype=inner.dtype, device="meta"
        )

    def __init__(self, inner: torch.Tensor) -> None:
        self.inner = inner

    def tolist(self) -> Any:
        return self.cpu().tolist()

    def numpy(self, *given: Any, **named: Any) -> Any:
        raise TypeError("can't convert cuda:0 device type tensor to numpy. Use Tensor.cpu() to copy it to host memory first")

    __torch_function__ = torch._C._disabled_torch_function_impl

    @classmethod
    def __torch_dispatch__(cls, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        raise RuntimeError(f"{function} on a tensor of the card outside of it")


class Generator(torch.Generator):
    """A generator, of the card where it is asked for."""

    def __new__(cls, device: Any = "cpu") -> Generator:
        return super().__new__(CardGenerator if torch.device(device).type in THERE else cls)


class CardGenerator(Generator):
    """A generator of the card; where torch hands it on, it is known by its place only."""

    device = CARD  # type: ignore[assignment]
    places: ClassVar[set[int]] = set()

    def __init__(self, device: Any = "cpu") -> None:
        self.places.add(self._cdata)

    def __del__(self) -> None:
        self.places.discard(self._cdata)

    def manual_seed(self, seed: int) -> torch.Generator:
        super().manual_seed(seed)
        return self  # the same object


class Card(TorchDispatchMode):
    """While it is entered, the card is there.

    Attributes:
        asked: what the card was asked for, and waited for, how often.
        launched: operations on the card, outside of graphs.
        replayed: operations on the card, in graphs.
        tape: what is being recorded, or None.
    """

    def __init__(self) -> None:
        super().__init__()
        self.asked: Counter[str] = Counter()
        self.launched = self.replayed = 0
        self.tape: list[tuple[Any, Any, Any, list[torch.Tensor]]] | None = None

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        leaves = tree_leaves((args, kwargs))
        tensors = [each for each in leaves if isinstance(each, torch.Tensor)]
        own = [each for each in tensors if isinstance(each, Carded)]
        others = [each for each in tensors if not isinstance(each, Carded)]
        device = kwargs.get("device")
        lands = bool(own) if device is None else torch.device(device).type in THERE
        if function in COPIES:
            if lands and others:
                self._from_cpu()
            elif own and (others or not lands):
                self._wait("copy to the CPU")
        elif own and any(each.dim() for each in others) and function not in INDEXED:
            raise RuntimeError(f"{function}: expected all tensors to be on the same device, but found cuda:0 and cpu")
        if own and (function in WAITS or (function in INDEXED and any(map(_mask, leaves)))):
            self._wait(str(function))
        self._check_draws(function, kwargs.get("generator"), lands)
        return self._computed(function, args, kwargs, lands, own)

    def _check_draws(self, function: Any, generator: torch.Generator | None, lands: bool) -> None:
        if generator is not None and (generator._cdata in CardGenerator.places) != lands:
            raise RuntimeError(f"{function}: expected a {'cuda' if lands else 'cpu'} device type for generator")
        if lands and generator is None and torch.Tag.nondeterministic_seeded in function.tags:
            raise RuntimeError(f"{function} draws from the generator of the process")

    def _computed(self, function: Any, args: Any, kwargs: Any, lands: bool, own: list[Carded]) -> Any:
        if "device" in kwargs and kwargs["device"] is not None and torch.device(kwargs["device"]).type in THERE:
            kwargs["device"] = torch.device("cpu")
        (inner_args, inner_kwargs) = tree_map(lambda each: each.inner if isinstance(each, Carded) else each, (args, kwargs))
        found = function(*inner_args, **inner_kwargs)
        into_cpu = function is aten.copy_.default and not isinstance(args[0], Carded)
        if not lands or into_cpu:
            return args[0] if into_cpu else found
        self.launched += 1
        known = {id(each.inner): each for each in own}
        results = [each for each in tree_flatten(found)[0] if isinstance(each, torch.Tensor)]
        if self.tape is not None:
            self.tape.append((function, inner_args, inner_kwargs, results))

        def there(each: Any) -> Any:
            if not isinstance(each, torch.Tensor):
                return each
            return known[id(each)] if id(each) in known else Carded(each)

        return tree_map(there, found)

    def _wait(self, what: str) -> None:
        if self.tape is not None:
            raise RuntimeError(f"CUDA error: operation not permitted when stream is capturing ({what})")
        self.asked[what] += 1

    def _from_cpu(self) -> None:
        if self.tape is not None:
            raise RuntimeError("CUDA error: operation not permitted when stream is capturing (a copy from the CPU)")


def _mask(value: Any) -> bool:
    return isinstance(value, torch.Tensor) and value.dtype == torch.bool


class Names(TorchFunctionMode):
    """Has torch's own code, which a CPU build keeps from CUDA, take "meta" for the card."""

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        args, named = [_renamed(each) for each in args], {name: _renamed(each) for name, each in (kwargs or {}).items()}
        if function in (torch.tensor, torch.as_tensor, torch.Tensor.new_tensor):  # made on the CPU and copied, as anywhere
            there = named.pop("device", None) or (args[0].device if function is torch.Tensor.new_tensor else "cpu")
            if function is torch.Tensor.new_tensor:
                named.setdefault("dtype", args[0].dtype)
            made = args[1:] if function is torch.Tensor.new_tensor else args
            return (torch.tensor if function is not torch.as_tensor else function)(*made, **named).to(_renamed(there))
        if function in (torch.Tensor.__getitem__, torch.Tensor.__setitem__):
            args[1] = tuple(map(_listed, args[1])) if isinstance(args[1], tuple) else _listed(args[1])
        return function(*args, **named)


def _listed(index: Any) -> Any:
    return torch.tensor(index) if isinstance(index, list) else index


def _renamed(value: Any) -> Any:
    named = (isinstance(value, torch.device) and value.type == "cuda") or (
        isinstance(value, str) and value.split(":")[0] == "cuda"
    )
    return torch.device("meta") if named else value


class Graph:
    """The operations of a step."""

    def __init__(self) -> None:
        self.tape: list[tuple[Any, Any, Any, list[torch.Tensor]]] = []
        self.taken = False

    def replay(self) -> None:
        if self.taken:
            self.taken = False
            return
        card = _there()
        for function, args, kwargs, results in self.tape:
            given = {
                each.untyped_storage().data_ptr() for each in tree_leaves((args, kwargs)) if isinstance(each, torch.Tensor)
            }
            if any(each.untyped_storage().data_ptr() in given for each in results) and not function._schema.is_mutable:
                continue  # a view, which sees the new numbers by itself
            found = tree_flatten(function(*args, **kwargs))[0]
            for new, old in zip([each for each in found if isinstance(each, torch.Tensor)], results, strict=True):
                if new is not old:
                    old.copy_(new)
            card.replayed += 1


_CARDS: list[Card] = []


def _there() -> Card:
    return _CARDS[-1]


@contextmanager
def _recording(graph: Graph) -> Iterator[None]:
    card = _there()
    card.tape = graph.tape
    try:
        yield
    finally:
        card.tape = None
    graph.taken = True


class Stream:
    """A stream; everything is in order anyway."""

    def wait_stream(self, other: Stream) -> None: ...


@contextmanager
def pretended_card(patch: pytest.MonkeyPatch, free: int = 2**30) -> Iterator[Card]:
    """A card with so many bytes free, for as long as it is entered; Triton, which compiles for real ones, is not there."""
    from harness import device
    from harness.cuda import steps

    @contextmanager
    def on_stream(stream: Stream) -> Iterator[None]:
        yield

    patch.setattr(steps, "fused", None)
    patch.setattr(torch, "Generator", Generator)
    patch.setattr(device, "may_have_cuda", lambda *given, **named: True)
    patch.setattr(torch.cuda, "is_available", lambda: True)
    patch.setattr(torch.cuda, "synchronize", lambda device=None: None)
    patch.setattr(torch.cuda, "mem_get_info", lambda device=None: (free, 2 * free))
    for name, value in (("Stream", Stream), ("current_stream", Stream), ("stream", on_stream), ("CUDAGraph", Graph),
                        ("graph", _recording)):  # fmt: skip
        patch.setattr(torch.cuda, name, value)
    card = Card()
    _CARDS.append(card)
    try:
        with Names(), card:
            yield card
    finally:
        _CARDS.pop()
