"""Robustness under perturbations that stay on a linear manifold."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from harness.data import LabelledCube, ToyImages
from harness.measure.ball import BallDistance
from harness.measure.gaps import Gaps
from harness.measure.manifold import Manifold, in_coordinates
from harness.measure.margins import Margins
from harness.measure.robustness import Robustness
from harness.measure.views import Viewed
from harness.population import Population
from harness.recipe import MLP, SGD, Module, Recipe, RecipeError, Threat
from harness.train import initial, train

SPEC = LabelledCube(bits=2, train=64, test=24, ambient=12)
RECIPE = Recipe(SPEC, MLP((8, 5)), optimiser=SGD(0.2), epochs=4, batch_size=16)
SEEDS = (0, 1, 4)


@pytest.fixture(scope="module")
def members():
    return Population(RECIPE, SEEDS, train(RECIPE, SPEC.load(), SEEDS))


def test_the_network_of_the_coordinates_is_the_same_function(members):
    moved = in_coordinates(members)
    x, z = SPEC.load().test_x, SPEC.coordinates().test_x
    outputs = [
        each.program.logits(each.program.layout.views(each.final), torch.from_numpy(points).T[None].expand(3, -1, -1))
        for each, points in ((members, x), (moved, z))
    ]
    torch.testing.assert_close(*outputs, rtol=1e-4, atol=1e-5)
    assert moved.recipe.data.shape == (3,)


def test_it_is_at_least_the_robustness_in_the_whole_space(members):
    """A perturbation on the manifold is one of the space; up to the search, which is an upper bound of either."""
    settings = {"thresholds": (), "norm": "l2", "by_sample": True}
    there = Viewed(Robustness(**settings), Manifold()).run(members, SPEC.load(), "cpu")["perturbation"]
    anywhere = Robustness(**settings).run(members, SPEC.load(), "cpu")["perturbation"]
    assert (there >= anywhere * 0.98).all()
    assert float(there.median()) > float(anywhere.median())


def test_a_linear_network_is_solved_exactly():
    """f = ⟨w, x⟩ + b through a hidden layer that is always on: the distance on the manifold is |f| / ‖Qᵀ w‖."""
    recipe = Recipe(SPEC, MLP((2,)), epochs=0)
    members = Population(recipe, (0,), {0: initial(recipe, (0,))})
    views = members.program.layout.views(members.final)
    views["0.bias"][:] = 50.0  # far beyond what any input takes away
    weight = (views["1.weight"][0, 1] - views["1.weight"][0, 0]) @ views["0.weight"][0]
    views["1.bias"][0, 0], views["1.bias"][0, 1] = float((views["1.weight"][0, 1] - views["1.weight"][0, 0]).sum() * 50), 0.0
    data = SPEC.load()
    value = data.test_x @ weight.numpy()
    right = (value > 0) == (data.test_y == 1)
    exact = np.where(right, np.abs(value) / np.linalg.norm(SPEC.embedding().T @ weight.numpy()), 0.0)
    measure = Viewed(Robustness(thresholds=(), norm="l2", by_sample=True), Manifold())
    found = measure.run(members, data, "cpu")["perturbation"].to_numpy()
    inside = exact < 16  # the search looks no farther
    np.testing.assert_allclose(found[inside], exact[inside], rtol=5e-3, atol=1e-4)


def test_networks_and_data_without_a_manifold_are_refused():
    recipe = Recipe(ToyImages(train=30, test=9), MLP((3,)), epochs=0)
    with pytest.raises(TypeError, match="need a fully connected network and a data spec with embedding"):
        in_coordinates(Population(recipe, (0,), {0: initial(recipe, (0,))}))
    recipe = Recipe(SPEC, Module("harness.models.clusters:binary_network", "b", {"units": 2}), epochs=0)
    with pytest.raises(TypeError, match="Module on LabelledCube"):
        in_coordinates(Population(recipe, (0,), {0: initial(recipe, (0,))}))


@pytest.mark.parametrize("measurement", [Robustness(), Gaps(Threat("linf")), Margins(norm="linf")])
def test_other_norms_are_not_those_of_the_coordinates(measurement):
    with pytest.raises(RecipeError, match="has norm='linf'; it has to be 'l2' on a manifold"):
        Viewed(measurement, Manifold())


def test_networks_of_coordinates_have_no_start(members):
    with pytest.raises(TypeError, match="has no start of its own"):
        Viewed(BallDistance(), Manifold()).run(members, SPEC.load(), "cpu")


def test_accuracy_on_the_manifold_is_that_of_the_points(members):
    there, anywhere = (each.run(members, SPEC.load(), "cpu") for each in (Viewed(Gaps(), Manifold()), Gaps()))
    assert there["test_accuracy"].equals(anywhere["test_accuracy"])
    np.testing.assert_allclose(there["test_loss"], anywhere["test_loss"], rtol=1e-4)
