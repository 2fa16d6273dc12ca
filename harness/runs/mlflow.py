"""Runs that MLflow tracked, through its own client: every experiment, every page, every point."""

from __future__ import annotations

import ast
import os
import sys
from collections.abc import Iterator, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from harness.errors import ClaimError
from harness.runs.needed import needed
from harness.runs.points import Point, Run, flat

_PARENT, _NAME = "mlflow.parentRunId", "mlflow.runName"
_PAGE = 1000


def read(store: str | PathLike[str], experiments: str | Sequence[str] | None, parents: bool) -> tuple[list[Run], str]:
    """(runs, their source); see :meth:`harness.runs.Runs.from_mlflow`.

    Raises:
        ClaimError: there is no such database, it has no such experiment, or the package is missing.
    """
    uri, label = _address(store)
    client = needed("mlflow", "mlflow", "mlflow", "runs of MLflow").MlflowClient(tracking_uri=uri)
    every = {each.name: each.experiment_id for each in _pages(client.search_experiments)}
    wanted = list(every) if experiments is None else [experiments] if isinstance(experiments, str) else list(experiments)
    if unknown := [name for name in wanted if name not in every]:
        raise ClaimError(f"{label} has no experiment {unknown[0]!r}; it has {', '.join(every)}")
    found = [run for name in wanted for run in _pages(client.search_runs, experiment_ids=[every[name]])]
    above = {run.data.tags.get(_PARENT) for run in found}
    kept = [run for run in found if parents or run.info.run_id not in above or run.data.metrics]
    named = {each: name for name, each in every.items()}
    return [_run(client, run, named) for run in kept], label


def _address(store: str | PathLike[str]) -> tuple[str, str]:
    """(what the client is told, what the card says); a file has to be there, since the client would make an empty one."""
    said = str(store)
    if "://" in said and not said.startswith("sqlite:"):
        return said, said.rpartition("@")[2]
    path = Path(said.removeprefix("sqlite:///"))
    if path.is_dir():
        if not any(path.glob("*/meta.yaml")):
            raise ClaimError(
                f"{path} is no folder of runs of MLflow; give mlflow.db, or a folder mlruns with a meta.yaml in each experiment"
            )
        if os.environ.get("MLFLOW_ALLOW_FILE_STORE", "").lower() != "true":
            raise ClaimError(
                f"{path} is a folder of an older MLflow, which today's reads only with MLFLOW_ALLOW_FILE_STORE=true in the "
                "environment; or move it into a database: mlflow migrate-filestore"
            )
        return path.absolute().as_uri(), path.name
    if not path.is_file():
        raise ClaimError(f"there is no database {path}; give the path of mlflow.db, or the address of a server")
    return f"sqlite:///{path.absolute()}", path.name


def _pages(ask: Any, **how: Any) -> Iterator[Any]:
    token = None
    while True:
        page = ask(max_results=_PAGE, page_token=token, **how)
        yield from page
        token = page.token
        if not token:
            return


def _run(client: Any, run: Any, experiments: dict[str, str]) -> Run:
    points = {name: [Point(each.step, _value(each.value)) for each in client.get_metric_history(run.info.run_id, name)]
              for name in run.data.metrics}  # fmt: skip
    config = dict(flat({name: _parameter(text) for name, text in run.data.params.items()}))
    more = {"experiment": experiments[run.info.experiment_id], "name": run.data.tags.get(_NAME)}
    config |= {name: value for name, value in more.items() if name not in config}
    return Run(run.info.run_id, config, points, "finished" if run.info.status == "FINISHED" else "unfinished")


def _value(value: float) -> float:
    """A value; its database keeps the infinities as the greatest numbers there are."""
    greatest = sys.float_info.max
    return float("inf") if value == greatest else float("-inf") if value == -greatest else float(value)


def _parameter(text: str) -> Any:
    """A parameter, which is kept as Python writes it."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return text
