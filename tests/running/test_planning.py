"""What the configured seeds can find: designs are drawn from the fixtures, spreads from an earlier run; nothing is trained."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from harness import cli, store
from harness.claim import Claim
from harness.judge import judge
from harness.predict import PairedDifference
from harness.report import assemble, base_row, write_reports
from harness.report.rows import with_verdict
from harness.source import Source

CLAIMS = """
import pytest
from harness.claim import claim
from harness.evidence import Evidence
from harness.factors import Factors
from harness.source import Source
from harness.data import ToyImages
from harness.predict import *
from harness.recipe import MLP, Recipe, Threat
from harness.study import study

PAPER = Source("paper", "A paper").at("I", "q")
UNIT = ("architecture", "seed")
HIGHER = PairedDifference("llc", "regime", "standard", "robust", "seed", "architecture", margin=0.5, margin_reason="half")
RELATED = Correlation("llc", "asr", UNIT, sign=1, margin=0.3, margin_reason="medium", where={"regime": "standard"})

def declare(name, prediction, **more):
    return claim(f"paper/{name}", statement="It is so.", source=PAPER, prediction=prediction, **more)

@study
def grid(harness):
    seeds = {"smoke": 2, "reduced": 16, "full": 10}[harness.scale]
    recipes = [recipe for width in (2, 4) for recipe in pair(Recipe(ToyImages(train=24), MLP((width,)), epochs=0))]
    populations = harness.store.populations(recipes, range(seeds), name="grid")
    return harness.store.measure(populations, "anything")

def pair(recipe):
    return recipe, recipe.robust(Threat("linf", 2.0))

@declare("higher", HIGHER)
def test_higher(harness):
    grid(harness)
    raise AssertionError("planning judges nothing")

@declare("related", RELATED)
def test_related(harness):
    grid(harness)
    raise AssertionError

@declare("both", Conjunction(parts=(HIGHER, RELATED)))
def test_both(harness):
    grid(harness)
    raise AssertionError

@declare("absent", NoChange("llc", "regime", "standard", "robust", "seed", margin=0.5, margin_reason="half"))
def test_absent(harness):
    try:
        population = harness.store.population(Recipe(ToyImages(train=24), MLP((2,)), epochs=0), range(8))
        harness.store.data(population.recipe.data)
    except Exception:
        return None

@declare("shares", Proportion("fits", "seed", 0.5, margin=0.4, margin_reason="nearly all"))
def test_shares(harness):
    population = harness.store.population(Recipe(ToyImages(train=24), MLP((2,)), epochs=0), range(12))
    return population.final

@declare("draws", Proportion("fits", ("draw", "seed"), 0.5, margin=0.4, margin_reason="nearly all"))
def test_draws(harness):
    population = harness.store.population(Recipe(ToyImages(train=24), MLP((2,)), epochs=0), range(12))
    return population.final

@declare("others", HIGHER, population=Factors(random=UNIT))
def test_others(harness):
    grid(harness)
    raise AssertionError

@declare("these", HIGHER, population=Factors(random="seed", fixed="architecture"))
def test_these(harness):
    grid(harness)
    raise AssertionError

@declare("theorem", Theorem(100))
def test_theorem():
    raise AssertionError

@declare("table", HIGHER)
def test_table():
    raise AssertionError

@declare("odd", HIGHER)
def test_odd(harness, tmp_path):
    raise AssertionError
