"""Changes of a network and its data after which every instrument has to say the same.

Hidden units in another order, w·c before a ReLU and w/c behind it, classes with other numbers, pixels in another order together
with the weights that read them, seeds that are called otherwise, and a population in two parts: none of them changes what a
network computes.  So nothing that is measured of it may change, to the last bit where nothing is rounded otherwise (powers of
two, names, parts), else within the rounding of the sums that are taken in another order.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from harness import LLCSpec, Robustness, Threat, llc, pgd
from harness.data.base import Dataset
from harness.data.toy import ToyImages
from harness.measure.activations import ActivationNorms
from harness.measure.gaps import Accuracy, Gaps
from harness.measure.margins import Margins
from harness.measure.smoothness import GradientNorms
from harness.measure.spectra import OperatorBound, SingularValues
from harness.population import Population
from harness.recipe import MLP, Recipe

DATA = ToyImages(train=48, test=32, amplitude=2.0)
SIZES = (9, 7, 6, 3)
RECIPE = Recipe(DATA, MLP(SIZES[1:-1]), epochs=1)
PROGRAM = RECIPE.program()
UNIT = 2.0**-24  # of rounding in single precision
SUMMED = sum(SIZES[:-1]) + len(SIZES)  # terms that an output is a sum of, layer by layer
ROUNDED = 64 * SUMMED * UNIT  # relative: a chain of such sums there and back, each of which may lose a few bits by cancellation
INSTRUMENTS = [
    Accuracy(epochs="final"), Margins(), Margins(norm="linf"), Gaps(), Gaps(Threat("linf", 0.5, 1, random_start=False)),
    ActivationNorms(("train", "test")), GradientNorms(at="test", points=None), SingularValues(),
    OperatorBound(at="test", points=None),
]  # fmt: skip
NAMES = [f"{type(each).__name__} {number}" for number, each in enumerate(INSTRUMENTS)]

Weights = dict[str, torch.Tensor]
numbers = st.integers(0, 2**32 - 1)


def members(seed: int, count: int = 3) -> Population:
    """Networks with random weights of the size that training leaves."""
    rng = torch.Generator().manual_seed(seed)
    theta = torch.randn(count, PROGRAM.layout.total, generator=rng) * 0.5
    return Population(RECIPE, tuple(range(count)), {1: theta})


def of(population: Population) -> Weights:
    return {name: value.clone() for name, value in PROGRAM.layout.views(population.parameters[1]).items()}


def with_weights(population: Population, weights: Weights) -> Population:
    return Population(population.recipe, population.seeds, {1: PROGRAM.layout.flatten(weights)})


def permuted_units(population: Population, layer: int, seed: int) -> Population:
    """The units of a hidden layer in another order."""
    weights = of(population)
    order = torch.from_numpy(np.random.default_rng(seed).permutation(SIZES[layer + 1]))
    weights[f"{layer}.weight"] = weights[f"{layer}.weight"][:, order]
    weights[f"{layer}.bias"] = weights[f"{layer}.bias"][:, order]
    weights[f"{layer + 1}.weight"] = weights[f"{layer + 1}.weight"][:, :, order]
    return with_weights(population, weights)


def rescaled(population: Population, layer: int, powers: list[int]) -> Population:
    """w·c before a ReLU and w/c behind it; c is a power of two for each unit, so that nothing is rounded."""
    weights = of(population)
    c = torch.tensor([2.0**power for power in powers[: SIZES[layer + 1]]])
    weights[f"{layer}.weight"] *= c[:, None]
    weights[f"{layer}.bias"] *= c
    weights[f"{layer + 1}.weight"] /= c
    return with_weights(population, weights)


def relabelled(population: Population, data: Dataset, seed: int) -> tuple[Population, Dataset]:
    """Class c is called order⁻¹(c)."""
    order = np.random.default_rng(seed).permutation(SIZES[-1])
    weights, last = of(population), len(SIZES) - 2
    weights[f"{last}.weight"] = weights[f"{last}.weight"][:, order]
    weights[f"{last}.bias"] = weights[f"{last}.bias"][:, order]
    named = np.argsort(order)
    return with_weights(population, weights), replace(data, train_y=named[data.train_y], test_y=named[data.test_y])


def permuted_pixels(population: Population, data: Dataset, seed: int) -> tuple[Population, Dataset]:
    """The pixels in another order, and the weights that read them."""
    order = np.random.default_rng(seed).permutation(SIZES[0])
    weights = of(population)
    weights["0.weight"] = weights["0.weight"][:, :, order]

    def moved(images: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(images.reshape(len(images), -1)[:, order].reshape(images.shape))

    return with_weights(population, weights), replace(data, train_x=moved(data.train_x), test_x=moved(data.test_x))


def away_from_kinks(population: Population, data: Dataset) -> None:
    """Only networks and points at which no unit is switched, and no class chosen, by rounding."""
    weights = {name: value.double() for name, value in of(population).items()}
    x = torch.from_numpy(np.concatenate([data.train_x, data.test_x])).flatten(1).T.double()
    size, values, closest = x.abs()[None], x[None], []
    for layer in range(len(SIZES) - 1):
        w, b = weights[f"{layer}.weight"], weights[f"{layer}.bias"][..., None]
        values, size = w @ values + b, w.abs() @ size + b.abs()
        if layer < len(SIZES) - 2:
            closest.append((values.abs() / size).min())
            values = values.clamp_min(0)
    top = values.topk(2, dim=1)[0]
    closest.append(((top[:, 0] - top[:, 1]) / size.amax(1)).min())
    assume(min(map(float, closest)) > 4 * SUMMED * UNIT)


def same(one: pd.DataFrame, other: pd.DataFrame, *, exact: bool) -> None:
    if exact:
        pd.testing.assert_frame_equal(one, other, check_exact=True)
        return
    assert list(one.columns) == list(other.columns)
    for column in one.columns:
        a, b = one[column].to_numpy(), other[column].to_numpy()
        if a.dtype.kind == "f":
            size = np.abs(a[np.isfinite(a)]).max(initial=0.0)
            np.testing.assert_allclose(a, b, rtol=ROUNDED, atol=ROUNDED * size, err_msg=column)
        else:
            np.testing.assert_array_equal(a, b, err_msg=column)


@pytest.fixture(scope="module")
def data() -> Dataset:
    return DATA.load()


few = settings(max_examples=12, deadline=None)


@pytest.mark.parametrize("instrument", INSTRUMENTS, ids=NAMES)
@few
@given(seed=numbers, layer=st.integers(0, 1), order=numbers)
def test_hidden_units_have_no_order(instrument, data, seed, layer, order):
    population = members(seed)
    away_from_kinks(population, data)
    changed = permuted_units(population, layer, order)
    same(instrument.run(population, data, "cpu"), instrument.run(changed, data, "cpu"), exact=False)


SEEN_FROM_OUTSIDE = [each for each in INSTRUMENTS if not isinstance(each, SingularValues | OperatorBound | ActivationNorms)]
"""Those that look at what the network computes; the others look at its layers, which a rescaling changes."""


@pytest.mark.parametrize("instrument", SEEN_FROM_OUTSIDE, ids=[type(each).__name__ for each in SEEN_FROM_OUTSIDE])
@few
@given(seed=numbers, layer=st.integers(0, 1), powers=st.lists(st.integers(-6, 6), min_size=7, max_size=7))
def test_a_factor_may_stand_before_or_behind_a_relu(instrument, data, seed, layer, powers):
    population = members(seed)
    changed = rescaled(population, layer, powers)
    same(instrument.run(population, data, "cpu"), instrument.run(changed, data, "cpu"), exact=True)


@pytest.mark.parametrize("instrument", [each for each in INSTRUMENTS if not isinstance(each, GradientNorms)])
@few
@given(seed=numbers, order=numbers)
def test_classes_have_no_order(instrument, data, seed, order):
    population = members(seed)
    away_from_kinks(population, data)
    same(instrument.run(population, data, "cpu"), instrument.run(*relabelled(population, data, order), "cpu"), exact=False)


@pytest.mark.parametrize("instrument", INSTRUMENTS, ids=NAMES)
@few
@given(seed=numbers, order=numbers)
def test_pixels_have_no_order(instrument, data, seed, order):
    population = members(seed)
    away_from_kinks(population, data)
    same(instrument.run(population, data, "cpu"), instrument.run(*permuted_pixels(population, data, order), "cpu"), exact=False)


ATTACKED = Robustness(thresholds=(0.2, 0.5), points=16)


@pytest.mark.parametrize("instrument", [*INSTRUMENTS, ATTACKED])
@few
@given(seed=numbers, count=st.integers(2, 5), cut=st.integers(1, 4))
def test_a_population_may_come_in_parts(instrument, data, seed, count, cut):
    population = members(seed, count)
    cut = min(cut, count - 1)
    parts = [population.select(population.seeds[:cut]), population.select(population.seeds[cut:])]
    whole = instrument.run(population, data, "cpu").sort_values("seed", kind="stable", ignore_index=True)
    joined = pd.concat([instrument.run(each, data, "cpu") for each in parts], ignore_index=True)
    same(whole, joined.sort_values("seed", kind="stable", ignore_index=True), exact=True)


@pytest.mark.parametrize("instrument", INSTRUMENTS, ids=NAMES)
@few
@given(seed=numbers, by=st.integers(1, 10**6))
def test_what_draws_nothing_does_not_care_what_seeds_are_called(instrument, data, seed, by):
    population = members(seed)
    moved = Population(RECIPE, tuple(own + by for own in population.seeds), population.parameters)
    renamed = instrument.run(moved, data, "cpu")
    same(instrument.run(population, data, "cpu"), renamed.assign(seed=renamed["seed"] - by), exact=True)


@few
@given(seed=numbers, layer=st.integers(0, 1), powers=st.lists(st.integers(-6, 6), min_size=7, max_size=7))
def test_an_attack_does_not_care_where_a_factor_stands(data, seed, layer, powers):
    """Many steps from random starts: not a bit may differ, since every step would magnify it."""
    population = members(seed)
    threat = Threat("linf", 0.7, 7)
    x, y = data.test_x[:16], data.test_y[:16]
    first, second = (pgd(each, x, y, threat) for each in (population, rescaled(population, layer, powers)))
    assert torch.equal(first, second)
    same(ATTACKED.run(population, data, "cpu"), ATTACKED.run(rescaled(population, layer, powers), data, "cpu"), exact=True)


# --- the LLC, whose chains draw other numbers after the change ----------------------------------------------------------------

SPEC = LLCSpec(localization=10.0, chains=4, precision=0.03, budget=6000)
AWAY = 4.5  # standard errors of a difference: three tests of three networks each, once in 10,000 runs


def agree(one: pd.DataFrame, other: pd.DataFrame) -> None:
    error = np.hypot(one["llc_se"], other["llc_se"])
    assert ((one["llc"] - other["llc"]).abs() < AWAY * error).all(), pd.concat([one[["llc", "llc_se"]], other["llc"]], axis=1)


@pytest.fixture(scope="module")
def trained(data):
    from harness.training.train import train

    recipe = replace(RECIPE, epochs=40, batch_size=16)
    return Population(recipe, (0, 1, 2), train(recipe, data, (0, 1, 2)))


def estimated(population: Population, data: Dataset) -> pd.DataFrame:
    at = Population(RECIPE, population.seeds, {1: population.parameters[population.epochs[-1]]})
    return llc(at, data.train_x, data.train_y, spec=SPEC)


@pytest.mark.parametrize("change", ["units", "classes", "pixels", "names"])
def test_an_llc_is_the_same_within_its_error(trained, data, change):
    at = Population(RECIPE, trained.seeds, {1: trained.parameters[trained.epochs[-1]]})
    changed = {
        "units": lambda: (permuted_units(at, 1, 5), data), "classes": lambda: relabelled(at, data, 5),
        "pixels": lambda: permuted_pixels(at, data, 5),
        "names": lambda: (Population(RECIPE, (70, 71, 72), at.parameters), data),
    }[change]()  # fmt: skip
    agree(estimated(at, data), estimated(*changed))
