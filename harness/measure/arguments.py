"""Checks of what instruments are given besides models, the same for all of them: norms, sizes, bounds and inputs.

Everything here either returns a value in the one form used for computation, or raises an error that names the argument, what
was given, and the remedy.  Nothing is broadcast, cut or rounded to make it fit.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np
import torch

from harness.recipe import Norm as BallNorm
from harness.recipe import RecipeError, require

if TYPE_CHECKING:
    from collections.abc import Mapping

Norm = Literal["linf", "l2", "l1", "l0"]
SPELLINGS: dict[str, Norm] = {
    **dict.fromkeys(("linf", "l_inf", "l-inf", "l∞", "inf", "infinity", "∞"), "linf"),
    **dict.fromkeys(("l2", "l_2", "l-2", "2", "2.0"), "l2"),
    **dict.fromkeys(("l1", "l_1", "l-1", "1", "1.0"), "l1"),
    **dict.fromkeys(("l0", "l_0", "l-0", "0", "0.0"), "l0"),
}  # fmt: skip
OTHERWISE: dict[Norm, str] = {"linf": "'Linf' or inf", "l2": "'L2' or 2", "l1": "'L1' or 1", "l0": "'L0' or 0"}
ROUNDING = 1e-6  # by how much of their range inputs may lie outside of it
SHOWN = 3  # examples of what is wrong that a message lists


def norm_of(given: Any, allowed: Sequence[Norm] = ("linf", "l2")) -> Norm:
    """The norm that a user's word or number means: "linf" ("Linf", "inf", ``math.inf``), "l2" ("L2", "2", 2), ….

    Args:
        given: what the user wrote.
        allowed: norms that the instrument has.

    Raises:
        ValueError: it means none of them.
    """
    word = SPELLINGS.get(str(given).strip().lower()) if not isinstance(given, bool) else None
    if word is None or word not in allowed:
        wanted = [f"{norm!r} (also {OTHERWISE[norm]})" for norm in allowed]
        is_wrong = "is unknown" if word is None else "is not supported here"
        raise ValueError(f"norm={given!r} {is_wrong}; give {', '.join(wanted[:-1])} or {wanted[-1]}")
    return word


def ball_norm(given: Any) -> BallNorm:
    """As :func:`norm_of`, for attacks inside balls: those of L∞ and L2."""
    return cast("BallNorm", norm_of(given))


def require_norm(owner: object, allowed: Sequence[Norm] = ("linf", "l2")) -> None:
    """Bring the field "norm" of a frozen spec into its one spelling, or raise a RecipeError."""
    try:
        object.__setattr__(owner, "norm", norm_of(owner.norm, allowed))  # type: ignore[attr-defined]
    except ValueError as problem:
        raise RecipeError(f"{type(owner).__name__}: {problem}") from None


def require_epochs(owner: object) -> None:
    """Raise a RecipeError unless the field "epochs" is a known word."""
    require(owner.epochs in ("final", "all"), owner, "epochs", "'final' or 'all'")  # type: ignore[attr-defined]


def require_size(size: float, name: str) -> None:
    """Raise a ValueError unless a size is finite and not negative."""
    if not 0 <= _number(size) < math.inf:
        raise ValueError(f"{name} is {size!r}; it has to be finite and at least 0, and a single number")


def _number(given: Any) -> float:
    """What was given, as a number; NaN if it is not a number, which includes text that ``float`` would read."""
    try:
        return math.nan if isinstance(given, str) else float(given)
    except (TypeError, ValueError):
        return math.nan


def require_points(count: int | None, there: int, what: str) -> None:
    """Raise a ValueError where more points are asked for than there are; None asks for all.

    Args:
        count: points that are asked for.
        there: points that there are.
        what: which, in words ("training points of ToyImages").
    """
    if count is not None and not 1 <= count <= there:
        raise ValueError(f"points={count} are asked for, but there are {there:,} {what}; ask for 1 to {there:,}")


def require_bounds(bounds: tuple[float, float] | None, inputs: torch.Tensor) -> None:
    """Raise a ValueError unless bounds are two numbers in order and the inputs lie between them.

    Args:
        bounds: smallest and largest admissible value of an input, or None.
        inputs: the clean points, of any shape.
    """
    if bounds is None:
        return
    try:
        low, high = (float(value) for value in bounds)
    except (TypeError, ValueError):
        raise ValueError(f"bounds={bounds!r}; give two numbers (smallest, largest), or None") from None
    if not low < high:
        raise ValueError(f"bounds={bounds!r}; the first, the smallest value of an input, has to be below the second")
    least, most = (float(value) for value in inputs.aminmax())
    if least < low - ROUNDING * (high - low) or most > high + ROUNDING * (high - low):
        raise ValueError(
            f"inputs range from {least:g} to {most:g}, beyond bounds={bounds!r}, and an attack would first move them inside; "
            "give the bounds of these inputs, scale the inputs, or leave bounds out"
        )


def require_finite(values: torch.Tensor, what: str) -> None:
    """Raise a ValueError where something is not finite.

    Args:
        values: a tensor whose first dimension counts points, or models.
        what: what they are, in words ("inputs").
    """
    if values.is_floating_point() and not bool(values.isfinite().all()):
        bad = (~values.isfinite()).flatten(1).any(1) if values.dim() > 1 else ~values.isfinite()
        places = bad.nonzero().flatten().tolist()
        more = ", …" if len(places) > SHOWN else ""
        raise ValueError(
            f"{what} {', '.join(map(str, places[:SHOWN]))}{more} (counted from 0) contain NaN or infinity, where nothing can "
            "be measured; leave them out or correct them"
        )


def tensor_of(values: Any, name: str) -> torch.Tensor:
    """An array, a tensor or nested numbers as a plain tensor of real numbers, without a copy where that is possible.

    Raises:
        TypeError: it is none of these.
        ValueError: its numbers are complex or missing (masked, without memory), or it is not stored as a plain tensor.
    """
    if isinstance(values, torch.Tensor):
        tensor = values.detach()
        if tensor.layout != torch.strided or tensor.is_quantized or tensor.is_nested:
            stored = "nested" if tensor.is_nested else "quantized" if tensor.is_quantized else tensor.layout
            raise ValueError(f"{name} are stored as {stored}; give a plain tensor (such as {name}.to_dense(), "
                             f"{name}.dequantize(), torch.nested.to_padded_tensor)")  # fmt: skip
        if tensor.is_meta:
            raise ValueError(f"{name} are on the device 'meta', which holds no values; give a tensor with values")
    else:
        tensor = _shared(values, name)
    if tensor.is_complex():
        raise ValueError(f"{name} are {tensor.dtype}; only real numbers can be measured: give real and imaginary parts as "
                         "separate values (torch.view_as_real)")  # fmt: skip
    return tensor.to(_COMMON.get(tensor.dtype, tensor.dtype))


def points_of(inputs: Any) -> torch.Tensor:
    """Points of shape (point, *input) as a plain tensor.

    Raises:
        TypeError, ValueError: see :func:`tensor_of`; or the inputs have no dimension besides the points.
    """
    given = tensor_of(inputs, "inputs")
    if given.dim() < 2:
        raise ValueError(f"inputs have shape {tuple(given.shape)}; give (point, *input): inputs[:, None] if each input is one "
                         "value, inputs[None] for a single point")  # fmt: skip
    return given


def require_spec(spec: object, kind: type) -> None:
    """Raise a TypeError if the settings are not of this kind."""
    if not isinstance(spec, kind):
        raise TypeError(f"spec is {type(spec).__name__}; give {kind.__name__}(…), or None for its defaults")


_COMMON = {torch.uint16: torch.int32, torch.uint32: torch.int64, torch.uint64: torch.int64,
           **dict.fromkeys((torch.float8_e4m3fn, torch.float8_e5m2), torch.float32)}  # fmt: skip
"""Types that torch stores and hardly computes with, and those that hold the same numbers."""


def _shared(values: Any, name: str) -> torch.Tensor:
    """An array of any strides, byte order or precision as a tensor; the memory is shared where torch can."""
    if isinstance(values, np.ma.MaskedArray) and bool(np.ma.getmaskarray(values).any()):
        raise ValueError(f"{name} are a masked array in which {int(np.ma.getmaskarray(values).sum())} values are masked; leave "
                         "those points out, or fill the values in (values.filled)")  # fmt: skip
    try:
        array = np.asarray(values)
    except ValueError as problem:
        raise ValueError(f"{name} cannot be made an array ({problem}); give an array or a tensor of one shape") from None
    if array.dtype.kind not in "biufc" or (array.dtype.kind == "c" and array.dtype.itemsize > 16):
        raise TypeError(
            f"{name} is {type(values).__name__} of {array.dtype}, not of numbers; give an array or a tensor of numbers"
        )
    if array.dtype.kind == "f" and array.dtype.itemsize > 8:
        array = array.astype(np.float64)
    native = array.astype(array.dtype.newbyteorder("="), copy=False)
    strided = native if all(step >= 0 for step in native.strides) else native.copy()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")  # it is only read
        return torch.from_numpy(strided)


def require_scopes(owner: object, scopes: Mapping[str, Any], asked: tuple[str, ...]) -> tuple[str, ...]:
    """The requested scopes that a network has; a role for which it has no layer is left out.

    Raises:
        RecipeError: a scope is neither one of this network's nor a role, or none is left.
    """
    roles = ("all", "input", "hidden", "output")
    for scope in asked:
        role = scope in roles or (scope.startswith("hidden ") and scope.removeprefix("hidden ").isdigit())
        require(role or scope in scopes, owner, "scopes", f"some of {', '.join(map(repr, scopes))}; {scope!r} is none of them")
    found = tuple(scope for scope in asked if scope in scopes)
    require(bool(found), owner, "scopes", f"some of {', '.join(map(repr, scopes))}; this network has none of them")
    return found
