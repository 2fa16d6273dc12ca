"""Rows: one per claim whatever happens, merged with verdicts, adjusted, and as the schema says."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_samples import PROVENANCE, Predicted, claim_of, estimate, models, rows

import harness.report
from harness.claim import Claim
from harness.errors import ClaimError
from harness.evidence import Evidence
from harness.judge import judge
from harness.predict import Conjunction, PairedDifference, Theorem
from harness.report import ReportError, adjust, assemble, base_row, overview, plain, with_verdict
from harness.report.rows import FIELDS, OTHER_KEY, OTHER_SOURCE, blank_row

SCHEMA = json.loads((Path(harness.report.__file__).parent / "claims.schema.json").read_text(encoding="utf-8"))


def check(run: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator(SCHEMA).validate(run)


def run_of(*gathered: dict[str, Any]) -> dict[str, Any]:
    return assemble(gathered, scale="reduced", device="cpu", provenance=PROVENANCE)


class TestSchema:
    def test_is_a_schema(self) -> None:
        jsonschema.Draft202012Validator.check_schema(SCHEMA)

    def test_names_every_field_of_a_row_and_no_other(self) -> None:
        row = SCHEMA["$defs"]["row"]
        assert set(row["properties"]) == set(FIELDS)
        assert set(row["required"]) == set(FIELDS) - {"cautious", "captured"}  # which runs of before it do not have

    def test_every_sample_fits(self, run: dict[str, Any]) -> None:
        check(run)
        assert {row["verdict"] for row in run["rows"]} == set(SCHEMA["$defs"]["verdict"]["enum"])
        assert {row["kind"] for row in run["rows"]} == {"empirical", "theorem", "data", None}

    def test_a_row_that_knows_nothing_fits(self) -> None:
        check(run_of(base_row(ClaimError("no prediction"), "slt/broken")))

    @pytest.mark.parametrize(
        ("field", "value"),
        [("verdict", "true"), ("p", 1.2), ("interval", [0.1]), ("n", -1), ("kind", "E"), ("x", 1)],
    )
    def test_refuses_what_a_row_is_not(self, run: dict[str, Any], field: str, value: Any) -> None:
        run["rows"][0][field] = value
        with pytest.raises(jsonschema.ValidationError):
            check(run)

    def test_fits_what_the_judge_says(self) -> None:
        terms = {
            "factor": "regime",
            "higher": "standard",
            "lower": "robust",
            "pair": ("architecture", "seed"),
        }
        llc = PairedDifference(value="llc", margin=0.001, margin_reason="a guess", **terms)
        asr = PairedDifference(value="asr", margin=0.01, margin_reason="a guess", strata="architecture", **terms)
        joined = claim_of("slt/both", Conjunction(parts=(llc, asr)), companions=(llc,))
        double = claim_of("slt/twice", llc, protocols=("sound", "document"))
        found = claim_of("slt/none", Theorem(at_least_examples=10), kind="theorem")
        tried = pd.DataFrame({"examples": [12], "counterexample": [None]})
        table = models()
        answers = [(joined, table), (double, {"sound": table, "document": table}), (found, tried)]
        gathered = [
            with_verdict(base_row(claim, claim.id), judge(claim, Evidence(table)).to_json()) for claim, table in answers
        ]
        run = run_of(*gathered)
        check(run)
        assert [row["verdict"] for row in run["rows"]] == ["supported"] * 3
        assert [protocol["name"] for protocol in run["rows"][1]["protocols"]] == ["sound", "document"]
        assert len(run["rows"][0]["parts"]) == 2


class TestBaseRow:
    def test_says_what_was_declared_and_that_it_did_not_run(self) -> None:
        row = base_row(claim_of("slt/a", reported="0.7", tags=("slow",)), "slt/a")
        assert (row["verdict"], row["reason"]) == ("error", "the claim did not run")
        assert (row["document"], row["margin"], row["rule"], row["alpha"]) == ("slt", 0.005, "above", 0.05)
        assert row["source"]["reported"] == "0.7"
        assert row["tags"] == ["slow"]
        assert len(row["digest"]) == 16
        assert tuple(row) == FIELDS

    def test_of_a_broken_declaration_gives_its_error(self) -> None:
        row = base_row(ClaimError("claim slt/a: no prediction"), "slt/a")
        assert row["verdict"] == "error"
        assert "no prediction" in row["reason"]
        assert row["error"] == "claim slt/a: no prediction"

    def test_exists_where_the_prediction_is_no_prediction(self) -> None:
        class Rude:
            rule = property(lambda _: 1 / 0)

            def __str__(self) -> str:
                raise RuntimeError("no words")

        row = base_row(claim_of("slt/a", Rude()), "slt/a")
        assert row["statement"]
        assert row["prediction"] is row["rule"] is row["digest"] is None

    @pytest.mark.parametrize("rule", ["exact", "all"])
    def test_has_no_margin_where_no_effect_is_held_against_one(self, rule: str) -> None:
        row = base_row(claim_of("slt/a", Predicted(rule=rule)), "slt/a")
        assert row["margin"] is row["alpha"] is row["centre"] is row["margin_reason"] is None

    def test_does_not_share_its_lists_with_other_rows(self) -> None:
        blank_row()["gates"].append("x")
        assert blank_row()["gates"] == []


class TestWithVerdict:
    def test_overlays_what_is_known_and_keeps_what_was_declared(self) -> None:
        row = with_verdict(base_row(claim_of("slt/a"), "slt/a"), {"verdict": "invalid", "margin": None, "n": 3})
        assert (row["verdict"], row["margin"], row["n"]) == ("invalid", 0.005, 3)

    def test_refuses_a_field_that_rows_do_not_have(self) -> None:
        with pytest.raises(ReportError, match=r"slt/a has the fields outcome, which a row does not have"):
            with_verdict(base_row(claim_of("slt/a"), "slt/a"), {"outcome": "supported"})


class TestAdjust:
    def row(self, id: str, p: float | None, verdict: str = "supported", refute: float | None = None) -> dict[str, Any]:
        return base_row(claim_of(id), id) | {"p": p, "p_refute": refute, "verdict": verdict}

    def test_holm_within_the_document_and_benjamini_hochberg_over_all(self) -> None:
        ps = {"slt/a": 0.01, "slt/b": 0.04, "slt/c": None, "lazy/a": 0.03}
        adjusted = {row["id"]: row for row in adjust(self.row(id, p) for id, p in ps.items())}
        assert {id: row["p_adjusted"] for id, row in adjusted.items()} == pytest.approx(
            {"slt/a": 0.02, "slt/b": 0.04, "slt/c": None, "lazy/a": 0.03}
        )
        # Benjamini and Hochberg over .01, .03, .04: min(3/1 .01, 3/2 .03, 3/3 .04) and so on downwards
        assert {id: row["p_adjusted_all"] for id, row in adjusted.items()} == pytest.approx(
            {"slt/a": 0.03, "slt/b": 0.04, "slt/c": None, "lazy/a": 0.04}
        )

    def test_says_whether_a_verdict_survives_on_its_own_side(self) -> None:
        ps = [("slt/a", 0.01, "supported", 0.9), ("slt/b", 0.03, "supported", 0.3), ("slt/c", 0.04, "refuted", 0.02),
              ("slt/d", 0.4, "refuted", 0.001), ("slt/e", 0.2, "inconclusive", 0.2)]  # fmt: skip
        adjusted = adjust(self.row(*each) for each in ps)
        assert [row["p_adjusted"] for row in adjusted] == pytest.approx([0.05, 0.12, 0.08, 0.005, 0.4])
        assert [row["survives"] for row in adjusted] == [True, False, False, True, None]

    def test_a_run_that_did_not_tell_adjusts_the_p_that_it_has(self) -> None:
        adjusted = adjust([self.row("slt/a", 0.01), self.row("slt/b", 0.9, "refuted")])
        assert [(row["p_adjusted"], row["survives"]) for row in adjusted] == [(pytest.approx(0.02), True), (None, None)]

    @given(ps=st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1), st.sampled_from(["supported", "refuted", "inconclusive"])),
                       max_size=12))  # fmt: skip
    def test_no_more_survive_than_at_their_own_level_and_all_that_clear_the_strictest(self, ps) -> None:
        made = [self.row(f"slt/c{i}", 0.5, verdict, refute) | {"p_support": support}
                for i, (support, refute, verdict) in enumerate(ps)]  # fmt: skip
        for row, (support, refute, verdict) in zip(adjust(made), ps, strict=True):
            own = refute if verdict == "refuted" else support
            assert row["p_adjusted"] >= own
            assert row["survives"] is None if verdict == "inconclusive" else row["survives"] is not None
            if verdict != "inconclusive" and own <= 0.05 / len(ps):
                assert row["survives"]

    def test_an_invalid_claim_does_not_count(self) -> None:
        ps = [("slt/a", 0.01, "supported"), ("slt/b", 1e-9, "invalid"), ("slt/c", 0.04, "inconclusive"),
              ("slt/d", 0.5, "error")]  # fmt: skip
        adjusted = adjust(self.row(*each) for each in ps)
        assert [row["p_adjusted"] for row in adjusted] == [pytest.approx(0.02), None, pytest.approx(0.04), None]
        assert [row["p_adjusted_all"] for row in adjusted] == [pytest.approx(0.02), None, pytest.approx(0.04), None]

    def test_of_nothing_is_nothing(self) -> None:
        assert adjust([]) == []


class TestDocuments:
    """Claims of several documents under one key are told as one; each that is not of most claims' document says so."""

    def rows(self, titles: list[str | None]) -> list[dict[str, Any]]:
        rows = [blank_row() | {"id": f"paper/{at}", "document": "paper"} for at in range(len(titles))]
        for row, title in zip(rows, titles, strict=True):
            row["source"] = {**row["source"], "title": title, "year": 2024}
        return rows

    @given(titles=st.lists(st.sampled_from(["A paper", "Another paper", "A third", None]), min_size=1, max_size=8))
    def test_whoever_is_of_another_document_says_so_once_however_often_rows_are_adjusted(self, titles) -> None:
        adjusted = adjust(adjust(self.rows(titles)))
        said = [[note for note in row["notes"] if note.startswith(OTHER_SOURCE)] for row in adjusted]
        told = {title for title, own in zip(titles, said, strict=True) if not own and title}
        assert len(told) == any(titles)  # one document, unless none is named
        assert all(len(own) == (title is not None and title not in told) for title, own in zip(titles, said, strict=True))
        if told:
            most = max(titles.count(title) for title in titles if title)
            assert titles.count(told.pop()) == most

    @pytest.mark.parametrize(
        ("field", "value"), [("title", "A papre"), ("authors", "B. Nother"), ("year", 2023), ("address", "x")]
    )
    def test_it_says_in_what_they_differ_and_the_overview_counts_it(self, field: str, value: Any) -> None:
        rows = self.rows(["A paper"] * 3)
        rows[1]["source"][field] = value
        adjusted = adjust(rows)
        (note,) = adjusted[1]["notes"]
        assert f"{field} {value!r}, there {rows[0]['source'][field]!r})" in note
        assert [name for _, kinds in overview.lists(adjusted) for name, _, _ in kinds] == ["other-source"]
        assert overview.flags(adjusted[1]) == "other-source" != overview.flags(adjusted[0])

    @given(keys=st.lists(st.sampled_from("abc"), min_size=1, max_size=8))
    def test_a_document_under_several_keys_is_told_by_all_claims_but_those_of_the_key_with_most(self, keys) -> None:
        rows = self.rows(["A paper", " a  Paper"] * 4)[: len(keys)]
        for row, key in zip(rows, keys, strict=True):
            row |= {"id": f"{key}/{row['id'][6:]}", "document": key}
            row["source"]["title"] = "A paper" if key == "a" else " a  Paper"
        adjusted = adjust(adjust(rows))
        said = [[note for note in row["notes"] if note.startswith(OTHER_KEY)] for row in adjusted]
        quiet = {key for key, own in zip(keys, said, strict=True) if not own}
        assert len(quiet) == 1
        assert keys.count(*quiet) == max(map(keys.count, keys))
        assert all(
            len(own) == (key not in quiet) and all(f"under {min(quiet)}, and" in note for note in own)
            for key, own in zip(keys, said, strict=True)
        )
        assert {overview.flags(row) for row in adjusted} <= {"", "other-source"}

    def test_documents_under_keys_of_their_own_and_one_that_is_not_cited_are_nothing_to_say(self) -> None:
        rows = self.rows(["A paper", "Another paper", None])
        rows[1] |= {"id": "another/1", "document": "another"}
        assert [row["notes"] for row in adjust(rows)] == [[], [], []]


