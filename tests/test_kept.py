"""Rows that were measured and are not judged: noted where they are left out, carried to the row, flagged on the outcome."""

from __future__ import annotations

from dataclasses import replace
from itertools import compress
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fixtures.slt.points import inside, sample_correlations, with_selection
from harness import MLP, Recipe, ToyImages
from harness.claim import Claim
from harness.errors import ClaimError
from harness.evidence import Evidence
from harness.judge import judge
from harness.judge.selection import LeftOut
from harness.kept import Account, Drop, is_measured, keep, lost_networks, note, noting
from harness.population import Population
from harness.predict import Conjunction, PairedDifference
from harness.report import base_row, render, standing
from harness.report.merge import merge
from harness.report.rows import assemble, with_verdict
from harness.rows import Between, NoRow
from harness.source import Source
from harness.study import Study

SOURCE = Source("paper", "A paper").at("I", "q")
HIGHER = PairedDifference("llc", "regime", "standard", "robust", "seed", margin=0.5, margin_reason="half a unit")


def measured(seeds: int = 12, samples: int = 4, shift: float = 1.0) -> pd.DataFrame:
    rng = np.random.default_rng(seeds)
    rows = [
        (regime, seed, sample, noise, rng.normal() + shift * (regime == "standard"), 0.9 + 0.1 * rng.random())
        for regime in ("standard", "robust")
        for seed in range(seeds)
        for sample in range(samples)
        for noise in (0.5, 1.5)
    ]
    return pd.DataFrame(rows, columns=["regime", "seed", "sample", "noise", "llc", "accuracy"])  # fmt: skip


def means(table: pd.DataFrame) -> pd.DataFrame:
    return table.groupby(["regime", "seed"], as_index=False)[["llc", "accuracy"]].mean()


class TestKeep:
    @given(values=st.lists(st.floats(-5, 5), min_size=1, max_size=30), low=st.floats(-6, 5))
    def test_keeps_and_notes_add_up_to_all(self, values: list[float], low: float) -> None:
        table = pd.DataFrame({"llc": values})
        with noting() as drops:
            try:
                kept = keep(table, "too small", llc=Between(low=low))
            except NoRow:
                return
        assert len(kept) + sum(drop.rows for drop in drops) == len(table)
        assert kept["llc"].tolist() == [each for each in values if each >= low]
        assert drops == ([] if len(kept) == len(table) else [Drop(len(table) - len(kept), "too small", ("llc",))])

    def test_notes_go_to_the_innermost_collector_and_nowhere_without_one(self) -> None:
        note(3, "nobody collects")
        with noting() as outer:
            note(1, "outside")
            with noting() as inner:
                note(2, "inside", "llc")
            note(0, "none")
        assert outer == [Drop(1, "outside")]
        assert inner == [Drop(2, "inside", ("llc",))]

    @pytest.mark.parametrize("broken", [
        {"measured": -1}, {"measured": 3, "dropped": {"negative": 4}}, {"measured": 3, "dropped": {" ": 1}},
        {"measured": 3, "dropped": (Drop(-1, "x"),)},
    ])  # fmt: skip
    def test_an_account_adds_up(self, broken: dict[str, Any]) -> None:
        with pytest.raises(ClaimError, match="an account of"):
            Account(**broken)

    def test_what_is_measured_differs_from_seed_to_seed_and_a_design_does_not(self) -> None:
        table = measured()
        assert [column for column in table if is_measured(table, column)] == ["llc", "accuracy"]


