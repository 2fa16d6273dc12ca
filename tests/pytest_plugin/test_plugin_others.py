"""Beside other plugins of pytest claims are judged once, their numbers stay, and nothing is lost; each where it is installed.

pip install ".[plugins]" -c constraints.txt && pytest tests/pytest_plugin/test_plugin_others.py
"""

from __future__ import annotations

import importlib.util
from typing import Any

import pytest
from papers import EVERY, HIGHER_SEEDED, SUPPORTED, Project

FLAKY = """
@declare("flaky")
def test_flaky():
    from pathlib import Path
    count = Path(__file__).with_name("count.txt")
    seen = int(count.read_text()) if count.exists() else 0
    count.write_text(str(seen + 1))
    return evidence(1.0 if seen else -1.0)
"""
MARKED = FLAKY.replace("@declare", "@pytest.mark.flaky(reruns=3)\n@declare")
SLOW = """
import time

@declare("slow")
def test_slow():
    time.sleep(30)
    return evidence(1.0)
"""
TRAINED = """
from harness import SGD, Accuracy, Threat

@declare("trained", prediction=PairedDifference(
    "accuracy", "regime", "standard", "robust", "seed", margin=0.1, margin_reason="a tenth"))
def test_trained(harness):
    base = Recipe(ToyImages(train=48), MLP((4,)), epochs=2, optimiser=SGD(0.1))
    both = harness.store.populations([base, base.robust(Threat(steps=1))], range(6))
    return Evidence(harness.store.measure(both, Accuracy()))
"""
OFF = ("-p", "no:randomly")  # of those that act without being asked
WORKERS = pytest.mark.parametrize("workers", [("-n", "0"), ("-n", "2")], ids=["plain", "two workers"])


def needs(module: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(importlib.util.find_spec(module) is None, reason=f"{module} is not installed")


def judged(project: Project) -> dict[str, Any]:
    """What a run found, without what differs between any two."""
    return {name: (row["verdict"], row["effect"]) for name, row in project.rows().items()}


@needs("pytest_randomly")
@WORKERS
def test_an_order_and_a_seed_of_randomly_change_no_number(project: Project, workers: tuple[str, ...]):
    project.claims(HIGHER_SEEDED, TRAINED, SUPPORTED)
    project.run_apart("claims", *OFF, *workers, "--claims-store", "without")
    without, order = judged(project), list(project.rows())
    for seed in (1, 2):
        project.run_apart("claims", f"--randomly-seed={seed}", *workers, "--claims-store", f"with-{seed}")
        assert judged(project) == without
        assert list(project.rows()) == order  # the report keeps the order of the files


@needs("pytest_rerunfailures")
@WORKERS
@pytest.mark.parametrize(("body", "asked"), [(FLAKY, ("--reruns", "3")), (FLAKY, ("--force-reruns", "3")), (MARKED, ())])
def test_a_claim_is_judged_once_and_not_until_it_passes(project: Project, body: str, asked: tuple[str, ...], workers, told):
    project.claims(body, SUPPORTED)
    project.file("test_other.py", "import os\ndef test_other():\n    assert os.path.exists('x') or open('x', 'w').close()\n")
    result = project.run_apart("claims", "test_other.py", *OFF, *workers, *asked)
    assert (project.path / "claims" / "count.txt").read_text() == "1"
    assert project.rows()["flaky"]["verdict"] == "refuted"
    assert result.ret == 1
    assert "claims are judged once" in told(result)
    if asked:  # which goes on for other tests
        assert "1 rerun" in told(result)


@needs("pytest_timeout")
@WORKERS
@pytest.mark.parametrize("limits", [("--timeout", "3"), ("--timeout", "3", "--claims-timeout", "60"),
                                    ("--timeout", "60", "--claims-timeout", "3")])  # fmt: skip
def test_whichever_time_limit_is_shorter_ends_that_claim_alone(project: Project, limits: tuple[str, ...], workers):
    project.claims(SLOW, SUPPORTED)
    project.run_apart("claims", *OFF, *workers, *limits)
    rows = project.rows()
    assert rows["higher"]["verdict"] == "supported"
    assert rows["slow"]["verdict"] == "error"
    assert ("Timeout (>3.0s)" if limits[1] == "3" else "did not return within 3 s") in rows["slow"]["reason"]


@needs("pytest_timeout")
def test_a_timeout_that_ends_its_process_costs_that_claim_alone_with_workers(project: Project):
    project.claims(SLOW, SUPPORTED)
    project.run_apart("claims", *OFF, "-n", "2", "--timeout", "3", "--timeout-method", "thread")
    rows = project.rows()
    assert rows["higher"]["verdict"] == "supported"
    assert "the worker running it died" in rows["slow"]["reason"]


@needs("pytest_cov")
@WORKERS
def test_coverage_changes_no_number_and_makes_nothing_again(project: Project, workers: tuple[str, ...]):
    project.claims(HIGHER_SEEDED, TRAINED, SUPPORTED)
    project.run_apart("claims", *OFF, *workers)
    without = judged(project)
    project.run_apart("claims", *OFF, *workers, "--cov", "claims")
    assert judged(project) == without
    assert project.rows()["trained"]["cached"]


@needs("pytest_html")
@WORKERS
def test_a_page_of_html_counts_claims_as_pytest_does(project: Project, workers: tuple[str, ...], told):
    project.claims(EVERY)
    result = project.run_apart("claims", *OFF, *workers, "--html", "page.html", "--self-contained-html")
    page = (project.path / "page.html").read_text(encoding="utf-8")
    assert "INTERNALERROR" not in told(result)
    assert all(f"claims/test_paper.py::test_{name}" in page for name in ("higher", "lower", "unclear", "incompetent", "broken"))
    assert len(project.rows()) == 5


@needs("pytest_repeat")
def test_a_repeated_claim_is_refused_with_what_to_do_instead(project: Project):
    project.claims(SUPPORTED)
    project.run_apart("claims", *OFF, "-n", "0", "--count", "2")
    rows = project.rows()
    assert {row["verdict"] for row in rows.values()} == {"error"}
    assert all("is repeated" in row["reason"] and "--claims-until-decided" in row["reason"] for row in rows.values())


AGAIN = """
import pytest

@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    "What plugins do that run a test again from within its call."
    try:
        return (yield)
    except BaseException:
        item.runtest()
"""


def test_a_plugin_that_calls_a_body_again_gets_the_same_answer(project: Project):
    project.file("conftest.py", AGAIN)
    project.claims(FLAKY, SUPPORTED)
    project.run_apart("claims", "-n", "0")
    assert (project.path / "claims" / "count.txt").read_text() == "1"
    assert project.rows()["flaky"]["verdict"] == "refuted"


SHUFFLED = "def pytest_collection_modifyitems(items):\n    items.reverse()\n"


def test_whatever_order_claims_run_in_the_report_has_that_of_their_files(project: Project):
    project.file("conftest.py", SHUFFLED)
    project.claims(EVERY)
    project.run_apart("claims", "-n", "0")
    assert list(project.rows()) == ["higher", "lower", "unclear", "incompetent", "broken"]


def test_editors_collect_and_run_claims_by_their_ids(project: Project, told):
    project.claims(EVERY)
    listed = told(project.run_apart("claims", "--collect-only", "-q", "-n", "0"))
    nodes = [line for line in listed.splitlines() if "::" in line]
    assert len(nodes) == 5
    project.run_apart(f"--rootdir={project.path}", "-p", "no:cacheprovider", *nodes[:2])
    assert sorted(project.rows()) == sorted(node.rpartition("test_")[2] for node in nodes[:2])
