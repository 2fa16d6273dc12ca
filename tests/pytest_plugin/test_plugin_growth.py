"""Sessions that judge by another rule: seeds added until decided, α shared by the claims of a document."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from papers import REFUTED, SUPPORTED, Project

from harness.running.growth import moved

SEEDED = """
import numpy as np
from harness.data import ToyImages
from harness.recipe import MLP, Recipe

MADE = []

@study
def networks(harness):
    recipe = Recipe(ToyImages(train=24), MLP((2,)), epochs=0)
    population = harness.store.population(recipe, range(8))
    MADE.append(len(population))
    return population

@study
def table(harness):
    rng = np.random.default_rng(5)
    noise = dict(enumerate(rng.normal(size=64)))
    return pd.DataFrame([{"regime": regime, "seed": seed, "noise": noise[seed] * (regime == "standard")}
                         for seed in networks(harness).seeds for regime in ("standard", "robust")])

def seeded(table, difference, **more):
    return Evidence(table.assign(llc=table["noise"] + difference * (table["regime"] == "standard")), **more)
"""
CLEAR = """
@declare("clear")
def test_clear(harness):
    return seeded(table(harness), 6.0)
"""
NEAR = """
@declare("near")
def test_near(harness):
    return seeded(table(harness), 1.0)
"""
AT_THE_EDGE = """
@declare("edge")
def test_edge(harness):
    own = table(harness)
    return seeded(own, 0.25 - own.loc[own["regime"] == "standard", "noise"].mean())
"""
WITHOUT_SEEDS = """
@declare("fixed")
def test_fixed():
    return evidence(0.3, spread=0.6)
"""


def in_words(row):
    """What the card says of a verdict."""
    return " ".join([row["reason"], *row["notes"]])


def test_seeds_are_added_until_the_claim_is_decided(project: Project):
    project.claims(SEEDED, CLEAR, NEAR, AT_THE_EDGE)
    project.run("claims", "--claims-until-decided", "--claims-most-blocks", "5")
    rows = project.rows()
    assert [rows[name]["verdict"] for name in ("clear", "near", "edge")] == ["supported", "supported", "inconclusive"]
    assert rows["clear"]["n"] == 8
    assert 8 < rows["near"]["n"] < 40
    assert rows["edge"]["n"] == 40
    assert "Judged after 5 blocks of 8 seeds, by a rule that stays valid however often one looks" in in_words(rows["edge"])
    assert "at most 5 in all" in rows["edge"]["settings"]["stopping rule"]
    assert rows["near"]["standardised"] is None
    assert rows["near"]["power"]["n"] == rows["near"]["n"]


def fixture(arguments: str, value: str, name: str = "handed", scope: str = "function") -> str:
    """The source of one."""
    return f"@pytest.fixture(scope={scope!r})\ndef {name}({arguments}):\n    return {value}\n\n"


FIRST = fixture("harness", "table(harness)", "first")
ADAPTER = fixture("harness", "table(harness)")
OTHER = "import pytest\n\n" + fixture("", "3", scope="session")
HANDED = {
    "by an adapter": ("", "handed", ADAPTER),
    "by two adapters": ("", "handed", FIRST + fixture("first", "first")),
    "by one that is asked for by name": ("", "handed", FIRST + fixture("request", "request.getfixturevalue('first')")),
    "by one that replaces another": (OTHER, "handed", fixture("handed, harness", "table(harness)")),
    "beside the harness": ("", "harness, handed", ADAPTER),
}


@pytest.mark.parametrize("way", HANDED)
def test_seeds_are_added_to_a_study_however_the_body_comes_by_it(project: Project, way: str):
    project.claims(SEEDED, NEAR)
    project.run("claims", "--claims-until-decided", "--claims-most-blocks", "5")
    called = project.rows()["near"]
    conftest, arguments, fixtures = HANDED[way]
    project.file("conftest.py", conftest)
    project.claims(SEEDED, fixtures, NEAR.replace("harness", arguments, 1).replace("table(harness)", "handed"))
    project.run("claims", "--claims-until-decided", "--claims-most-blocks", "5")
    handed = project.rows()["near"]
    assert [handed[name] for name in ("verdict", "effect", "n")] == [called[name] for name in ("verdict", "effect", "n")]
    assert handed["n"] > 8


KEPT_BACK = {
    "a table": (fixture("harness", "table(harness).assign(more=1)"), "'assign' from what a study"),
    "networks": (fixture("harness", "harness.store.population(None, range(8))"), "uses harness.store"),
    "a setting": (fixture("harness", "harness.setting('noise', 1.0)"), "uses harness.setting"),
    "for a session": (fixture("harness", "table(harness)", scope="session"), "outlives a claim"),
    "by name": (fixture("request", "request.getfixturevalue('harness').store"), "uses harness.store"),
    "over another": (fixture("handed, harness", "table(harness)", scope="session"), "outlives a claim"),
}


@pytest.mark.parametrize("arguments", ["handed", "harness, handed", "handed, request"])
@pytest.mark.parametrize("way", KEPT_BACK)
@pytest.mark.parametrize("options", [(), ("--claims-until-decided",)])
def test_what_could_not_be_asked_again_is_refused_with_a_remedy(project: Project, way: str, arguments: str, options: tuple):
    """Else it would stay at its first seeds, while the card says that it grew."""
    source, said = KEPT_BACK[way]
    project.file("conftest.py", OTHER)
    project.claims(SEEDED, source, NEAR.replace("harness", arguments, 1).replace("table(harness)", "handed"))
    project.run("claims", *options)
    row = project.rows()["near"]
    assert row["verdict"] == "error"
    assert said in row["reason"]
    assert "make it a study" in row["reason"]


def test_fixtures_that_know_no_harness_are_handed_on_as_ever(project: Project):
    near = NEAR.replace("harness", "harness, shift, tmp_path", 1).replace("1.0", "shift")
    project.claims(SEEDED, fixture("", "1.0", "shift", "session"), near)
    project.run("claims", "--claims-until-decided", "--claims-most-blocks", "5")
    assert 8 < project.rows()["near"]["n"] < 40


def test_a_test_that_is_no_claim_has_the_whole_harness(project: Project):
    project.file("test_beside.py", "def test_beside(harness):\n    assert harness.setting('noise', 2.0) == 2.0\n"
                 "    assert harness.store.device == harness.device == 'cpu'\n")  # fmt: skip
    project.run("test_beside.py").assert_outcomes(passed=1)


def test_one_look_decides_more_easily_than_one_of_many(project: Project):
    project.claims(SEEDED, NEAR)
    project.run()
    one = project.rows()["near"]
    project.run("claims", "--claims-until-decided", "--claims-most-blocks", "2")
    several = project.rows()["near"]
    assert (one["verdict"], one["n"]) == ("supported", 8)
    assert (several["verdict"], several["n"]) == ("supported", 16)
    assert "stopping rule" not in one["settings"]


def test_a_study_is_asked_once_for_every_block(project: Project):
    body = """
