"""The command ``cache``: a look into the store, and what goes into it, out of it, or away."""

from __future__ import annotations

import argparse
import os
import re
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.claim import SCALES
from harness.cli import merge as merging
from harness.cli.words import age, counted, size

if TYPE_CHECKING:
    from harness.store import Entry, Store

_ACTIONS = {
    "list": "how many entries there are, and how large (default)",
    "ls": "name every entry, or some",
    "verify": "read every entry whole, and name the damaged ones",
    "merge": "copy from other stores what this one has not",
    "export": "write networks of claims as safetensors, with a card, for plain PyTorch",
    "gc": "remove what was not used for a while, and what processes left that ended early",
    "clear": "remove all entries",
}
_TAKES = {
    "list": {"entries"}, "ls": {"kind", "match", "older_than", "scale", "folder"}, "gc": {"older_than", "dry_run"},
    "export": {"out", "scale", "folder", "match"},
}  # fmt: skip
_OURS = ("members/*/*", "tables/*/*", "locks/*")
_NAME = re.compile(r"\.?[0-9a-f]{16}\.(safetensors|json|lock)(\.damaged(-[0-9]+)?|-[0-9a-f]{8}\.part)?$")
_DAY = 86400.0


def add(commands: Any) -> None:
    """Add the command to a parser's."""
    cache = commands.add_parser(
        "cache", help="show, check, merge, export or clean the store of trained models and measurements"
    )
    cache.add_argument("action", nargs="?", choices=_ACTIONS, default="list",
                       help="; ".join(f"{name}: {meaning}" for name, meaning in _ACTIONS.items()))  # fmt: skip
    cache.add_argument(
        "others",
        nargs="*",
        metavar="WHAT",
        help="merge: the other stores; ls, export: ids of claims, or documents, whose networks are meant",
    )
    cache.add_argument("--store", metavar="DIR", help="folder or URL of the store (default: $HARNESS_STORE, else .harness)")
    cache.add_argument("--entries", action="store_true", help="list: name every entry, too")
    cache.add_argument("--kind", choices=("member", "table"), help="ls: only trained networks, or only measurements")
    cache.add_argument(
        "--match", metavar="TEXT", help="ls, export: only those with this in the name, such as 'robust' or 'LLC'"
    )
    cache.add_argument("--older-than", type=age, metavar="AGE",
                       help="ls, gc: only what was last used so long ago, as in 12h, 30d or 8w (gc: at least 1d)")  # fmt: skip
    cache.add_argument("--dry-run", action="store_true", help="gc: only say what would go")
    cache.add_argument("--out", type=Path, metavar="DIR", help="export: folder for it (default: export)")
    cache.add_argument("--scale", choices=SCALES, help="ls, export: of which scale the networks are (default: reduced)")
    cache.add_argument("--folder", type=Path, help="ls, export: where the claims are (default: claims)")
    cache.set_defaults(command=_cache)


def _cache(chosen: argparse.Namespace) -> int:
    from harness.cli import CommandError
    from harness.running.session import store_place
    from harness.store import Store, StoreError

    action = chosen.action
    for option in ("entries", "kind", "match", "older_than", "dry_run", "out", "scale", "folder"):
        if getattr(chosen, option) not in (None, False) and option not in _TAKES.get(action, ()):
            raise CommandError(
                f"cache {action} takes no --{option.replace('_', '-')}; python -m harness cache --help says more"
            )
    place = store_place(chosen.store, (), Path.cwd(), Path.cwd())
    try:
        if action == "merge":
            return merging.merge(place, chosen.others)
        if chosen.others and action not in ("ls", "export"):
            raise CommandError(f"cache {action} looks at one store; name it with --store DIR")
        if not place.folder.is_dir() and place.remote is None:
            raise CommandError(f"there is no store in {place.folder} yet; name another with --store DIR or HARNESS_STORE")
        store = Store(place)
        if action == "export":
            from harness.cli.export import export

            return export(store, chosen)
        doing: dict[str, Callable[[Store, argparse.Namespace], int]] = {
            "list": _list, "ls": _ls, "verify": _verify, "gc": _collect, "clear": _clear,
        }  # fmt: skip
        return doing[action](store, chosen)
    except StoreError as problem:
        raise CommandError(problem) from None


