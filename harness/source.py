"""Documents that make claims, and the places in them where they do."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from harness.declaring import Declared
from harness.errors import ClaimError

Role = Literal["document", "control", "question"]
ROLES: tuple[Role, ...] = ("document", "control", "question")


@dataclass(frozen=True)
class Source(metaclass=Declared):
    """A document that makes claims.

    Attributes:
        key: short name; the first part of the ids of its claims ("slt").
        title: title of the document.
        authors: authors as printed, or None where the document names none.
        year: year of publication, or None.
        address: where a reader finds it, or None.
        role: "document" for what others have claimed; "control" for what has to come out as it is known to be, so that a
            report counts it apart and distrusts itself where it does not; "question" for what nobody has claimed yet.

    Raises:
        ClaimError: there is no such role.
    """

    key: str
    title: str
    authors: str | None = None
    year: int | None = None
    address: str | None = None
    role: Role = field(default="document", repr=False)  # digests of claims read the others off its repr

    def __post_init__(self) -> None:
        if self.role not in ROLES:
            raise ClaimError(f"source {self.key!r} has role={self.role!r}; allowed are {', '.join(ROLES)}")

    def at(
        self, section: str, quote: str, *, reported: str | None = None, number: float | Sequence[float | None] | None = None
    ) -> Citation:
        """Point at the place in the document that makes a claim.

        Args:
            section: heading under which the sentence stands.
            quote: the document's own words.
            reported: the number that the document prints for it, as printed; None where it prints none.
            number: the same as a value of what is judged (the difference, the exponent), which the report draws beside ours;
                for a conjunction one for each part, in order, None where the document prints none.

        Raises:
            ClaimError: ``number`` is not a finite number, or a sequence of such.
        """
        given: Any = number  # the citation makes a tuple of a sequence
        return Citation(self, section, quote, reported, given)


@dataclass(frozen=True)
class Citation(metaclass=Declared):
    """A sentence in a :class:`Source`; made by :meth:`Source.at`.

    ``number`` is only drawn, and so has no part in the digest of a claim, which is made of this object's ``repr``.
    """

    source: Source
    section: str
    quote: str
    reported: str | None = None
    number: float | tuple[float | None, ...] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "number", _numbers(self.number))


def _numbers(given: Any) -> float | tuple[float | None, ...] | None:
    several = isinstance(given, list | tuple)
    for each in given if several else (given,):
        known = isinstance(each, int | float) and not isinstance(each, bool) and math.isfinite(each)
        if not known and each is not None:
            raise ClaimError(
                f"the document's number is {given!r}; give number=0.5, or for a conjunction one for each part, as in "
                "number=(0.5, None)"
            )
    return tuple(given) if several else given
