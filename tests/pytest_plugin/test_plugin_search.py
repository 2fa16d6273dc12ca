"""Sessions that search the scopes of claims."""

from __future__ import annotations

from papers import SUPPORTED, Project

STUDY = """
from hypothesis import strategies as st
from harness.data import ToyImages
from harness.recipe import MLP, Recipe

@study
def table(harness):
    noise, shift = harness.setting("noise", 1.0), harness.setting("shift", 0)
    recipe = Recipe(ToyImages(train=24, noise=noise), MLP((2,)), epochs=0)
    population = harness.store.population(recipe, range(8))
    llc = {seed: 1.0 - 0.3 * noise * (shift > 5) + 0.01 * (seed % 4) for seed in population.seeds}
    return pd.DataFrame([{"regime": regime, "seed": seed, "llc": llc[seed] * (regime == "standard")}
                         for seed in population.seeds for regime in ("standard", "robust")])

SCOPE = {"noise": st.sampled_from([0.5, 3.0]), "shift": st.integers(0, 10)}

@declare("scoped", scope=SCOPE)
def test_scoped(harness):
    return Evidence(table(harness))
"""
UNKNOWN = """
@declare("unknown", scope={"nois": st.just(2.0)})
def test_unknown(harness):
    return Evidence(table(harness))
"""
NO_STRATEGY = """
WRONG = [{"noise": [1, 2]}, None, [st.just(1)], {"noise": st.floats}, {3: st.just(1)}, {"noise": pd.Series([1])}]
for number, scope in enumerate(WRONG):
    @declare(f"values-{number}", scope=scope)
    def test_values(harness):
        return Evidence(table(harness))
    globals()[f"test_values_{number}"] = test_values
del test_values
"""


def test_without_the_option_nothing_is_searched(project: Project):
    project.claims(STUDY)
    project.run("claims").assert_outcomes(passed=1)
    assert project.rows()["scoped"]["search"] is None


def test_a_setting_that_refutes_the_claim_is_found_reduced_and_confirmed_with_fresh_seeds(project: Project):
    project.claims(STUDY)
    project.run("claims", "--claims-search", "40").assert_outcomes(passed=1)
    row = project.rows()["scoped"]
    assert row["verdict"] == "supported"
    search = row["search"]
    assert search["looked_for"] == "refuted"
    assert search["found"] is not None, search["reason"]
    assert search["found"].keys() == {"noise", "shift"}
    assert search["found"]["noise"] == 3.0
    assert search["found"]["shift"] > 5
    assert search["confirmed"] is True
    assert search["confirmation"]["n"] == 8
    assert len(search["trials"]) <= 40


def test_a_claim_without_scope_has_no_search(project: Project):
    project.claims(SUPPORTED)
    project.run("claims", "--claims-search", "3").assert_outcomes(passed=1)
    assert project.rows()["higher"]["search"] is None


def test_a_setting_that_no_study_asks_for_is_an_error_that_names_it(project: Project):
    project.claims(STUDY, UNKNOWN)
    project.run("claims")
    row = project.rows()["unknown"]
    assert row["verdict"] == "error"
    assert "names nois, which no study asks for at the defaults" in row["reason"]
    assert "noise, shift" in row["reason"]
    assert project.rows()["scoped"]["verdict"] == "supported"


def test_a_scope_that_is_none_is_refused_claim_by_claim(project: Project):
    """Each has a row that says so, with an example, and the other claims of the module are judged."""
    project.claims(STUDY, NO_STRATEGY)
    project.run("claims", "--claims-search", "2")
    reasons = {name: row["reason"] for name, row in project.rows().items() if name.startswith("values-")}
    assert len(reasons) == 6
    assert all("as in scope={'noise': st.floats(0.5, 2)}" in reason for reason in reasons.values())
    for number in (0, 3, 5):
        assert "has a scope whose noise is not a Hypothesis strategy" in reasons[f"values-{number}"]
    for number in (1, 2):
        assert "which names no settings" in reasons[f"values-{number}"]
    assert "the name 3, which is no text" in reasons["values-4"]
    assert project.rows()["scoped"]["search"]["trials"]


def test_the_scope_is_part_of_what_was_fixed_beforehand(project: Project):
    project.claims(STUDY)
    project.run("claims")
    before = project.rows()["scoped"]["digest"]
    project.claims(STUDY.replace("st.integers(0, 10)", "st.integers(0, 20)"))
    project.run("claims")
    assert project.rows()["scoped"]["digest"] != before


def test_a_negative_number_of_trials_is_refused(project: Project):
    project.claims(SUPPORTED)
    result = project.run("claims", "--claims-search", "-1")
    result.stderr.fnmatch_lines(["*--claims-search -1: give the number of settings to try*"])


def test_the_report_keeps_the_last_search_while_the_claim_is_the_same(project: Project):
    project.claims(STUDY)
    project.run("claims", "--claims-search", "4")
    then = project.rows()["scoped"]["search"]
    assert "as_of" not in then
    project.run("claims")
    now = project.rows()["scoped"]["search"]
    assert now.pop("as_of")
    assert now == then
    assert "declaration, design and verdict are as they were then" in (project.path / "reports" / "claims.html").read_text()
    project.run("claims", "--claims-family-wise")
    assert project.rows()["scoped"]["search"] is None
    project.claims(STUDY.replace("range(8)", "range(9)"))
    project.run("claims")
    assert project.rows()["scoped"]["search"] is None


def test_a_kept_run_can_be_named_as_the_source_of_searches(project: Project):
    ini = project.path / "tox.ini"
    ini.write_text(ini.read_text() + "\nclaims_searches = kept/claims.json\n")
    project.claims(STUDY)
    said = project.run("claims").stdout.str()
    assert "note: no earlier search stands in the report: cannot read" in said
    assert project.rows()["scoped"]["search"] is None
    project.run("claims", "--claims-search", "4", "--claims-report", "kept")
    project.run("claims")
    assert project.rows()["scoped"]["search"]["as_of"]