@declare("edge")
def test_edge(harness):
    own = table(harness)
    yielded = seeded(own, 0.25 - own.loc[own["regime"] == "standard", "noise"].mean())
    return Evidence(yielded.table, settings={"made": list(MADE)})
"""
    project.claims(SEEDED, body)
    project.run("claims", "--claims-until-decided", "--claims-most-blocks", "3")
    drawn = [8]  # for the design, before anything is measured
    assert project.rows()["edge"]["settings"]["made"] == [*drawn, 8, 16, 24]


def test_a_claim_without_seeds_is_judged_as_ever(project: Project):
    project.claims(SEEDED, WITHOUT_SEEDS)
    project.run()
    before = project.rows()["fixed"]
    project.run("claims", "--claims-until-decided")
    after = project.rows()["fixed"]
    assert after["interval"] == before["interval"]
    assert after["n"] == 8
    assert after["settings"]["stopping rule"].startswith("judged once, by the ordinary rule")


STUCK = """
@declare("stuck")
def test_stuck(harness):
    harness.setting("noise", 1.0)
    return evidence(0.3, spread=0.6)
"""


def test_a_claim_that_gets_no_new_seeds_says_so(project: Project):
    project.claims(SEEDED, STUCK)
    project.run("claims", "--claims-until-decided")
    row = project.rows()["stuck"]
    assert row["n"] == 8
    assert "none could be added: its tables have no new ones" in row["settings"]["stopping rule"]


def test_workers_add_seeds_as_well(project: Project):
    project.claims(SEEDED, CLEAR, NEAR)
    project.run_shared("claims", "-n", "2", "--claims-until-decided", "-p", "no:cacheprovider")
    assert {row["verdict"] for row in project.rows().values()} == {"supported"}


def test_the_seeds_of_further_blocks_follow_the_first():
    assert moved(range(3), range(1), 3) == [0, 1, 2]
    assert moved(range(3), range(3), 3) == list(range(9))
    assert moved([4, 7], range(2), 4) == [4, 7, 8, 11]


@given(st.sets(st.integers(0, 60), min_size=1), st.sets(st.integers(0, 60), min_size=1), st.integers(2, 5))
def test_blocks_share_no_seed_and_populations_share_in_all_of_them_what_they_share_in_the_first(one, other, blocks):
    stride = max(one | other) - min(one | other) + 1
    each = [(set(moved(one, [block], stride)), set(moved(other, [block], stride))) for block in range(blocks)]
    assert all(len(a & b) == len(one & other) for a, b in each)
    assert len(set().union(*(a | b for a, b in each))) == blocks * len(one | other)
    assert moved(one, range(blocks), stride) == [seed for block in range(blocks) for seed in moved(one, [block], stride)]


GROUPS = """
import numpy as np
from harness.data import ToyImages
from harness.recipe import MLP, Recipe

def units(harness, regime, seeds, dropped=()):
    recipe = Recipe(ToyImages(train=24, noise=1.0 + (regime == "robust")), MLP((2,)), epochs=0)
    population = harness.store.population(recipe, seeds)
    noise = {seed: np.random.default_rng(seed).normal() for seed in population.seeds}
    return pd.DataFrame([{"regime": regime, "seed": seed, "llc": noise[seed]}
                         for seed in population.seeds if seed not in dropped])

