"""Views: any measurement on any of them, under names of their own."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pytest
import torch

from fixtures.dynamics.features import FeatureCoefficients
from fixtures.lazy.ball import BallDistance, NearStart
from harness.data import ToyImages
from harness.data.base import Dataset
from harness.measure.attack.robustness import Robustness
from harness.measure.gaps import Accuracy, Gaps
from harness.measure.grouped import Grouped
from harness.measure.llc.estimate import LLC, LLCSpec
from harness.measure.margins import Margins
from harness.measure.smoothness import GradientNorms
from harness.measure.spectra import SingularValues
from harness.measure.training_points import TrainingPoints, training_points
from harness.measure.views import Changed, View, Viewed
from harness.population import Population
from harness.recipe import MLP, Recipe, RecipeError, Threat
from harness.running.drawing import Drawing
from harness.store import Store

DATA = ToyImages(train=60, test=30, amplitude=3.0)
RECIPE = Recipe(DATA, MLP((6, 5)), epochs=2, batch_size=16, checkpoints=(0,)).robust(Threat(epsilon=0.5, steps=2))
GROUPS = ((0, 2), (1,))


@dataclass(frozen=True)
class Halved(View):
    """Networks with half of every parameter, on the held-out points as training points."""

    factor: float = 0.5

    @property
    def name(self) -> str:
        return f"times {self.factor:g}"

    def of(self, population: Population, data: Dataset) -> tuple[Population, Dataset]:
        halved = Changed(population.parameters, lambda theta: theta * self.factor)
        return replace(population, parameters=halved), replace(data, train_x=data.test_x, train_y=data.test_y)


VIEWS = [Halved(), Grouped(GROUPS), NearStart(0.3), TrainingPoints(40)]
MEASUREMENTS = [
    Accuracy(), Gaps(Threat("l2", 0.3, steps=2), epochs="all"), Margins(epochs="all"), GradientNorms(points=20), Robustness(),
    SingularValues(), FeatureCoefficients(((1.0,) * 9,), since_start=False),
]  # fmt: skip


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return Store(tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="module")
def population(store: Store) -> Population:
    return store.population(RECIPE, range(3))


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.name)
@pytest.mark.parametrize("measurement", MEASUREMENTS, ids=lambda measurement: measurement.name)
def test_a_measurement_on_a_view_is_that_of_what_is_seen(store: Store, population: Population, measurement, view) -> None:
    """Member by member and epoch by epoch, in the columns and rows of the measurement, and under another name."""
    data, epochs = store.data(DATA), getattr(measurement, "epochs", "final")
    plain, seen = store.measure([population], measurement), store.measure([population], measurement, on=view)
    assert list(seen.columns) == list(plain.columns)
    assert len(seen) == len(plain)
    for seed in population.seeds:
        for epoch in population.epochs if epochs == "all" else population.epochs[-1:]:
            own = population.select((seed,))
            alone = Population(own.recipe, own.seeds, {epoch: own.parameters[epoch]})
            expected = measurement.run(*view.of(alone, data), "cpu")
            found = seen[(seen["seed"] == seed) & (seen["epoch"] == epoch)].reset_index(drop=True)
            pd.testing.assert_frame_equal(found[expected.columns], expected, check_exact=True)


def test_each_view_has_its_own_entries(store: Store, population: Population) -> None:
    views = [None, Halved(), Halved(0.25), NearStart(0.3), NearStart(0.4), Grouped(GROUPS), Grouped(((0, 1), (2,)))]
    store.measure([population], BallDistance())
    before = store.made
    tables = [store.measure([population], Accuracy(epochs="final"), on=view) for view in views[1:]]
    made = store.made - before
    again = [store.measure([population], Accuracy(epochs="final"), on=view) for view in views[1:]]
    assert store.made - before == made > 0
    for one, other in zip(tables, again, strict=True):
        pd.testing.assert_frame_equal(one, other)
    assert len({table["loss"].sum() for table in tables}) == len(tables)
    assert [each.name for each in store.measured[-2:]] == ["accuracy, 2 groups of classes"] * 2


def test_a_plan_notes_the_view() -> None:
    drawing = Drawing()
    drawing.measure([drawing.population(RECIPE, range(2))], Accuracy(), on=NearStart(0.3))
    assert drawing.asked.measured == [("accuracy, random points at a distance of 0.3", Viewed(Accuracy(), NearStart(0.3)), 2)]


def test_engines_reach_the_measurement_in_a_view(store: Store, population: Population) -> None:
    spec = LLCSpec(sampler="sgld", chains=2, burn_in=2, draws=4, step_size=1e-4, localization=10.0, descent=0)
    store.measure([population], LLC(spec, points=40), on=TrainingPoints(40))
    measurement = store.measured[-1].spec
    assert measurement.measurement.engine == "stacked"


def test_only_a_view_is_one() -> None:
    with pytest.raises(RecipeError, match=r"Viewed has view='near'; it has to be a View, such as Grouped\(groups\)"):
        Viewed(Accuracy(), "near")  # type: ignore[arg-type]


def test_parameters_are_changed_when_they_are_looked_at_and_one_epoch_at_a_time() -> None:
    seen = []

    def doubled(theta: torch.Tensor) -> torch.Tensor:
        seen.append(float(theta))
        return 2 * theta

    changed = Changed({0: torch.tensor(1.0), 4: torch.tensor(3.0)}, doubled)
    assert (list(changed), len(changed), seen) == ([0, 4], 2, [])
    assert [float(changed[4]), float(changed[4]), float(changed[0]), float(changed[4])] == [6, 6, 2, 6]
    assert seen == [3, 1, 3]
    with pytest.raises(KeyError):
        changed[1]


def test_training_points_of_a_view_are_those_of_the_member(store: Store, population: Population) -> None:
    data = store.data(DATA)
    points = training_points(population, data, 40)
    for row, seed in enumerate(population.seeds):
        _, seen = TrainingPoints(40).of(population.select((seed,)), data)
        np.testing.assert_array_equal(seen.train_x, points[row])
        np.testing.assert_array_equal(seen.test_x, data.test_x)
        assert seen.digest != data.digest
