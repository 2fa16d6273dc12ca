"""``python -m harness train``: what claims ask for is there afterwards, in parts or as one."""

from __future__ import annotations

import sys

import pytest
from engine_samples import Inline
from papers import HIGHER_SEEDED, Project

from harness import cli
from harness.data import DataShortfall, Mnist
from harness.engines.parcel import unpacked
from harness.store import Store

PARTED = """
from harness.data import ToyImages
from harness.recipe import MLP, Recipe, SGD

def recipe(width):
    return Recipe(ToyImages(train=24), MLP((width,)), epochs=1)

@declare("parted")
def test_parted(harness):
    harness.store.populations([recipe(width) for width in (2, 3, 4, 5)], range(3))
    return evidence(1.0)

@declare("wild")
def test_wild(harness):
    harness.store.population(Recipe(ToyImages(train=24), MLP((2,)), epochs=2, batch_size=12, optimiser=SGD(1e30)), range(2))
    return evidence(1.0)

@declare("short")
def test_short(harness):
    from harness.data import Mnist
    harness.store.population(Recipe(Mnist(train=1000, test=100), MLP((2,)), epochs=1), range(2))
    return evidence(1.0)
"""


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.delenv("HARNESS_STORE", raising=False)

    def load(spec):
        raise DataShortfall("there is no MNIST")

    monkeypatch.setattr(Mnist, "load", load)
    return Project(pytester)


@pytest.fixture
def inline(monkeypatch) -> Inline:
    """Every engine is one in this process."""
    engine = Inline()
    monkeypatch.setattr("harness.engines.engine_of", lambda name, options, choice: engine)
    monkeypatch.setattr("harness.pytest_plugin.options.engine_of", lambda name, options, choice: engine)
    return engine


def train(*arguments: str) -> int:
    return cli.main(["train", "--scale", "smoke", *arguments])


def test_what_is_trained_is_what_the_claims_ask_for(project: Project, inline, capsys):
    project.claims(HIGHER_SEEDED, PARTED)
    assert train("paper/seeded", "paper/parted", "--store", "kept") == 0
    assert "20 members asked for; 5 shards made; the store is" in capsys.readouterr().out
    assert len(inline.sent) == 5
    kept = Store(project.path / "kept")
    assert len(kept.entries()) == 20
    before = {entry.path: entry.path.stat().st_mtime_ns for entry in kept.entries()}
    assert project.run("claims", "--claims-store", "kept", "--claims-only", "paper/seeded,paper/parted").ret == 0
    after = {entry.path: entry.path.stat().st_mtime_ns for entry in kept.entries() if entry.kind == "member"}
    assert after == before


def test_parts_add_up_and_what_fails_keeps_no_other_from_being_trained(project: Project, inline, capsys):
    project.claims(PARTED)
    codes = [train("--shard", f"{number}/2", "--store", f"part{number}") for number in (1, 2)]
    said = capsys.readouterr()
    assert sorted(codes) == [1, 1]  # without data both, and one with what diverges
    assert "diverged for seeds [0, 1]" in said.err
    assert said.err.count("there is no MNIST") == 2
    assert "part 1 of 2 of 14" in said.out
    sizes = [len(Store(project.path / f"part{number}").entries()) for number in (1, 2)]
    assert sum(sizes) == 12
    assert min(sizes) > 0
    assert cli.main(["cache", "merge", "part1", "part2", "--store", "whole"]) == 0
    inline.sent.clear()
    assert train("paper/parted", "--store", "whole") == 0
    assert inline.sent == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--shard", "3/2"], "--shard 3/2 is no part; write I/N with I from 1 to N, as in 2/8"),
        (["--shard", "half"], "--shard half is no part"),
        (["paper/none"], "there is no claim paper/none; python -m harness list shows all 3"),
        (["--engine-option", "gpus"], "'gpus' is no option of an engine; write NAME=VALUE"),
        (["--engine-option", "a=1", "--engine-option", "a=2"], "the option a of the engine is given twice, as '1' and '2'"),
        (["--engine-option", "gpus=1"], "the engine local has no option gpus; it has workers"),
        (["--workers", "0"], "workers=0 is not what the option workers of the engine local takes"),
        (["--memory", "much"], "'much' is no amount of memory"),
    ],
)
def test_what_cannot_be_done_is_one_line(project: Project, capsys, arguments, said):
    project.claims(PARTED)
    assert train(*arguments) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_a_session_trains_ahead_and_measures_on_its_engine(project: Project, inline):
    project.claims(HIGHER_SEEDED, PARTED)
    result = project.run("claims", "--claims-engine", "ray", "--claims-scale", "smoke")
    assert result.ret in (0, 1)
    rows = project.rows()
    assert "diverged" in rows["wild"]["reason"]
    assert rows["short"]["reason"].endswith("there is no MNIST")
    assert [job.what.split(" ")[0] for job in inline.sent].count("lengths") == 1
    assert [job.what for job in inline.sent[:2]] != ["lengths of 1x2 standard"] * 2
    assert len(Store(project.path / ".harness").entries()) == 28


def test_seeds_that_are_added_are_trained_on_the_engine(project: Project, inline):
    project.claims(HIGHER_SEEDED.replace("return evidence(1.0)", "return evidence(0.3, spread=0.6)"))
    project.run("claims", "--claims-engine", "ray", "--claims-until-decided")
    trainings = [job for job in inline.sent if "lengths" not in job.what]
    seeds = {seed for job in trainings for seed in unpacked(job.payload).seeds}
    assert seeds == set(range(16))


def test_an_engine_that_cannot_be_had_is_said_before_anything_runs(project: Project, told, monkeypatch):
    pytest.importorskip("submitit")
    project.claims(HIGHER_SEEDED)
    for arguments, said in (
        (["--claims-engine-option", "gpus=1"], "gpus is an option of another engine; give --claims-engine ray or slurm, too"),
        (["--claims-engine", "slurm", "--claims-device", "cuda"], "jobs that ask for gpus=0 have no CUDA device"),
        (["--claims-engine", "slurm", "--claims-engine-option", "time=5"], "time is not passed on to sbatch: give minutes=…"),
    ):
        result = project.run("claims", *arguments)
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        assert said in told(result)
    monkeypatch.setitem(sys.modules, "submitit", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    result = project.run("claims", "--claims-engine", "slurm")
    assert "the engine slurm needs the package submitit: pip install 'claims-harness[slurm]'" in told(result)
