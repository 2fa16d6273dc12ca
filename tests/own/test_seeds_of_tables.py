"""Seeds of given weights: a table has those of the population that is measured now, whatever was measured before."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))

import own_models

import harness
from harness import (
    MLP,
    Accuracy,
    Checkpoints,
    Evidence,
    Factors,
    Measurement,
    PairedDifference,
    PerturbationSpec,
    Population,
    Recipe,
    Robustness,
    Source,
    Store,
    ToyImages,
    Trained,
    claim,
)

DATA = ToyImages(train=96, test=24)
WEIGHTS = [own_models.drawn(seed, {"numpy": False}) for seed in range(5)]
PAPER = Source("paper", "A paper").at("1", "q")


@dataclass(frozen=True)
class Beside(Measurement):
    """Something that depends on a member's weights and on its seed."""

    @property
    def name(self) -> str:
        return "beside"

    def run(self, population, data, device):
        lengths = population.final.norm(dim=1).double().tolist()
        values = [length + seed for length, seed in zip(lengths, population.seeds, strict=True)]
        return pd.DataFrame({"seed": population.seeds, "epoch": population.epochs[-1], "value": values})


# Walks that begin at random points, which the seed decides.
ATTACK = Robustness(thresholds=(1.0,), points=6, spec=PerturbationSpec(steps=3, neighbours=1, references=0))
INSTRUMENTS = (Accuracy(), ATTACK, Beside())
MAPPINGS = st.dictionaries(st.integers(0, 7), st.integers(0, 4), min_size=1, max_size=6)


@pytest.fixture(scope="module")
def kept(tmp_path_factory) -> Store:
    return Store(tmp_path_factory.mktemp("kept"))


def check_as_fresh(kept: Store, folder: Path, populations: list[Population]) -> None:
    for instrument in INSTRUMENTS:
        table = kept.measure(populations, instrument)
        pd.testing.assert_frame_equal(table, Store(folder).measure(populations, instrument))
        assert table["seed"].tolist() == [seed for each in populations for seed in each.seeds]


@settings(max_examples=15, deadline=None)
@given(mapping=MAPPINGS, order=st.randoms(use_true_random=False), part=st.integers(1, 6))
def test_weights_under_any_seeds_and_in_any_order_have_the_table_of_a_new_store(kept, tmp_path_factory, mapping, order, part):
    members = list(mapping.items())
    order.shuffle(members)
    given_now = Checkpoints({seed: WEIGHTS[which] for seed, which in members}, model=own_models.plain, data=DATA)
    rows = [given_now.seeds.index(seed) for seed, _ in members]
    shuffled = {epoch: theta[rows] for epoch, theta in given_now.parameters.items()}
    by_hand = Population(given_now.recipe, tuple(seed for seed, _ in members), shuffled)
    some = given_now.select(tuple(seed for seed, _ in members[:part]))
    for number, populations in enumerate(([given_now], [by_hand], [some, by_hand])):
        check_as_fresh(kept, tmp_path_factory.mktemp("fresh") / str(number), populations)


@settings(max_examples=6, deadline=None)
@given(seeds=st.lists(st.integers(0, 4), min_size=1, max_size=4, unique=True), loop=st.booleans())
def test_members_of_recipes_in_any_order_have_the_table_of_a_new_store(kept, tmp_path_factory, seeds, loop):
    own = Trained(own_models.drawn, {"numpy": False}, model=own_models.plain, data=DATA)
    recipe = own if loop else Recipe(DATA, MLP((8,)), epochs=1)
    population = kept.population(recipe, seeds)
    changed = kept.population(recipe, seeds)
    changed.final.mul_(1.5)
    for number, each in enumerate((population, changed)):
        check_as_fresh(kept, tmp_path_factory.mktemp("fresh") / str(number), [each])


def test_a_seed_of_two_members_is_refused(tmp_path):
    one = Checkpoints(WEIGHTS, model=own_models.plain, data=DATA)
    with pytest.raises(ValueError, match=r"has the seeds \[0, 0, 1, 2, 3\], one of them twice"):
        Store(tmp_path).measure([Population(one.recipe, (0, 0, 1, 2, 3), one.parameters)], Beside())


def doubling(seed: int, config: dict[str, float]) -> dict[str, torch.Tensor]:
    """A loop that takes a seed for several."""
    return WEIGHTS[seed % int(config["of"])]


HIGHER = PairedDifference("value", "regime", "one", "two", "seed", margin=0.05, margin_reason="r")


@pytest.mark.parametrize("loop", [False, True])
@pytest.mark.parametrize("of", [2, 3, 5])
def test_seeds_with_the_same_weights_are_no_evidence(tmp_path, loop, of):
    store = Store(tmp_path)

    def judged(prediction, of: int, other: int):
        @claim("p/c", statement="S.", source=PAPER, prediction=prediction, population=Factors(random="seed"))
        def body(harness):
            def population(name: str, of: int) -> Population:
                if loop:
                    recipe = Trained(doubling, {"of": of}, model=own_models.plain, data=DATA, name=name)
                    return harness.store.population(recipe, range(5))
                weights = {seed: WEIGHTS[seed % of] for seed in range(5)}
                return Checkpoints(weights, model=own_models.plain, data=DATA, name=name)

            return Evidence(harness.store.measure([population("one", of), population("two", other)], Beside()))

        return harness.run(body, store=store).verdict

    for _ in range(2):  # the second time everything is there already
        verdict = judged(HIGHER, of, 5)
        if of == 5:
            assert "the same weights" not in verdict.reason
            continue
        assert verdict.outcome == "invalid"
        alike = "0, 2, 4, and seeds 1, 3" if of == 2 else "0, 3, and seeds 1, 4"
        assert verdict.reason.startswith(
            f"Seeds {alike} of plain one have the same weights, so that one network would count as several"
        )
