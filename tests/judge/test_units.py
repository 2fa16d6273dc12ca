"""Units that are none: epochs of one run, units of one seed without a population, rows copied under another name."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import harness
from harness import (
    ClaimError,
    Conjunction,
    Correlation,
    Evidence,
    Factors,
    IndependentDifference,
    PairedDifference,
    Source,
    claim,
    judge,
)
from harness.doubts import COPIED, SHARED, among
from harness.predict.roles import WITHIN_A_RUN

TERMS = {"margin": 0.2, "margin_reason": "visible"}
PAPER = Source("paper", "A paper").at("Intro", "it is")


def paired(pair="seed", **more):
    return PairedDifference("v", "arm", "a", "b", pair, **TERMS, **more)


def grid(rng, seeds=6, others=4, name="architecture", copies=0, digits=None):
    """Pairs of seeds and something else; the last ``copies`` seeds repeat the first ones."""
    shift = rng.normal(size=seeds)
    rows = []
    for seed in range(seeds):
        for other in range(others):
            base = rng.normal()
            rows += [(seed, other, "a", base + shift[seed] + rng.normal()), (seed, other, "b", base)]
    table = pd.DataFrame(rows, columns=["seed", name, "arm", "v"])
    if digits is not None:
        table["v"] = table["v"].round(digits)
    return pd.concat(
        [table, *([table[table["seed"] < copies].assign(seed=lambda some: some["seed"] + seeds)] if copies else [])]
    )


@pytest.mark.parametrize("column", WITHIN_A_RUN)
@pytest.mark.parametrize("how", [{"pair": ("seed", "{}")}, {"pair": "{}"}, {"pair": "seed", "strata": "{}"}])
def test_epochs_samples_and_chains_are_units_only_where_a_population_says_so(column, how):
    named = {role: tuple(each.format(column) for each in given) if isinstance(given, tuple) else given.format(column)
             for role, given in how.items()}  # fmt: skip
    prediction = paired(**named)
    with pytest.raises(ClaimError, match=f"every {column} would count as drawn by itself.*population=Factors"):
        judge(prediction, grid(np.random.default_rng(0), name=column))
    body = claim("paper/c", statement="S.", source=PAPER, prediction=prediction)(lambda: None)
    assert isinstance(body.__claim__, ClaimError)
    body = claim("paper/c", statement="S.", source=PAPER, prediction=Conjunction((paired(), prediction)))(lambda: None)
    assert isinstance(body.__claim__, ClaimError)
    random = "seed" if "seed" in str(named) else column
    population = Factors(random=random, fixed=() if random == column else column)
    body = claim("paper/c", statement="S.", source=PAPER, prediction=prediction, population=population)(lambda: None)
    assert not isinstance(body.__claim__, ClaimError)


def test_blocks_are_no_units():
    rng = np.random.default_rng(0)
    rows = [(seed, epoch, rng.normal(), rng.normal()) for seed in range(12) for epoch in range(3)]
    table = pd.DataFrame(rows, columns=["seed", "epoch", "x", "y"])
    verdict = judge(Correlation("x", "y", "seed", blocks="epoch", sign=1, **TERMS), table)
    assert verdict.estimate.n == 12
    assert not among(verdict.notes)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 99), seeds=st.integers(5, 8), others=st.integers(1, 4))
def test_units_that_share_a_seed_are_said_to_where_nobody_declares_a_population(seed, seeds, others):
    table = grid(np.random.default_rng(seed), seeds, others)
    pair = ("architecture", "seed")
    open_, closed = (
        judge(each, table) for each in (paired(pair), paired(pair, population=Factors(random="seed", fixed="architecture")))
    )
    assert not among(closed.notes)
    said = [note for note in open_.notes if note.startswith(SHARED)]
    assert len(said) == (others > 1)
    if said:
        assert f"{seeds * others} units (architecture × seed)" in said[0]
        assert f"{others} architectures and {seeds} seeds" in said[0]
        assert "population=Factors(random='seed', fixed='architecture')" in said[0]
    alone = judge(paired(), table[table["architecture"] == 0])
    assert not among(alone.notes)


def test_a_unit_of_another_name_is_seen_through_where_the_table_has_the_seeds():
    table = grid(np.random.default_rng(3)).assign(run=lambda rows: rows["seed"] * 10 + rows["architecture"])
    assert f"{SHARED}24 units (run) count" in " ".join(judge(paired("run"), table).notes)
    own = table.assign(seed=table["run"])
    assert not among(judge(paired("run"), own).notes)


def test_a_claim_says_so_where_it_is_read():
    table = grid(np.random.default_rng(1))
    units = ("seed", "architecture")
    both = Conjunction((paired(units), paired(units, alpha=0.1)))
    body = claim("paper/c", statement="S.", source=PAPER, prediction=both)(lambda: Evidence(table))
    done = harness.run(body)
    assert SHARED in repr(done)
    assert [note.startswith(SHARED) for note in done.row["notes"]].count(True) == 1
    assert done.page.count(SHARED) == 1
    assert "data-flag=" in done.page
    assert "shared-units" in done.page


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 999), copies=st.integers(0, 6))
def test_units_that_were_copied_under_other_names_are_named(seed, copies):
    table = grid(np.random.default_rng(seed), others=1, copies=copies)
    said = [note for note in judge(paired(), table.sample(frac=1, random_state=seed)).notes if note.startswith(COPIED)]
    assert len(said) == (copies > 0)
    if copies == 1:
        assert "seed 6 has all numbers of seed 0" in said[0] or "seed 0 has all numbers of seed 6" in said[0]
    if copies > 1:
        assert f"and {copies - 1} more" in said[0]


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 999), of=st.sampled_from([10, 15, 100, 1000, 10_000]), single=st.booleans())
def test_shares_and_counts_that_are_equal_by_chance_are_not_suspected(seed, of, single):
    rng = np.random.default_rng(seed)
    table = pd.DataFrame({"seed": np.arange(20), "arm": ["a", "b"] * 10, "v": rng.binomial(of, 0.9, 20) / of})
    table.loc[4, "v"] = table.loc[2, "v"]
    for kind in (np.float64, np.float32):
        verdict = judge(IndependentDifference("v", "arm", "a", "b", "seed", **TERMS), table.astype({"v": kind}))
        assert not [note for note in verdict.notes if note.startswith(COPIED)]


def test_another_measured_column_that_differs_tells_units_apart():
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"seed": range(12), "x": rng.normal(size=12), "y": rng.normal(size=12), "loss": rng.normal(size=12)})
    table.loc[6:, ["x", "y"]] = table.loc[:5, ["x", "y"]].to_numpy()
    prediction = Correlation("x", "y", "seed", sign=1, **TERMS)
    assert not among(judge(prediction, table).notes)
    table.loc[6:, "loss"] = table.loc[:5, "loss"].to_numpy()
    assert "and 5 more" in among(judge(prediction, table).notes)[0]
