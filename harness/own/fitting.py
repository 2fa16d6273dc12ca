"""Weights that are put into the module that they are of, and nothing but these."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from harness.recipe import RecipeError

if TYPE_CHECKING:
    import torch

    from harness.networks.layout import Layout

_COMPILED, _WRAPPED, _COUNTED = "_orig_mod.", "module.", "n_averaged"
_SHOWN = 5


def fitted(
    state: Mapping[str, torch.Tensor], module: torch.nn.Module, layout: Layout, where: str, *, prefix: str = "",
    ignore: Sequence[str] = (), cast: bool = False,
) -> torch.Tensor:  # fmt: skip
    """The flat parameters of a module with these weights, shape (parameter,), single precision.

    What ``torch.compile``, ``DataParallel`` and averaged models put before names is taken off.

    Args:
        state: tensors by name.
        module: of the architecture; its own numbers are overwritten.
        layout: how they lie in the flat vector.
        where: the weights are from, for messages.
        prefix: what stands before all names that count; those without it do not.
        ignore: patterns of further names that do not count, as in "*.attn.mask".
        cast: whether tensors of another type than the module's are turned into it.

    Raises:
        RecipeError: a weight is missing, superfluous, of another shape or type, or two that the module ties differ.
    """
    import torch

    own = {name: value for name, value in module.state_dict(keep_vars=True).items() if isinstance(value, torch.Tensor)}
    given = _named(state, own, where, prefix, ignore)
    _check_names(given, own, where)
    for name, value in given.items():
        _check_tensor(name, value, own[name], where, cast)
    _check_tied(given, own, where)
    held = {**dict(module.named_parameters()), **dict(module.named_buffers())}
    with torch.no_grad():
        for name, value in given.items():
            own[name].data.copy_(value)
        return torch.cat([held[name].detach().flatten().float() for name in layout.names])


def _named(
    state: Mapping[str, torch.Tensor], own: Iterable[str], where: str, prefix: str, ignore: Sequence[str]
) -> dict[str, torch.Tensor]:
    """The weights by the names that the module has for them."""
    known, found = set(own), dict[str, "torch.Tensor"]()
    names = {name: name.replace(_COMPILED, "") for name in state}
    counted = {name for name, short in names.items() if short == _COUNTED and short not in known}
    names = {name: short for name, short in names.items() if name not in counted}
    if prefix:
        names = {name: short.removeprefix(prefix) for name, short in names.items() if short.startswith(prefix)}
        if not names:
            raise RecipeError(f"no weight of {where} has a name that begins with prefix={prefix!r}: {_some(state)}")
    while names and all(short.startswith(_WRAPPED) for short in names.values()) and not known & set(names.values()):
        names = {name: short.removeprefix(_WRAPPED) for name, short in names.items()}
    for name, short in names.items():
        if short not in known and any(fnmatchcase(short, pattern) for pattern in ignore):
            continue
        if short in found:
            raise RecipeError(f"{where} holds two weights for {short}; give the state_dict of one model")
        found[short] = state[name]
    return found


def _check_names(given: Mapping[str, torch.Tensor], own: Mapping[str, torch.Tensor], where: str) -> None:
    superfluous = [name for name in given if name not in own]
    present = {id(own[name]) for name in given if name in own}  # what is tied may be saved once
    missing = [name for name, value in own.items() if name not in given and id(value) not in present]
    if superfluous and missing and (before := _before(superfluous, own)):
        raise RecipeError(
            f"the names of {where} have {before!r} before those of the model ({_some(superfluous)}): prefix={before!r}"
        )
    if superfluous:
        raise RecipeError(
            f"{where} holds {_some(superfluous)}, which the model has not ({_some(own)}): build the model that was trained, or "
            f"say that they do not count: ignore=({superfluous[0]!r},)"
        )
    if missing:
        raise RecipeError(
            f"{where} does not hold {_some(missing)}, so that a part of the model would keep its random start: build the model "
            "that was trained (without a new head), or put the weights in yourself and give the module"
        )


def _before(names: Sequence[str], own: Iterable[str]) -> str | None:
    """What stands before the names of the model in all of its weights that are there."""
    for name in own:
        for each in names:
            if each.endswith(f".{name}"):
                return each.removesuffix(name)
    return None


def _check_tensor(name: str, value: torch.Tensor, own: torch.Tensor, where: str, cast: bool) -> None:
    import torch

    if torch.nn.parameter.is_lazy(own):
        raise RecipeError(
            f"{name} of the model has no shape before it is called: let build call it once, on a point of its data"
        )
    if value.shape != own.shape:
        stack = tuple(value.shape[1:]) == tuple(own.shape)
        hint = (
            f"a stack of {len(value)}? Give each member by itself: {{name: value[i].clone() …}}"
            if stack
            else "another model's?"
        )
        raise RecipeError(f"{name} of {where} has shape {tuple(value.shape)}, that of the model {tuple(own.shape)}: {hint}")
    if value.dtype != own.dtype and not cast:
        raise RecipeError(
            f"{name} of {where} is of type {_type(value)}, that of the model of type {_type(own)}: say that it may be turned "
            "into the model's with cast=True, or build the model in the type of the weights"
        )
    if own.is_floating_point() and own.dtype not in (torch.float32, torch.bfloat16, torch.float16):
        raise RecipeError(
            f"{name} of the model is of type {_type(own)}; populations are of single precision: build it with .float()"
        )


def _check_tied(given: Mapping[str, torch.Tensor], own: Mapping[str, torch.Tensor], where: str) -> None:
    import torch

    first: dict[int, str] = {}
    for name in given:
        other = first.setdefault(id(own[name]), name)
        if other != name and not torch.equal(given[name], given[other]):
            raise RecipeError(
                f"{name} and {other} are one in the model, and differ in {where}: build the model that was trained"
            )


def _type(value: torch.Tensor) -> str:
    return str(value.dtype).removeprefix("torch.")


def _some(names: Iterable[str]) -> str:
    listed = list(names)
    return ", ".join(listed[:_SHOWN]) + (f" and {len(listed) - _SHOWN} more" if len(listed) > _SHOWN else "")
