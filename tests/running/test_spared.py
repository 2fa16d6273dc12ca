"""What a claim's judged rows do not need: found at the defaults, left out in settings, and never a change of a number."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from harness import (
    LLC,
    MLP,
    Claim,
    Design,
    Evidence,
    Harness,
    LLCSpec,
    PairedDifference,
    Recipe,
    Source,
    Threat,
    ToyImages,
)  # fmt: skip
from harness.running.evidence import completed
from harness.running.growth import SeededStore
from harness.running.preparing import prepared
from harness.running.session import open_harness
from harness.running.spared import Narrowed
from harness.store import Store

SPEC = LLCSpec(localization=10.0, chains=2, burn_in=5, draws=10)
SCOPES = ("all", "input", "output")
SEEDS = range(3)


def recipes(harness: Harness) -> list[Recipe]:
    base = Recipe(ToyImages(train=48, test=12, noise=harness.setting("noise", 1.0)), MLP((6,)), epochs=1)
    return [base, base.robust(Threat(steps=1)), base.finetuned(Threat(steps=1), epochs=1)]


def measured(harness: Harness, wanted=None):
    populations = harness.store.populations(wanted or recipes(harness), SEEDS, name="mine")
    return populations, harness.store.measure(populations, LLC(SPEC, SCOPES, 48))


def rows(table, **wanted):
    keep = np.logical_and.reduce([table[name].isin(levels) for name, levels in wanted.items()])
    return table[keep].reset_index(drop=True)


def two_regimes(harness):
    return Evidence(rows(measured(harness)[1], regime=["standard", "robust"], scope=["all"]))


def all_regimes(harness):
    return Evidence(rows(measured(harness)[1], scope=["input", "output"]))


def relative(harness):
    table = measured(harness)[1]
    table["llc"] /= table.groupby("scope")["llc"].transform("mean")
    return Evidence(rows(table, regime=["standard"], scope=["all"]))


def relative_to_all(harness):
    table = measured(harness)[1]
    table["llc"] /= table["llc"].mean()
    return Evidence(rows(table, regime=["standard"], scope=["all"]))


def largest_regime(harness):
    table = rows(measured(harness)[1], scope=["all"])
    return Evidence(rows(table, regime=[table.groupby("regime")["llc"].mean().idxmax()]))


def smallest_regime(harness):
    table = rows(measured(harness)[1], scope=["all"])
    return Evidence(rows(table, regime=[table.groupby("regime")["llc"].mean().idxmin()]))


def largest_scope(harness):
    table = measured(harness)[1]
    return Evidence(rows(table, scope=[table.groupby("scope")["llc"].mean().idxmax()]))


def beside_a_count(harness):
    """Every judged row says how many of all rows are of a moderate size."""
    table = measured(harness)[1]
    table["moderate"] = len(table[np.abs(table["llc"]) < 1e5])
    return Evidence(rows(table, scope=["all"], regime=["standard"]))


def looked_at(harness):
    populations, table = measured(harness)
    norm = float(populations[2].parameters[populations[2].epochs[-1]].norm())
    return Evidence(rows(table, regime=["standard"], scope=["all"]).assign(norm=norm))


def by_place(harness):
    populations, table = measured(harness)
    return Evidence(rows(table, recipe=[populations[1].recipe.key], scope=["output"]))


def refusing(harness):
    """A study that takes nothing but what it knows."""
    table = measured(harness)[1]
    standard = rows(table, regime=["standard"], scope=["all"])
    if not (rows(table, regime=["robust"], scope=["all"])["seed"].tolist() == [*SEEDS] and KNOWN in (None, _sum(standard))):
        raise ValueError("not what it was")
    return Evidence(standard)


def without_columns(harness):
    table = rows(measured(harness)[1], regime=["standard"], scope=["all"])
    return Evidence(table.drop(columns=["recipe", "scope"]))


def without_columns_of_a_part(harness):
    table = rows(measured(harness)[1], regime=["standard"], scope=["output"])
    return Evidence(table.drop(columns=["recipe", "scope"]))


def without_columns_of_the_size(harness):
    """It needs no LLC."""
    table = rows(measured(harness)[1], regime=["standard"], scope=["all"])
    return Evidence(table[["seed", "regime", "parameters"]])


def of_a_design(harness):
    every = recipes(harness)
    design = Design(dict(zip(("none", "PGD", "both"), every, strict=True)), "training")
    table = measured(harness, design)[1]
    return Evidence(rows(table, training=["none", "both"], scope=["all"]))


def _sum(table):
    return float(table["llc"].sum())


KNOWN = None
BODIES = {
    two_regimes: (2, 1), all_regimes: (3, 2), relative: (3, 1), relative_to_all: (3, 3), largest_regime: (3, 1),
    smallest_regime: (3, 1), largest_scope: (3, 3), beside_a_count: (3, 3), looked_at: (3, 1), by_place: None,
    without_columns: (3, 1), without_columns_of_a_part: (3, 3), without_columns_of_the_size: (3, 1), of_a_design: (2, 1),
}  # fmt: skip


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Store:
    return open_harness(tmp_path_factory.mktemp("store"), scale="reduced", heartbeat=lambda beat: None).store


@pytest.fixture
def harness(store) -> Harness:
    return Harness("reduced", "cpu", "stacked", store)


def kept(body, harness) -> tuple[int, int]:
    """How many recipes and parts a body is found to need."""
    found = Narrowed(body, harness, body(harness)).needed
    if found is None:
        return 3, 3
    return sum(cell.needed for cell in found.calls[0]), len(SCOPES if found.scopes is None else found.scopes)


@pytest.mark.parametrize("body", [body for body, expected in BODIES.items() if expected], ids=lambda body: body.__name__)
def test_what_is_needed_is_found_at_the_defaults(body, harness):
    assert kept(body, harness) == BODIES[body]


@pytest.mark.parametrize("body", BODIES, ids=lambda body: body.__name__)
@pytest.mark.parametrize("noise", [0.6, 1.4])
def test_in_a_setting_the_judged_rows_are_those_of_the_whole(body, noise, harness):
    inside = Narrowed(body, harness, body(harness))
    there = replace(harness, settings={"noise": noise})
    assert inside(there).table.equals(body(there).table)


def test_no_more_is_made_than_is_needed(tmp_path):
    def made(narrow: bool) -> tuple[int, int]:
        harness = open_harness(tmp_path / str(narrow), scale="reduced", heartbeat=lambda beat: None)
        usual = two_regimes(harness)
        inside = Narrowed(two_regimes, harness, usual) if narrow else two_regimes
        prepared(inside, harness, [({"noise": 0.7}, list), ({"noise": 1.2}, list)])
        folder = harness.store.folder
        return tuple(len([*(folder / kind).rglob("*.*")]) for kind in ("members", "tables"))

    assert made(narrow=True) == (9 + 2 * 6, 9 + 2 * 6)
    assert made(narrow=False) == (9 + 2 * 9, 9 + 2 * 9)


def test_a_study_that_refuses_other_values_gets_all(harness, monkeypatch):
    usual = refusing(harness)
    monkeypatch.setitem(globals(), "KNOWN", _sum(usual.table))
    assert Narrowed(refusing, harness, usual).needed is None


def test_a_body_that_takes_long_is_not_called_again_and_again(harness, monkeypatch):
    calls = []

    def body(harness):
        calls.append(harness)
        return two_regimes(harness)

    monkeypatch.setattr("harness.running.spared.SLOW", -1.0)
    assert Narrowed(body, harness, two_regimes(harness)).needed is None
    assert len(calls) == 1


def test_where_a_setting_needs_more_it_gets_all(harness):
    def body(harness):
        table = measured(harness)[1]
        scope = "all" if harness.setting("noise", 1.0) == 1.0 else "output"
        chosen = rows(table, regime=["standard"], scope=[scope])
        if not len(chosen):
            raise ValueError("nothing to judge")
        return Evidence(chosen)

    inside = Narrowed(body, harness, body(harness))
    assert inside.needed is not None
    there = replace(harness, settings={"noise": 0.8})
    assert inside(there).table.equals(body(there).table)
    assert set(inside(there).table["scope"]) == {"output"}


def test_where_a_setting_asks_for_other_networks_it_gets_all(harness):
    def body(harness):
        wanted = recipes(harness)[: 3 if harness.setting("noise", 1.0) == 1.0 else 2][::-1]
        table = measured(harness, wanted)[1]
        return Evidence(rows(table, regime=["standard", "robust"], scope=["all"]))

    inside = Narrowed(body, harness, body(harness))
    assert inside.needed is not None
    there = replace(harness, settings={"noise": 0.8})
    assert inside(there).table.equals(body(there).table)


def test_what_breaks_breaks_as_ever(harness):
    def body(harness):
        if harness.setting("noise", 1.0) != 1.0:
            raise KeyError("no such column")
        return two_regimes(harness)

    inside = Narrowed(body, harness, body(harness))
    with pytest.raises(KeyError, match="no such column"):
        inside(replace(harness, settings={"noise": 0.5}))


def test_nothing_is_looked_for_before_it_is_called(harness):
    asked = []

    def body(harness):
        asked.append(harness)
        return two_regimes(harness)

    Narrowed(body, harness, two_regimes(harness))
    assert not asked


def test_a_part_of_the_network_is_measured_alike_alone_and_beside_others(harness):
    populations, together = measured(harness)
    for scope in SCOPES:
        alone = harness.store.measure(populations, LLC(SPEC, (scope,), 48))
        assert alone.equals(rows(together, scope=[scope]))


# --- bodies that read other networks in a setting than at the defaults, without a word ----------------------------------


def turned_round(harness):
    """In a setting it asks for the networks in another order."""
    wanted = recipes(harness)[:: 1 if harness.setting("noise", 1.0) == 1.0 else -1]
    return Evidence(rows(measured(harness, wanted)[1], regime=["standard", "robust"], scope=["all"]))


def whatever_there_is(harness):
    regimes = ["standard", "robust"][: 1 if harness.setting("noise", 1.0) == 1.0 else 2]
    return Evidence(rows(measured(harness)[1], regime=regimes, scope=["all"]))


def another_part(harness):
    scopes = ["all"] if harness.setting("noise", 1.0) == 1.0 else ["all", "output"]
    return Evidence(rows(measured(harness)[1], regime=["standard"], scope=scopes))


def of_the_widest(harness):
    """Which is the base in a setting."""
    noise = harness.setting("noise", 1.0)
    design = Design({{1.0: 4}.get(noise, 32): recipes(harness)[0], 16: recipes(harness)[1]}, "width")
    table = measured(harness, design)[1]
    return Evidence(table[(table["width"] == table["width"].max()) & (table["scope"] == "all")].reset_index(drop=True))


def where_all_are_trusted(harness):
    """No estimate of so few draws is at the defaults; in a setting it is said to be."""
    table = measured(harness)[1]
    if harness.setting("noise", 1.0) != 1.0:
        table.loc[table["regime"] == "standard", "trusted"] = True
    least = table.groupby("regime", sort=False)["trusted"].mean().idxmin()
    return Evidence(rows(table, regime=[least], scope=["all"]))


def of_the_least_spread(harness):
    table = measured(harness)[1]
    return Evidence(rows(table, scope=[table.groupby("scope")["chain_0"].std().idxmin()]))


def by_a_cached_choice(harness):
    """What it keeps under a name was made of all networks at the defaults."""

    def best():
        table = rows(measured(harness)[1], scope=["all"])
        return table.groupby("regime", as_index=False)["llc"].mean().nlargest(1, "llc")

    chosen = harness.store.cached("best", {"noise": harness.setting("noise", 1.0)}, best, values=(harness.scale,))
    return Evidence(rows(measured(harness)[1], regime=[*chosen["regime"]], scope=["all"]))


def with_an_exception_of_its_own(harness):
    populations, table = measured(harness)
    try:
        norms = [float(each.final.norm()) for each in populations]
    except Exception:
        norms = [0.0]
    return Evidence(rows(table, regime=["standard"], scope=["all"]).assign(norm=norms[0]))


STRAYING = (
    turned_round, whatever_there_is, another_part, of_the_widest, where_all_are_trusted, of_the_least_spread,
    by_a_cached_choice, with_an_exception_of_its_own,
)  # fmt: skip


@pytest.mark.parametrize("body", STRAYING, ids=lambda body: body.__name__)
def test_no_body_is_judged_by_fewer_rows_without_a_word(body, harness):
    inside = Narrowed(body, harness, body(harness))
    there = replace(harness, settings={"noise": 0.6})
    assert inside(there).table.equals(body(there).table)


def test_on_fresh_seeds_stand_ins_have_these(harness):
    inside = Narrowed(two_regimes, harness, two_regimes(harness))
    store = SeededStore(harness.store, lambda seeds: [seed + 1 for seed in seeds])
    there = replace(harness, settings={"noise": 0.6}, store=store)
    assert inside(there).table.equals(two_regimes(there).table)
    assert set(inside(there).table["seed"]) == {1, 2, 3}


def test_nothing_is_trained_to_see_what_a_claim_needs(harness):
    """What it trains after that depends on what it has measured, and so on what is shuffled."""

    def body(harness):
        table = rows(measured(harness)[1], scope=["all"])
        chosen = table.sort_values("llc")["seed"].iloc[0]
        wider = replace(recipes(harness)[0], architecture=MLP((7 + int(chosen),)))
        second = harness.store.population(wider, SEEDS)
        return Evidence(rows(harness.store.measure([second], LLC(SPEC, ("all",), 48)), scope=["all"]))

    usual, made = body(harness), harness.store.made
    assert Narrowed(body, harness, usual).needed is None
    assert harness.store.made == made


def test_tries_are_silent(harness, capsys, recwarn):
    def body(harness):
        table = measured(harness)[1]
        print("measured")
        table["log"] = np.log(table["llc"])  # of a negative number there is none
        return Evidence(rows(table, regime=["standard"], scope=["all"]))

    with np.errstate(all="ignore"):
        inside = Narrowed(body, harness, body(harness))
    capsys.readouterr()
    recwarn.clear()
    assert inside.needed is not None
    assert capsys.readouterr() == ("", "")
    assert not recwarn.list


DECLARED = Claim(
    "mine/lower", statement="Robust networks have the lower LLC.", source=Source("A", "B", 2020).at("C", "D"),
    prediction=PairedDifference(
        value="llc", factor="regime", higher="standard", lower="robust", pair="seed", margin=0.01, margin_reason="small",
    ),
)  # fmt: skip


def test_where_networks_diverge_nothing_else_is_made(harness):
    inside = Narrowed(completed(DECLARED, two_regimes), harness, completed(DECLARED, two_regimes)(harness))
    assert inside.needed is not None
    there = replace(harness, settings={"noise": 1e30})
    found = inside(there)
    assert "diverged" in found.shortfall
    assert len(harness.store.trained_of(recipes(there)[2], SEEDS)) == 0
