"""Data, networks and measurements of a user's own that would give wrong numbers, or other words, are refused."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import MLP, Measurement, Module, PerturbationSpec, Recipe, Robustness, Store, ToyImages
from harness.data import Dataset, DataSpec
from harness.recipe import RecipeError
from harness.store import apart
from harness.store.asked import check_asked
from harness.store.loading import loaded

RECIPE = Recipe(ToyImages(train=30, test=9), MLP((4,)), epochs=1)

# --- thresholds -------------------------------------------------------------------------------------------------------

SIZES = st.floats(0.01, 1000)


@given(st.lists(SIZES, min_size=1, max_size=3), SIZES, st.booleans())
def test_thresholds_are_read_off_where_the_search_looks(thresholds, largest, by_sample):
    attack = Robustness(thresholds=tuple(thresholds), spec=PerturbationSpec(largest=largest), by_sample=by_sample)
    if by_sample or max(thresholds) <= largest:
        check_asked(attack)
        return
    with pytest.raises(RecipeError, match="are searched for only up to") as refused:
        check_asked(attack)
    told = float(str(refused.value).partition("largest=")[2].partition(")")[0])
    check_asked(replace(attack, spec=PerturbationSpec(largest=told)))  # what the message says to set


@pytest.mark.parametrize("threshold", [0, 0.0, -1.0, np.nan, np.inf, -np.inf, True])
def test_thresholds_that_are_no_sizes_are_refused(tmp_path, threshold):
    store = Store(tmp_path)
    with pytest.raises(RecipeError, match="Robustness has"):
        store.measure([store.population(RECIPE, [0])], Robustness(thresholds=(1.0, threshold)))


# --- measurements -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Kind(Measurement):
    """A number of each member, in a way of its own."""

    kind: str

    @property
    def name(self) -> str:
        return self.kind

    def run(self, population, data, device):
        values: Any = population.final.norm(dim=1).double().numpy()
        if self.kind in VALUES:
            values = VALUES[self.kind](values, population)
        return pd.DataFrame({"seed": population.seeds, "epoch": population.epochs[-1], "value": values})


def noised(values, population):
    return [value + np.random.default_rng([7, seed]).normal() for value, seed in zip(values, population.seeds, strict=True)]


VALUES = {
    "rank": lambda values, population: values.argsort().argsort(),
    "share": lambda values, population: values / values.sum(),
    "centred": lambda values, population: values - values.mean(),
    "the largest": lambda values, population: values == values.max(),
    "process's generator": lambda values, population: values + np.random.normal(size=len(values)),  # noqa: NPY002
    "torch's generator": lambda values, population: values + torch.randn(len(values)).numpy(),
    "no seed": lambda values, population: values + np.random.default_rng().normal(size=len(values)),
    "own seed": noised,
    "rounded by size": lambda values, population: values * (1 + 1e-6 * len(values)),
    "amplified rounding": lambda values, population: values + (len(values) % 2),
    "text": lambda values, population: [f"{value:.3f}" for value in values],
    "missing": lambda values, population: values * np.nan,
    "truth": lambda values, population: values > 0,
    "tensors": lambda values, population: list(torch.from_numpy(values)),
    "arrays": lambda values, population: [np.array([value]) for value in values],
    "lists": lambda values, population: [[value] for value in values],
}
OTHERS, CALLS, CELLS = "depend on which other members", "from call to call", "which no table of a store holds"
REFUSED = {
    "rank": OTHERS, "share": OTHERS, "centred": OTHERS, "the largest": OTHERS, "process's generator": CALLS,
    "torch's generator": CALLS, "no seed": CALLS, "tensors": CELLS, "arrays": CELLS,
}  # fmt: skip


@pytest.mark.parametrize("members", [2, 3, 5])
@pytest.mark.parametrize("kind", ["plain", *VALUES])
def test_a_measurement_whose_rows_do_not_belong_to_a_member_is_refused(tmp_path, monkeypatch, kind, members):
    monkeypatch.setattr(apart, "LOOKED_AT", set())
    store = Store(tmp_path)
    population = store.population(RECIPE, range(members))
    if kind in REFUSED:
        with pytest.raises(ValueError, match=REFUSED[kind]):
            store.measure([population], Kind(kind))
        assert store.sizes("table") == []
        return
    table = store.measure([population], Kind(kind))
    more = store.measure([store.population(RECIPE, range(members + 1))], Kind(kind))
    pd.testing.assert_frame_equal(more[more["seed"] < members], table)


# --- data -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Mine(DataSpec):
    """Points of a user's, changed in one way."""

    change: str = ""
    at: int = 0

    @property
    def shape(self) -> tuple[int, ...]:
        return (4,)

    @property
    def classes(self) -> int:
        return 3

    def load(self) -> Dataset:
        rng = np.random.default_rng(0)
        x, y = rng.normal(size=(20, 4)), rng.integers(0, 3, 20)
        y[:3] = (0, 1, 2)
        if self.change in ("nan", "inf"):
            x[self.at, 1] = float(self.change)
        changed = {
            "from 1": y + 1, "from -1": y - 1, "more": np.where(y == 2, 5, y), "floats": y.astype(float), "short": y[:-1],
            "long": [*y, 0], "one-hot": np.eye(3, dtype=int)[y], "target": np.where(np.eye(3)[y] > 0, np.nan, 1.0),
        }  # fmt: skip
        labels = np.asarray(changed.get(self.change, y))
        inputs = x.reshape(20, 2, 2) if self.change == "shape" else x
        test = rng.normal(size=(5, 4)), rng.integers(0, 3, 5)
        if self.at % 2:  # the test points are the ones that are changed
            return Dataset.of("mine", test, (inputs, labels), classes=3, bounds=None, provenance="here")
        return Dataset.of("mine", (inputs, labels), test, classes=3, bounds=None, provenance="here")


