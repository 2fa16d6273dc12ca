"""The lazy ball: distances from the start, and random points."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from harness.data.toy import ToyImages
from harness.measure.ball import BallDistance, NearStart, random_ball_points, rows_of
from harness.measure.robustness import Robustness
from harness.measure.views import Viewed
from harness.population import Population
from harness.recipe import MLP, SGD, Recipe, RecipeError
from harness.train import initial, train

RADIUS = 0.05
RECIPE = Recipe(ToyImages(train=60, test=20), MLP((6, 5)), optimiser=SGD(0.5, row_radius=RADIUS), epochs=2)
SEEDS = (0, 1, 4)


@pytest.fixture(scope="module")
def data():
    return RECIPE.data.load()


@pytest.fixture(scope="module")
def members(data):
    return Population(RECIPE, SEEDS, train(RECIPE, data, SEEDS))


def test_the_distance_is_that_of_the_rows(members, data):
    table = BallDistance().run(members, data, "cpu")
    start = rows_of(members, initial(RECIPE, SEEDS))
    lengths = torch.cat([(value - start[name]).norm(dim=2) for name, value in rows_of(members, members.final).items()], 1)
    np.testing.assert_allclose(table["farthest"], lengths.amax(1))
    np.testing.assert_allclose(table["typical"], lengths.mean(1), rtol=1e-6)
    assert table["farthest"].tolist() == pytest.approx([RADIUS] * 3, rel=1e-4), "projected training ends on the ball"


def test_untrained_members_are_at_their_start(data):
    recipe = replace(RECIPE, epochs=0)
    table = BallDistance().run(Population(recipe, SEEDS, {0: initial(recipe, SEEDS)}), data, "cpu")
    assert table[["farthest", "typical"]].to_numpy().tolist() == [[0.0, 0.0]] * 3


def test_without_the_ball_rows_go_farther(data):
    recipe = replace(RECIPE, optimiser=SGD(0.5))
    table = BallDistance().run(Population(recipe, SEEDS, train(recipe, data, SEEDS)), data, "cpu")
    assert (table["farthest"] > 2 * RADIUS).all()


def test_random_points_lie_on_the_surface_in_their_own_directions(members):
    moved = random_ball_points(members, 0.7)
    before, after = rows_of(members, members.final), rows_of(moved, moved.final)
    for name, value in after.items():
        change = value - before[name]
        torch.testing.assert_close(change.norm(dim=2), torch.full(change.shape[:2], 0.7))
        assert not torch.allclose(change[0], change[1])
    alone = random_ball_points(members.select((4,)), 0.7)
    assert torch.equal(alone.final[0], moved.final[2])
    biases = [name for name in members.program.layout.names if name.endswith("bias")]
    views = members.program.layout
    assert all(torch.equal(views.views(moved.final)[name], views.views(members.final)[name]) for name in biases)


def test_robustness_is_that_of_the_moved_members(members, data):
    measure = {"thresholds": (1.0,), "norm": "l2", "points": 12}
    plain = Robustness(**measure).run(members, data, "cpu")
    there = Viewed(Robustness(**measure), NearStart(0.7)).run(members, data, "cpu")
    expected = Robustness(**measure).run(random_ball_points(members, 0.7), data, "cpu")
    assert there.equals(expected)
    assert not there["median_perturbation"].equals(plain["median_perturbation"])


@pytest.mark.parametrize("distance", [0.0, -1.0, math.inf, None])
def test_impossible_distances_are_refused(distance):
    with pytest.raises(RecipeError, match=r"NearStart has distance=.*above 0"):
        NearStart(distance)


def test_a_random_point_is_taken_once_for_all_epochs(data):
    recipe = replace(RECIPE, checkpoints=(0,))
    members = Population(recipe, SEEDS, train(recipe, data, SEEDS))
    moved = random_ball_points(members, 0.7)
    assert moved.epochs == members.epochs == (0, 2)
    steps = [moved.parameters[epoch] - members.parameters[epoch] for epoch in moved.epochs]
    torch.testing.assert_close(*steps, rtol=1e-4, atol=1e-6)


def test_the_distance_of_random_points_of_initialised_members_is_that_of_the_view(data):
    recipe = replace(RECIPE, epochs=0)
    members = Population(recipe, SEEDS, {0: initial(recipe, SEEDS)})
    table = Viewed(BallDistance(), NearStart(0.7)).run(members, data, "cpu")
    np.testing.assert_allclose(table[["farthest", "typical"]], 0.7, rtol=1e-5)


def test_a_random_point_is_as_far_as_the_ball_is_wide(members):
    """The centre of a large ball is far from its surface: 0.7 in every row is √rows · 0.7 in all."""
    rows = sum(value.shape[1] for value in rows_of(members, members.final).values())
    moved = random_ball_points(members, 0.7).final - members.final
    assert moved.norm(dim=1).tolist() == pytest.approx([0.7 * math.sqrt(rows)] * 3, rel=1e-5)