class TestAssemble:
    def test_refuses_two_claims_of_one_id(self) -> None:
        row = base_row(claim_of("slt/a"), "slt/a")
        with pytest.raises(ReportError, match="two claims have the id 'slt/a'"):
            run_of(row, row)

    def test_keeps_the_order_and_makes_provenance_strict(self) -> None:
        gathered = rows()
        run = assemble(gathered, scale="full", device="cuda", provenance={"seconds": np.float64("nan"), "a": Path("b")})
        assert [row["id"] for row in run["rows"]] == [row["id"] for row in gathered]
        assert run["provenance"] == {"seconds": None, "a": "b"}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (np.float64(0.5), 0.5),
        (np.int64(3), 3),
        (np.bool_(True), True),
        (float("inf"), None),
        (np.array([1.0, np.nan]), [1.0, None]),
        ((1, {2: {3}}), [1, {"2": [3]}]),
        (Path("a/b"), "a/b"),
    ],
)
def test_plain_makes_strict_json(given: Any, expected: Any) -> None:
    assert plain(given) == expected
    json.dumps(plain(given), allow_nan=False)


def test_an_unfinished_row_survives_the_way_through_json() -> None:
    made: Callable[[], Claim] = lambda: claim_of("slt/a")  # noqa: E731
    row = with_verdict(base_row(made(), "slt/a"), estimate(0.1, 0.05, 0.2, verdict="supported", reason="So."))
    assert json.loads(json.dumps(row, allow_nan=False)) == row
