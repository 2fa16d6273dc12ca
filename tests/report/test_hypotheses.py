"""Runs as hypothesis tests: criteria that give the verdicts from the numbers in the file, read back as they were written."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from report_samples import PROVENANCE, SLT

import harness.report
from harness.claim import Claim
from harness.cli import main
from harness.gate import Gate
from harness.judge import judge
from harness.predict import AtLeast, Conjunction, NoChange, PairedDifference, Proportion
from harness.report import ReportError, assemble, base_row, read_run, with_verdict
from harness.report.hypotheses import VERDICTS, conclusion, hypotheses, published, read_hypotheses, written

KEPT = Path(harness.report.__file__).parents[2] / "reports" / "reference" / "claims.json"
TERMS: dict[str, Any] = {"factor": "regime", "pair": "seed", "margin": 0.5, "margin_reason": "half a unit"}
HIGHER = PairedDifference("llc", higher="standard", lower="robust", **TERMS)
LOWER = PairedDifference("llc", higher="robust", lower="standard", **TERMS)
SAME = NoChange("llc", first="robust", second="standard", **TERMS)
OFTEN = Proportion(of="llc", at_least=0.5, unit="seed", exceeds=0.5, margin=0.2, margin_reason="a fifth",
                   where={"regime": "standard"})  # fmt: skip
KINDS = (
    HIGHER,
    LOWER,
    SAME,
    OFTEN,
    Conjunction((HIGHER, OFTEN)),
    Conjunction((HIGHER, SAME)),
    AtLeast(parts=(HIGHER, SAME, LOWER), count=2),
)


def measured(difference: float, spread: float, seeds: int, skewed: bool) -> pd.DataFrame:
    """Units with a difference between regimes; whose noise has a long tail or none."""
    rng = np.random.default_rng(seeds)
    noise = (rng.exponential(size=seeds) - 1 if skewed else rng.normal(size=seeds)) * spread
    rows = [(regime, seed, (difference + noise[seed]) * (regime == "standard")) for regime in ("standard", "robust")
            for seed in range(seeds)]  # fmt: skip
    return pd.DataFrame(rows, columns=["regime", "seed", "llc"])


def run_of(claims: list[tuple[Claim, pd.DataFrame]], scale: str) -> dict[str, Any]:
    rows = [with_verdict(base_row(claim, claim.id), judge(claim, table, scale=scale).to_json()) for claim, table in claims]
    return assemble(rows, scale=scale, device="cpu", provenance=PROVENANCE)


@settings(deadline=None, max_examples=60)
@given(
    kind=st.sampled_from(KINDS), difference=st.floats(-2, 2), spread=st.sampled_from([0.01, 0.3, 1.0, 3.0]),
    seeds=st.integers(5, 14), skewed=st.booleans(), scale=st.sampled_from(["smoke", "reduced", "full"]),
    least=st.sampled_from([-10.0, 0.0, 10.0]),
)  # fmt: skip
def test_criteria_give_every_verdict_from_the_numbers_in_the_file(
    kind, difference, spread, seeds, skewed, scale, least
) -> None:
    """Whatever is judged: the file is evaluated without the judge, after it was written and read."""
    gate = Gate("none is very low", "llc", at_least=least)
    claim = Claim("slt/x", "So.", SLT.at("I", "q"), kind, gates=(gate,), requires=("slt/y",))
    run = run_of([(claim, measured(difference, spread, seeds, skewed))], scale)
    told = json.loads(written(hypotheses(run)))
    jsonschema.Draft202012Validator(published()).validate(told)
    assert VERDICTS[conclusion(told, "slt/x")] == run["rows"][0]["verdict"]
    one = told["hypotheses"][0]
    assert (one["description"], one["prediction"], one["digest"]) == ("So.", str(claim.prediction), claim.digest())
    assert told["graph"]["edges"] == [{"source": "slt/x", "target": "slt/y", "relation": "requires"}]


@pytest.fixture(scope="module")
def told() -> dict[str, Any]:
    return hypotheses(read_run(KEPT))


class TestTheKeptRun:
    def test_reads_back_the_same(self, told: dict[str, Any], tmp_path: Path) -> None:
        (tmp_path / "h.json").write_text(written(told), encoding="utf-8")
        again = read_hypotheses(tmp_path / "h.json")
        assert again == told
        verdicts = {row["id"]: row["verdict"] for row in read_run(KEPT)["rows"]}
        assert {one["id"]: VERDICTS[conclusion(again, one["id"])] for one in again["hypotheses"]} == verdicts
        assert set(again["graph"]["nodes"]) == set(verdicts)

    def test_a_number_on_the_other_side_gives_another_conclusion(self, told: dict[str, Any]) -> None:
        """No criterion is an ornament: each that is met alone in its way decides, once its number is moved."""
        for one in told["hypotheses"]:
            if one["conclusion"] != "corroborated":
                continue
            for criterion in one["criteria"]:
                moved = copy.deepcopy(told)
                results = next(each["results"] for each in moved["analyses"] if each["id"] == one["id"])
                if criterion["for"] in ("validity", "corroboration"):
                    results[criterion["result"]] = {"=": "other", "!=": criterion["comparator"]}.get(criterion["operator"])
                    assert conclusion(moved, one["id"]) != "corroborated", (one["id"], criterion["id"])

    def test_a_run_that_was_changed_is_refused(self) -> None:
        run = read_run(KEPT)
        changed = next(row for row in run["rows"] if row["verdict"] == "refuted")
        changed["verdict"] = "supported"
        with pytest.raises(ReportError, match=f"do not give the verdict of {changed['id']}: "):
            hypotheses(run)


@pytest.mark.parametrize("form", ["hypotheses", "graph"])
def test_the_command_writes_it(form: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "--format", form, "--from", str(KEPT), "--out", str(tmp_path / "out.json")]) == 0
    held = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))
    assert held["graph"]["directed"] is True
    assert ("hypotheses" in held) == (form == "hypotheses")
    assert capsys.readouterr().out.strip() == str(tmp_path / "out.json")
    assert main(["export", "--format", form, "--from", str(KEPT)]) == 0
    assert json.loads(capsys.readouterr().out) == held


@pytest.mark.parametrize(
    ("text", "said"), [("{}", "lacks 'schema'"), ("no", "cannot read"), ('{"schema": 2}', "lacks 'terms'")]
)
def test_what_is_something_else_is_refused(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "h.json").write_text(text, encoding="utf-8")
    with pytest.raises(ReportError, match=said):
        read_hypotheses(tmp_path / "h.json")