def shifted(standard, robust, difference):
    table = pd.concat([standard, robust])
    return Evidence(table.assign(llc=table["llc"] + difference * (table["regime"] == "standard")))

@study
def standard(harness):
    return units(harness, "standard", STANDARD)

@study
def robust(harness):
    return units(harness, "robust", ROBUST, DROPPED)

APART = IndependentDifference("llc", "regime", "standard", "robust", "seed", margin=0.5, margin_reason="half a deviation")

@declare("apart", prediction=APART, scope={"extra": st.sampled_from([0, 1])})
def test_apart(harness):
    one, other = standard(harness), robust(harness)
    seen = one["llc"].mean() - other["llc"].mean()
    return shifted(one, other, (0.25 - seen if DIFFERENCE is None else DIFFERENCE) - 9.0 * harness.setting("extra", 0))
"""


def groups(standard: str, robust: str, difference: float | None, dropped: str = "()") -> str:
    head = "from hypothesis import strategies as st\nfrom harness.predict import IndependentDifference\n"
    settings = f"STANDARD, ROBUST, DIFFERENCE, DROPPED = {standard}, {robust}, {difference}, {dropped}\n"
    return head + settings + GROUPS


@pytest.mark.parametrize(("standard", "robust", "dropped"), [
    ("range(8)", "range(8, 16)", "()"),
    ("range(8)", "range(8, 26)", "()"),
    ("range(20, 26)", "range(6)", "()"),
    ("range(8)", "range(8, 16)", "(15, 31, 47)"),
    ("range(0, 16, 2)", "range(1, 17, 2)", "()"),
])  # fmt: skip
def test_two_independent_groups_keep_their_own_seeds_in_every_block(project: Project, standard: str, robust: str, dropped: str):
    project.claims(groups(standard, robust, None, dropped))
    project.run("claims", "--claims-until-decided", "--claims-most-blocks", "3")
    row = project.rows()["apart"]
    one, other = eval(standard), [seed for seed in eval(robust) if seed not in eval(dropped)]
    assert row["verdict"] != "invalid", row["reason"]
    assert row["n"] == 3 * (len(one) + len(other))
    assert f"There are {3 * len(one)} units in standard and {3 * len(other)} in robust." in in_words(row)
    assert f"Judged after 3 blocks of {len(one) + len(other)} seeds" in in_words(row)
    assert "every block compares units of its own in both groups, without pairing them" in in_words(row)


def test_two_independent_groups_that_differ_are_found(project: Project):
    project.claims(groups("range(8)", "range(8, 16)", 1.5))
    project.run("claims", "--claims-until-decided", "--claims-most-blocks", "6")
    row = project.rows()["apart"]
    assert row["verdict"] == "supported"
    assert row["n"] > 16


def test_what_turns_the_verdict_of_two_independent_groups_is_confirmed_with_fresh_seeds_of_both(project: Project):
    project.claims(groups("range(8)", "range(8, 16)", 3.0))
    project.run("claims", "--claims-search", "5")
    search = project.rows()["apart"]["search"]
    assert search["found"] == {"extra": 1}
    assert search["confirmed"] is True
    assert search["confirmation"]["n"] == 16


def test_alpha_is_shared_by_the_claims_of_a_document(project: Project, told):
    project.claims(SUPPORTED, REFUTED)
    project.known({"reduced": {"paper/lower": "refuted"}})
    result = project.run("claims", "--claims-family-wise")
    rows = project.rows()
    assert {row["alpha"] for row in rows.values()} == {0.025}
    assert rows["higher"]["settings"]["level"] == "α divided by the 2 claims of the document (family-wise)"
    assert "95 % interval" in (project.path / "reports" / "claims.html").read_text(encoding="utf-8")
    assert result.ret == 1  # the ledger knows verdicts of the ordinary rule only
    project.run("claims", "--claims-family-wise", "-k", "higher")
    assert project.rows()["higher"]["alpha"] == 0.025
    ordinary = project.run("claims")
    assert ordinary.ret == 0
    assert {row["alpha"] for row in project.rows().values()} == {0.05}


@pytest.mark.parametrize(("arguments", "said"), [
    (("claims", "--claims-until-decided", "--claims-most-blocks", "1"), "seeds are added in 2 blocks or more"),
    (("claims", "--claims-memory", "2 GB"),
     "--claims-memory: '2 GB' is no amount of memory; write a number above 0 and one of B, KiB"),
    (("claims", "--claims-until-decided", "--claims-update-ledger"),
     "--claims-update-ledger and --claims-until-decided contradict each other"),
    (("claims", "--claims-family-wise", "--claims-update-ledger"),
     "--claims-update-ledger and --claims-family-wise contradict each other"),
    (("claims/test_paper.py", "--claims-family-wise"), "give the whole claims folder and choose with --claims-only or -k"),
])  # fmt: skip
def test_options_that_cannot_be_followed(project: Project, told, arguments: tuple[str, ...], said: str):
    project.claims(SUPPORTED)
    result = project.run(*arguments)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert said in told(result)
