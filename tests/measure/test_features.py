"""Feature coefficients of weights that were made from known ones."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch

from harness.data.toy import ToyImages
from harness.measure.features import FeatureCoefficients, feature_coefficients
from harness.population import Population
from harness.recipe import RecipeError

ROWS = tuple(tuple(6.0 * (pixel // 3 == row) for pixel in range(9)) for row in range(3))  # the lit rows of the toy images


def test_coefficients_are_those_that_the_weights_were_made_of() -> None:
    rng = np.random.default_rng(0)
    features = np.linalg.qr(rng.normal(size=(12, 4)))[0].T * np.array([[1.0], [2.0], [3.0], [0.5]])
    truth = rng.normal(size=(2, 5, 4))
    rest = rng.normal(size=(2, 5, 12))
    rest -= np.einsum("mrj,ji->mri", feature_coefficients(rest, features), features)  # what no feature explains
    found = feature_coefficients(truth @ features + rest, features)
    np.testing.assert_allclose(found, truth, atol=1e-12)
    np.testing.assert_allclose(feature_coefficients(rest, features), 0, atol=1e-12)  # null


def test_two_features_by_hand() -> None:
    found = feature_coefficients([[3.0, 4.0, 9.0]], [[2.0, 0.0, 0.0], [0.0, -1.0, 0.0]])
    np.testing.assert_allclose(found, [[1.5, -4.0]])


def test_the_table_counts_from_the_start(mlp_members, toy_data) -> None:
    table = FeatureCoefficients(features=ROWS, epochs="all").run(mlp_members, toy_data, "cpu")
    assert len(table) == 3 * 3 * 7 * 3
    assert not table[table["epoch"] == 0]["coefficient"].any()
    weights = {epoch: mlp_members.program.layout.views(theta)["0.weight"] for epoch, theta in mlp_members.parameters.items()}
    for record in table[table["epoch"] == 2].to_dict("records"):
        row = mlp_members.seeds.index(record["seed"])
        now, start = (weights[epoch][row, record["unit"]].double().numpy() for epoch in (2, 0))
        feature = np.array(ROWS[record["feature"]])
        assert record["coefficient"] == pytest.approx((now - start) @ feature / 108, abs=1e-12)  # ‖μ‖² = 3 · 6²
        assert record["cosine"] == pytest.approx(now @ feature / np.linalg.norm(now) / 108**0.5, abs=1e-12)


def test_without_the_start_the_weights_themselves_are_measured(module_members, toy_data) -> None:
    final = Population(module_members.recipe, module_members.seeds, {2: module_members.final})
    table = FeatureCoefficients(features=ROWS, since_start=False).run(final, toy_data, "cpu")
    weight = module_members.program.layout.views(module_members.final)["1.weight"].double()
    expected = torch.einsum("mri,ji->mrj", weight, torch.tensor(ROWS, dtype=torch.float64)) / 108
    np.testing.assert_allclose(table["coefficient"], expected.flatten())


def test_a_unit_speaks_for_the_class_that_it_raises_most(module_members, toy_data) -> None:
    table = FeatureCoefficients(features=ROWS, output="3.weight").run(module_members, toy_data, "cpu")
    classes = module_members.program.layout.views(module_members.final)["3.weight"].argmax(1)
    found = table.groupby(["seed", "unit"])["unit_class"].first().to_numpy().reshape(3, 5)
    np.testing.assert_array_equal(found, classes)


@dataclass(frozen=True)
class Lit(ToyImages):
    """The toy images, which know their features."""

    def features(self) -> np.ndarray:
        return np.array(ROWS).reshape(3, 3, 3)


def test_a_data_spec_may_know_its_features(mlp_members, toy_data) -> None:
    knowing = Population(replace(mlp_members.recipe, data=Lit()), mlp_members.seeds, mlp_members.parameters)
    one = FeatureCoefficients().run(knowing, toy_data, "cpu")
    assert one.equals(FeatureCoefficients(features=ROWS).run(mlp_members, toy_data, "cpu"))
    with pytest.raises(ValueError, match=r"ToyImages has no features\(\); give the measurement features="):
        FeatureCoefficients().run(mlp_members, toy_data, "cpu")


def test_members_do_not_depend_on_who_stands_beside_them(assert_alone_as_together) -> None:
    assert_alone_as_together(FeatureCoefficients(features=ROWS, epochs="all"))


def test_dead_weights_have_no_angle(mlp_members, toy_data) -> None:
    dead = Population(mlp_members.recipe, (0,), {0: mlp_members.final[:1] * 0, 2: mlp_members.final[:1] * 0})
    table = FeatureCoefficients(features=ROWS).run(dead, toy_data, "cpu")
    assert not table[["coefficient", "cosine"]].any(axis=None)


def test_features_that_are_no_basis_are_refused() -> None:
    with pytest.raises(ValueError, match=r"features 0 and 2 have the cosine 0\.707; projections are the coefficients of orth"):
        feature_coefficients(np.ones((1, 3)), [[1.0, 0, 0], [0, 0, 1.0], [1.0, 1.0, 0]])
    with pytest.raises(ValueError, match="feature 1 is zero"):
        feature_coefficients(np.ones((1, 3)), [[1.0, 0, 0], [0, 0, 0]])
    with pytest.raises(ValueError, match=r"weights have shape \(1, 3\) and features \(1, 2\)"):
        feature_coefficients(np.ones((1, 3)), [[1.0, 0]])


def test_what_a_population_lacks_is_refused(mlp_members, toy_data) -> None:
    final = Population(mlp_members.recipe, mlp_members.seeds, {2: mlp_members.final})
    with pytest.raises(ValueError, match=r"keeps the epochs \(2,\), and what was learned is counted from epoch 0"):
        FeatureCoefficients(features=ROWS).run(final, toy_data, "cpu")
    with pytest.raises(ValueError, match=r"no parameter 'first'; it has 0\.weight, 0\.bias"):
        FeatureCoefficients(features=ROWS, weight="first").run(mlp_members, toy_data, "cpu")
    with pytest.raises(ValueError, match=r"'2.weight' has shape \(3, 6\); expected \(class, unit\) or \(unit,\) with 7 units"):
        FeatureCoefficients(features=ROWS, output="2.weight").run(mlp_members, toy_data, "cpu")
    with pytest.raises(RecipeError, match="FeatureCoefficients has features"):
        FeatureCoefficients(features=())
