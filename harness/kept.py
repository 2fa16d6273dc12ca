"""Rows that were measured and are not judged: counted where they are left out, with the reason.

What is left out before a claim is judged is a fork in the path to its verdict.  :func:`keep` selects rows and notes how many it
leaves out and by which columns; :func:`noting` collects these notes, as a fixture's ``Study`` does around everything that it
makes of its tables.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from harness.errors import ClaimError
from harness.rows import Where

if TYPE_CHECKING:
    import pandas as pd


_LEVELS = ("recipe", "architecture", "regime")


@dataclass(frozen=True)
class Drop:
    """Rows that were left out together.

    Attributes:
        rows: how many.
        because: why, in words.
        columns: columns whose values decided; none where it was not said.
        call: the call of a study that left them out, by which who is told of it twice knows; None outside of studies.
    """

    rows: int
    because: str
    columns: tuple[str, ...] = ()
    call: Any = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class Account:
    """How the rows of a table came from what was measured.

    Attributes:
        measured: rows that were measured, before any was left out.
        dropped: those that were, each with its reason; or a mapping from reasons to numbers.
    """

    measured: int
    dropped: tuple[Drop, ...] | Mapping[str, int] = ()

    def __post_init__(self) -> None:
        counted = isinstance(self.dropped, Mapping)
        if isinstance(self.dropped, Mapping):
            object.__setattr__(self, "dropped", tuple(Drop(rows, because) for because, rows in self.dropped.items()))
        wrong = [each for each in self.drops if each.rows < 0 or not each.because.strip()]
        # Drops may be of tables that were made from the measured ones, with other numbers of rows.
        too_many = counted and sum(each.rows for each in self.drops) > self.measured
        if self.measured < 0 or wrong or too_many:
            raise ClaimError(
                f"an account of {self.measured} measured rows has {', '.join(f'{d.rows} ({d.because!r})' for d in self.drops)} "
                "left out; give whole numbers, no more in all than were measured, each with a reason"
            )

    @property
    def drops(self) -> tuple[Drop, ...]:
        """What was left out."""
        assert not isinstance(self.dropped, Mapping)
        return self.dropped


_NOTES: ContextVar[list[Drop] | None] = ContextVar("notes of rows that are left out", default=None)


@contextmanager
def noting() -> Iterator[list[Drop]]:
    """Collect what is left out inside the block."""
    found: list[Drop] = []
    token = _NOTES.set(found)
    try:
        yield found
    finally:
        _NOTES.reset(token)


def note(rows: int, because: str, *columns: str) -> None:
    """Say that rows are left out; nothing happens where none are, or where nobody collects."""
    told([Drop(rows, because, columns)] if rows else [])


def told(drops: Iterable[Drop]) -> None:
    """Say again what was left out before."""
    if (notes := _NOTES.get()) is not None:
        notes.extend(drops)


def keep(table: pd.DataFrame, because: str, **wanted: Any) -> pd.DataFrame:
    """The rows whose columns hold what is wanted (:mod:`harness.rows`), and a note of how many others there are.

    Args:
        table: rows as measured.
        because: why the others are left out, in words.
        wanted: conditions by column.

    Raises:
        ClaimError: a column is missing.
        NoRow: the table has rows, but none that is wanted.
    """
    kept = Where(wanted, owner="keep").select(table, "keep")
    note(len(table) - len(kept), because, *wanted)
    return kept


def lost_networks(networks: pd.DataFrame, judged: pd.DataFrame) -> int:
    """Networks of the levels that are judged of which no row is left.

    Whole levels (a recipe, a regime) of which nothing is judged are not what the claim is about.

    Args:
        networks: which there were, as rows of measurements or of what was trained; those of one network count once.
        judged: rows that are judged.  Networks are told apart by the seed and by those of the levels that both tables have.
    """
    columns = [column for column in (*_LEVELS, "seed") if column in networks.columns and column in judged.columns]
    if "seed" not in columns:
        return 0
    were, left = (
        set(table[columns].drop_duplicates().dropna().itertuples(index=False, name=None)) for table in (networks, judged)
    )
    levels = {network[:-1] for network in left} or {()}  # what no level tells apart is judged, also where no row is left
    return len({network for network in were if network[:-1] in levels} - left)


def is_measured(table: pd.DataFrame, column: str) -> bool:
    """Whether a column holds what was measured, and not how a network was made: fractions that differ from seed to seed.

    What a design crosses with the seeds, a noise or a radius, has the same values for each of them.
    """
    if column not in table.columns or table[column].dtype.kind != "f":
        return False
    return "seed" not in table.columns or len({frozenset(own.unique()) for _, own in table.groupby("seed")[column]}) > 1
