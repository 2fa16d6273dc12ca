"""Runs as hypothesis tests: criteria that give the verdicts from the numbers in the file, read back as they were written."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mutations import kinds_of_places, mutated
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


def small() -> dict[str, Any]:
    """Two claims of which one requires the other, and one that is not in the run."""
    first = Claim("slt/x", "So.", SLT.at("I", "q"), Conjunction((HIGHER, OFTEN)), requires=("slt/y", "slt/z"))
    second = Claim("slt/y", "So.", SLT.at("I", "q"), HIGHER, contradicts=("slt/x",))
    table = measured(1.0, 0.1, 10, False)
    return json.loads(written(hypotheses(run_of([(first, table), (second, table)], "reduced"))))


def read(told: Any, folder: Path) -> dict[str, Any]:
    (folder / "h.json").write_text(json.dumps(told), encoding="utf-8")
    return read_hypotheses(folder / "h.json")


def test_every_edge_of_the_graph_has_two_nodes() -> None:
    told = small()["graph"]
    assert set(told["nodes"]) == {"slt/x", "slt/y", "slt/z"}
    assert told["nodes"]["slt/z"] == {"label": "slt/z", "metadata": {"document": None, "role": None, "verdict": None}}
    assert told["nodes"]["slt/y"]["metadata"]["verdict"] == "supported"


def _another(told: dict[str, Any]) -> None:
    told["hypotheses"].append(told["hypotheses"][0])


def _round(told: dict[str, Any]) -> None:
    told["hypotheses"][1]["links"]["requires"].append("slt/x")
    told["graph"]["edges"].append({"source": "slt/y", "target": "slt/x", "relation": "requires"})


@pytest.mark.parametrize(("change", "said"), [
    (lambda told: told["hypotheses"][0].update(conclusion="falsified"), "slt/x is said to be falsified, and its criteria give"),
    (lambda told: told["hypotheses"][0]["criteria"][1].update(result="else"), "slt/x reads a result that its analysis lacks: "),
    (lambda told: told["hypotheses"][0].update(validity="none"), "slt/x lacks the criterion none"),
    (lambda told: told["hypotheses"][0].update(corroboration="!none"), "slt/x lacks the criterion none"),
    (lambda told: told["hypotheses"][1]["criteria"].pop(0), "slt/y lacks the criterion evaluated"),
    (lambda told: told["hypotheses"][1]["criteria"][3].update(comparator="a"), "slt/y compares by size what has none: p_"),
    (lambda told: told["analyses"].pop(0), "slt/x has no analysis"),
    (_another, "slt/x is there 2 times in hypotheses"),
    (_round, "the claim slt/x requires itself in the end"),
    (lambda told: told["graph"]["edges"].pop(0), "slt/x requires slt/y by its links or by the graph, and not by both"),
    (lambda told: told["graph"]["nodes"].pop("slt/z"), "the graph has an edge at slt/z, and no such node"),
])  # fmt: skip
def test_a_file_that_contradicts_itself_is_refused(change: Any, said: str, tmp_path: Path) -> None:
    told = small()
    assert read(told, tmp_path) == told
    change(told)
    with pytest.raises(ReportError, match=f"contradicts itself: {re.escape(said)}"):
        read(told, tmp_path)


@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_whatever_is_changed_the_file_is_refused_or_concludes_what_it_says(data: st.DataObject, tmp_path_factory: Any) -> None:
    told = small()
    changed = data.draw(mutated(told, kinds_of_places(told)))
    try:
        again = read(changed, tmp_path_factory.mktemp("changed"))
    except (ReportError, UnicodeEncodeError):
        return
    assert {one["id"]: conclusion(again, one["id"]) for one in again["hypotheses"]} == {
        one["id"]: one["conclusion"] for one in again["hypotheses"]
    }
