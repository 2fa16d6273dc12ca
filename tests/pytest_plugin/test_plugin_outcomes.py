"""Each verdict's outcome, and what a stranger reads of it."""

from __future__ import annotations

import pytest
from papers import EVERY, INCONCLUSIVE, SUPPORTED, Project


def test_every_verdict_has_its_outcome_and_its_row(project: Project, told):
    project.claims(EVERY)
    result = project.run("claims", "-v")
    result.assert_outcomes(passed=1, failed=2, errors=1)
    result.stdout.fnmatch_lines([
        "*test_higher SUPPORTED*", "*test_lower REFUTED*", "*test_unclear INCONCLUSIVE (paper/un*",
        "*test_incompetent INVALID*", "*test_broken ERROR*", "*2 failed, 1 passed, 1 error, 1 inconclusive*",
    ])  # fmt: skip
    assert result.ret == 1
    verdicts = {name: row["verdict"] for name, row in project.rows().items()}
    assert verdicts == {
        "higher": "supported", "lower": "refuted", "unclear": "inconclusive", "incompetent": "invalid",
        "broken": "error",
    }  # fmt: skip


def test_a_row_is_complete(project: Project):
    project.claims(EVERY)
    project.run()
    row = project.rows()["higher"]
    assert row["id"] == "paper/higher"
    assert row["source"]["quote"] == "it is higher"
    assert row["effect"] == pytest.approx(1.0)
    assert row["interval"][0] < 1.0 < row["interval"][1]
    assert row["margin"] == 0.5
    assert row["n"] == 8
    assert row["settings"] == {"chains": 4}
    assert row["recipes"] == [{"name": "mlp", "digest": "d", "seeds": [0, 1]}]
    assert 0 < row["seconds"] < 60
    assert row["cached"] is False
    assert row["error"] is None


def test_a_failing_claim_is_readable_by_a_stranger(project: Project, told):
    project.claims(EVERY)
    text = told(project.run())
    for line in (
        "paper/lower is refuted: Mean llc is",
        "claim    The LLC is higher.",
        "source   A paper (2024), Intro: “it is higher”",
        "paper/incompetent is invalid: A validity check failed, so that the numbers say nothing: “models are competent”.",
        "report   reports/claims.html",
        "✓ SUPPORTED       paper/higher       1.000 (",
        "margin 0.5, n 8, at least m",
        "! ERROR           paper/broken       could not be run: RuntimeError: the sampler diverged",
        "report: reports/claims.html",
    ):
        assert line in text
    assert "--claims-scale full" not in text  # these claims have no scales
    assert "harness/pytest_plugin" not in text
    assert "NotSupported" not in text


def test_inconclusive_alone_passes_and_strict_makes_it_fail(project: Project, told):
    project.claims(SUPPORTED, INCONCLUSIVE)
    result = project.run()
    assert result.ret == 0
    assert "1 passed, 1 inconclusive" in told(result)
    result = project.run("claims", "--strict")
    result.assert_outcomes(passed=1, failed=1)
    assert result.ret == 1
    assert "--strict makes inconclusive claims fail" in told(result)


def test_smoke_decides_nothing_and_says_so(project: Project, told):
    project.claims(SUPPORTED)
    result = project.run("claims", "--claims-scale", "smoke")
    assert result.ret == 0
    assert project.rows()["higher"]["verdict"] == "inconclusive"
    assert project.report()["scale"] == "smoke"
    assert "scale smoke decides nothing" in told(result)


def test_two_workers_bring_the_same_rows_as_none(project: Project):
    project.claims(EVERY)
    project.run()
    alone = project.report()
    result = project.run_shared("claims", "-n", "2")
    result.stdout.fnmatch_lines(["*2 failed, 1 passed, 1 error, 1 inconclusive*"])
    shared = project.report()
    for row in [*alone["rows"], *shared["rows"]]:
        row["seconds"] = None
    assert shared["rows"] == alone["rows"]
    assert shared["provenance"]["workers"] == 2


def test_the_summary_follows_its_heading(project: Project):
    project.claims(SUPPORTED)
    lines = project.run().outlines
    heading = next(index for index, line in enumerate(lines) if "claims at scale reduced" in line)
    assert lines[heading + 1].startswith("✓ SUPPORTED")
