"""Collection: what is a claim, what only looks like one, and how to ask for one."""

from __future__ import annotations

import gc
import subprocess
import sys

import pytest
from papers import EVERY, INCONCLUSIVE, REFUTED, SUPPORTED, Project, files_below

from harness.pytest_plugin import options

UNDECLARED = """
def test_undeclared(trains_for_minutes):
    return evidence(1.0)

@pytest.fixture
def trains_for_minutes():
    raise AssertionError("must not train")
"""
TWICE = """
@declare("higher")
def test_again():
    return evidence(-1.0)

@pytest.mark.parametrize("width", [8, 16])
@declare("widths")
def test_widths(width):
    return evidence(1.0)
"""
RETURNED = """
from harness.evidence import Evidence

def test_measured():
    return Evidence(None)

def test_plain():
    pass
"""


def test_a_function_among_claims_that_is_no_claim_is_an_error(project: Project, told):
    project.claims(SUPPORTED, UNDECLARED)
    result = project.run()
    result.assert_outcomes(passed=1, errors=1)
    text = told(result)
    assert "test_undeclared lies in a claims folder and is not declared as a claim" in text
    assert 'put @claim("document/name", statement=…' in text
    assert "must not train" not in text


def test_a_test_that_returns_evidence_fails_wherever_it_is(project: Project, told):
    project.file("test_other.py", RETURNED)
    result = project.run("test_other.py")
    result.assert_outcomes(passed=1, failed=1)
    assert "test_measured returns Evidence and is not declared as a claim" in told(result)
    assert files_below(project.path) == {"tox.ini", "test_other.py"}


def test_an_id_names_one_claim(project: Project, told):
    project.claims(SUPPORTED, TWICE)
    result = project.run()
    result.assert_outcomes(passed=1, errors=3)
    rows = project.rows()
    assert rows["higher"]["verdict"] == "supported"
    first, second = "claims/test_paper.py::test_higher", "claims/test_paper.py::test_again"
    assert f"paper/higher is declared twice: by {first} and by {second}" in rows["higher-again-2"]["reason"]
    assert "gathers what it varies in one table" in rows["widths-again-2"]["reason"]
    assert "is parametrised" in rows["widths"]["reason"]


def test_claims_are_asked_for_by_id(project: Project, told):
    project.claims(EVERY)
    result = project.run("claims", "--claims-only", "paper/higher,paper/unclear")
    result.assert_outcomes(passed=1, deselected=3)
    assert sorted(project.rows()) == ["higher", "unclear"]
    assert project.report()["provenance"]["selected"] == {"claims": 2, "of": 5}
    assert "2 of 5 claims selected" in told(result)


def test_keywords_find_claims_by_their_ids(project: Project):
    project.claims(SUPPORTED.replace('declare("higher")', 'declare("llc-drop")'), REFUTED)
    project.run("claims", "-k", "llc-drop").assert_outcomes(passed=1, deselected=1)
    assert list(project.rows()) == ["llc-drop"]


@pytest.mark.parametrize("workers", [(), ("-n", "2")])
def test_an_unknown_id_is_one_clear_error(project: Project, told, workers):
    project.claims(EVERY)
    run = project.run_shared if workers else project.run
    result = run("claims", "--claims-only", "paper/hgher,paper/lower", *workers)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    error = [line for line in told(result).splitlines() if line.startswith("ERROR")]
    assert error == [
        "ERROR: --claims-only paper/hgher: there is no claim with this id; did you mean paper/higher? "
        "list all 5 with: python -m harness list"
    ]
    assert "Traceback" not in told(result)
    assert not (project.path / "reports").exists()


def test_an_id_asked_for_where_no_claim_is(project: Project, told):
    project.file("test_other.py", "def test_other():\n    pass\n")
    result = project.run("test_other.py", "--claims-only", "paper/lower")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "no claim was collected; name the folder that has them" in told(result)


def test_a_module_that_cannot_be_imported_comes_before_an_unknown_id(project: Project, told):
    project.claims("import no_such_module\n")
    result = project.run("claims", "--claims-only", "paper/lower")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert "no_such_module" in told(result)
    assert not (project.path / "reports").exists()


@pytest.mark.parametrize(
    ("option", "allowed"),
    [
        ("--claims-scale", "'smoke', 'reduced', 'full'"),
        ("--claims-device", "'auto', 'cpu', 'cuda'"),
        ("--claims-engine", "'local', 'ray', 'slurm'"),
        ("--claims-llc-engine", "'stacked', 'devinterp'"),
    ],
)
def test_an_unknown_choice_is_told_what_is_allowed(project: Project, told, option, allowed):
    result = project.run(option, "other")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert f"argument {option}: invalid choice: 'other' (choose from {allowed})" in told(result)


