"""A kind of prediction that the library does not know: declared, judged, shown, planned and listed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from median import Median

import harness
from harness import cli
from harness.claim import Claim
from harness.judge import Outcome, judge
from harness.predict import Conjunction, Proportion
from harness.recipe import MLP, Recipe
from harness.registry import kinds
from harness.report import assemble, base_row
from harness.report.page import render
from harness.report.rows import with_verdict
from harness.running.asking import ClaimDesign
from harness.running.planning import statement
from harness.source import Source

PAPER = Source("paper", "A paper").at("I", "q")
ABOVE = Median("loss", "seed", 1.0, margin=0.5, margin_reason="half", where={"kept": True})
PACKAGE = Path(harness.__file__).parent


def table(seed: int = 0, shift: float = 2.0, n: int = 20) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame({"seed": range(n), "loss": rng.normal(shift, 0.5, n), "kept": np.arange(n) < n - 2})


def claim_of(prediction: object, **more: object) -> Claim:
    return Claim("paper/own", "It exceeds.", PAPER, prediction, **more)  # type: ignore[arg-type]


@given(st.integers(0, 50), st.sampled_from((0.0, 1.3, 2.0)))
@settings(max_examples=25, deadline=None)
def test_it_is_judged_by_the_rule(seed: int, shift: float) -> None:
    verdict = judge(claim_of(ABOVE), table(seed, shift))
    assert verdict.estimate is not None
    low, high = verdict.estimate.interval
    expected = Outcome.SUPPORTED if low > 1 and high >= 1.5 else Outcome.REFUTED if high < 1.5 else Outcome.INCONCLUSIVE
    assert verdict.outcome is expected


@pytest.mark.parametrize(
    "prediction", [ABOVE, Conjunction(parts=(ABOVE, Proportion("kept", "seed", 0.2, margin=0.3, margin_reason="some")))],
    ids=["alone", "in a conjunction"],
)  # fmt: skip
def test_it_stands_on_a_card_with_its_plan(prediction: object) -> None:
    claim = claim_of(prediction)
    row = with_verdict(base_row(claim, claim.id), judge(claim, table()).to_json())
    assert row["verdict"] == "supported"
    assert row["power"]["units_needed"] > 1
    run = assemble([row], scale="reduced", device="cpu", provenance={"started": "2026-01-01T00:00:00+00:00"})
    assert "The median of loss over seed exceeds 1" in render(run)


def test_a_condition_on_what_it_judges_is_a_selection_on_the_outcome() -> None:
    claim = claim_of(Median("loss", "seed", 1.0, margin=0.5, margin_reason="half", where={"loss": harness.Between(0.5, None)}))
    assert [left["on_outcome"] for left in judge(claim, table(shift=0.8)).to_json()["rows"]["left_out"]] == [True]


def test_it_is_planned_before_and_after_a_run() -> None:
    recipe = Recipe(harness.ToyImages(train=24), MLP((2,)), epochs=0)
    claim, design = claim_of(ABOVE), ClaimDesign(((recipe, tuple(range(20))),))
    assert "20 units (seed)" in statement(claim, design, None, "reduced", None, 3)
    row = judge(claim, table()).to_json()
    assert "By the spread measured" in statement(claim, design, row, "full", "reduced", 3)


def test_its_digest_is_that_of_what_it_fixes() -> None:
    assert claim_of(ABOVE).digest() == claim_of(Median("loss", ("seed",), 1, margin=0.5, margin_reason="half",
                                                       where={"kept": True})).digest()  # fmt: skip
    assert claim_of(ABOVE).digest() != claim_of(Median("loss", "seed", 1.1, margin=0.5, margin_reason="half",
                                                       where={"kept": True})).digest()  # fmt: skip


def test_it_takes_one_file_and_one_line_in_the_library(tmp_path: Path) -> None:
    shutil.copytree(PACKAGE, tmp_path / "harness", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(Path(__file__).with_name("median.py"), tmp_path / "harness" / "predict")
    with (tmp_path / "harness" / "kinds.py").open("a", encoding="utf-8") as registry:
        registry.write("    from harness.predict.median import Median as Median\n")

    def said(*arguments: str) -> str:
        there = {"env": {**os.environ, "PYTHONPATH": str(tmp_path)}, "cwd": tmp_path}
        return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=True, **there).stdout

    asked = (
        "import harness; from harness.predict import *; "
        "print(harness.Median is Median, 'Median' in dir(harness), 'Median' in harness.__all__, Median.__module__)"
    )
    assert said("-c", asked).split() == ["True", "True", "True", "harness.predict.median"]
    assert "The median of a value over units exceeds a number." in said("-m", "harness", "kinds")


def test_the_kinds_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["kinds"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in said] == sorted(kinds())
    assert all(line.rstrip().endswith(".") for line in said)


def test_every_kind_stands_in_the_pages_that_choose_and_explain_it() -> None:
    for page in ("docs/writing-claims.md", "docs/method/judging.md"):
        text = (PACKAGE.parent / page).read_text(encoding="utf-8")
        assert not [name for name in kinds() if not re.search(rf"`{name}[`(]", text)], page
