"""Verdicts that no claim has any more: a claim that was renamed or left out, seen in a run of all claims and in the command."""

from __future__ import annotations

import sys

import pytest
from papers import REFUTED, SUPPORTED, Project

from harness import cli
from harness.pytest_plugin.ledger import Entry, Ledger, sentences

LEFT = "ledger.json has verdicts at scale reduced of paper/lower, an id that no claim has any more: give the entry its claim's"
RENAMED = "paper/under looks like paper/lower renamed"
UNDER = REFUTED.replace("lower", "under")  # the function is another, too: its declaration still tells


@pytest.fixture
def renamed(project: Project) -> Project:
    """A project in which a refuted claim was renamed after its verdict was recorded."""
    project.claims(SUPPORTED, REFUTED)
    project.run("claims", "--claims-update-ledger")
    project.claims(SUPPORTED, REFUTED.replace('"lower"', '"under"'))
    return project


def test_a_renamed_claim_is_told(renamed: Project, told):
    text = told(renamed.run("claims"))
    assert LEFT in text
    assert RENAMED in text
    renamed.claims(SUPPORTED, UNDER)
    assert RENAMED in told(renamed.run("claims"))
    assert RENAMED in told(renamed.run_shared("claims", "-n", "2"))


def test_a_claim_that_was_given_up_is_told_and_looks_like_no_other(renamed: Project, told):
    renamed.claims(SUPPORTED)
    text = told(renamed.run("claims"))
    assert LEFT in text
    assert "renamed: it" not in text


@pytest.mark.parametrize(
    "part",
    [
        ["-k", "under"], ["--claims-only", "paper/under"], ["claims/test_paper.py"],
        ["--deselect", "claims/test_paper.py::test_higher"],
        ["--ignore", "claims/test_other.py"], ["--ignore-glob", "*other.py"], ["--claims-no-ledger"],
    ],
)  # fmt: skip
def test_a_part_of_the_claims_tells_nothing(renamed: Project, told, part: list[str]):
    renamed.claims(name="test_other")
    assert "any more" not in told(renamed.run(*([] if part[0].startswith("claims/") else ["claims"]), *part))


def test_claims_in_a_file_that_is_skipped_are_not_missing(renamed: Project, told):
    renamed.file("claims/test_other.py", "import pytest\npytest.importorskip('no_such_package')\n")
    assert "any more" not in told(renamed.run("claims"))
    assert "any more" not in told(renamed.run_shared("claims", "-n", "2"))


def test_nothing_is_told_where_every_entry_has_its_claim(project: Project, told):
    project.claims(SUPPORTED, REFUTED)
    project.run("claims", "--claims-update-ledger")
    assert "any more" not in told(project.run("claims"))


def test_the_command_tells_it_too(renamed: Project, monkeypatch, capsys):
    monkeypatch.chdir(renamed.path)
    for name in [each for each in sys.modules if each.startswith("test_paper")]:
        del sys.modules[name]
    assert cli.main(["ledger"]) == 1
    text = capsys.readouterr().out
    assert LEFT in text
    assert RENAMED in text
    assert "1 of 1 known verdicts are for the claims as they are now" in text


def test_many_are_counted():
    held = Ledger(None, {"full": {f"a/b{number}": Entry("refuted") for number in range(8)}})
    (said,) = sentences(held, "full", ["a/b7"], [], "ledger.json")
    assert "of a/b0, a/b1, a/b2, a/b3, a/b4 and 2 more, ids that no claim has any more" in said
    assert list(sentences(held, "reduced", [], [], "ledger.json")) == []
