"""A mistake in one constructor of a declaration, kept for the claim that it belongs to.

``@claim(…, prediction=PairedDifference(…, margin=-0.02))`` is evaluated when its module is imported, and so are its gates, its
population and its source: an error there would cost every claim of the module.  While pytest imports claims
(:func:`declaring`), a constructor that fails therefore returns a :class:`Mistaken` that carries the error; whatever is made of
it is mistaken as well, and the claim that gets it has a row that says so.  Everywhere else a constructor raises, as
constructors do.
"""

from __future__ import annotations

import inspect
from abc import ABCMeta
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from harness.errors import ClaimError

_KEPT: ContextVar[bool] = ContextVar("mistakes are kept", default=False)


class Mistaken:
    """In place of a part of a declaration that could not be made.

    Attributes:
        problem: why.
    """

    rule = "exact"  # so that no document's family of claims counts it

    def __init__(self, problem: ClaimError) -> None:
        self.problem = problem

    def describe(self) -> dict[str, Any]:
        """Raises the error, wherever a declaration is read."""
        raise self.problem

    def at(self, *given: Any, **named: Any) -> Mistaken:
        """What a mistaken source would point at, which is as mistaken."""
        return self

    def __repr__(self) -> str:
        return f"a part of a declaration that could not be made: {self.problem}"


def mistaken_among(values: Iterable[Any]) -> Mistaken | None:
    """The first mistake among values, and in what those hold that are tuples, lists or mappings."""
    for value in values:
        inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, tuple | list) else ()
        found = value if isinstance(value, Mistaken) else mistaken_among(inner)
        if found is not None:
            return found
    return None


@contextmanager
def declaring() -> Iterator[None]:
    """Constructors of declarations keep their mistakes instead of raising them."""
    token = _KEPT.set(True)
    try:
        yield
    finally:
        _KEPT.reset(token)


class Declared(ABCMeta):
    """Class of the classes that declarations consist of, whose constructors can keep a mistake."""

    @property
    def __signature__(cls) -> inspect.Signature:
        """What the class is made of; without it ``help`` would show what :meth:`__call__` takes, which is anything."""
        made = inspect.signature(cls.__init__)  # type: ignore[misc]
        return made.replace(parameters=list(made.parameters.values())[1:], return_annotation=inspect.Signature.empty)

    def __call__(cls, *given: Any, **named: Any) -> Any:
        """An object of the class; while mistakes are kept, a :class:`Mistaken` if there can be none.

        Raises:
            TypeError: arguments are missing or none of the class's, in a sentence that names those.
        """
        kept = _KEPT.get()
        if kept and (before := mistaken_among((*given, *named.values()))) is not None:
            return before
        try:
            return super().__call__(*given, **named)
        except (ClaimError, TypeError) as problem:
            wrong = _wrong(cls, given, named) if isinstance(problem, TypeError) else None
            if kept:
                text = wrong or str(problem)
                return Mistaken(ClaimError(text if cls.__name__ in text else f"{cls.__name__}: {text}"))
            if wrong is None:
                raise
        raise TypeError(wrong)


def _wrong(cls: Declared, given: tuple[Any, ...], named: Mapping[str, Any]) -> str | None:
    """What is wrong with the arguments that a class was called with, and which it takes; None where it takes these."""
    signature = cls.__signature__
    try:
        signature.bind(*given, **named)
        return None
    except TypeError:
        takes = list(signature.parameters.values())
    by_place = [each.name for each in takes if each.kind is not each.KEYWORD_ONLY]
    placed = by_place[: len(given)]
    needed, others = ([each.name for each in takes if (each.default is each.empty) == which] for which in (True, False))
    faults = [
        ("has no argument", [name for name in named if name not in signature.parameters]),
        (f"was given {len(given)} values without a name, and takes only", by_place if len(given) > len(by_place) else []),
        ("was given twice", [name for name in placed if name in named]),
        ("lacks", [name for name in needed if name not in (*placed, *named)]),
    ]
    said = "; it ".join(f"{fault} {', '.join(names)}" for fault, names in faults if names)
    wanted = f", and if wanted {', '.join(others)}" if others else ""
    return f"{cls.__name__} {said}: give it {', '.join(needed) or 'nothing'}{wanted}"
