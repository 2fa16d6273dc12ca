"""Theorems of "Theoretical Understanding of Adversarial Examples": constructed networks, and the distance classifier."""

from __future__ import annotations

from fractions import Fraction

import pandas as pd

from fixtures.dynamics.distance import check_distance_classifier, distance_classifier, situations
from fixtures.dynamics.theorems import (
    TrainingSet,
    check_linear_size,
    check_robust_solution,
    cluster_cases,
    radii,
    robust_network,
    training_sets,
)
from fixtures.generality import INPUTS
from fixtures.sources import DYNAMICS
from harness import Evidence, Figure, Harness, Theorem, claim, falsify

EXAMPLES = {"smoke": 50, "reduced": 500, "full": 5_000}  # inputs tried, the same ones in every run


@claim(
    "dynamics/robust-training-linear-size",
    statement="For every training set of N points in d dimensions whose classes are 2ε apart there is a ReLU network of at "
    "most 8 N d + 2 N parameters that classifies every perturbation of size δ < ε of every training point.",
    source=DYNAMICS.at(
        "Õ(Nd) Parameters are Enough to Achieve Zero Robust Training Error",
        "For any given N-size and d-dim training dataset S that satisfies the separability condition, there exists a ReLU "
        "network f with at most Õ(Nd) parameters such that robust training error is zero.", reported="Õ(N d) parameters",
    ),
    kind="theorem",
    prediction=Theorem(at_least_examples=EXAMPLES["reduced"]),
    population=INPUTS,
    explains=("dynamics/robust-generalisation-gap",),
    tags=("construction",),
)  # fmt: skip
def test_robust_training_linear_size(harness: Harness) -> Evidence:
    """The network is built and its sign on every whole L∞ ball proved by exact interval arithmetic."""
    table = falsify(
        check_linear_size,
        training_sets,
        examples=EXAMPLES[harness.scale],
        key="dynamics/robust-training-linear-size",
        store=harness.store,
    )
    return Evidence(table, figure_of_construction(), settings={"norm": "L∞", "dimensions": "1 to 5", "points": "1 to 8"})


def figure_of_construction() -> Figure:
    """The network through three points on a line: at least 1 on the balls of one class, at most −1 on those of the other."""
    points = tuple((Fraction(place),) for place in (0, 4, 8))
    task = TrainingSet(points, (1, -1, 1), Fraction(2), Fraction(1))
    network = robust_network(task)
    steps = [Fraction(step, 10) for step in range(-20, 101)]
    curve = pd.DataFrame({"x": [float(x) for x in steps], "F": [float(network.output((x,))) for x in steps]})
    return Figure(
        "lines", curve, x="x", y="F", reference={"boundary": 0.0},
        title="The constructed network for training points at 0, 4 and 8 (labels +, −, +), ε = 2, δ = 1",
        x_label="input (δ)", y_label="F (no unit)",
    )  # fmt: skip


@claim(
    "dynamics/robust-solution-exists",
    statement="The network with one biased neuron a cluster classifies every point of the clusters under every perturbation "
    "below (1/2 − t) √d, t the noise along a feature in units of √d; features averaged over a class are flipped at 2 √(d/k), "
    "whatever their biases.",
    source=DYNAMICS.at(
        "There Exists the Robust Solution!", "it is easy to show a robust solution exists with robust radius O(√d): Let each "
        "neuron deal with one cluster; Use the bias term to filter out intra/inter cluster noise. […] f_robust achieves "
        "optimal robustness.", reported="robust radius O(√d)",
    ),
    kind="theorem",
    prediction=Theorem(at_least_examples=EXAMPLES["reduced"]),
    population=INPUTS,
    tags=("construction", "clusters"),
)  # fmt: skip
def test_robust_solution_exists(harness: Harness) -> Evidence:
    """Exact rational arithmetic in dimensions that are squares, 4 to 1,600, with 2 to 12 clusters."""
    table = falsify(
        check_robust_solution,
        cluster_cases,
        examples=EXAMPLES[harness.scale],
        key="dynamics/robust-solution-exists",
        store=harness.store,
    )
    curve = pd.DataFrame(radii((2, 4, 8, 16, 32), side=16), columns=["clusters", "network", "radius"])
    figure = Figure(
        "lines", curve, x="clusters", y="radius", hue="network", log_x=True, log_y=True,
        title="Radius that each network keeps or is flipped at, without noise and biases, in d = 256 dimensions",
        x_label="clusters k", y_label="Euclidean radius",
    )  # fmt: skip
    return Evidence(table, figure, settings={"norm": "L2", "dimensions": "4 to 1,600", "clusters": "2 to 12"})


@claim(
    "dynamics/distance-classifier",
    statement="f*(x) = (d(x,B) − d(x,A)) / (d(x,B) + d(x,A)) is 1/ε-Lipschitz and classifies 2ε-separated "
    "sets A and B correctly under every perturbation smaller than ε.",
    source=DYNAMICS.at(
        "There Exists a EXP Large Robust Classifier",
        "there exists a robust classifier f* such that it can robustly classify the 2ϵ-separated labeled "
        "sets A and B; f* is a ϵ⁻¹-Lipschitz function",
    ),
    kind="theorem",
    prediction=Theorem(at_least_examples=EXAMPLES["reduced"]),
    population=INPUTS,
    tags=("robust-classifier",),
)
def test_distance_classifier(harness: Harness) -> Evidence:
    """Exact rational arithmetic in the L∞ and the L1 norm."""
    table = falsify(
        check_distance_classifier,
        situations,
        examples=EXAMPLES[harness.scale],
        key="dynamics/distance-classifier",
        store=harness.store,
    )
    return Evidence(table, figure_of_distance_classifier(), settings={"norms": ["L∞", "L1"], "dimensions": "1 to 4"})


def figure_of_distance_classifier() -> Figure:
    """f* through two points that are exactly 2ε apart (ε = 1): between them it is as steep as it may be."""
    a, b = ((Fraction(0),),), ((Fraction(2),),)
    steps = [Fraction(step, 10) for step in range(-20, 41)]
    values = [float(distance_classifier("linf", (step,), a, b)) for step in steps]
    bound = [float(1 - step) for step in steps]
    curve = pd.DataFrame({
        "position": [float(step) for step in steps] * 2, "value": values + bound,
        "line": ["f*"] * len(steps) + ["slope −1/ε"] * len(steps),
    })  # fmt: skip
    return Figure(
        "lines", curve[curve["value"].abs() <= 1], x="position", y="value", hue="line",
        title="f* for a point of A (at 0) and a point of B (at 2ε): between them just as steep as 1/ε allows",
        x_label="position (ε)", y_label="f* (no unit; above 0 it answers A)", reference={"boundary": 0.0},
    )  # fmt: skip
