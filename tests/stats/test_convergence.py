"""Do chains agree, and how many draws are they worth: against ArviZ's numbers and against autoregressions in closed form."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.stats.convergence import change, effective_draws, growth, mean_error, split_rhat


def autoregression(phi: float, chains: int, draws: int, seed: int) -> np.ndarray:
    """Stationary chains of variance 1 with autocorrelation φ^t."""
    noise = np.random.default_rng(seed).standard_normal((chains, draws))
    values = np.empty_like(noise)
    values[:, 0] = noise[:, 0]
    for step in range(1, draws):
        values[:, step] = phi * values[:, step - 1] + math.sqrt(1 - phi**2) * noise[:, step]
    return values


# φ, whether exponentiated, shift from chain to chain, draws, chains; then ArviZ 0.21.0's rhat(method="rank"),
# ess(method="mean") and ess(method="bulk") of them, drawn in this order from one stream.
ARVIZ = [
    (0.0, False, 0.0, 200, 4, 1.0068637400209128, 719.2008681410257, 719.09284966132),
    (0.5, True, 0.0, 200, 4, 1.0056450832544233, 429.9107984469331, 315.65607647011234),
    (0.9, False, 0.0, 1000, 4, 1.0177309708130553, 229.66691968435342, 230.3696115903268),
    (0.9, True, 0.5, 500, 4, 1.1800158954623383, 55.46604136675413, 20.24529027002583),
    (-0.4, False, 0.0, 300, 3, 1.0009990086746992, 2315.034748247394, 2314.0328695799885),
    (0.99, True, 0.0, 400, 2, 1.518741142795583, 3.651990918491031, 3.811413104064064),
]


def test_the_numbers_are_those_of_arviz() -> None:
    draw = np.random.default_rng(5)
    for phi, skewed, shift, draws, chains, rhat, mean, bulk in ARVIZ:
        noise = draw.standard_normal((chains, draws))
        values = np.zeros((chains, draws))
        values[:, 0] = noise[:, 0]
        for step in range(1, draws):
            values[:, step] = phi * values[:, step - 1] + noise[:, step] * np.sqrt(1 - phi * phi)
        values = (np.exp(values) if skewed else values) + shift * np.arange(chains)[:, None]
        assert split_rhat(values) == pytest.approx(rhat, rel=1e-9)
        # The last odd correlation of a sum is counted a little otherwise there: within 2 %.
        assert effective_draws(values) == pytest.approx(mean, rel=0.02)
        assert effective_draws(values, ranks=True) == pytest.approx(bulk, rel=0.02)


@pytest.mark.parametrize("phi", [0.0, 0.5, 0.9])
def test_the_error_is_that_of_the_mean(phi: float) -> None:
    """Var of a mean is (1 + φ)/(1 − φ)/n; over 200 studies the mean in units of its error has variance 1."""
    scores, effective = [], []
    for seed in range(200):
        chains = autoregression(phi, 4, 500, seed)
        scores.append(chains.mean() / mean_error(chains))
        effective.append(effective_draws(chains))
    assert np.mean(effective) == pytest.approx(2000 * (1 - phi) / (1 + phi), rel=0.15)
    assert np.mean(np.square(scores)) == pytest.approx(1, abs=4 * math.sqrt(2 / 200))


@given(st.integers(2, 6), st.integers(8, 60), st.integers(0, 2**31), st.integers(-3, 3), st.integers(-6, 6))
def test_scale_and_place_do_not_matter(chains: int, draws: int, seed: int, place: int, power: int) -> None:
    values, scale = np.random.default_rng(seed).standard_normal((chains, draws)), 2.0**power
    moved = place + scale * values
    # A place rounds, and the two middle draws are equally far from the median, so that rounding would rank them.
    assert split_rhat(scale * values) == split_rhat(values)
    assert effective_draws(moved) == pytest.approx(effective_draws(values), rel=1e-6)
    assert mean_error(moved) == pytest.approx(scale * mean_error(values), rel=1e-6)
    assert change(moved) == pytest.approx(change(values), rel=1e-4, abs=1e-6)


@given(st.integers(2, 6), st.integers(50, 200), st.integers(0, 2**31), st.floats(5, 50))
def test_chains_in_different_places_do_not_agree(chains: int, draws: int, seed: int, apart: float) -> None:
    values = np.random.default_rng(seed).standard_normal((chains, draws)) + apart * np.arange(chains)[:, None]
    assert split_rhat(values) > 1.3
    assert mean_error(values) > 3 * values.std() / math.sqrt(values.size)


def test_chains_of_different_spread_do_not_agree() -> None:
    values = np.random.default_rng(1).standard_normal((4, 200)) * np.array([1, 1, 1, 10])[:, None]
    assert split_rhat(values) > 1.2


def test_what_still_moves_is_seen() -> None:
    draw = np.random.default_rng(2)
    rising = np.linspace(0, 1, 200) + 0.05 * draw.standard_normal((4, 200))
    assert change(rising) > 3
    share, error = growth(rising)
    assert share == pytest.approx(1.0, abs=0.1)
    assert share > 3 * error
    still = 10 + draw.standard_normal((4, 200))
    assert abs(change(still)) < 4
    assert abs(growth(still)[0]) < 0.1


@pytest.mark.parametrize("draws", [1, 2, 3])
def test_a_change_of_too_few_draws_is_none_and_no_warning(draws: int) -> None:
    """As a chain has them whose budget ends with its burn-in."""
    assert math.isnan(change(np.ones((4, draws))))
    assert math.isnan(growth(np.ones((4, draws)))[1])


@pytest.mark.parametrize("values", [np.zeros((3, 3)), np.full((2, 50), np.nan), np.array([[0.0, 1, np.inf, 3, 2]])])
def test_without_a_number_there_is_none(values: np.ndarray) -> None:
    assert math.isnan(split_rhat(values))
    assert math.isnan(effective_draws(values))
    assert math.isnan(mean_error(values))


def test_draws_that_are_all_equal_agree_and_have_no_error() -> None:
    values = np.full((4, 20), 3.0)
    assert split_rhat(values) == 1
    assert mean_error(values) == 0
    assert change(values) == 0
    assert split_rhat(np.arange(4.0)[:, None].repeat(20, 1)) == math.inf