"""
HIGHER = PairedDifference("llc", "regime", "standard", "robust", "seed", "architecture", margin=0.5, margin_reason="half")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(store.Store, "populations", None)  # a plan never comes so far
    (tmp_path / "claims").mkdir()
    name = f"{tmp_path.name}_claims.py"  # one process imports a name once
    (tmp_path / "claims" / f"test_{name}").write_text(CLAIMS, encoding="utf-8")
    return tmp_path


@pytest.fixture
def plans(folder: Path, capsys: pytest.CaptureFixture[str]):
    def planned(*arguments: str) -> dict[str, str]:
        assert cli.main(["plan", *arguments]) == 0
        text = capsys.readouterr().out
        return dict(block.split("\n    ", 1) for block in text.strip().replace("\npaper/", "\n\npaper/").split("\n\n"))

    return planned


def earlier_run(folder: Path, scale: str = "reduced") -> None:
    """A run in which the paired differences had a spread of about 1."""
    rows = [{"architecture": width, "seed": seed, "regime": regime,
             "llc": ((seed * 7 + width) % 5 - 2) * 0.7 * (regime == "robust")}
            for width in (2, 4) for seed in range(16) for regime in ("standard", "robust")]  # fmt: skip
    claim = Claim("paper/higher", "It is so.", Source("paper", "A paper").at("I", "q"), HIGHER)
    row = with_verdict(base_row(claim, claim.id), judge(claim, pd.DataFrame(rows)).to_json())
    write_reports(assemble([row], scale=scale, device="cpu", provenance={}), folder / "reports")


def test_before_any_run_in_standard_deviations(plans) -> None:
    assert plans("paper/higher")["paper/higher"] == (
        "configured at scale reduced: 16 seeds, 64 members, 32 units (architecture × seed).\n"
        "    With 90 % power 32 units find 0.573 standard deviations or more, of the spread between units; how many the "
        "margin, 0.5, needs is known after a first run.\n"
        "    Adjusted for the 10 claims of its document that an interval decides, it survives from 0.767 standard deviations "
        "on."
    )


def test_a_scale_has_its_own_seeds(plans) -> None:
    assert plans("paper/higher", "--scale", "full")["paper/higher"].startswith("configured at scale full: 10 seeds, 40 members")


def test_kinds_whose_precision_follows_from_the_number_of_units(plans) -> None:
    said = plans()
    assert "With 90 % power 32 units (architecture × seed) find 0." in said["paper/related"]
    assert "the smallest effect of interest, 0.3, needs" in said["paper/related"]
    assert "12 seeds, 12 members, 12 units (seed)" in said["paper/shares"]
    assert "the smallest effect of interest, 0.9, needs" in said["paper/shares"]


def test_units_that_the_members_do_not_show_are_not_guessed(plans) -> None:
    assert plans()["paper/draws"] == (
        "configured at scale reduced: 12 seeds, 12 members, units of draw × seed, which are counted when they are measured."
    )


def test_where_a_random_factor_lies_above_the_unit_its_levels_are_counted(plans) -> None:
    said = plans()
    assert said["paper/others"].startswith("configured at scale reduced: 16 seeds, 64 members, 2 units (architecture)")
    assert "With 90 % power 2 units find" in said["paper/others"]
    assert said["paper/these"].startswith("configured at scale reduced: 16 seeds, 64 members, 16 units (seed)")


def test_a_conjunction_has_a_line_for_each_part(plans) -> None:
    assert plans()["paper/both"].count("With 90 % power") == 2


def test_an_equivalence_says_what_absence_it_confirms(plans) -> None:
    assert "8 units confirm an absence within ±" in plans()["paper/absent"]


def test_it_names_the_seeds_with_which_a_claim_survives_its_document(plans, folder: Path) -> None:
    said = plans()
    before = "Adjusted for the 10 claims of its document that an interval decides, it survives"
    assert f"{before} with" in said["paper/related"]
    assert "seeds (90 % power)." in said["paper/related"]
    share = said["paper/shares"].partition(before)[2]
    assert share.endswith(", and with fewer than 8 never.")  # .5^7 = .0078 > .05/10, .5^8 = .0039
    assert said["paper/both"].count(before) == 2
    assert before not in said["paper/draws"] + said["paper/theorem"] + said["paper/table"]
    earlier_run(folder)
    text = plans("paper/higher")["paper/higher"]
    alone = int(text.split("That is ")[1].split(" ")[0])
    adjusted = int(text.partition(before)[2].split(" units, ")[1].split(" ")[0])
    assert adjusted > alone


def test_what_cannot_be_planned_says_why(plans) -> None:
    said = plans()
    assert said["paper/theorem"] == "exact: no seeds are needed, and none would help"
    assert said["paper/table"].startswith("its fixtures ask for no models before they measure")
    assert said["paper/odd"].startswith("its fixtures ask for no models before they measure")


def test_an_earlier_run_tells_the_spread_and_so_the_seeds(plans, folder: Path) -> None:
    earlier_run(folder)
    text = plans("paper/higher")["paper/higher"]
    assert "By the spread measured at scale reduced: With 90 % power 32 pairs (architecture × seed) find 0." in text
    needed = int(text.split("needs ")[1].split(".")[0])
    assert f"That is {-(-needed // 2)} seeds." in text  # two architectures a seed
    assert "That is" in plans("paper/higher", "--scale", "full")["paper/higher"]
    assert "standard deviations" in plans("paper/absent")["paper/absent"]  # not in that run


def test_a_run_can_be_named(folder: Path, plans) -> None:
    earlier_run(folder / "elsewhere", "full")
    assert "measured at scale full" in plans("paper/higher", "--from", "elsewhere/reports/claims.json")["paper/higher"]


@pytest.mark.parametrize(("arguments", "said"), [
    (["plan", "paper/none"], "there is no claim paper/none; python -m harness list shows all 11"),
    (["plan", "--from", "none.json"], "cannot read none.json"),
    (["plan", "--folder", "nowhere"], "there is no folder nowhere; name the folder that has the claims"),
])  # fmt: skip
def test_one_clear_line_where_it_cannot(folder: Path, capsys, arguments: list[str], said: str) -> None:
    assert cli.main(arguments) == 2
    assert said in capsys.readouterr().err


WAYS = {
    "in one expression": "return Evidence(store.measure(store.populations(BOTH, range(8)), Accuracy()))",
    "one by one": "return Evidence(store.measure([store.population(each, range(8)) for each in BOTH], Accuracy()))",
    "table by table": (
        "return Evidence(pd.concat(store.measure([store.population(each, range(8))], Accuracy()) for each in BOTH))"
    ),
    "of one measured table": (
        "return Evidence(store.measure(store.populations(BOTH, range(8)), Accuracy()).query('accuracy > 0')"
        ".merge(store.measure(store.populations(BOTH, range(8)), Accuracy(epochs='all')), on='seed'))"
    ),
    "step by step": "made = store.populations(BOTH, range(8)); table = store.measure(made, Accuracy()); return Evidence(table)",
}


@pytest.mark.parametrize("way", WAYS)
def test_however_a_body_asks_for_its_members_the_plan_counts_them(way: str) -> None:
    from harness import Accuracy
    from harness.code import ReachedCode
    from harness.data import ToyImages
    from harness.evidence import Evidence
    from harness.recipe import MLP, Recipe, Threat
    from harness.running.asking import Designer

    one = Recipe(ToyImages(train=24), MLP((2,)), epochs=0)
    names = {"BOTH": [one, one.robust(Threat("linf", 2.0))], "Accuracy": Accuracy, "Evidence": Evidence, "pd": pd}
    exec(f"def body(harness):\n    store = harness.store\n    {WAYS[way]}", names)
    design = Designer("reduced", ReachedCode(Path.cwd())).design_of(names["body"])
    assert (design.seeds, len(design.members)) == (8, 16)
    assert design.units(("seed",), {"regime": "standard"}) == 8
