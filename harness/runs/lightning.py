"""What Lightning's CSVLogger writes: a folder version_N for each fit, with metrics.csv and hparams.yaml."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from harness.errors import ClaimError
from harness.parsing import understood
from harness.runs.csv_files import read as read_csv
from harness.runs.needed import needed
from harness.runs.points import Point, Run, flat, number, step_of

METRICS, HPARAMS = "metrics.csv", "hparams.yaml"
_COUNTS = ("step", "epoch")


def read(paths: str | PathLike[str] | Sequence[str | PathLike[str]], step: str, hparams: bool) -> tuple[list[Run], str]:
    """(runs, their source); see :meth:`harness.runs.Runs.from_lightning`.

    Raises:
        ClaimError: nothing is there, or a file cannot be read.
    """
    if step not in _COUNTS:
        raise ClaimError(f"step={step!r}; Lightning counts by 'step' and by 'epoch'")
    given = [Path(each) for each in ([paths] if isinstance(paths, str | PathLike) else paths)]
    runs: list[Run] = []
    for top in given:
        files = sorted(top.rglob(METRICS), key=_place) if top.is_dir() else []
        if not files:
            raise ClaimError(f"there is no {METRICS} in {top}; give the folder that CSVLogger wrote, such as lightning_logs")
        for file in files:
            folder = file.parent
            name = folder.relative_to(top).as_posix() if folder != top else folder.name
            runs.append(Run(name, _config(folder / HPARAMS) if hparams else {}, _points(file, name, step)))
    return runs, given[0].name if len(given) == 1 else f"{given[0].name} and {len(given) - 1} more"


def _place(file: Path) -> tuple[Any, ...]:
    """version_10 after version_9."""
    digits = file.parent.name.rpartition("_")[2]
    return (str(file.parent.parent), int(digits) if digits.isdigit() else -1, file.parent.name)


def _points(file: Path, run: str, step: str) -> dict[str, list[Point]]:
    """A point for each cell that is not empty; train and validation stand in rows of their own."""
    columns, _ = read_csv(file, ",", with_file=False)
    if step not in columns:
        raise ClaimError(f"{METRICS} of {run} has no column {step!r}; it has {', '.join(columns)}")
    points: dict[str, list[Point]] = {}
    for name, cells in columns.items():
        if name in _COUNTS:
            continue
        for row, cell in enumerate(cells):
            if cell != "":
                where = f"{METRICS} of {run}, row {row + 1}, column"
                at = step_of(columns[step][row], f"{where} {step!r}")
                points.setdefault(name, []).append(Point(at, number(cell, f"{where} {name!r}")))
    return points


def _config(file: Path) -> dict[str, Any]:
    if not file.is_file():
        return {}
    yaml = needed("yaml", "pyyaml", "lightning", "hparams.yaml")
    name, remedy = f"{file.parent.name}/{HPARAMS}", ": read the metrics alone with hparams=False"
    with understood(ClaimError, name, "hyperparameters", remedy):
        try:
            held = yaml.safe_load(file.read_text(encoding="utf-8"))
        except yaml.constructor.ConstructorError as problem:
            raise ClaimError(
                f"{name} holds more than plain values, and reading it would run code ({str(problem).splitlines()[0]})"
                f"{remedy}, or log plain values"
            ) from None
        return dict(flat(held)) if isinstance(held, dict) else {}