SAYS = {
    "nan": "inputs that are NaN or infinite at 1 of 20 points", "inf": "inputs that are NaN or infinite at 1 of 20 points",
    "from 1": "labels from 1 to 3, and 3 classes are 0 to 2: subtract 1",
    "from -1": "labels from -1 to 1, and 3 classes are 0 to 2: add 1",
    "more": "labels from 0 to 5, and 3 classes are 0 to 2: say that there are 6 classes",
    "floats": r"labels of type float32 and shape \(20,\): give class numbers", "short": "20 inputs and 19 targets",
    "long": "20 inputs and 21 targets", "one-hot": r"labels of shape \(20, 3\): give one class number",
    "target": "targets that are NaN", "shape": r"have shape \(2, 2\), and its shape is \(4,\)",
}  # fmt: skip


@settings(deadline=None)
@given(st.sampled_from(sorted(SAYS)), st.integers(0, 19))
def test_data_that_networks_cannot_be_trained_on_say_so(change, at):
    with pytest.raises(RecipeError, match=f"the {'test' if at % 2 else 'train'} points of Mine .*{SAYS[change]}"):
        loaded(Mine(change, at))


def test_data_that_are_right_are_loaded(tmp_path):
    assert len(loaded(Mine()).train_x) == 20
    store = Store(tmp_path)
    with pytest.raises(RecipeError, match="are NaN or infinite"):  # and not that the training diverged
        store.population(Recipe(Mine("nan"), MLP((4,)), epochs=1), [0])


def lazily(shape: tuple[int, ...], classes: int) -> torch.nn.Module:
    """A network without shapes."""
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.LazyLinear(classes))


def test_a_lazy_module_in_a_recipe_is_refused(tmp_path):
    with pytest.raises(RecipeError, match="lazy has a lazy module, whose parameters have no shape"):
        Store(tmp_path).population(Recipe(ToyImages(train=30), Module(f"{__name__}:lazily", "lazy"), epochs=1), [0])
