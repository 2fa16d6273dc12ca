"""Files that the tools themselves have written (tests/runs/files), read as what was logged."""

from __future__ import annotations

import contextlib
import json
import math
import re
import shutil
import sys
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import ClaimError, Runs
from harness.runs import needed
from harness.runs.points import Run
from harness.runs.wandb import _BLOCK, _records

FILES = Path(__file__).parent / "files"


def points(run: Run, metric: str) -> list[tuple[float | None, float]]:
    return [tuple(point) for point in run.points[metric]]


def by_name(runs: Runs) -> dict[str, Run]:
    return {run.id: run for run in runs.every}


# --- wandb ----------------------------------------------------------------------------------------------


def test_wandb_is_read_as_it_was_logged():
    runs = Runs.from_wandb(FILES / "wandb")
    found = by_name(runs)
    ended = dict.fromkeys(["sgd-0", "sgd-1", "adam-0", "adam-1", "odd"], "finished")
    assert {name: run.status for name, run in found.items()} == {**ended, "failed": "unfinished"}
    for seed in range(2):
        for kind, gain in (("sgd", 0.0), ("adam", 0.25)):
            run = found[f"{kind}-{seed}"]
            assert run.config == {"optimizer.name": kind, "optimizer.lr": 0.1, "seed": seed, "layers": "[8, 8]", "note": None,
                                  "warmup": True}  # fmt: skip
            assert points(run, "val/acc") == [(10 * n, 0.5 + gain + n / 8 + seed / 64) for n in range(3)]
            assert points(run, "loss") == [(10 * n, 1.0 / (n + 1)) for n in range(3)]
    odd = found["odd"]
    assert math.isnan(odd.points["val/acc"][0].value)
    assert points(odd, "val/acc")[1] == (1, math.inf)
    assert points(odd, "nested.b") == [(1, 2.5)]
    assert points(odd, "loss") == [(2, 2.0), (3, 3.5)]
    table = runs.finished().where(seed=[0, 1]).last("val/acc")
    assert list(table.groupby("optimizer.name")["val/acc"].mean()) == [1.0078125, 0.7578125]


@pytest.mark.parametrize("share", [0.0, 0.005, 0.3, 0.6, 0.9, 0.99])
def test_a_run_of_wandb_that_was_killed_has_not_finished(tmp_path, share):
    content = (FILES / "wandb" / "run-adam-0.wandb").read_bytes()
    path = tmp_path / "run-adam-0.wandb"
    path.write_bytes(content[: max(7, int(share * len(content)))])
    (run,) = Runs.from_wandb(path).every
    whole = by_name(Runs.from_wandb(FILES / "wandb"))["adam-0"]
    assert run.id == "adam-0"
    assert run.status == "unfinished"
    for metric, own in run.points.items():
        assert list(own) == list(whole.points[metric])[: len(own)]


@given(st.lists(st.binary(max_size=70_000), max_size=6))
def test_records_of_any_size_cross_blocks(records):
    content, place = bytearray(b":W&B\x00\x00\x00"), 7
    for record in records:
        left, first = record, True
        while first or left:
            room = _BLOCK - place % _BLOCK
            if room < 7:
                content += bytes(room)
                place += room
                continue
            part, left = left[: room - 7], left[room - 7 :]
            kind = bytes([1 if first and not left else 2 if first else 3 if left else 4])
            content += zlib.crc32(kind + part).to_bytes(4, "little") + len(part).to_bytes(2, "little") + kind + part
            place, first = place + 7 + len(part), False
    assert list(_records(bytes(content))) == records


def test_damaged_and_doubled_files_of_wandb_are_refused(tmp_path):
    content = bytearray((FILES / "wandb" / "run-sgd-0.wandb").read_bytes())
    content[400] ^= 1
    (tmp_path / "run-sgd-0.wandb").write_bytes(content)
    with pytest.raises(ClaimError, match="is not what its checksum says"):
        Runs.from_wandb(tmp_path)
    (tmp_path / "run-sgd-0.wandb").write_bytes(b"no such file")
    with pytest.raises(ClaimError, match="does not begin as one"):
        Runs.from_wandb(tmp_path)
    with pytest.raises(ClaimError, match=r"there is no run-….wandb"):
        Runs.from_wandb(tmp_path / "nothing")
    for folder in ("first", "second"):
        (tmp_path / folder).mkdir()
        shutil.copy(FILES / "wandb" / "run-sgd-1.wandb", tmp_path / folder)
    with pytest.raises(ClaimError, match="two runs called 'sgd-1'"):
        Runs.from_wandb([tmp_path / "first", tmp_path / "second"])
    with pytest.raises(ClaimError, match="logged 'val/acc' without 'epoch'"):
        Runs.from_wandb(FILES / "wandb", step="epoch")


