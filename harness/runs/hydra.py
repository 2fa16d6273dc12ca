"""Jobs of Hydra: a folder each, with its configuration in .hydra and its results in a file that the user names."""

from __future__ import annotations

import json
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from harness.errors import ClaimError
from harness.parsing import understood
from harness.runs.csv_files import read as read_csv
from harness.runs.needed import needed
from harness.runs.points import Point, Run, flat, number, step_of

_CONFIG, _OWN = Path(".hydra", "config.yaml"), Path(".hydra", "hydra.yaml")


def read(root: str | PathLike[str], results: str, step: str | None) -> tuple[list[Run], str]:
    """(runs, their source); see :meth:`harness.runs.Runs.from_hydra`.

    Raises:
        ClaimError: there are no jobs, or a file cannot be read.
    """
    top = Path(root)
    jobs = [file.parents[1] for file in top.glob(f"**/{_CONFIG.as_posix()}")] if top.is_dir() else []
    if not jobs:
        raise ClaimError(
            f"there is no job of Hydra in {top} (a folder with {_CONFIG}); give a folder of multirun or of outputs"
        )
    omega = needed("omegaconf", "omegaconf", "hydra", "configurations of Hydra").OmegaConf
    runs = []
    for job in sorted(jobs, key=_place):
        with understood(ClaimError, str(job / _CONFIG), "a configuration"):
            config = _plain(omega, omega.load(job / _CONFIG), str(job / _CONFIG))
        with understood(
            ClaimError, str(job / _OWN), "what Hydra notes of itself", "; without the file its choices are left out"
        ):
            choices = _choices(omega, job / _OWN)
        config |= {(name if name not in config else f"choice of {name}"): value for name, value in choices.items()}
        name = job.relative_to(top).as_posix() if job != top else job.name
        file = job / results
        if file.is_file():
            runs.append(Run(name, config, _points(file, name, step), "finished"))
        else:
            runs.append(Run(name, config, {}, "unfinished"))
    if not any(run.points for run in runs):
        raise ClaimError(
            f"none of the {len(runs)} jobs in {top.name} has results in {results!r}; name the file that a job writes"
        )
    return runs, top.name


def _place(job: Path) -> tuple[str, int, str]:
    """Job 10 after job 9."""
    return (str(job.parent), int(job.name) if job.name.isdigit() else -1, job.name)


def _plain(omega: Any, config: Any, where: str) -> dict[str, Any]:
    """A configuration by dotted names; what refers to something that is only known in a job stays the text that it was."""
    text = omega.to_container(config, resolve=False)
    if not isinstance(text, dict):
        raise ClaimError(f"{where} is no configuration by names")
    found = dict(flat(text))
    for name, value in found.items():
        if isinstance(value, str) and "${" in value:
            try:
                resolved = omega.select(config, name)
                found[name] = dict(flat({name: resolved}))[name] if not hasattr(resolved, "_metadata") else value
            except Exception:  # of omegaconf's own kinds, which are there only with it
                continue
    return found


def _choices(omega: Any, file: Path) -> dict[str, str]:
    """The configuration that was chosen of each group, which its values alone do not tell."""
    if not file.is_file():
        return {}
    own = omega.to_container(omega.load(file), resolve=False)
    choices = own.get("hydra", {}).get("runtime", {}).get("choices", {})
    return {name: value for name, value in choices.items() if not name.startswith("hydra/") and value is not None}


def _points(file: Path, run: str, step: str | None) -> dict[str, list[Point]]:
    """What a job left: JSON with a number for each metric, a line of such JSON for each step, or CSV with a row for each."""
    where = f"{file.name} of job {run}"
    if file.suffix == ".csv":
        columns, _ = read_csv(file, ",", with_file=False)
        rows: list[Mapping[str, Any]] = [
            {name: cells[row] for name, cells in columns.items() if cells[row] != ""}
            for row in range(len(next(iter(columns.values()))))
        ]
    else:
        rows = _json(file, where)
    points: dict[str, list[Point]] = {}
    for place, row in enumerate(rows):
        if step is not None and step not in row:
            raise ClaimError(f"{where}, row {place + 1}, has no {step!r}, which is to be the step; it has {', '.join(row)}")
        at = None if step is None else step_of(row[step], f"{where}, row {place + 1}, {step!r}")
        for name, value in row.items():
            if name != step and value is not None:
                points.setdefault(name, []).append(Point(at, number(value, f"{where}, row {place + 1}, {name!r}")))
    return points


def _json(file: Path, where: str) -> list[Mapping[str, Any]]:
    with understood(ClaimError, where, "JSON"):
        text = file.read_text(encoding="utf-8")
        held = [json.loads(line) for line in text.splitlines() if line.strip()] if file.suffix == ".jsonl" else json.loads(text)
        rows = held if isinstance(held, list) else [held]
        if not all(isinstance(row, dict) for row in rows):
            raise ClaimError(f"{where} has to hold a number for each metric, by name, or a list of such rows")
        return [{name: value for name, value in flat(row) if not isinstance(value, str)} for row in rows]
