"""The command ``cache merge``: stores that become one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.store.place import Place

_SHOWN = 5  # entries that are named


def merge(into: Place, others: Sequence[str]) -> int:
    """Copy into one store what others have and it has not; exit code 1 where something was left out.

    Args:
        into: where the store lies; its folder is made if it is not there.
        others: folders and URLs of the others, which stay as they are.
    """
    from harness.cli import CommandError
    from harness.store.merging import fetched, merged
    from harness.store.place import Place

    if not others:
        raise CommandError("cache merge needs the stores to merge: cache merge DIR [DIR …] --store DIR")
    places = [Place.of(other) for other in others]
    if absent := [place for place in places if place.remote is None and not place.folder.is_dir()]:
        raise CommandError(f"there is no store in {absent[0].folder}")
    code = 0
    for other, place in zip(others, places, strict=True):
        if place.folder.exists() and into.folder.exists() and place.folder.samefile(into.folder):
            continue
        with fetched(place) as folder:
            found = merged(into, folder)
        print(f"{other}: {found.copied} entries copied, {found.same} there already")
        for what, paths in (
            ("damaged, and left out", found.damaged),
            ("of the same name and other content, and left out; the one in the store stays", found.differ),
        ):
            for path in paths[:_SHOWN]:
                print(f"{what}: {path}")
            if len(paths) > _SHOWN:
                print(f"and {len(paths) - _SHOWN} more of these")
            code = max(code, bool(paths))
    print(f"the store is {into.remote or into.folder}")
    return code
