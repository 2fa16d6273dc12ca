"""What tells the parts of a conjunction apart, computed from the sentences of their predictions."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

_SHORT = 90  # characters of a part's name
_ALIKE = 0.7  # share of their words that sentences have in common where the others make their names
_BESIDE = re.compile(r" \((?:for others like|on these very).*|; the smallest.*|: (?:its slope|it|the difference) lies [^,]*")
"""What a sentence says besides: of other levels, of the margin."""
_SAME = r"pairs with the same (?:\w+(?: \w+){0,5}, )*\w+(?: \w+){0,5} and \w+(?: \w+){0,3}"
_OPENING = re.compile(
    rf"^(?:On average over (?:{_SAME}|[^,]*)|With one fit for each[^,]*|Across[^,]*)"
    r"(?:, each [^,]* with equal weight|, within each [^,]*)*, "
)
_PIECE = re.compile(
    r"(?:higher|lower) in [^,]+? than in [^,]+?(?=,|$)|[^\s,=]+(?: [^\s,=]+)?(?= = ) = [^,]+?(?=,| and |$)|at [\d.]+|[^\s]+"
)
_BETWEEN = re.compile(r", | and (?=[^,=]+ = )")  # what stands between the settings of a name


@dataclass(frozen=True)
class Grid:
    """Parts that are all combinations of two settings, or of one with several others.

    Attributes:
        rows: names of the rows.
        columns: names of the columns.
        cells: which part stands where, row by row, by its place among the parts.
    """

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    cells: tuple[tuple[int, ...], ...]


def grid(names: Sequence[str]) -> Grid | None:
    """Parts as a grid, where their names say that they are one; else None.

    Args:
        names: of :func:`part_names`.

    Returns:
        The grid whose columns have the shortest names; every part stands in it once, and there are at least two rows and two
        columns.
    """
    settings = [_BETWEEN.split(name) for name in names]
    if len({len(each) for each in settings}) != 1:
        return None
    found = []
    for place in range(len(settings[0])):
        keys = [(", ".join(each[:place] + each[place + 1 :]), each[place]) for each in settings]
        rows, columns = (tuple(dict.fromkeys(key[side] for key in keys)) for side in (0, 1))
        if min(len(rows), len(columns)) >= 2 and len(set(keys)) == len(keys) == len(rows) * len(columns):
            cells = tuple(tuple(keys.index((row, column)) for column in columns) for row in rows)
            found.append(Grid(rows, columns, cells))
    return min(found, key=lambda each: sum(map(len, each.columns)), default=None)


def part_names(predictions: Sequence[str]) -> list[str]:
    """What tells the parts of a conjunction apart, in a few words each.

    Where sentences are alike but for some words, the name is these words, with the setting in which they stand ("regime =
    robust"); where they are not, it is the sentence without what it says of units and of other levels.
    """
    said = [_BESIDE.sub("", each) for each in predictions]
    pieces = [_PIECE.findall(each) for each in said]
    shared = pieces[0] if pieces else []
    for each in pieces[1:]:
        blocks = SequenceMatcher(None, shared, each, autojunk=False).get_matching_blocks()
        shared = [piece for block in blocks for piece in shared[block.a : block.a + block.size]]
    if len(shared) >= _ALIKE * max(map(len, pieces), default=1):
        names = [_apart(each, shared) for each in pieces]
        if len(set(names)) == len(names) and all(0 < len(name) <= _SHORT for name in names):
            return names
    short = [_OPENING.sub("", each) for each in said]
    return [each[:1].upper() + each[1:] for each in short]


def _apart(pieces: Sequence[str], shared: Sequence[str]) -> str:
    """The pieces that are not shared; those that stood apart are separated by commas."""
    found: list[list[str]] = [[]]
    blocks = SequenceMatcher(None, shared, pieces, autojunk=False).get_matching_blocks()
    common = {place for block in blocks for place in range(block.b, block.b + block.size)}
    for place, piece in enumerate(pieces):
        if place in common:
            found.append([])
        else:
            found[-1].append(piece)
    return ", ".join(re.sub("^(?:where|and) ", "", " ".join(some)).strip(" ,;:") for some in found if some)