# --- Lightning, Hydra -----------------------------------------------------------------------------------


def test_lightning_is_read_as_it_was_logged():
    runs = Runs.from_lightning(FILES / "lightning", hparams=False)
    assert [run.id for run in runs.every] == [f"fits/version_{seed}" for seed in range(3)]
    assert {run.status for run in runs.every} == {"unknown"}
    for seed, run in enumerate(runs.every):
        assert points(run, "val/acc") == [(2, 0.5 + seed / 64), (5, 0.625 + seed / 64)]
        assert [step for step, _ in points(run, "loss")] == list(range(6))
        assert [math.isnan(value) for _, value in points(run, "odd")] == [False, True, False] * 2
    by_epoch = Runs.from_lightning(FILES / "lightning", hparams=False, step="epoch")
    assert points(by_epoch.every[0], "val/acc") == [(0, 0.5), (1, 0.625)]
    with pytest.raises(ClaimError, match="was logged more than once at step 0"):
        by_epoch.last("loss")
    with pytest.raises(ClaimError, match="step='time'"):
        Runs.from_lightning(FILES / "lightning", step="time")
    with pytest.raises(ClaimError, match=r"there is no metrics\.csv"):
        Runs.from_lightning(FILES / "wandb")


def test_versions_of_lightning_stand_in_the_order_of_their_numbers(tmp_path):
    for number in (10, 9, 2):
        shutil.copytree(FILES / "lightning" / "fits" / "version_0", tmp_path / f"version_{number}")
    found = Runs.from_lightning(tmp_path, hparams=False)
    assert [run.id for run in found.every] == ["version_2", "version_9", "version_10"]


def test_hyperparameters_of_lightning():
    pytest.importorskip("yaml")
    (run,) = Runs.from_lightning(FILES / "lightning" / "fits" / "version_0").every
    assert run.config == {"lr": 1e-5, "seed": 0, "layers": "[8, 8]", "place": None}
    with pytest.raises(ClaimError, match=r"version_2/hparams.yaml holds more than plain values.*hparams=False"):
        Runs.from_lightning(FILES / "lightning")


def test_hydra_is_read_as_it_was_run():
    pytest.importorskip("omegaconf")
    runs = Runs.from_hydra(FILES / "hydra", results="metrics.jsonl", step="epoch")
    assert [run.id for run in runs.every] == [f"{kind}/{seed}" for kind in ("adam", "sgd") for seed in range(3)]
    assert [run.status for run in runs.every] == ["finished", "finished", "unfinished"] * 2
    sgd = by_name(runs)["sgd/1"]
    own = {"seed": 1, "epochs": 3, "steps": 3, "folder": "${hydra:runtime.choices.optimizer}", "layers": "[8, 8]"}
    assert sgd.config == own | {"optimizer.lr": 0.001, "optimizer.momentum": None, "optimizer": "sgd"}
    assert points(sgd, "val.acc") == [(epoch, 0.5 + epoch / 8 + 1 / 64) for epoch in range(3)]
    assert math.isnan(sgd.points["loss"][0].value)
    whole = Runs.from_hydra(FILES / "hydra", results="results.json")
    assert points(by_name(whole)["adam/0"], "acc") == [(None, 1.0)]
    with pytest.raises(ClaimError, match="2 of 6 runs of hydra did not finish"):
        whole.last("acc")
    assert len(whole.finished().last("acc")) == 4


