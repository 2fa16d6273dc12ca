"""What cannot be judged is an error with a row of its own, never a refutation, and the others still run."""

from __future__ import annotations

import pytest
from papers import HIGHER_SEEDED, SUPPORTED, Project

UNJUDGEABLE = """
@declare("nothing")
def test_nothing():
    pass

@declare("columns")
def test_columns():
    return Evidence(pd.DataFrame({"seed": [1, 2]}))

@declare("unpredicted", prediction=None)
def test_unpredicted(trains_for_minutes):
    return evidence(1.0)

@declare("unsaid", statement_="typo")
def test_unsaid():
    return evidence(1.0)

@declare("unfixed")
def test_unfixed(harnes):
    return evidence(1.0)

@declare("unset")
def test_unset(breaks):
    return evidence(1.0)

@declare("later")
async def test_later():
    return evidence(1.0)

@declare("skipped")
def test_skipped():
    pytest.skip("no GPU here")

@pytest.fixture
def trains_for_minutes():
    raise AssertionError("a claim that cannot be judged must not train")

@pytest.fixture
def breaks():
    raise ValueError("the recipe has 0 layers")
"""
SHORTFALL = """
@pytest.fixture(scope="session")
def images():
    raise DataShortfall("MNIST has 10 images and 60,000 are needed; set HARNESS_DATA")

@declare("fixture")
def test_fixture(images):
    return evidence(1.0)

@declare("body")
def test_body():
    raise DataShortfall("MNIST has 10 images and 60,000 are needed; set HARNESS_DATA")

@declare("evidence")
def test_evidence():
    return evidence(1.0, shortfall="20 of 60 models are missing; train them")
"""

BARE = """
@declare("bare")
def test_bare():
    return evidence(1.0).table

@declare("unsourced", source=PAPER)
def test_unsourced():
    return evidence(1.0)
"""
KILLED = """
@declare("killed")
def test_killed():
    os.kill(os.getpid(), 9)
"""


def test_what_cannot_be_judged_has_a_row_that_says_why(project: Project, told):
    project.claims(UNJUDGEABLE, SUPPORTED)
    result = project.run()
    result.assert_outcomes(passed=1, errors=7, skipped=1)
    rows = project.rows()
    assert rows.pop("higher")["verdict"] == "supported"
    assert {row["verdict"] for row in rows.values()} == {"error"}
    assert "given NoneType (in claims/test_paper.py::test_nothing)" in rows["nothing"]["reason"]
    assert "needs the columns llc, regime, seed" in rows["columns"]["error"]
    assert "give it prediction=…" in rows["unpredicted"]["reason"]
    assert "statement_" in rows["unsaid"]["reason"]
    assert rows["unfixed"]["reason"] == "could not be run: fixture 'harnes' not found"
    assert rows["unset"]["error"].startswith("ValueError: the recipe has 0 layers\nclaims/test_paper.py:")
    assert "given coroutine" in rows["later"]["reason"]
    assert rows["skipped"]["reason"] == "not judged, for it was skipped: no GPU here"
    assert "must not train" not in told(result)


def test_too_few_data_are_invalid(project: Project, told):
    project.claims(SHORTFALL)
    result = project.run()
    result.assert_outcomes(failed=3)
    assert result.ret == 1
    rows = project.rows()
    assert {row["verdict"] for row in rows.values()} == {"invalid"}
    assert rows["fixture"]["reason"] == "MNIST has 10 images and 60,000 are needed; set HARNESS_DATA"
    assert rows["fixture"]["reason"] == rows["body"]["reason"]
    assert "20 of 60 models are missing" in rows["evidence"]["reason"]
    assert "During handling" not in told(result)
    result = project.run("claims", "--claims-scale", "smoke")
    assert result.ret == 0
    assert "3 inconclusive" in told(result)


def test_a_killed_worker_makes_its_claim_an_error_and_the_others_still_run(project: Project, told):
    project.claims(KILLED, SUPPORTED)
    result = project.run_shared("claims", "-n", "2")
    result.stdout.fnmatch_lines(["*1 passed, 1 error*"])
    rows = project.rows()
    assert rows["higher"]["verdict"] == "supported"
    assert rows["killed"]["verdict"] == "error"
    assert rows["killed"]["reason"] == "the worker running it died"


