"""The classifier of groups that a network of many classes is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from fixtures.dynamics.data import Clusters
from fixtures.lazy.ball import BallDistance
from harness.data import GroupedLabels
from harness.measure.attack.robustness import Robustness
from harness.measure.gaps import Gaps
from harness.measure.grouped import Grouped, GroupedArchitecture
from harness.measure.views import Viewed
from harness.networks import GroupedProgram, MLPProgram
from harness.population import Population
from harness.recipe import MLP, Module, Recipe, RecipeError, Threat
from harness.training.train import train

GROUPS = ((0, 3), (1, 2, 4))


@pytest.fixture(scope="module")
def case():
    program = MLPProgram((6, 7, 5))
    theta = torch.stack([program.initial(torch.Generator().manual_seed(row)) for row in range(3)])
    x = torch.randn(3, 6, 20, generator=torch.Generator().manual_seed(5))
    return program, GroupedProgram(program, GROUPS), theta, x


def test_the_decision_is_the_group_of_the_decided_class(case):
    program, grouped, theta, x = case
    views = program.layout.views(theta)
    decided = program.logits(views, x).argmax(1)
    group = torch.tensor([0, 1, 1, 0, 1])[decided]
    assert torch.equal(grouped.logits(views, x).argmax(1), group)
    module = grouped.module(theta[0])
    torch.testing.assert_close(module(x[0].T), grouped.logits(views, x)[0].T)


def test_its_gradient_is_that_of_autograd(case):
    program, grouped, theta, x = case
    logits, back = grouped.pullback(program.layout.views(theta), x)
    up = torch.randn(logits.shape, generator=torch.Generator().manual_seed(1))
    found = back(up)
    for row in range(3):
        points = x[row].T.clone().requires_grad_()
        (grouped.module(theta[row])(points) * up[row].T).sum().backward()
        torch.testing.assert_close(found[row].T, points.grad)


def test_a_line_is_walked_as_by_adding_the_step(case):
    program, grouped, theta, x = case
    views, step = program.layout.views(theta), torch.linspace(-1, 1, 60).reshape(3, 20)
    torch.testing.assert_close(grouped.line(views, x, 2 * x)(step), grouped.logits(views, x + 2 * x * step[:, None]))


def test_nothing_trains_through_it(case):
    program, grouped, theta, x = case
    with pytest.raises(TypeError, match="train it on its own classes"):
        grouped.loss_gradient(program.layout.views(theta), x, x, {}, "cross_entropy")


@pytest.mark.parametrize("groups", [((0, 1, 2, 3, 4),), ((0, 1), (2, 3)), ((0, 1, 2), (2, 3, 4))])
def test_groups_part_the_classes(case, groups):
    with pytest.raises(ValueError, match="do not partition the 5 classes"):
        GroupedProgram(case[0], groups)


SPEC = Clusters(clusters=4, dimension=16, train=64, test=32, noise=0.5, labels="cluster")


@pytest.fixture(scope="module")
def members():
    network = Module("fixtures.dynamics.networks:cluster_network", "c", {"units": 4, "deviation": 0.1})
    recipe = Recipe(SPEC, network, epochs=60, batch_size=64)
    return Population(recipe, (0, 1, 4), train(recipe, SPEC.load(), (0, 1, 4)))


def test_a_change_within_a_group_does_not_count(members):
    """The nearest cluster of the own group is as near as that of the other; only the latter counts."""
    data = SPEC.load()
    fine = Robustness(thresholds=(), norm="l2", by_sample=True).run(members, data, "cpu")
    coarse = Viewed(Robustness(thresholds=(), norm="l2", by_sample=True), Grouped(SPEC.groups)).run(members, data, "cpu")
    found, least = coarse["perturbation"], fine["perturbation"]  # 0 where the class is wrong as it is
    assert (found >= 0.98 * least).all(), "changing the group changes the class"
    assert (found > 1.02 * least).any()
    assert coarse["perturbation"].median() < np.sqrt(2 * 16), "the next cluster of the other class lies at √(2d)"


def test_groups_of_one_class_change_nothing(members):
    data = SPEC.load()
    settings = {"thresholds": (1.0,), "norm": "l2", "points": 16}
    fine = Robustness(**settings).run(members, data, "cpu")
    same = Viewed(Robustness(**settings), Grouped(((0,), (1,), (2,), (3,)))).run(members, data, "cpu")
    assert fine.equals(same)


def test_it_attacks_the_labels_of_the_groups(members):
    data = GroupedLabels(SPEC, SPEC.groups).load()
    network = GroupedArchitecture(members.recipe.architecture, SPEC.groups)
    grouped = replace(members, recipe=replace(members.recipe, architecture=network))
    expected = Robustness(thresholds=(), norm="l2").run(grouped, data, "cpu")
    found = Viewed(Robustness(thresholds=(), norm="l2"), Grouped(SPEC.groups)).run(members, SPEC.load(), "cpu")
    assert found.equals(expected)
    assert network.name == "c"


def test_one_group_is_refused():
    with pytest.raises(RecipeError, match="Grouped has groups="):
        Grouped(((0, 1),))
    assert GroupedArchitecture(MLP((3,)), ((0,), (1,))).name == "1x3"


def test_a_view_of_groups_changes_no_name_and_no_stream(members):
    seen, _ = Grouped(SPEC.groups).of(members, SPEC.load())
    assert seen.recipe.key == members.recipe.key
    there, anywhere = (each.run(members, SPEC.load(), "cpu") for each in (
        Viewed(BallDistance(), Grouped(SPEC.groups)), BallDistance(),
    ))  # fmt: skip
    assert there.equals(anywhere)
    finetuned = members.recipe.finetuned(Threat(), epochs=1)
    seen, _ = Grouped(SPEC.groups).of(replace(members, recipe=finetuned), SPEC.load())
    assert seen.recipe.key == finetuned.key


def test_gaps_are_those_of_the_groups(members):
    """A class within the own group is no error, without an attack and under one, which goes to the other group at once."""
    fine, coarse = (each.run(members, SPEC.load(), "cpu") for each in (
        Gaps(Threat("l2", 2.0, steps=5)), Viewed(Gaps(Threat("l2", 2.0, steps=5)), Grouped(SPEC.groups)),
    ))  # fmt: skip
    assert (coarse["test_accuracy"] >= fine["test_accuracy"]).all()
    assert (coarse["robust_test_accuracy"] <= coarse["test_accuracy"]).all()
    assert not coarse["robust_test_loss"].equals(fine["robust_test_loss"])