def test_results_of_hydra_that_are_none_are_refused(tmp_path):
    pytest.importorskip("omegaconf")
    shutil.copytree(FILES / "hydra" / "sgd", tmp_path / "sgd")
    with pytest.raises(ClaimError, match=r"none of the 3 jobs in sgd has results in 'metrics\.csv'"):
        Runs.from_hydra(tmp_path / "sgd", results="metrics.csv")
    (tmp_path / "sgd" / "0" / "metrics.csv").write_text("epoch,acc\n0,0.5\n1,nan\n")
    runs = Runs.from_hydra(tmp_path / "sgd", results="metrics.csv", step="epoch")
    assert [step for step, _ in points(runs.every[0], "acc")] == [0, 1]
    for text, says in (
        ("{", "cannot be read as JSON"),
        ("[1]", "has to hold a number for each metric"),
        ('{"acc": "x"}', "has no"),
    ):
        (tmp_path / "sgd" / "0" / "results.json").write_text(text)
        with pytest.raises(ClaimError, match=says):
            Runs.from_hydra(tmp_path / "sgd", results="results.json", step="epoch" if says == "has no" else None)
    with pytest.raises(ClaimError, match="there is no job of Hydra"):
        Runs.from_hydra(FILES / "wandb", results="results.json")


# --- TensorBoard, MLflow, Parquet -----------------------------------------------------------------------


def test_tensorboard_is_read_as_it_was_logged():
    pytest.importorskip("tensorboard")
    runs = Runs.from_tensorboard(FILES / "tensorboard")
    found = by_name(runs)
    assert set(found) == {"adam-0", "adam-1", "odd", "resumed"}
    for seed in range(2):
        run = found[f"adam-{seed}"]
        assert points(run, "val/acc") == [(10 * step, 0.5 + step / 8 + seed / 64) for step in range(3)]
        assert points(run, "tensor") == [(step, step / 4) for step in range(3)]
        assert points(run, "hparam/acc") == [(0, 0.75)]
        assert run.config == {"lr": 0.25, "seed": float(seed), "name": "adam", "warmup": True}
    odd = found["odd"]
    assert math.isnan(odd.points["loss/train"][0].value)
    assert points(odd, "loss/train")[1:] == [(1, math.inf), (2, 0.5)]
    assert points(odd, "loss/val") == [(step, 2.0) for step in range(3)]
    assert points(found["resumed"], "loss") == [(0, 1.0), (0, 2.0)]
    with pytest.raises(ClaimError, match="was logged more than once at step 0"):
        runs.last("loss", unlogged="leave out")
    with pytest.raises(ClaimError, match="there are no event files"):
        Runs.from_tensorboard(FILES / "wandb")


def test_every_point_of_tensorboard_is_read(tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.summary.writer.event_file_writer import EventFileWriter

    writer = EventFileWriter(str(tmp_path))
    for step in range(10_500):
        writer.add_event(Event(step=step, summary=Summary(value=[Summary.Value(tag="loss", simple_value=step)])))
    writer.close()
    (run,) = Runs.from_tensorboard(tmp_path).every
    assert points(run, "loss") == [(step, float(step)) for step in range(10_500)]


@pytest.mark.filterwarnings("default::DeprecationWarning")  # SQLAlchemy's of how mlflow uses it
def test_mlflow_is_read_as_it_was_logged(tmp_path):
    mlflow = pytest.importorskip("mlflow")
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/mlflow.db")
    for name, seeds in (("one", (0, 1)), ("two", (2,))):
        mlflow.set_experiment(name)
        for seed in seeds:
            with mlflow.start_run(run_name=f"{name}-{seed}"):
                mlflow.log_params(
                    {"seed": seed, "lr": 1e-3, "layers": [8, 8], "optimizer": {"name": "sgd"}, "note": None, "x": "07a"}
                )
                for step, value in enumerate((float("nan"), float("inf"), -float("inf"), 0.5)):
                    mlflow.log_metric("odd", value, step=step)
                mlflow.log_metric("acc", 0.5 + seed, step=7)
    with contextlib.suppress(ZeroDivisionError), mlflow.start_run(run_name="broken"):
        mlflow.log_metric("acc", 1 / 0)
    with mlflow.start_run(run_name="parent"), mlflow.start_run(run_name="child", nested=True):
        mlflow.log_metric("acc", 1.0)
    runs = Runs.from_mlflow(tmp_path / "mlflow.db")
    named = {run.config["name"]: run for run in runs.every}
    assert set(named) == {"one-0", "one-1", "two-2", "broken", "child"}
    assert named["broken"].status == "unfinished"
    first = named["one-0"]
    assert first.config == {"seed": 0, "lr": 1e-3, "layers": "[8, 8]", "optimizer.name": "sgd", "note": None, "x": "07a",
                            "experiment": "one", "name": "one-0"}  # fmt: skip
    assert math.isnan(first.points["odd"][0].value)
    assert points(first, "odd")[1:] == [(1, math.inf), (2, -math.inf), (3, 0.5)]
    assert len(Runs.from_mlflow(f"sqlite:///{tmp_path}/mlflow.db", experiments="one")) == 2
    assert len(Runs.from_mlflow(tmp_path / "mlflow.db", parents=True)) == 6
    with pytest.raises(ClaimError, match="has no experiment 'three'"):
        Runs.from_mlflow(tmp_path / "mlflow.db", experiments="three")


def test_a_mistyped_database_is_not_made(tmp_path):
    with pytest.raises(ClaimError, match="there is no database"):
        Runs.from_mlflow(tmp_path / "mlfow.db")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ClaimError, match="is no folder of runs of MLflow"):
        Runs.from_mlflow(tmp_path)