class TestStudy:
    def test_conditions_on_the_design_say_what_is_studied(self) -> None:
        study = Study([], measured()).where(noise=0.5, regime="robust").derived(means)
        assert study.accounts() == Account(48)

    def test_conditions_on_what_was_measured_leave_rows_out(self) -> None:
        study = Study([], measured()).derived(lambda table: table).where(noise=0.5, llc=Between(low=0))
        left = study.accounts()
        assert left.measured == 96
        assert next((drop.columns, drop.because) for drop in left.drops) == (("llc",), "only llc at least 0")
        assert left.measured - left.drops[0].rows == len(study.table)

    @settings(deadline=None, max_examples=30)
    @given(seeds=st.integers(2, 8), low=st.floats(-2, 2), gone=st.sets(st.integers(0, 7), max_size=7))
    def test_whatever_is_made_of_a_table_what_was_left_out_stays_known(self, seeds, low, gone) -> None:
        table = measured(seeds)
        try:
            kept = keep(table, "small", llc=Between(low=low))
        except NoRow:
            return
        study = Study([], {"a": table, "b": table}).keeping("a", "small", llc=Between(low=low))
        study = study.derived(means).derived(lambda own: own[~own["seed"].isin(gone)].reset_index(drop=True))
        for name, all_of in (("a", kept), ("b", table)):
            account = study.accounts()[name]
            assert account.measured == len(table)
            assert sum(drop.rows for drop in account.drops if drop.columns) == len(table) - len(all_of)
            left = study.tables[name]
            regimes = left["regime"].unique()
            networks = table[table["regime"].isin(regimes)].drop_duplicates(["regime", "seed"])
            lost = [drop.rows for drop in account.drops if not drop.columns]
            assert sum(lost) == len(networks) - len(left)

    def test_a_table_that_it_has_keeps_its_account_and_another_has_its_own(self) -> None:
        table = measured()
        study = Study([], {"all": table, "some": table.copy()}).keeping("some", "negative", llc=Between(low=0))
        assert [len(study.under(name).accounts().drops) for name in ("all", "some")] == [0, 1]
        swapped = study.of({"x": study.tables["some"], "y": table.head(8)}).accounts()
        assert (swapped["x"].measured, len(swapped["x"].drops)) == (len(table), 1)
        assert swapped["y"] == Account(8)

    def test_levels_that_are_not_judged_are_not_lost(self) -> None:
        table = measured()
        assert lost_networks(table, table[table["regime"] == "robust"]) == 0
        assert lost_networks(table, table[table["seed"] != 3]) == 2
        assert lost_networks(table.drop(columns="seed"), table) == 0

    @given(
        networks=st.lists(st.tuples(*[st.sampled_from("ab")] * 2, st.integers(0, 4)), max_size=20),
        rows=st.lists(st.integers(0, 19), max_size=20), named=st.sets(st.sampled_from(["recipe", "regime"])),
    )  # fmt: skip
    def test_networks_are_lost_by_one_rule_whatever_names_them(self, networks, rows, named) -> None:
        """As many as a loop finds, whether the table has one row of a network or several, and in whatever order."""
        columns = ["recipe", "regime", "seed"]
        judged = [networks[row] for row in rows if row < len(networks)]
        kept = [column in {*named, "seed"} for column in columns]
        were, left = ({tuple(compress(each, kept)) for each in some} for some in (networks, judged))
        levels = {each[:-1] for each in left}
        expected = sum((not named or each[:-1] in levels) and each not in left for each in were)
        tables = (pd.DataFrame(networks, columns=columns), pd.DataFrame(judged, columns=columns)[[*named, "seed"]])
        assert lost_networks(*tables) == expected
        assert lost_networks(tables[0], tables[0]) == 0

    def test_a_recipe_in_several_cells_stands_once_in_the_evidence(self) -> None:
        recipes = [Recipe(ToyImages(train=24), MLP((width,))) for width in (2, 4)]
        cells = [Population(recipe, (0, 1), {}, {"cell": cell}) for cell in "abc" for recipe in recipes]
        said = Study(cells, measured()).evidence(None).recipes
        assert [each["digest"] for each in said] == [recipe.key for recipe in recipes]

    def test_evidence_has_the_account_and_none_without_data(self) -> None:
        assert Study([], measured()).evidence(None).rows == Account(192)


class TestFixtures:
    def estimates(self) -> pd.DataFrame:
        rng = np.random.default_rng(1)
        rows = [
            (regime, epoch, seed, sample, rng.normal(), max(0.0, rng.normal()), 0.97, True)
            for regime in ("standard", "robust")
            for epoch in range(5)
            for seed in range(3)
            for sample in range(4)
        ]
        table = pd.DataFrame(rows, columns=["regime", "epoch", "seed", "sample", "llc", "perturbation", "accuracy", "finite"])
        return table.assign(radii_inside=table["perturbation"] / 0.1, llc_in_errors=table["llc"] / 0.2)  # fmt: skip

    def test_points_without_a_perturbation_are_counted(self) -> None:
        table = self.estimates()
        with noting() as drops:
            inside(table)
        assert drops == [Drop(int((table["perturbation"] == 0).sum()), drops[0].because, ("perturbation",))]

    def test_samples_without_a_correlation_are_counted(self) -> None:
        table = self.estimates()
        table.loc[table["sample"] == 1, "llc"] = 0.5
        with noting() as drops:
            sample_correlations(table)
        assert [drop.rows for drop in drops] == [30]

    def test_means_that_stand_beside_the_estimates_leave_none_of_them_out(self) -> None:
        with noting() as drops:
            found = with_selection(self.estimates())
        assert drops == []
        assert (found["row"] == "estimate").sum() == 120


