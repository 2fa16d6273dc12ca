"""Every measurement of the harness, set for large populations, and what those are of."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from fixtures.dynamics.features import FeatureCoefficients
from fixtures.lazy.ball import BallDistance, NearStart
from fixtures.lazy.gradient_step import SingleStep
from fixtures.regularization.margin_bound import MarginBound
from harness.data.base import Dataset, DataSpec
from harness.measure.activations import ActivationNorms
from harness.measure.attack.accuracy_curve import Curve
from harness.measure.attack.autoattack import AutoAttack, AutoAttackSpec
from harness.measure.attack.minimum_norm import PerturbationSpec
from harness.measure.attack.robustness import Robustness
from harness.measure.base import Measurement
from harness.measure.gaps import Accuracy, Gaps
from harness.measure.grouped import Grouped
from harness.measure.llc.estimate import LLC, LLCSpec
from harness.measure.llc.sample import SampleLLC
from harness.measure.margins import Margins
from harness.measure.residuals import Residuals
from harness.measure.smoothness import ChangeUnderAttack, GradientNorms
from harness.measure.spectra import OperatorBound, SingularValues
from harness.measure.training_points import TrainingPoints
from harness.measure.views import Viewed
from harness.population import Population
from harness.recipe import MLP, Module, Recipe, Threat
from harness.training.train import initial

SIDE = 12


@dataclass(frozen=True)
class Noise(DataSpec):
    """Points and labels (targets, where there is one output) without any structure."""

    points: int
    outputs: int = 5

    @property
    def shape(self) -> tuple[int, ...]:
        return (SIDE, SIDE)

    @property
    def classes(self) -> int:
        return self.outputs

    def features(self) -> np.ndarray:
        return np.eye(SIDE * SIDE)[:4].reshape(4, SIDE, SIDE)

    def load(self) -> Dataset:
        draw = np.random.default_rng(0)
        x = draw.standard_normal((self.points, *self.shape)).astype(np.float32)
        real = draw.standard_normal((self.points, 1)).astype(np.float32)
        y = real if self.outputs == 1 else draw.integers(0, self.outputs, self.points)
        test = x[::-1].copy(), y[::-1].copy()
        return Dataset.of("noise", (x, y), test, classes=self.outputs, bounds=None, provenance="test")


def recipes(points: int, few: int, width: int) -> dict[str, Recipe]:
    """Kinds of networks: many points, few, adversarial training, large weights, two classes, a real target."""
    plain = Recipe(Noise(points), MLP((32, 32)), epochs=1, checkpoints=(0,))
    small = replace(plain, data=Noise(few))
    return {
        "plain": plain, "few": small, "robust": small.robust(Threat(steps=2)),
        "wide": replace(plain, data=Noise(few, 2), architecture=MLP((width,))),
        "two": replace(
            plain, data=Noise(points, 2), architecture=Module("fixtures.lazy.networks:lazy_network", "l", {"width": 64})
        ),
        "real": replace(plain, data=Noise(points, 1), architecture=MLP((32,)), loss="mse"),
    }  # fmt: skip


def members(recipe: Recipe, count: int) -> Population:
    """Networks as they begin, kept at two epochs."""
    start = initial(recipe, range(count))
    return Population(recipe, tuple(range(count)), {0: start, 1: 1.3 * start})


QUICK = PerturbationSpec(steps=3, targets=1, neighbours=1)
SHORT = LLCSpec(chains=2, burn_in=4, draws=2, descent=2, sensitivity_chains=0)
THREAT = Threat(epsilon=0.5, steps=2)
LIBRARY: dict[str, tuple[str, Measurement]] = {
    "accuracy": ("plain", Accuracy()),
    "gaps": ("plain", Gaps()),
    "gaps under attack": ("plain", Gaps(THREAT)),
    "gaps under attack, L2": ("plain", Gaps(Threat("l2", 0.5, steps=2))),
    "change under attack": ("plain", ChangeUnderAttack(THREAT)),
    "gradient norms": ("plain", GradientNorms(at="test", points=None)),
    "gradient norms of outputs": ("plain", GradientNorms(at="test", points=None, of="outputs")),
    "singular values": ("wide", SingularValues()),
    "operator bound": ("plain", OperatorBound(at="test", points=200)),
    "operator bound of large weights": ("wide", OperatorBound(at="test", points=20)),
    "margins": ("plain", Margins()),
    "margins by sample": ("few", Margins(by_sample=True)),
    "activation norms": ("plain", ActivationNorms(epochs="all")),
    "curve, FGSM": ("plain", Curve("fgsm", sizes=(0.1, 0.2))),
    "curve, noise": ("plain", Curve("noise", sizes=(0.1, 0.2))),
    "curve, direction": ("plain", Curve("direction", direction=(1.0,) * SIDE**2, sizes=(0.1, 0.2))),
    "robustness": ("few", Robustness(spec=QUICK)),
    "robustness, L1": ("few", Robustness(norm="l1", spec=replace(QUICK, largest=50.0), points=50)),
    "AutoAttack": ("few", AutoAttack((0.3,), spec=AutoAttackSpec(steps=2, aims=1, queries=3), points=50)),
    "margin bound": ("wide", MarginBound(spec=QUICK, points=20)),
    "LLC": ("few", LLC(SHORT, points=64, epochs="all")),
    "LLC of samples": ("few", SampleLLC(SHORT, samples=16, points=64)),
    "distances from the start": ("wide", BallDistance()),
    "single steps": ("two", SingleStep(points=1100)),
    "feature coefficients": ("wide", FeatureCoefficients()),
    "residuals": ("real", Residuals(epochs="all")),
    "groups": ("plain", Viewed(Gaps(THREAT), Grouped(((0, 1), (2, 3, 4))))),
    "random points": ("wide", Viewed(Accuracy(epochs="final"), NearStart(0.5))),
    "points as trained on": ("robust", Viewed(Margins(("train",)), TrainingPoints(64))),
    "LLC on points as trained on": ("robust", Viewed(LLC(SHORT, points=64, epochs="all"), TrainingPoints(64))),
}