def test_parquet_keeps_nan_and_null_apart(tmp_path):
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    for seed in range(12):
        (tmp_path / f"seed=0{seed}").mkdir()
        columns = {"run": [f"r{seed}"] * 3, "step": [0, 1, 2], "acc": pa.array([0.5 + seed, None, math.nan], pa.float64())}
        pq.write_table(pa.table(columns), tmp_path / f"seed=0{seed}" / "part.parquet")
    runs = Runs.from_parquet(tmp_path, run="run", config="seed", step="step")
    assert len(runs) == 12
    run = by_name(runs)["r10"]
    assert run.config == {"seed": "010"}
    assert run.points["acc"][0] == (0, 10.5)
    assert run.points["acc"][1].step == 2
    assert math.isnan(run.points["acc"][1].value)
    pq.write_table(pa.table({"run": ["x"], "loss": [1.0]}), tmp_path / "other.parquet")
    with pytest.raises(ClaimError, match="different columns"):
        Runs.from_parquet(tmp_path, run="run", config="seed", step="step")
    (tmp_path / "broken.parquet").write_bytes(b"PAR1")
    with pytest.raises(ClaimError, match="cannot be read as Parquet"):
        Runs.from_parquet(tmp_path / "broken.parquet", run="run")


@pytest.mark.parametrize(
    ("module", "extra", "ask"),
    [
        ("pyarrow", "parquet", lambda path: Runs.from_parquet(path, run="run")),
        ("tensorboard", "tensorboard", lambda path: Runs.from_tensorboard(FILES / "tensorboard")),
        ("mlflow", "mlflow", lambda path: Runs.from_mlflow(path)),
        ("omegaconf", "hydra", lambda path: Runs.from_hydra(FILES / "hydra", results="results.json")),
        ("yaml", "lightning", lambda path: Runs.from_lightning(FILES / "lightning" / "fits" / "version_0")),
    ],
)
def test_a_package_that_is_missing_is_named_with_its_remedy(tmp_path, monkeypatch, module, extra, ask):
    for name in [name for name in sys.modules if name.split(".")[0] == module]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, module, None)
    path = tmp_path / "file"
    path.write_bytes(b"")
    with pytest.raises(ClaimError, match=rf"has to be installed .*pip install 'claims-harness\[{extra}\]'"):
        ask(path)


def test_every_extra_that_a_message_names_is_one():
    import tomllib

    declared = tomllib.loads((FILES.parents[2] / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    source = Path(needed.__file__).parent
    named = {line.split('"')[5] for file in source.glob("*.py") for line in file.read_text().splitlines() if 'needed("' in line}
    assert named <= set(declared)
    assert named == {"parquet", "tensorboard", "mlflow", "hydra", "lightning"}


def test_files_hold_nothing_about_a_person_or_a_machine():
    found = [path for path in FILES.rglob("*") if path.is_file() and path.suffix not in (".py", ".sh", ".md")]
    assert len(found) > 30
    places = b"|".join(b"/" + place for place in (b"tmp", b"work", b"home", b"Users", b"root/"))
    about = re.compile(places + rb"|localhost|\.local\b|\w+@\w+\.\w+")
    for path in found:
        assert about.findall(path.read_bytes()) == [], path
    assert json.loads((FILES / "hydra" / "sgd" / "0" / "results.json").read_text())["note"] == "done"
