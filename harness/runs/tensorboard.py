"""Scalars of TensorBoard's event files, all of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from harness.errors import ClaimError
from harness.parsing import understood
from harness.runs.needed import needed
from harness.runs.points import Point, Run

_EVENTS = "*tfevents*"
_HPARAMS, _SESSION = "hparams", "_hparams_/session_start_info"


def read(root: str | PathLike[str]) -> tuple[list[Run], str]:
    """(runs, their source); see :meth:`harness.runs.Runs.from_tensorboard`.

    Raises:
        ClaimError: there are no event files, or the package is missing.
    """
    top = Path(root)
    folders = sorted({file.parent for file in top.rglob(_EVENTS)}) if top.is_dir() else []
    if not folders:
        raise ClaimError(f"there are no event files of TensorBoard (…tfevents…) in {top}; give the folder of the runs")
    runs = _joined([_run(folder, top) for folder in folders], top)
    return [run for run in runs if run.points or run.config], top.name


def _run(folder: Path, top: Path) -> Run:
    """What one folder holds: TensorBoard's own notion of a run."""
    reader = needed("tensorboard.backend.event_processing.event_accumulator", "tensorboard", "tensorboard", "event files")
    tensors = needed("tensorboard.util.tensor_util", "tensorboard", "tensorboard", "event files")
    with understood(ClaimError, folder.name, "event files of TensorBoard"):
        return _scalars(folder, top, reader, tensors)


def _scalars(folder: Path, top: Path, reader: Any, tensors: Any) -> Run:
    every = {"scalars": 0, "tensors": 0}  # the defaults are samples: 10,000 scalars, 10 tensors
    found = reader.EventAccumulator(str(folder), size_guidance=every).Reload()
    points: dict[str, list[Point]] = {}
    for tag in found.Tags()["scalars"]:
        points[tag] = [Point(each.step, float(each.value)) for each in found.Scalars(tag)]
    for tag in found.Tags()["tensors"]:
        values = [(each.step, tensors.make_ndarray(each.tensor_proto)) for each in found.Tensors(tag)]
        if all(value.shape == () and value.dtype.kind in "fiub" for _, value in values):
            points.setdefault(tag, []).extend(Point(step, float(value)) for step, value in values)
    return Run(folder.relative_to(top).as_posix() if folder != top else top.name, _hparams(found), points)


def _hparams(found: Any) -> dict[str, Any]:
    """What add_hparams noted; it keeps whole numbers as floats and drops None."""
    try:
        content = found.PluginTagToContent(_HPARAMS)[_SESSION]
    except KeyError:
        return {}
    plugin = needed("tensorboard.plugins.hparams.plugin_data_pb2", "tensorboard", "tensorboard", "hyperparameters")
    values = plugin.HParamsPluginData.FromString(content).session_start_info.hparams
    return {name: getattr(value, value.WhichOneof("kind")) for name, value in values.items()}


def _joined(runs: Sequence[Run], top: Path) -> list[Run]:
    """Folders that add_hparams and add_scalars made below the folder of a run, put into that run.

    The former are named by the time and hold one point of each metric, the latter by the run's tag and hold points of that tag.
    """
    held = {run.id: run for run in runs}
    for run in runs:
        above = _above(run.id, held, top)
        if above is None:
            continue
        parent = held[above]
        del held[run.id]
        own = {name: points for name, points in _renamed(run, above, top) if name not in parent.points}
        held[above] = Run(parent.id, {**parent.config, **run.config}, {**parent.points, **own}, parent.status)
    return list(held.values())


def _above(name: str, held: dict[str, Run], top: Path) -> str | None:
    """The run that a folder lies directly below, or the top folder."""
    head, _, _ = name.rpartition("/")
    return head if head in held else top.name if not head and top.name in held and name != top.name else None


def _renamed(run: Run, above: str, top: Path) -> Iterator[tuple[str, Sequence[Point]]]:
    """Metrics of a folder below a run; of add_scalars by the name that tells the curves of one tag apart."""
    own = run.id.removeprefix(f"{above}/") if above != top.name else run.id
    for tag, points in run.points.items():
        head = f"{tag.replace('/', '_')}_"
        yield (f"{tag}/{own.removeprefix(head)}" if own.startswith(head) and not run.config else tag), points