def test_a_gpu_that_is_not_there_is_said_before_anything_runs(project: Project, told, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    project.claims(SUPPORTED)
    result = project.run("claims", "--claims-device", "cuda")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "ERROR: --claims-device cuda: no CUDA device was found" in told(result)
    assert "use --claims-device cpu" in told(result)
    assert "collected" not in told(result)


def test_a_session_without_claims_leaves_nothing_and_imports_nothing(project: Project, told, monkeypatch):
    project.file("conftest.py", "import sys\n\ndef pytest_unconfigure():\n    print('loaded', *sys.modules)\n")
    project.file("test_other.py", "def test_other():\n    pass\n")
    result = project.run_apart("test_other.py", "-p", "no:hypothesispytest")
    result.assert_outcomes(passed=1)
    loaded = next(line for line in result.outlines if line.startswith("loaded")).split()
    assert "harness.pytest_plugin" in loaded
    assert not {"torch", "numpy", "pandas", "scipy", "matplotlib", "jinja2"} & set(loaded)
    assert "claims at scale" not in told(result)
    assert files_below(project.path) == {"tox.ini", "conftest.py", "test_other.py"}


def test_collecting_claims_does_not_need_torch(project: Project):
    project.claims(EVERY)
    code = "import sys, pytest; pytest.main(['claims', '--co', '-q']); sys.exit('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=project.path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "5 tests collected" in done.stdout
    assert not (project.path / "reports").exists()


def test_inconclusive_claims_pass_under_two_selections(project: Project):
    project.claims(INCONCLUSIVE)
    assert project.run("claims", "-k", "unclear", "--claims-only", "paper/unclear").ret == 0


def take_short_names(project: Project) -> None:
    """Ask for them as a project does."""
    ini = next(project.path.glob("*.ini"))
    ini.write_text(ini.read_text().rstrip() + "\nclaims_short_options = true\n")


def test_every_option_begins_with_the_name_of_the_plugin():
    assert all(flag.startswith("--claims-") for flag, *_ in options._OPTIONS)
    assert set(options.SHORT.values()) == {flag for flag, *_ in options._OPTIONS}


@pytest.mark.parametrize("given", [("--scale", "smoke"), ("--scale=smoke",)])
def test_short_names_are_for_projects_that_ask_for_them(project: Project, told, given):
    project.claims(SUPPORTED)
    assert "unrecognized arguments: --scale" in told(project.run("claims", *given))
    take_short_names(project)
    assert project.run("claims", *given).ret == 0
    assert project.report()["scale"] == "smoke"
    assert project.run("claims", "--claims-scale", "reduced").ret == 0
    assert project.report()["scale"] == "reduced"


def test_what_stands_behind_two_dashes_is_no_option(project: Project):
    take_short_names(project)
    parser = pytest.Parser(_ispytest=True)
    given = ["--scale", "smoke", "--", "--scale"]

    class Asks:
        def getini(self, name: str) -> bool:
            return True

    options.lengthen(Asks(), parser, given)
    assert given == ["--claims-scale", "smoke", "--", "--scale"]


@pytest.mark.parametrize("short", [False, True])
def test_other_plugins_keep_options_of_the_same_name(project: Project, short):
    """Every short name is somebody else's, in a conftest and in a plugin of pytest's command line."""
    if short:
        take_short_names(project)
    names = sorted(options.SHORT)
    half = len(names) // 2
    add = "def pytest_addoption(parser):\n    for name in {}:\n        parser.addoption(name, default='theirs')\n"
    project.file("conftest.py", add.format(names[:half]))
    project.file("others.py", add.format(names[half:]))
    project.file("test_other.py", "def test_other(pytestconfig):\n    assert pytestconfig.getoption('scale') == 'huge'\n"
                 "    assert pytestconfig.getoption('claims_scale') == 'reduced'\n")  # fmt: skip
    assert project.run_apart("-p", "others", "test_other.py", "--scale", "huge").ret == 0
    assert project.run_apart("-p", "others", "test_other.py", "--scale=huge").ret == 0


LINKED = """
@declare("leaning", requires=("paper/higher", "paper/{other}"))
def test_leaning():
    return evidence(1.0)

@declare("circle", explains=("paper/square",))
def test_circle():
    return evidence(1.0)

@declare("square", explains=("paper/circle",))
def test_square():
    return evidence(1.0)
"""


def test_links_that_cannot_be_meant_cost_their_claims_alone(project: Project, told):
    project.claims(SUPPORTED, LINKED.replace("{other}", "hihger"))
    result = project.run()
    rows = project.rows()
    assert rows["leaning"]["error"].endswith("no claim has this id; did you mean paper/higher?")
    assert "explains itself in the end (paper/circle explains paper/square explains paper/circle)" in told(result)
    assert {name: row["verdict"] for name, row in rows.items()} == {
        "higher": "supported", "leaning": "error", "circle": "error", "square": "error"
    }  # fmt: skip


def test_links_to_claims_that_were_not_collected_are_not_unknown(project: Project):
    project.claims(SUPPORTED)
    project.claims(LINKED.partition('@declare("circle')[0].replace("{other}", "lower"), name="test_paper_leaning")
    project.claims(REFUTED, name="test_paper_lower")
    project.run("claims/test_paper_leaning.py")
    row = project.rows()["leaning"]
    assert row["verdict"] == "supported"
    assert row["links"]["requires"] == ["paper/higher", "paper/lower"]
    project.run()
    row = project.rows()["leaning"]
    assert row["shaken"]["unmet"] == ["paper/lower"]
    assert "It requires paper/lower, which is refuted." in row["notes"]


@pytest.mark.parametrize("broken", [False, True])
def test_garbage_is_looked_for_again_once_claims_are_collected(project: Project, broken: bool):
    seen = """
import gc
WHILE = gc.isenabled()

@declare("seen")
def test_seen():
    return evidence(1.0, settings={"enabled": [WHILE, gc.isenabled()]})
"""
    project.claims(seen)
    if broken:
        project.claims("import no_such_module", name="test_broken_module")
    project.run("claims", "--continue-on-collection-errors")
    assert project.rows()["seen"]["settings"]["enabled"] == [False, True]
    assert gc.isenabled()
