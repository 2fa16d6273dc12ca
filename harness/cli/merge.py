"""The command ``cache merge``: stores that become one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

_SHOWN = 5  # entries that are named


def merge(folder: Path, others: Sequence[Path]) -> int:
    """Copy into one store what others have and it has not; exit code 1 where something was left out.

    Args:
        folder: of the store; it is made if it is not there.
        others: folders of the others, which stay as they are.
    """
    from harness.cli import CommandError
    from harness.store import StoreError
    from harness.store.merging import merged

    if not others:
        raise CommandError("cache merge needs the stores to merge: cache merge DIR [DIR …] --store DIR")
    if absent := [path for path in others if not path.is_dir()]:
        raise CommandError(f"there is no store in {absent[0]}")
    code = 0
    for other in others:
        if folder.exists() and other.samefile(folder):
            continue
        try:
            found = merged(folder, other)
        except StoreError as problem:
            raise CommandError(problem) from None
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
    print(f"the store is {folder}")
    return code