def _list(store: Store, chosen: argparse.Namespace) -> int:
    if chosen.entries:
        _name(store.entries())
    here = {kind: store.sizes(kind) for kind in ("member", "table")}
    for kind, sizes in here.items():
        if sizes:
            _print_sum(kind, sizes)
    _print_sum("entry", [each for sizes in here.values() for each in sizes], f" in {store.folder}")
    if store.place.remote is not None:
        _print_sum("entry", store.kept_elsewhere(), " where it is kept")
    return 0


def _ls(store: Store, chosen: argparse.Namespace) -> int:
    """Name entries; whether one matches is seen by what it says of itself, in any case of letters."""
    found = [entry for entry in store.entries() if chosen.kind in (None, entry.kind)]
    if chosen.others:
        names = _networks(store, chosen)
        found = [entry for entry in found if entry.path.stem in names]
    if chosen.older_than is not None:
        found = [entry for entry in found if time.time() - entry.used >= chosen.older_than]
    if chosen.match is not None:
        wanted = chosen.match.casefold()
        found = [entry for entry in found if wanted in entry.name.casefold()]
    _name(found)
    _print_sum("entry", [entry.bytes for entry in found], f" in {store.folder}")
    return 0


def _networks(store: Store, chosen: argparse.Namespace) -> set[str]:
    """What the networks are called that claims ask for, those included from which they are finetuned."""
    from harness.cli.train import wanted
    from harness.store.lineages import ancestry

    asked = wanted(chosen.others, chosen.scale or "reduced", chosen.folder or Path("claims"))
    line = {(each, seeds) for recipe, seeds in asked for each in ancestry(recipe)}
    return {name for recipe, seeds in line for name in store.member_names(recipe, seeds).values()}


def _name(entries: Iterable[Entry]) -> None:
    for entry in entries:
        print(f"{entry.kind:<8} {size(entry.bytes):>9}  {os.path.basename(entry.file).partition('.')[0]}  {entry.name}")


def _verify(store: Store, chosen: argparse.Namespace) -> int:
    """Read all entries; exit code 1 where one is damaged."""
    entries, broken = store.entries(), 0
    for entry in entries:
        if (problem := entry.problem()) is not None:
            broken += 1
            print(f"damaged: {entry.path}: {problem}")
    print(f"{len(entries) - broken} of {len(entries)} entries are as they were written")
    if broken:
        print("a damaged entry is set aside and made again when it is next needed")
    return 1 if broken else 0


def _collect(store: Store, chosen: argparse.Namespace) -> int:
    """Remove what is idle; exit code 0, whatever there was to remove."""
    from harness.cli import CommandError
    from harness.store.cleaning import idle, left_over, remove

    try:
        found = idle(store.folder, chosen.older_than) if chosen.older_than is not None else left_over(store.folder)
        gone = [each for each in found if chosen.dry_run or remove(each)]
    except ValueError as problem:
        raise CommandError(problem) from None
    if chosen.dry_run:
        for each in gone:
            print(f"{each.seconds / _DAY:5.0f} days  {size(each.bytes):>9}  {each.path}  {each.what}")
    done = "would be removed" if chosen.dry_run else "removed"
    print(f"{counted(len(gone), 'file')}, {size(sum(each.bytes for each in gone))} {done} from {store.folder}")
    if chosen.older_than is None:
        print("entries stay, however old; --older-than 30d removes those that were not used for so long")
    return 0


def _clear(store: Store, chosen: argparse.Namespace) -> int:
    """Remove what the store wrote, recognised by its names, and nothing else that may lie beside it."""
    from harness.cli import CommandError
    from harness.store.files import inside

    entries = [entry.bytes for entry in store.entries()]
    found = (
        path
        for pattern in _OURS
        for path in store.folder.glob(pattern)
        if _NAME.match(path.name) and inside(store.folder, path)
    )
    ours = [path for path in found if path.is_symlink() or not path.is_dir()]  # the store writes no folder of such a name
    if sys.stdin.isatty():
        answer = input(f"remove {len(entries)} entries from {store.folder}? They cost time to make. [y/N] ")
        if answer.strip().lower() not in ("y", "yes"):
            raise CommandError("nothing was removed")
    try:
        for path in ours:
            path.unlink(missing_ok=True)
    except OSError as problem:
        raise CommandError(f"the store in {store.folder} cannot be emptied: {problem}") from None
    _print_sum("entry", entries, f" removed from {store.folder}")
    return 0


def _print_sum(what: str, sizes: Sequence[int], where: str = "") -> None:
    print(f"{counted(len(sizes), what)}{where}, {size(sum(sizes))}")
