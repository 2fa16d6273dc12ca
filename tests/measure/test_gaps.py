"""Accuracy, loss and gaps against each network by itself."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch

from harness.data.base import Dataset
from harness.data.toy import ToyImages
from harness.measure import walk as stacks
from harness.measure.attack.attack import pgd
from harness.measure.gaps import Accuracy, Gaps, right_and_loss
from harness.networks import MLPProgram
from harness.population import Population
from harness.recipe import Architecture, Recipe, RecipeError, Threat
from harness.streams import sequence


def by_itself(population: Population, epoch: int, row: int, x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    logits = population.program.module(population.parameters[epoch][row])(torch.from_numpy(x)).detach()
    loss = torch.nn.functional.cross_entropy(logits, torch.from_numpy(y))
    return float((logits.argmax(1).numpy() == y).mean()), float(loss)


@pytest.mark.parametrize("which", ["mlp_members", "module_members"])
def test_accuracy_and_gaps_are_those_of_each_network(which, toy_data, request) -> None:
    population = request.getfixturevalue(which)
    gaps = Gaps(epochs="all").run(population, toy_data, "cpu").set_index(["seed", "epoch"])
    accuracy = Accuracy().run(population, toy_data, "cpu").set_index(["seed", "epoch"])
    training = Accuracy(split="train", epochs="final", points=20).run(population, toy_data, "cpu").set_index("seed")
    assert len(gaps) == len(accuracy) == 9
    assert len(training) == 3
    for row, seed in enumerate(population.seeds):
        for epoch in population.epochs:
            record = gaps.loc[(seed, epoch)]
            train = by_itself(population, epoch, row, toy_data.train_x, toy_data.train_y)
            test = by_itself(population, epoch, row, toy_data.test_x, toy_data.test_y)
            assert tuple(record[["train_accuracy", "train_loss"]]) == pytest.approx(train)
            assert tuple(record[["test_accuracy", "test_loss"]]) == pytest.approx(test)
            assert record["error_gap"] == pytest.approx(train[0] - test[0])
            assert record["loss_gap"] == pytest.approx(test[1] - train[1], abs=1e-6)
            assert tuple(accuracy.loc[(seed, epoch)]) == pytest.approx(test)
        few = by_itself(population, 2, row, toy_data.train_x[:20], toy_data.train_y[:20])
        assert tuple(training.loc[seed, ["accuracy", "loss"]]) == pytest.approx(few)


@dataclass(frozen=True)
class Linear(Architecture):
    """Nine inputs, two classes, no hidden layer."""

    name: str = "linear"

    def program(self, shape: tuple[int, ...], classes: int) -> MLPProgram:
        return MLPProgram((9, 2))


def same_points(data: Dataset) -> Dataset:
    return replace(data, test_x=data.train_x, test_y=data.train_y)


def test_there_is_no_gap_between_a_set_and_itself(mlp_members, toy_data) -> None:
    table = Gaps(epochs="all").run(mlp_members, same_points(toy_data), "cpu")
    assert not table[["error_gap", "loss_gap"]].any(axis=None)


def test_blocks_of_points_are_joined(mlp_members, toy_data, monkeypatch) -> None:
    whole = Gaps(threat=Threat(epsilon=0.5)).run(mlp_members, toy_data, "cpu")
    monkeypatch.setattr(stacks, "POINTS_AT_A_TIME", 7)
    monkeypatch.setattr("harness.measure.attack.attack.POINTS_AT_A_TIME", 7)
    parts = Gaps(threat=Threat(epsilon=0.5)).run(mlp_members, toy_data, "cpu")
    clean = [name for name in whole if not name.startswith("robust")]
    np.testing.assert_allclose(parts[clean], whole[clean], rtol=1e-5, atol=1e-6)
    # Other random starts; one point in 45 may flip.
    np.testing.assert_allclose(parts, whole, atol=0.05)


def least_progress(steps: int) -> float:
    """How far along a constant gradient L2 ascent gets at worst, in radii: over all starts in the half disc."""
    angle, radius = np.meshgrid(np.linspace(0, np.pi, 400), np.linspace(0, 1, 50))
    along, across = radius * np.cos(angle), radius * np.sin(angle)
    for _ in range(steps):
        along = along + 2.5 / steps
        length = np.maximum(np.hypot(along, across), 1)
        along, across = along / length, across / length
    return float(along.min())


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_a_two_class_linear_network_loses_what_the_threat_allows(norm, toy_data) -> None:
    """PGD solves a linear network: the margin falls by ε ‖w₁ − w₀‖_dual at every point, for L2 nearly."""
    reached = 1.0 if norm == "linf" else least_progress(20)
    data = replace(toy_data, train_y=toy_data.train_y.clip(max=1), test_y=toy_data.test_y.clip(max=1), classes=2)
    recipe = Recipe(ToyImages(), Linear(), epochs=0)
    theta = torch.randn(2, 20, generator=torch.Generator().manual_seed(0))
    population = Population(recipe, (0, 1), {0: theta})
    table = Gaps(threat=Threat(norm=norm, epsilon=0.3, steps=20)).run(population, data, "cpu")
    for row, record in enumerate(table.to_dict("records")):
        weight, bias = theta[row, :18].reshape(2, 9).double().numpy(), theta[row, 18:].double().numpy()
        lost = 0.3 * np.linalg.norm(weight[1] - weight[0], 1 if norm == "linf" else 2)
        for split in ("train", "test"):
            x, y = getattr(data, f"{split}_x").reshape(-1, 9), getattr(data, f"{split}_y")
            logits = x @ weight.T + bias
            margin = (logits[:, 1] - logits[:, 0]) * (2 * y - 1)
            none, all_ = ((margin > share * lost).mean() for share in (1, reached))
            assert none - 1e-6 <= record[f"robust_{split}_accuracy"] <= all_ + 1e-6
            worst, least = (np.logaddexp(0, share * lost - margin).mean() for share in (1, reached))
            assert least * (1 - 1e-5) <= record[f"robust_{split}_loss"] <= worst * (1 + 1e-5)
        assert record["robust_error_gap"] == record["robust_train_accuracy"] - record["robust_test_accuracy"]
        assert record["robust_loss_gap"] == record["robust_test_loss"] - record["robust_train_loss"]


def test_nothing_is_gained_by_an_attack(mlp_members, toy_data, monkeypatch) -> None:
    """The clean point lies in the ball too: an attack that only helps the network changes nothing."""

    def help_the_network(given, *rest):
        return 9 * given.inputs

    clean = Gaps(epochs="final").run(mlp_members, toy_data, "cpu")
    monkeypatch.setattr("harness.measure.attack.attack.perturbation", help_the_network)
    table = Gaps(threat=Threat()).run(mlp_members, toy_data, "cpu")
    for split in ("train", "test"):
        assert (table[f"robust_{split}_accuracy"] <= clean[f"{split}_accuracy"]).all()
        assert (table[f"robust_{split}_loss"] >= clean[f"{split}_loss"] * (1 - 1e-6)).all()


@pytest.mark.parametrize("measure", [Accuracy(), Gaps(epochs="all"), Gaps(threat=Threat(epsilon=0.5), epochs="all")], ids=repr)
def test_members_do_not_depend_on_who_stands_beside_them(measure, assert_alone_as_together) -> None:
    assert_alone_as_together(measure)


def test_a_tie_is_no_success(mlp_members, toy_data) -> None:
    undecided = Population(mlp_members.recipe, (0,), {2: torch.zeros_like(mlp_members.final[:1])})
    (record,) = Accuracy().run(undecided, toy_data, "cpu").to_dict("records")
    assert record["accuracy"] == 0
    assert record["loss"] == pytest.approx(np.log(3))


def test_a_single_output_is_refused() -> None:
    program = MLPProgram((3, 1))
    with pytest.raises(ValueError, match="accuracy needs two or more classes; this network has 1"):
        right_and_loss(program, program.layout.views(torch.zeros(1, 4)), torch.zeros(1, 3, 2), torch.ones(1, 1, 2))


@pytest.mark.parametrize("random_start", [True, False])
@pytest.mark.parametrize("relative_step", [1.0, 2.5])
@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_the_attack_is_that_of_the_threat(norm, relative_step, random_start, mlp_members, toy_data) -> None:
    """Every field of the threat is followed, as by the attack itself."""
    threat = Threat(norm, 1.0, 3, relative_step, random_start)
    table = Gaps(threat=threat).run(mlp_members, toy_data, "cpu")
    stream = int(sequence("gaps", "test", 0, 0).generate_state(1)[0])
    moved = pgd(mlp_members, toy_data.test_x, toy_data.test_y, threat, bounds=toy_data.bounds, seed=stream)
    for row, points in enumerate(moved):
        found, clean = (by_itself(mlp_members, 2, row, x, toy_data.test_y) for x in (points.numpy(), toy_data.test_x))
        assert table["robust_test_accuracy"][row] <= min(found[0], clean[0]) + 1e-6
        assert table["robust_test_loss"][row] >= max(found[1], clean[1]) * (1 - 1e-5)
    other = Gaps(threat=replace(threat, steps=5)).run(mlp_members, toy_data, "cpu")
    assert not table["robust_test_loss"].equals(other["robust_test_loss"])


def test_impossible_settings_are_refused() -> None:
    with pytest.raises(RecipeError, match="Accuracy has split='all'; it has to be one of 'train', 'test'"):
        Accuracy(split="all")
