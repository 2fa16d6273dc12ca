"""Several runs as one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from report_samples import PROVENANCE, claim_of

from harness.report import ReportError, assemble, base_row, merge, read_run


def run_of(started: str | None = None, *, scale: str = "reduced", device: str = "cpu", **verdicts: Any) -> dict[str, Any]:
    """A run of claims slt/<name> with a verdict, or with a verdict and a p, each."""
    rows = []
    for name, given in verdicts.items():
        verdict, p = given if isinstance(given, tuple) else (given, None)
        rows.append(base_row(claim_of(f"slt/{name}"), f"slt/{name}") | {"verdict": verdict, "p": p})
    known = PROVENANCE | {"started": started, "commit": f"commit of {started}"}
    return assemble(rows, scale=scale, device=device, provenance=known)


def verdicts(run: dict[str, Any]) -> dict[str, str]:
    return {row["id"].removeprefix("slt/"): row["verdict"] for row in run["rows"]}


FIRST, SECOND = "2026-03-01T10:00:00+00:00", "2026-03-02T09:00:00+02:00"


class TestMerge:
    def test_shards_come_together(self) -> None:
        merged = merge([run_of(FIRST, a="supported"), run_of(SECOND, b="refuted")])
        assert verdicts(merged) == {"a": "supported", "b": "refuted"}

    def test_a_later_run_wins_whatever_the_order_of_the_files(self) -> None:
        early, late = run_of(FIRST, a="refuted"), run_of(SECOND, a="supported")
        assert verdicts(merge([early, late])) == verdicts(merge([late, early])) == {"a": "supported"}

    def test_an_error_is_replaced_and_replaces_no_result(self) -> None:
        early, late = (
            run_of(FIRST, a="error", b="refuted", c="error"),
            run_of(SECOND, a="invalid", b="error", c="error"),
        )
        assert verdicts(merge([early, late])) == {"a": "invalid", "b": "refuted", "c": "error"}

    def test_says_what_was_merged(self) -> None:
        merged = merge([run_of(FIRST, a="error", b="refuted"), run_of(SECOND, a="supported", device="cuda")])
        first, second = merged["provenance"]["merged"]
        assert (first["rows"], second["rows"]) == (["slt/b"], ["slt/a"])
        assert (first["commit"], second["device"]) == (f"commit of {FIRST}", "cuda")
        assert merged["device"] == "cpu and cuda"
        assert merged["provenance"]["selected"] is None  # what one of them selected says nothing of the whole
        assert merged["provenance"]["commit"] == f"commit of {SECOND}"
        assert merged["provenance"]["seconds"] == pytest.approx(2 * PROVENANCE["seconds"])

    def test_adjusts_the_p_values_anew(self) -> None:
        merged = merge([run_of(FIRST, a=("supported", 0.03)), run_of(SECOND, b=("supported", 0.01))])
        assert [row["p_adjusted"] for row in merged["rows"]] == pytest.approx([0.03, 0.02])

    def test_without_a_start_the_order_given_counts(self) -> None:
        assert verdicts(merge([run_of(SECOND, a="refuted"), run_of(None, a="supported")])) == {"a": "supported"}

    def test_one_run_stays_as_it_is(self) -> None:
        run = run_of(FIRST, a=("supported", 0.01))
        assert merge([run]) == run

    def test_a_merged_run_can_be_merged_again(self) -> None:
        merged = merge([run_of(FIRST, a="supported"), run_of(SECOND, b="refuted")])
        assert verdicts(merge([merged, run_of("2026-03-03T00:00:00+00:00", c="invalid")])) == {
            "a": "supported", "b": "refuted", "c": "invalid",
        }  # fmt: skip

    def test_refuses_runs_of_different_scales(self) -> None:
        with pytest.raises(ReportError, match="scales reduced and smoke cannot be merged"):
            merge([run_of(FIRST, a="supported"), run_of(SECOND, scale="smoke", a="inconclusive")])

    def test_refuses_nothing(self) -> None:
        with pytest.raises(ReportError, match="nothing to merge"):
            merge([])


class TestReadRun:
    def test_reads_what_was_written(self, tmp_path: Path) -> None:
        run = run_of(FIRST, a="supported")
        (tmp_path / "claims.json").write_text(json.dumps(run), encoding="utf-8")
        assert read_run(tmp_path / "claims.json") == run

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("{", "is not JSON"),
            ("[]", "is not a run of claims"),
            ('{"rows": []}', "it needs schema, scale"),
            ('{"schema": 9, "scale": "full", "device": "cpu", "provenance": {}, "rows": []}', "has schema 9"),
            (
                '{"schema": 1, "scale": "full", "device": "cpu", "provenance": {}, "rows": [{}]}',
                "without an id",
            ),
        ],
    )
    def test_says_what_is_wrong_with_a_file(self, tmp_path: Path, text: str, message: str) -> None:
        (tmp_path / "claims.json").write_text(text, encoding="utf-8")
        with pytest.raises(ReportError, match=message):
            read_run(tmp_path / "claims.json")

    def test_says_which_file_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(ReportError, match=r"cannot read .*none\.json: No such file"):
            read_run(tmp_path / "none.json")
