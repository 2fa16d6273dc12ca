"""Designs: what is measured of a design's populations says of every row which cell it is of."""

from __future__ import annotations

import re
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import MLP, Accuracy, Design, Recipe, Store, ToyImages

NAMES = st.lists(st.sampled_from(["width", "training", "noise", "data"]), min_size=1, max_size=3, unique=True)


def recipe(**levels: object) -> Recipe:
    """One that the first of the levels tells apart, so that several cells may share it."""
    first = next(iter(levels.values()))
    return Recipe(ToyImages(train=24), MLP((2 + int(str(first)),)), epochs=0)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return Store(tmp_path_factory.mktemp("store"))


@given(names=NAMES, sizes=st.lists(st.integers(1, 2), min_size=3, max_size=3), seeds=st.integers(1, 3))
def test_every_row_has_the_levels_of_its_cell(store: Store, names: list[str], sizes: list[int], seeds: int):
    levels = {name: tuple(range(size)) for name, size in zip(names, sizes, strict=False)}
    design = Design.crossed(recipe, **levels)
    populations = store.populations(design, range(seeds))
    table = store.measure(populations, Accuracy())
    cells = list(product(*levels.values()))
    assert len(design) == len(populations) == len(cells)
    assert [tuple(each.labels.values()) for each in populations] == cells
    assert [tuple(row) for row in table[[*names, "seed"]].itertuples(index=False)] == [
        (*cell, seed) for cell in cells for seed in range(seeds)
    ]
    for labels, own in design:
        rows = table[(table[list(labels)] == list(labels.values())).all(axis=1)]
        assert set(rows["recipe"]) == {own.key}


def test_a_recipe_of_several_cells_is_trained_once_and_measured_once(tmp_path):
    store = Store(tmp_path)
    design = Design.crossed(recipe, width=(0, 1), weights=("trained", "random"))
    store.measure(store.populations(design, range(2)), Accuracy())
    assert len([each for each in store.entries() if "members" in each.path.parts]) == 4
    assert len([each for each in store.entries() if "tables" in each.path.parts]) == 4
    assert [seeds for _, seeds in store.trained] == [(0, 1), (0, 1)]


def test_labels_stay_with_members_that_are_picked_out(store: Store):
    (population, _) = store.populations(Design.crossed(recipe, width=(0, 1)), range(3))
    assert store.measure([population.select((2,))], Accuracy())["width"].tolist() == [0]


def test_one_factor_needs_no_tuples():
    base = recipe(width=0)
    assert list(Design({"none": base, "more": base}, "training")) == [
        ({"training": "none"}, base), ({"training": "more"}, base),
    ]  # fmt: skip


@pytest.mark.parametrize(("cells", "factors", "said"), [
    ({}, "width", "cells is empty"),
    ({8: recipe(width=0)}, (), "one or more names"),
    ({(8, 8): recipe(width=0)}, ("width", "width"), "each once"),
    ({8: recipe(width=0)}, "regime", "has a column 'regime'"),
    ({8: recipe(width=0)}, ("width", "training"), "the cell 8 does not have one level for each of width, training"),
    ({(8, 1, 1): recipe(width=0)}, ("width", "training"), "(8, 1, 1)"),
])  # fmt: skip
def test_what_is_no_design_says_why(cells, factors, said: str):
    with pytest.raises(ValueError, match=re.escape(said)):
        Design(cells, factors)


def test_what_cannot_be_in_one_table_is_refused(store: Store):
    one = store.populations(Design({0: recipe(width=0)}, "width"), range(2))
    other = store.populations(Design({0: recipe(width=0)}, "noise"), range(2))
    with pytest.raises(ValueError, match="measure one design at a time"):
        store.measure([*one, *other], Accuracy())
    taken = store.populations(Design({0: recipe(width=0)}, "accuracy"), range(2))
    with pytest.raises(ValueError, match="'accuracy' is also a column"):
        store.measure(taken, Accuracy())
