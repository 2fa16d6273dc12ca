"""What travels between processes, packed so that it arrives: orders there, answers back."""

from __future__ import annotations

import importlib
import io
import pickle
import traceback
import warnings
from collections.abc import Iterable
from types import FunctionType
from typing import TYPE_CHECKING, Any

from harness.engines.base import EngineError

if TYPE_CHECKING:
    from harness.store.orders import Order

_PLAIN = (str, bytes, int, float, bool, type(None))


class There(Exception):  # noqa: N818 - shown as the cause of what was raised, and never raised itself
    """The traceback of what was raised in another process."""

    def __str__(self) -> str:
        return f"\n{self.args[0]}"


class _Pickler(pickle.Pickler):
    """Plain pickle, which sends functions and classes by their address, and no one's that has none elsewhere."""

    def persistent_id(self, value: Any) -> None:
        if isinstance(value, type | FunctionType) and value.__module__ == "__main__":
            raise pickle.PicklingError(f"{value.__qualname__} is defined in the program itself")


def packed(order: Order) -> bytes | None:
    """The order as bytes, or None where it has something that only this process knows: a lambda, a class within a function."""
    content = io.BytesIO()
    try:
        _Pickler(content, protocol=pickle.HIGHEST_PROTOCOL).dump(order)
    except (pickle.PicklingError, AttributeError, TypeError, ValueError, RecursionError):
        return None
    return content.getvalue()


def unpacked(payload: bytes) -> Order:
    """The order that :func:`packed` made.

    Raises:
        EngineError: what it names cannot be imported here.
    """
    try:
        order: Order = pickle.loads(payload)
    except (ImportError, AttributeError) as problem:
        raise EngineError(
            f"what is to be made cannot be imported where it was sent to ({problem}): give every node the same checkout under "
            "the same path, or install the project there"
        ) from problem
    return order


def failed(problem: BaseException) -> dict[str, Any]:
    """An exception in plain values: class by address, arguments and attributes as far as they are plain, text, traceback.

    Pickle would make it again by its ``__init__``, which fails for every class that takes other arguments than its message, and
    would send whatever it holds, such as the tensors of :class:`harness.training.train.Diverged`.
    """
    kind = type(problem)
    return {
        "module": kind.__module__,
        "name": kind.__qualname__,
        "args": list(problem.args) if _is_plain(problem.args) else [str(problem)],
        "held": {name: value for name, value in vars(problem).items() if _is_plain(value)},
        "said": str(problem),
        "trace": "".join(traceback.format_exception(problem)),
    }


def raised(failure: dict[str, Any]) -> Exception:
    """The exception that :func:`failed` described; an :class:`EngineError` that says the same where it cannot be made again."""
    said = f"{failure['name']}: {failure['said']}"
    try:
        kind = _found(failure["module"], failure["name"])
        made = kind.__new__(kind, *failure["args"])
        made.__dict__.update(failure["held"])
        problem: Exception = made if isinstance(made, Exception) and str(made) == failure["said"] else EngineError(said)
    except Exception:
        problem = EngineError(said)
    problem.__cause__ = There(failure["trace"])
    return problem


def warn_again(warned: Iterable[tuple[str, str, str]]) -> None:
    """Give warnings of another process once more in this one, whose filters decide what becomes of them."""
    for module, name, text in warned:
        kind = _found(module, name)
        warnings.warn(text, kind if issubclass(kind, Warning) else UserWarning, stacklevel=2)


def _found(module: str, name: str) -> Any:
    found: Any = importlib.import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    return found


def _is_plain(value: Any) -> bool:
    if isinstance(value, tuple | list):
        return all(map(_is_plain, value))
    if isinstance(value, dict):
        return all(_is_plain(key) and _is_plain(item) for key, item in value.items())
    return type(value) in _PLAIN
