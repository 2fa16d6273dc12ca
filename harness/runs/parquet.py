"""Parquet files, and folders of them: NaN and missing values as the file keeps them apart."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from harness.errors import ClaimError
from harness.parsing import understood
from harness.runs.csv_files import found
from harness.runs.needed import needed


def read(paths: str | PathLike[str] | Sequence[str | PathLike[str]]) -> tuple[dict[str, list[Any]], str]:
    """(cells by column, None where nothing was logged; the files' names).

    Folders named ``name=value`` on the way to a file of a folder become columns of text.

    Raises:
        ClaimError: a file is not there or cannot be read, or two have different columns.
    """
    parquet = needed("pyarrow.parquet", "pyarrow", "parquet", "Parquet files")
    given = [paths] if isinstance(paths, str | PathLike) else list(paths)
    files: list[tuple[Path, dict[str, str]]] = []
    for each in map(Path, given):
        inside = sorted(each.rglob("*.parquet")) if each.is_dir() else []
        files += [(file, _parts(file, each)) for file in inside] or [(file, {}) for file in found(each)]
    columns: dict[str, list[Any]] = {}
    for number, (file, parts) in enumerate(files):
        with understood(ClaimError, file.name, "Parquet"):
            table = parquet.ParquetFile(file).read()
            cells = {name: column.to_pylist() for name, column in zip(table.column_names, table.columns, strict=True)}
        cells |= {name: [value] * table.num_rows for name, value in parts.items()}
        if number and set(cells) != set(columns):
            differ = sorted(set(cells) ^ set(columns))
            raise ClaimError(
                f"{file.name} and {files[0][0].name} have different columns ({', '.join(differ)}): read them apart"
            )
        for name, own in cells.items():
            columns.setdefault(name, []).extend(own)
    return columns, files[0][0].name if len(files) == 1 else f"{files[0][0].name} and {len(files) - 1} more"


def _parts(file: Path, top: Path) -> dict[str, str]:
    folders = file.relative_to(top).parts[:-1]
    return dict(name.split("=", 1) for name in folders if "=" in name)
