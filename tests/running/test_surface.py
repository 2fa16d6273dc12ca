"""The surface over a scope: errors are in the units of the effects, and noise is no surface."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import strategies as st

from harness.running.scope import scope_of
from harness.running.surface import Surface

SCOPE = scope_of({"width": st.floats(0.0, 1.0)}, {"width": 0.5})
SETTINGS = [{"width": float(value)} for value in np.linspace(0, 1, 25)]
ERROR = 0.3


def surface(distances: np.ndarray, errors: np.ndarray) -> Surface:
    return Surface(SCOPE, SETTINGS, distances, errors)


@pytest.mark.parametrize("units", [0.5, 2.0, 4.0])
def test_effects_and_errors_in_other_units_are_the_same_surface(units: float) -> None:
    """scikit-learn's own normalize_y leaves errors behind: findings/sklearn_gp_noise_is_in_units_of_normalised_y.sh"""
    draw = np.random.default_rng(0)
    effects = 0.5 * np.sin(2 * np.pi * np.linspace(0, 1, 25)) + 0.2 * draw.standard_normal(25)
    errors = draw.uniform(0.1, 0.3, 25)
    mean, deviation = surface(effects, errors).at(SETTINGS)
    other_mean, other_deviation = surface(units * effects, units * errors).at(SETTINGS)
    np.testing.assert_allclose(other_mean, units * mean, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(other_deviation, units * deviation, rtol=1e-3)


def test_noise_of_known_size_decides_few_settings_of_a_flat_world() -> None:
    decided = []
    for world in range(40):
        draw = np.random.default_rng([7, world])
        mean, deviation = surface(ERROR * draw.standard_normal(25), np.full(25, ERROR)).at(SETTINGS)
        decided.append((np.abs(mean) > 1.645 * deviation).mean())
    # A band of 90 % that holds its level leaves out 10 % of the settings; the lengths are fitted here, to the noise as well.
    assert np.mean(decided) < 0.2
