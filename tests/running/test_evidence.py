"""What evidence says by itself: a picture of what is judged, what was trained, which rows there are."""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "predict"))

from test_properties import KINDS, models

from harness import MLP, Accuracy, Claim, Evidence, Figure, Harness, PairedDifference, Recipe, Source, Store, ToyImages
from harness.kept import Account, keep
from harness.report.figures import MAX_ROWS, figure_from_evidence
from harness.running.evidence import completed

PAPER = Source("paper", "A paper").at("Intro", "it is")
WITHOUT_PICTURE = {"Theorem", "DataFact"}
HIGHER = PairedDifference("accuracy", "width", 4, 2, "seed", margin=0.1, margin_reason="visible")


def declared(prediction: object) -> Claim:
    return Claim("paper/it", "It is so.", PAPER, prediction)


@pytest.mark.parametrize(("prediction", "table"), [kind[:2] for kind in KINDS], ids=[type(kind[0]).__name__ for kind in KINDS])
@pytest.mark.parametrize("protocols", [False, True])
def test_every_kind_has_a_picture_of_what_it_judges(prediction, table: pd.DataFrame, protocols: bool):
    given = Evidence({"sound": table, "document": table} if protocols else table)
    figure = completed(declared(prediction), lambda harness: given)(None).figure
    if type(prediction).__name__ in WITHOUT_PICTURE:
        assert figure is None
        return
    assert figure is not None
    assert figure_from_evidence(figure)
    (first, *_) = prediction.singles
    assert {figure.x, figure.y} - {"pair"} <= set(first.columns())
    assert set(figure.table.columns) <= set(table.columns) | {"pair"}
    if not protocols and first.where:
        assert len(figure.table) < len(table)


def test_a_figure_that_a_claim_draws_stays_and_one_that_cannot_be_drawn_is_none():
    own = Figure("strip", models(), "regime", "llc", "ours", "x", "y")
    prediction = KINDS[0][0]
    kept = completed(declared(prediction), lambda harness: Evidence(models(), own))(None)
    assert kept.figure is own
    for broken in (pd.DataFrame(), models().drop(columns="llc"), models().assign(regime="standard").iloc[:0]):
        assert completed(declared(prediction), lambda harness, broken=broken: Evidence(broken))(None).figure is None


def test_a_long_table_is_drawn_in_part_and_says_so():
    table = pd.concat([models().assign(seed=lambda own, by=by: own["seed"] + 6 * by) for by in range(80)])
    figure = completed(declared(KINDS[0][0]), lambda harness: Evidence(table))(None).figure
    assert figure is not None
    assert len(figure.table) == MAX_ROWS
    assert "(the first 1,500 of 1,920 rows)" in figure.title


@pytest.fixture(scope="module")
def harness(tmp_path_factory: pytest.TempPathFactory) -> Harness:
    return Harness("smoke", "cpu", "stacked", Store(tmp_path_factory.mktemp("store")))


def body(harness: Harness) -> Evidence:
    """Two recipes, and another body's beside them."""
    recipes = [Recipe(ToyImages(train=24), MLP((width,)), epochs=0) for width in (2, 4)]
    return Evidence(harness.store.measure(harness.store.populations(recipes, range(3)), Accuracy()))


def test_what_a_body_asks_for_is_what_was_trained(harness: Harness):
    harness.store.population(Recipe(ToyImages(train=24), MLP((3,)), epochs=0), range(2))
    evidence = completed(declared(HIGHER), body)(harness)
    said = [(each["name"], each["seeds"]) for each in evidence.recipes]
    assert said == [("1x2 standard", [0, 1, 2]), ("1x4 standard", [0, 1, 2])]
    assert evidence.rows == Account(6)
    mine = ({"name": "mine", "digest": "d", "seeds": [0]},)
    own = completed(declared(HIGHER), lambda harness: Evidence(body(harness).table, recipes=mine, rows=Account(99)))(harness)
    assert own.recipes == mine
    assert own.rows == Account(99)


def test_rows_that_are_left_out_are_counted_and_networks_that_are_missing_found(harness: Harness):
    def selecting(harness: Harness) -> Evidence:
        return Evidence(keep(body(harness).table, "the first seed is a pilot", seed=[1, 2]))

    def losing(harness: Harness) -> Evidence:
        table = body(harness).table
        return Evidence(table[table["seed"] > 0])

    kept, lost = (completed(declared(HIGHER), each)(harness).rows for each in (selecting, losing))
    assert [(drop.rows, drop.because) for drop in kept.drops] == [
        (2, "the first seed is a pilot"), (2, "networks of which nothing is judged; what is said before may be about them"),
    ]  # fmt: skip
    assert [(drop.rows, drop.because) for drop in lost.drops] == [
        (2, "2 networks of which nothing is judged, and nobody said why")
    ]
    assert kept.measured == lost.measured == 6
