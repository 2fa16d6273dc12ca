"""Validity checks on the evidence, as they are declared; ``harness.judge`` runs them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from harness.declaring import Declared
from harness.errors import ClaimError
from harness.limits import Limit, Limited, briefly, canonical, exact
from harness.quantities import written
from harness.rows import Where
from harness.showing import Shown


@dataclass(frozen=True, repr=False)
class Gate(Limited, Shown, metaclass=Declared):
    """A check that the evidence means anything; a gate that fails makes the verdict INVALID, never REFUTED.

    A gate reads one column of the evidence table and requires its value to lie between limits in every row: numbers, or other
    columns of the same row.  Booleans count as 0 and 1; a missing value fails, and so does a table without a row to read.

    Attributes:
        name: what is checked, as the reader sees it ("models are competent").
        column: column of the evidence table: what was measured, not whether it is large enough.
        at_least: smallest admissible value, or None.
        at_most: largest admissible value, or None.
        share: share of the rows that must pass.
        reason: where the threshold comes from.
        protocols: protocols that this gate applies to; None for all.
        where: rows that it reads, by what their columns hold (:mod:`harness.rows`); all rows if empty.
        above: lower limit that is not admissible itself, or None.
        below: upper limit that is not admissible itself, or None.
    """

    name: str
    column: str
    at_least: Limit | None = None
    at_most: Limit | None = None
    share: float = 1.0
    reason: str = ""
    protocols: tuple[str, ...] | None = None
    where: Mapping[str, Any] = field(default_factory=Where)
    above: Limit | None = field(default=None, kw_only=True)
    below: Limit | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        owner = f"gate {briefly(self.name)}"
        for field_name in ("name", "column"):
            given = getattr(self, field_name)
            if not isinstance(given, str) or not given.strip():
                raise ClaimError(f"{owner} has {field_name}={briefly(given)}; give text that is not empty")
        if not self.limits:
            raise ClaimError(f"{owner} admits every value: give at_least, at_most, above, below or two of them")
        self.check_limits(owner)
        share = canonical(self.share)
        if share is None or not 0 < share <= 1:
            raise ClaimError(f"{owner} has share={briefly(self.share)}; a share is a number above 0 and at most 1")
        object.__setattr__(self, "share", float(share))
        if self.protocols is not None:
            object.__setattr__(self, "protocols", names_of(self.protocols, owner, "protocols"))
            if not self.protocols:
                raise ClaimError(f"{owner} has protocols=(), and so checks nothing; name some, or leave it out for all")
        object.__setattr__(self, "where", Where(self.where, owner=owner))

    def describe(self) -> dict[str, Any]:
        """All that was fixed beforehand, as JSON holds it; a claim's digest is made from it."""
        rows = Where(self.where).describe()
        limits = {name: written(limit) if isinstance(limit, str) else limit for name, limit in self.limits.items()}
        protocols = None if self.protocols is None else list(self.protocols)
        return {"name": self.name, "column": written(self.column), **limits, "share": self.share, "reason": self.reason,
                "protocols": protocols, "where": rows}  # fmt: skip

    def _shown(self) -> tuple[str, Mapping[str, Any]]:
        return f"Gate {self.name!r}", {"asks": str(self), "protocols": self.protocols, "reason": self.reason}

    def asked(self) -> str:
        """What is asked of a row: "accuracy is at least 0.9"."""
        return f"{_word(self.column)} is {self.limits_in_words(_word)}"

    def rows(self) -> str:
        """Which rows are read: " with last = True"; nothing for all."""
        where = Where(self.where)
        return f" with {' and '.join(map(where.worded, where))}" if where else ""

    def __str__(self) -> str:
        share = "every row" if self.share == 1 else f"a share of {exact(self.share)} of the rows"
        return f"{self.asked()} in {share}{self.rows()}"


def names_of(given: object, owner: str, what: str) -> tuple[str, ...]:
    """Several names as a tuple; one may be given as plain text.

    Raises:
        ClaimError: what is given is neither a name nor a list or tuple of names.
    """
    names = (given,) if isinstance(given, str) else given
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) and name.strip() for name in names):
        raise ClaimError(f"{owner} has {what}={briefly(given)}; give a name, or a tuple of names")
    return tuple(names)


def _word(column: object) -> str:
    return str(column).replace("_", " ")
