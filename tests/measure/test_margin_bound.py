"""Theorem 3.1's quantities by hand, on trained members, and for networks that classify nothing rightly."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from harness.data.base import Dataset
from harness.data.toy import ToyImages
from harness.measure.margin_bound import MarginBound, ramp_loss, weight_factor
from harness.measure.minimum_norm import PerturbationSpec
from harness.population import Population
from harness.recipe import MLP, Recipe, RecipeError


def test_the_ramp_loss_by_hand() -> None:
    np.testing.assert_array_equal(ramp_loss(np.array([-1.0, 0.0, 0.5, 2.0, 3.0]), 2.0), [1, 1, 0.75, 0, 0])


def test_the_weights_factor_by_hand() -> None:
    first = torch.diag(torch.tensor([3.0, -0.5])).double()
    kernel = torch.tensor([[4.0, 0.0, 0.0], [0.0, 0.0, 2.0]]).double().reshape(2, 3, 1, 1)
    last = torch.tensor([[0.0, 0.0], [3.0, 4.0], [3.0, 0.0]]).double()  # rows 5, 3 and 4 apart
    assert weight_factor([first, kernel, last]) == (pytest.approx(3), pytest.approx(0.5 * 2), pytest.approx(0.5))
    gap, product, smallest = weight_factor([last])
    assert (gap, product, smallest) == (3, 1, math.inf)


class Plane(ToyImages):
    """A spec that says: two values an image, two classes."""

    @property
    def shape(self) -> tuple[int, ...]:
        return (1, 2)

    @property
    def classes(self) -> int:
        return 2


def identity_network(*, exchanged: bool = False) -> Population:
    """Logits (relu(x₁), relu(x₂)): the boundary is the diagonal, margins and distances differ by √2."""
    eye, zero = torch.eye(2).flatten(), torch.zeros(2)
    last = torch.eye(2).flip(0).flatten() if exchanged else eye
    return Population(Recipe(Plane(60, 45), MLP((2,))), (5,), {100: torch.cat([eye, zero, last, zero])[None]})


def points(*values: tuple[float, float]) -> Dataset:
    x = np.array(values, np.float32)[:, None, :]
    y = (x[:, 0, 1] > x[:, 0, 0]).astype(int)
    return Dataset.of("plane", (x, y), (x[:1], y[:1]), classes=2, bounds=None, provenance="by hand")


def test_the_quantities_of_a_known_network() -> None:
    data = points((3.0, 1.0), (1.0, 2.0), (4.0, 1.0))
    row = MarginBound(gamma=2.0, eta=0.1, spec=PerturbationSpec(steps=40)).run(identity_network(), data, "cpu").iloc[0]
    assert row["class_gap"] == pytest.approx(math.sqrt(2))
    assert (row["sigma_product"], row["sigma_min"]) == (pytest.approx(1), pytest.approx(1))
    assert row["v_min"] == pytest.approx(1 / math.sqrt(2), rel=2e-3)
    assert row["u_min"] == pytest.approx(1.0, rel=2e-3)
    assert row["feature_margin"] == 1.0
    assert row["generalisation"] == pytest.approx(0.5 / 3)  # ramp losses 0, 1/2, 0 on training points and 0 on the test point
    assert row["first_term"] == pytest.approx(0.5, abs=1e-3)
    assert row["second_term"] == pytest.approx(math.sqrt((2 * math.log(2) + 2 * math.log(10)) / 3))
    assert row["bound"] == row["first_term"] + row["second_term"]
    assert bool(row["within"])
    assert not bool(row["informative"])


def test_a_bound_that_says_something_and_one_that_is_broken() -> None:
    many = points(*[(5.0 + number / 10, 1.0) for number in range(400)])
    row = MarginBound(gamma=1.0, eta=0.5, points=5).run(identity_network(), many, "cpu").iloc[0]
    assert (row["first_term"], row["generalisation"]) == (0, 0)
    assert bool(row["informative"])
    # Test points on the wrong side: the error is 1, the bound far below it.
    wrong = (many.test_x, 1 - many.test_y)
    broken = Dataset.of("broken", (many.train_x, many.train_y), wrong, classes=2, bounds=None, provenance="")
    row = MarginBound(gamma=1.0, eta=0.5, points=5).run(identity_network(), broken, "cpu").iloc[0]
    assert row["generalisation"] == 1
    assert not bool(row["within"])


def test_a_misclassified_training_point_leaves_no_margin() -> None:
    row = MarginBound().run(identity_network(exchanged=True), points((3.0, 1.0), (1.0, 2.0)), "cpu").iloc[0]
    assert (row["v_min"], row["u_min"], row["first_term"]) == (0, 0, 1)
    assert row["feature_margin"] < 0


def test_members_do_not_depend_on_who_stands_beside_them(assert_alone_as_together) -> None:
    assert_alone_as_together(MarginBound(points=10))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [({"gamma": 0}, "gamma=0"), ({"eta": 1}, "eta=1"), ({"covering": 0.5}, "covering=0.5"), ({"points": 0}, "points=0")],
)  # fmt: skip
def test_impossible_settings_are_refused(wrong, message) -> None:
    with pytest.raises(RecipeError, match=message):
        MarginBound(**wrong)