class TestVerdict:
    def test_says_what_was_measured_and_flags_a_selection_on_the_outcome(self) -> None:
        table = means(measured())
        account = Account(192, (Drop(5, "negative", ("llc",)), Drop(2, "unfit", ("accuracy",)), Drop(1, "lost"),
                                Drop(4, "flat", ("slope",))))  # fmt: skip
        rows = judge(HIGHER, Evidence(table, rows=account)).rows
        assert (rows.measured, rows.judged) == (192, 24)
        assert [each.on_outcome for each in rows.left_out] == [True, False, None, True]

    def test_conditions_of_the_prediction_on_measured_values_are_counted(self) -> None:
        table = means(measured())
        kept = table.groupby("seed")["accuracy"].transform("min") > 0.93
        table["accuracy"] = table["accuracy"].where(kept, 0.5)
        chosen = replace(HIGHER, where={"accuracy": Between(low=0.6)}, names={"accuracy": "clean accuracy"})
        found = judge(chosen, table).rows
        if (~kept).any():
            expected = LeftOut(int((~kept).sum()), "the prediction is about clean accuracy at least 0.6", ("accuracy",), False)
            assert found.left_out == (expected,)
        own = replace(HIGHER, where={"llc": Between(low=-99, high=0.4)})
        both = judge(Conjunction((own, HIGHER)), table).rows
        assert [each.on_outcome for each in both.left_out] == [True]
        assert judge(HIGHER, table).rows.left_out == ()
        assert judge(HIGHER, table).rows.measured is None

    def test_each_protocol_has_its_own(self) -> None:
        claim = Claim("paper/a", "So.", SOURCE, HIGHER, protocols=("sound", "document"))
        table = means(measured())
        accounts = {"sound": Account(192), "document": Account(192, {"negative": 7})}
        row = judge(claim, Evidence({"sound": table, "document": table}, rows=accounts)).to_json()
        assert row["rows"] == {"measured": 192, "judged": 24, "left_out": []} == row["protocols"][0]["rows"]
        assert row["protocols"][1]["rows"]["left_out"] == [
            {"rows": 7, "because": "negative", "columns": [], "on_outcome": None}
        ]

    def test_what_is_no_account_is_refused(self) -> None:
        with pytest.raises(ClaimError, match="are an Account"):
            judge(HIGHER, Evidence(means(measured()), rows=7))  # type: ignore[arg-type]


def test_the_page_says_it_on_the_card_and_has_a_filter() -> None:
    rows = []
    for name, account in (("a", Account(192, (Drop(5, "negative estimates", ("llc",)),))), ("b", Account(192, {"lost": 1})),
                          ("c", Account(192))):  # fmt: skip
        claim = Claim(f"paper/{name}", "So.", SOURCE, HIGHER)
        rows.append(with_verdict(base_row(claim, claim.id), judge(claim, Evidence(means(measured()), rows=account)).to_json()))
    run = assemble(rows, scale="reduced", device="cpu", provenance={})
    page = render(merge([run]))
    assert "5 of 192 rows are not judged: negative estimates. This is a selection on the outcome." in page
    assert "1 of 192 rows are not judged: lost." in page
    assert page.count("<dt>Rows measured</dt><dd>192") == 3
    choice = next(each for each in standing.choices(run["rows"]) if each["name"] == "rows")
    assert [(value, number) for value, _, number in choice["choices"]] == [("on-the-outcome", 1), ("left-out", 1)]
    assert page.count('data-rows="') == 2


def test_removing_negative_values_refutes_what_is_just_true() -> None:
    """What it costs: half the noise is cut off where the effect is, so that a difference at the margin shrinks below it."""
    rng = np.random.default_rng(5)
    refuted = 0
    for _ in range(200):
        low, high = rng.standard_normal((2, 1600)) + np.array([[0.0], [0.5]])
        kept = [np.where(side >= 0, side, np.nan).reshape(40, 40) for side in (low, high)]
        difference = np.nanmean(kept[1], axis=1) - np.nanmean(kept[0], axis=1)
        table = pd.concat([pd.DataFrame({"seed": range(40), "regime": regime, "llc": value})
                           for regime, value in (("standard", difference), ("robust", np.zeros(40)))])  # fmt: skip
        refuted += judge(HIGHER, table).outcome == "refuted"
    assert refuted > 100