def test_stopping_at_the_first_failure_leaves_rows_for_the_rest(project: Project):
    project.claims('@declare("first")\ndef test_first():\n    1 / 0\n', SUPPORTED)
    project.run("claims", "-x").assert_outcomes(errors=1)
    rows = project.rows()
    assert "ZeroDivisionError" in rows["first"]["reason"]
    assert rows["higher"]["verdict"] == "error"
    assert rows["higher"]["reason"] == "not run: the session ended before its turn"


def test_last_failed_runs_what_failed(project: Project):
    project.claims(SUPPORTED, '@declare("first")\ndef test_first():\n    1 / 0\n')
    project.run()
    project.run("claims", "--lf").assert_outcomes(errors=1)
    assert list(project.rows()) == ["first"]
    assert project.report()["provenance"]["selected"] == {"claims": 1, "of": None}


def test_an_error_of_another_test_is_left_alone(project: Project, told):
    project.file("test_other.py", "def test_other(record_property):\n    record_property('claim', 'mine')\n    1 / 0\n")
    result = project.run("test_other.py")
    result.assert_outcomes(failed=1)
    assert "claims at scale" not in told(result)


def test_a_bare_table_and_a_source_without_its_sentence_are_named(project: Project):
    project.claims(BARE)
    project.run().assert_outcomes(errors=2)
    rows = project.rows()
    assert "has to return Evidence(table, …), not DataFrame" in rows["bare"]["reason"]
    assert "source=SOURCE.at(section, quote)" in rows["unsourced"]["reason"]


LEFT_OUT = """
@declare("skipped")
def test_skipped():
    pytest.skip("no GPU here")

@declare("marked")
@pytest.mark.skip(reason="not today")
def test_marked():
    return evidence(1.0)

@declare("expected")
def test_expected():
    pytest.xfail("known to break")
"""


def test_a_run_in_which_a_claim_was_left_out_is_not_green(project: Project, told):
    project.claims(LEFT_OUT, SUPPORTED)
    result = project.run()
    assert result.ret == 1
    rows = project.rows()
    assert rows["higher"]["verdict"] == "supported"
    assert rows["skipped"]["reason"] == "not judged, for it was skipped: no GPU here"
    assert rows["marked"]["reason"] == "not judged, for it was skipped: not today"
    assert rows["expected"]["reason"] == "not judged, for it was expected to fail: known to break"
    assert all("raise harness.errors.Shortfall" in rows[name]["error"] for name in ("skipped", "marked", "expected"))
    assert "without a verdict" in told(result)


MISTAKEN = """
@claim("paper/negative", statement="s", source=PAPER.at("Intro", "q"), prediction=PairedDifference(
    "llc", "regime", "standard", "robust", "seed", margin=-0.02, margin_reason="half"))
def test_negative():
    return evidence(1.0)

@claim("paper/misspelt", statement="s", source=PAPER.at("Intro", "q"), prediction=PairedDifference(
    "llc", "regime", "standard", "robust", "seed", margin_=0.02, margin_reason="half"))
def test_misspelt():
    return evidence(1.0)

HALF = PairedDifference("llc", "regime", "standard", "robust", "seed", margin="half", margin_reason="half")

@claim("paper/joined", statement="s", source=PAPER.at("Intro", "q"), prediction=Conjunction((HALF, HALF)))
def test_joined():
    return evidence(1.0)

@claim("paper/beside", statement="s", source=PAPER.at("Intro", "q"), prediction=HIGHER, companions=(HALF,))
def test_beside():
    return evidence(1.0)
"""


@pytest.mark.parametrize("workers", [(), ("-n", "2")])
def test_a_mistake_in_one_prediction_costs_that_claim_alone(project: Project, workers: tuple[str, ...]):
    project.claims("from harness.predict import Conjunction\n" + MISTAKEN, SUPPORTED)
    result = (project.run_shared if workers else project.run)("claims", *workers)
    rows = project.rows()
    assert result.ret == 1
    assert rows.pop("higher")["verdict"] == "supported"
    assert {name: row["verdict"] for name, row in rows.items()} == dict.fromkeys(
        ("negative", "misspelt", "joined", "beside"), "error"
    )
    assert "PairedDifference has margin=-0.02" in rows["negative"]["reason"]
    assert "has no argument margin_" in rows["misspelt"]["reason"]
    assert "margin='half'" in rows["joined"]["reason"]
    assert "margin='half'" in rows["beside"]["reason"]


