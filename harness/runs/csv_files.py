"""CSV files, every cell as the text that stands there."""

from __future__ import annotations

import csv
import glob
from collections.abc import Iterator, Sequence
from os import PathLike
from pathlib import Path

from harness.errors import ClaimError
from harness.parsing import understood

Places = str | PathLike[str] | Sequence[str | PathLike[str]]


def read(paths: Places, delimiter: str, *, with_file: bool) -> tuple[dict[str, list[str | None]], str]:
    """(cells by column, the files' names) of one file or of several with the same columns.

    Args:
        paths: a file, a pattern, or several of either.
        delimiter: between the cells of a line.
        with_file: whether a column "file" names each row's file.

    Raises:
        ClaimError: a file is not there, cannot be read, or is no table.
    """
    files = found(paths)
    columns: dict[str, list[str | None]] = {}
    names: list[str] = []
    for number, file in enumerate(files):
        lines = list(_lines(file, delimiter))
        if not lines:
            raise ClaimError(f"{file.name} is empty; its first line has to name the columns")
        head = lines[0][1]
        if twice := sorted({name for name in head if head.count(name) > 1}):
            raise ClaimError(f"{file.name} has two columns called {twice[0]!r}; give each a name of its own")
        if number and set(head) != set(names):
            differ = sorted(set(head) ^ set(names))
            raise ClaimError(f"{file.name} and {files[0].name} have different columns ({', '.join(differ)}): read them apart")
        names = names or head
        for line, cells in lines[1:]:
            if len(cells) != len(head):
                raise ClaimError(
                    f"{file.name}, line {line}, has {len(cells)} cells, and the first line names {len(head)} columns; a comma "
                    "at the end of a line, or inside a text without quotes, makes one cell more"
                )
            for name, cell in zip(head, cells, strict=True):
                columns.setdefault(name, []).append(cell)
            if with_file:
                columns.setdefault("file", []).append(file.stem)
    if not columns:
        raise ClaimError(f"{files[0].name} has no line below the names of its columns")
    return columns, files[0].name if len(files) == 1 else f"{files[0].name} and {len(files) - 1} more"


def _lines(file: Path, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    with understood(ClaimError, file.name, "a table of text in UTF-8"), file.open(encoding="utf-8-sig", newline="") as text:
        reader = csv.reader(text, delimiter=delimiter, strict=True)
        for cells in reader:
            if cells:
                yield reader.line_num, cells


def found(paths: Places) -> list[Path]:
    """The files that are meant, those of a pattern in the order of their names.

    Raises:
        ClaimError: there is none.
    """
    given = [paths] if isinstance(paths, str | PathLike) else list(paths)
    files: list[Path] = []
    for each in given:
        path = Path(each)
        some = (
            [path]
            if path.is_file()
            else sorted(Path(name) for name in glob.glob(str(path), recursive=True) if Path(name).is_file())
        )
        if not some:
            where = f" (the working directory is {Path.cwd()})" if not path.is_absolute() else ""
            raise ClaimError(
                f"there is no file {path}{where}; give the path of a file, best as Path(__file__).parent / 'results.csv', or a "
                "pattern"
            )
        files += some
    if not files:
        raise ClaimError("paths is empty; give a file, a pattern, or several files")
    return list(dict.fromkeys(files))
