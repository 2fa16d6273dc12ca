"""A small project with claims of every outcome, to run sessions in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import hypothesis
import matplotlib.figure
import pytest
import scipy.stats
import torch
import torch._inductor
import torch.distributed.tensor

import harness.data
import harness.judge
import harness.predict.differences.independent
import harness.predict.differences.paired
import harness.report.arriving
import harness.report.carried
import harness.running.growth
import harness.running.run
import harness.running.searching
import harness.store
import harness.study
import harness.training.train

# A session in this process forgets the modules that it imports, and compiled ones cannot be imported twice.
# The last of torch's are those that it imports late, and that register operators of a process.  Our own are here for speed:
# each session would import them again, with their assertions rewritten, which is a third of what it does.
KEPT = (
    hypothesis, matplotlib.figure, scipy.stats, torch, torch._inductor, torch.distributed.tensor, harness,
)  # fmt: skip

INI = """
[pytest]
claims_folders = claims
claims_ledger = ledger.json
filterwarnings =
    error
    ignore:Module already imported so cannot be rewritten:pytest.PytestAssertRewriteWarning
addopts = --dist=worksteal
"""
HEAD = """
import os
import pandas as pd
import pytest
from harness.claim import claim
from harness.evidence import Evidence, Figure
from harness.gate import Gate
from harness.source import Source
from harness.data import DataShortfall
from harness.predict import PairedDifference
from harness.study import study

PAPER = Source("paper", "A paper", year=2024)
HIGHER = PairedDifference(
    value="llc", factor="regime", higher="standard", lower="robust", pair=("seed",),
    margin=0.5, margin_reason="half",
)

def declare(name, **changed):
    source = PAPER.at("Intro", "it is higher")
    terms = {"statement": "The LLC is higher.", "source": source, "prediction": HIGHER}
    return claim(f"paper/{name}", **(terms | changed))

def evidence(difference, spread=0.01, **more):
    rows = [
        {"regime": regime, "seed": seed, "competent": 1.0,
         "llc": (difference + spread * (seed % 4 - 1.5)) * (regime == "standard")}
        for seed in range(8) for regime in ("standard", "robust")
    ]
    return Evidence(pd.DataFrame(rows), **more)
"""
SUPPORTED = """
@declare("higher")
def test_higher():
    return evidence(1.0, settings={"chains": 4}, recipes=({"name": "mlp", "digest": "d", "seeds": [0, 1]},))
"""
REFUTED = """
@declare("lower")
def test_lower():
    return evidence(-1.0)
"""
INCONCLUSIVE = """
@declare("unclear")
def test_unclear():
    return evidence(0.3, spread=0.6)
"""
INVALID = """
@declare("incompetent", gates=(Gate("models are competent", "competent", at_least=2.0),))
def test_incompetent():
    return evidence(1.0)
"""
BROKEN = """
@declare("broken")
def test_broken():
    raise RuntimeError("the sampler diverged")
"""
HIGHER_SEEDED = """
import dataclasses
from harness.data import ToyImages
from harness.measure.base import Measurement
from harness.recipe import MLP, Recipe

@dataclasses.dataclass(frozen=True)
class Lengths(Measurement):
    factor: float = 1.0
    name = "lengths"
    def run(self, population, data, device):
        return pd.DataFrame({"seed": population.seeds, "epoch": 0, "length": population.final.norm(dim=1).tolist()})

@study
def members(harness):
    recipe = Recipe(ToyImages(train=24), MLP((2,)), epochs=0)
    return harness.store.population(recipe, range(8))  # seeds

@declare("seeded")
def test_seeded(harness):
    harness.store.measure([members(harness)], Lengths(1.0))
    return evidence(1.0)
"""
EVERY = SUPPORTED + REFUTED + INCONCLUSIVE + INVALID + BROKEN


class Project:
    """A folder with claims, and the sessions that run them."""

    def __init__(self, pytester: pytest.Pytester) -> None:
        self._pytester = pytester
        self.path = pytester.path
        pytester.makeini(INI)

    def claims(self, *bodies: str, name: str = "test_paper") -> None:
        """Write a module of claims.

        Sessions in this process share its modules, so that a name of one of our own test files cannot be imported again.
        """
        if any(Path(__file__).parents[1].rglob(f"{name}.py")):
            raise ValueError(f"{name}.py is a file of these tests, too")
        folder = self.path / "claims"
        folder.mkdir(exist_ok=True)
        (folder / f"{name}.py").write_text(HEAD + "".join(bodies), encoding="utf-8")

    def file(self, name: str, text: str) -> None:
        """Write any file."""
        (self.path / name).write_text(text, encoding="utf-8")

    def run(self, *arguments: str) -> pytest.RunResult:
        """A session in this process."""
        return self._pytester.runpytest_inprocess(*(arguments or ("claims",)))

    def run_shared(self, *arguments: str) -> pytest.RunResult:
        """A session in this process whose claims run in workers, which are processes of their own."""
        return self._pytester.runpytest_inprocess(*arguments)

    def run_apart(self, *arguments: str) -> pytest.RunResult:
        """A session in a process of its own."""
        return self._pytester.runpytest_subprocess(*arguments)

    def report(self, folder: str = "reports") -> dict[str, Any]:
        """The run as the last session reported it; every number in it is one."""

        def refuse(word: str) -> None:
            raise AssertionError(f"{word} in claims.json")

        text = (self.path / folder / "claims.json").read_text(encoding="utf-8")
        return dict(json.loads(text, parse_constant=refuse))

    def rows(self) -> dict[str, dict[str, Any]]:
        """The last session's rows by the last part of their ids."""
        return {row["id"].split("/")[1]: row for row in self.report()["rows"]}

    def ledger(self, verdicts: dict[str, Any] | None = None) -> dict[str, Any]:
        """Write the ledger, or read it."""
        path = self.path / "ledger.json"
        if verdicts is not None:
            path.write_text(json.dumps(verdicts), encoding="utf-8")
        return dict(json.loads(path.read_text(encoding="utf-8")))

    def known(self, verdicts: dict[str, Any]) -> None:
        """Write a ledger that has these verdicts, and does not know what was fixed."""
        self.ledger({"schema": 2} | {scale: {claim: {"verdict": one} for claim, one in own.items()}
                                     for scale, own in verdicts.items()})  # fmt: skip

    def verdicts(self) -> dict[str, Any]:
        """The verdicts of the ledger, by scale and claim."""
        held = self.ledger()
        return {scale: {claim: entry["verdict"] for claim, entry in own.items()} for scale, own in held.items()
                if scale not in ("schema", "designs")}  # fmt: skip


def files_below(folder: Path) -> set[str]:
    """Names of all files below a folder, without pytest's own."""
    names = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    return {name for name in names if "cache" not in name} - {"stdout", "stderr"}
