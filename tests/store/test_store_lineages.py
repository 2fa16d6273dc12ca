"""Parts of what is wanted: each by itself, all of it in all of them, the same whoever cuts."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from store_samples import DATA

from harness.recipe import MLP, Recipe, Threat
from harness.store.lineages import ancestry, lineages, part

ROOTS = [Recipe(DATA, MLP((width,)), epochs=2) for width in (3, 4, 5)]
CHILDREN = [root.finetuned(Threat(steps=1), epochs=epochs) for root in ROOTS for epochs in (1, 2)]
GRANDCHILDREN = [child.finetuned(Threat(steps=2), epochs=1) for child in CHILDREN[:3]]
RECIPES = [*ROOTS, *CHILDREN, *GRANDCHILDREN]
WANTED = st.lists(st.tuples(st.sampled_from(RECIPES), st.sets(st.integers(0, 9), min_size=1)), max_size=6)


def cut(wanted):
    return lineages(
        [(recipe, sorted(seeds)) for recipe, seeds in wanted], lambda recipe: 4, lambda recipe: float(recipe.epochs)
    )


def members(found):
    return [(recipe.key, seed) for each in found for recipe, seeds in each.members for seed in seeds]


@settings(deadline=None)
@given(WANTED, st.integers(1, 4), st.randoms())
def test_parts_hold_everything_once_and_need_nothing_of_each_other(wanted, of, random):
    parts = [part(cut(wanted), number, of) for number in range(1, of + 1)]
    asked = {(each.key, seed) for recipe, seeds in wanted for each in ancestry(recipe) for seed in seeds}
    held = [members(each) for each in parts]
    assert sorted(each for own in held for each in own) == sorted(asked)
    for own, found in zip(held, parts, strict=True):
        for each in found:
            assert max(len(seeds) for _, seeds in each.members) <= 4
            for place, (recipe, seeds) in enumerate(each.members):
                assert recipe.parent is None or all((recipe.parent.key, seed) in own for seed in seeds)
                assert recipe.parent is None or recipe.parent.key in [before.key for before, _ in each.members[:place]]
    shuffled = list(wanted)
    random.shuffle(shuffled)
    again = [part(cut(shuffled), number, of) for number in range(1, of + 1)]
    assert [sorted(members(each)) for each in again] == [sorted(each) for each in held]


@settings(deadline=None)
@given(WANTED, st.integers(1, 4))
def test_no_part_is_larger_than_another_by_more_than_one_lineage(wanted, of):
    every = cut(wanted)
    loads = [sum(each.work for each in part(every, number, of)) for number in range(1, of + 1)]
    assert max(loads) - min(loads) <= max((each.work for each in every), default=0.0)
