"""Other stores that are asked for what one's own has not: the seam between a store and whatever lies below it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

from harness.store.aside import tell_absent
from harness.store.place import Place, is_url
from harness.store.remote import Remote
from harness.store.shelf import Kind, Shelf


class Other(Protocol):
    """Entries that another store has.

    Attributes:
        where: where they lie, for people.
        travels: whether what is read is copied into one's own store, since the way to it is long.
    """

    where: str
    travels: bool

    def has(self, kind: Kind, name: str) -> bool:
        """Whether there is an entry of that name; False, too, where that cannot be found out."""

    def file(self, kind: Kind, name: str, folder: Path) -> AbstractContextManager[Path]:
        """A file on this machine that holds the entry, for as long as the context lasts.

        Args:
            kind: of the entry.
            name: of the entry.
            folder: of one's own store, where there is room for what has to be fetched.

        Raises:
            Missing: it is no longer there, or cannot be reached.
        """


class Lender:
    """A store in a folder that is only read: nothing is written there, no lock is taken, what is damaged stays where it is.

    Args:
        folder: the other store's.
    """

    travels = False

    def __init__(self, folder: Path) -> None:
        self.where = str(folder)
        self._shelf = Shelf(folder)
        self._able: bool | None = None  # not yet known

    def has(self, kind: Kind, name: str) -> bool:
        """See :class:`Other`."""
        if self._able is None:
            self._able = self._can_be_read()
        if not self._able:
            return False
        try:
            return os.path.lexists(self._shelf.path(kind, name))
        except OSError:  # a link in it leads elsewhere
            return False

    @contextmanager
    def file(self, kind: Kind, name: str, folder: Path) -> Iterator[Path]:
        """See :class:`Other`."""
        yield self._shelf.path(kind, name)

    def _can_be_read(self) -> bool:
        if able := os.path.isdir(self.where) and os.access(self.where, os.R_OK | os.X_OK):
            return able
        problem = "cannot be read" if os.path.lexists(self.where) else "is not there"
        tell_absent(self.where, problem)
        return False


def shelf_of(place: Place) -> Shelf:
    """The shelf of a store with all that lies below it; nothing is looked for yet."""
    others: list[Other] = [Remote(each) if is_url(each) else Lender(Path(each)) for each in place.shared]
    return Shelf(place.folder, others, None if place.remote is None else Remote(place.remote, place.folder))