HEAD_OF_PARTS = """
from harness import Between, Factors
from harness.source import Citation
"""
PARTS = {
    "a gate without a limit": ("gates=(Gate('competent', 'competent'),)", "gate 'competent' admits every value"),
    "a gate's share": ("gates=(Gate('competent', 'competent', at_least=0.5, share=2),)", "has share=2"),
    "a misspelt limit": ("gates=(Gate('competent', 'competent', atleast=0.5),)", "Gate has no argument atleast"),
    "a list of gates": ("gates=[Gate('', 'competent', at_least=0.5)]", "give text that is not empty"),
    "a condition": ("gates=(Gate('c', 'competent', at_least=0, where={'seed': Between()}),)", "Between"),
    "a factor twice": ("population=Factors(random='seed', fixed='seed')", "names seed more than once"),
    "a factor that is a number": ("population=Factors(random=3)", "is not the name of a factor"),
    "a misspelt role": ("population=Factors(randomly='seed')", "has no argument randomly"),
    "a source without a title": ("source=Source('mine').at('Intro', 'q')", "Source lacks title"),
    "a citation": ("source=Citation(PAPER)", "Citation lacks section, quote"),
    "two mistakes": ("population=Factors(random=3), gates=(Gate('c', 'competent'),)", "is not the name of a factor"),
}


def test_a_mistake_in_any_part_of_a_declaration_costs_that_claim_alone(project: Project):
    bodies = [
        f"@declare('part-{number}', {part})\ndef test_part_{number}():\n    return evidence(1.0)\n"
        for number, (part, _) in enumerate(PARTS.values())
    ]
    project.claims(HEAD_OF_PARTS, *bodies, SUPPORTED)
    assert project.run().ret == 1
    rows = project.rows()
    assert rows.pop("higher")["verdict"] == "supported"
    for number, (_, said) in enumerate(PARTS.values()):
        row = rows.pop(f"part-{number}")
        assert row["verdict"] == "error"
        assert said in row["reason"]
    assert not rows


@pytest.mark.parametrize("part", [part for part, _ in PARTS.values()])
def test_outside_of_a_collection_such_a_mistake_raises(part: str):
    from harness import Between, Factors
    from harness.gate import Gate
    from harness.source import Citation, Source

    names = {"Between": Between, "Factors": Factors, "Citation": Citation, "Gate": Gate, "Source": Source}
    with pytest.raises((ValueError, TypeError)):
        eval(f"dict({part})", {**names, "PAPER": Source("paper", "A paper")})


UNTRAINABLE = """
from harness import Module, Recipe, ToyImages

def build(shape, classes):
    import torch

    class Branch(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.last = torch.nn.Linear(9, classes)

        def forward(self, x):
            return self.last(x.flatten(1) * 2 if x.mean() > 0 else x.flatten(1))

    return Branch()

@declare("untrainable")
def test_untrainable(harness):
    recipe = Recipe(ToyImages(train=24), Module(f"{__name__}:build", "branch"), epochs=1)
    return Evidence(harness.store.measure(harness.store.populations([recipe], range(5)), Lengths(1.0)))
"""


def test_an_error_that_says_what_to_do_is_shown_with_the_users_own_lines(project: Project, told):
    project.claims(HIGHER_SEEDED, UNTRAINABLE)
    shown = told(project.run("claims", "-k", "untrainable"))
    assert "torch.func" in project.rows()["untrainable"]["reason"]
    assert "in test_untrainable" in shown or "def test_untrainable" in shown
    assert "_functorch" not in shown
    assert "harness/store" not in shown


UNIMPORTABLE = """
@claim("paper/odd", statement="s", source=PAPER.at("Intro", "q"), prediction=HIGHER, kind=[1, 2] * undefined)
def test_odd():
    return evidence(1.0)
"""


@pytest.mark.parametrize("how", [("-n", "2"), ("--continue-on-collection-errors",)])
def test_claims_of_a_file_that_cannot_be_imported_have_rows_that_say_so(project: Project, how: tuple[str, ...]):
    project.claims(SUPPORTED)
    project.claims(UNIMPORTABLE, name="test_other")
    result = (project.run_shared if "-n" in how else project.run)("claims", *how)
    rows = project.rows()
    assert result.ret != 0
    assert rows["higher"]["verdict"] == "supported"
    assert rows["odd"]["verdict"] == "error"
    assert "claims/test_other.py could not be imported: NameError" in rows["odd"]["reason"]
