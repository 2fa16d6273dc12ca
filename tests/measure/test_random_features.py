"""Random-feature regression against closed forms, and where there is nothing to descend twice."""

from __future__ import annotations

import numpy as np
import pytest

from harness.measure.random_features import RandomFeatures, errors_by_size, minimum_norm_fit
from harness.recipe import RecipeError


def test_the_fit_is_the_pseudo_inverse() -> None:
    rng = np.random.default_rng(0)
    for shape in ((20, 7), (7, 20), (9, 9)):
        features, targets = rng.standard_normal(shape), rng.standard_normal(shape[0])
        np.testing.assert_allclose(minimum_norm_fit(features, targets), np.linalg.pinv(features) @ targets, atol=1e-9)


def test_from_as_many_features_as_points_on_the_labels_are_fitted_exactly() -> None:
    table = errors_by_size(RandomFeatures(40, 30, (0.5, 1.0, 3.0), test=50), range(5))
    assert len(table) == 15
    assert table["features"].unique().tolist() == [20, 40, 120]
    assert (table.loc[table["ratio"] >= 1, "train_error"] < 1e-12).all()
    assert (table.loc[table["ratio"] < 1, "train_error"] > 1e-3).all()


def test_least_squares_below_the_threshold_has_its_known_error() -> None:
    """Linear features that span all d directions: E ‖β̂ − β‖² = τ² d / (n − d − 1), exactly (inverse Wishart)."""
    spec = RandomFeatures(60, 12, (0.2,), noise=0.7, test=400, linear=True)
    errors = errors_by_size(spec, range(300))["test_error"]
    known = 0.7**2 * 12 / (60 - 12 - 1)
    assert errors.mean() == pytest.approx(known, abs=4 * errors.std() / np.sqrt(300))


def test_minimum_norm_beyond_the_threshold_has_its_known_error() -> None:
    """Linear features with p ≥ d > n, all directions alike: E = (1 − n/d) + τ² n / (d − n − 1) (Hastie et al. 2022, 2).

    Projections are no orthonormal basis, so they distort it unless p is far above d; with p = 100 d by about d/p = 1 % of it.
    """
    spec = RandomFeatures(20, 60, (300.0,), noise=0.7, test=400, linear=True)
    errors = errors_by_size(spec, range(60))["test_error"]
    known = 1 - 20 / 60 + 0.7**2 * 20 / (60 - 20 - 1)
    assert errors.mean() == pytest.approx(known, abs=4 * errors.std() / np.sqrt(60) + 0.02 * known)


def test_without_noise_a_target_in_the_span_has_no_second_descent() -> None:
    spec = RandomFeatures(60, 10, (0.5, 1.0, 2.0), noise=0.0, test=50, linear=True)
    assert (errors_by_size(spec, range(3))["test_error"] < 1e-12).all()


def test_seeds_are_their_own_and_repeat() -> None:
    spec = RandomFeatures(20, 5, (0.5, 2.0), test=20)
    table = errors_by_size(spec, (0, 1))
    assert table.equals(errors_by_size(spec, (0, 1)))
    assert errors_by_size(spec, (1,))["test_error"].tolist() == table.loc[table["seed"] == 1, "test_error"].tolist()
    assert table["test_error"].nunique() == 4


@pytest.mark.parametrize(
    ("wrong", "message"),
    [({"points": 0}, "points=0"), ({"dimension": 0}, "dimension=0"), ({"test": 0}, "test=0"), ({"noise": -1}, "noise=-1"),
     ({"ratios": ()}, "ratios"), ({"ratios": (1.0, 0.5)}, "rising"), ({"ratios": (0.0, 0.5)}, "above 0")],
)  # fmt: skip
def test_impossible_settings_are_refused(wrong, message) -> None:
    with pytest.raises(RecipeError, match=message):
        RandomFeatures(**wrong)
