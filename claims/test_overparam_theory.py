"""Theorems of "Adversarial Robustness Through Overparameterization", and double descent in closed form."""

from __future__ import annotations

from fractions import Fraction
from functools import partial

import numpy as np
import pandas as pd
from hypothesis import strategies as st

from fixtures.generality import INPUTS
from fixtures.overparam import bumps as bumps
from fixtures.overparam import lipschitz as lipschitz
from fixtures.overparam.gates import INTERPOLATES
from fixtures.sources import OVERPARAM
from harness import Conjunction, Evidence, Factors, Figure, Harness, Landmark, Peak, Theorem, claim, falsify
from harness.recipe import describe

EXAMPLES = {"smoke": 50, "reduced": 500, "full": 5_000}  # inputs tried, the same ones in every run


@claim(
    "overparam/sum-of-bumps",
    statement="A sum of n bumps goes through n separated points, is (2 max|y| / separation)-Lipschitz, and has n (d + 1) "
    "parameters.",
    source=OVERPARAM.at(
        "What about Smoothness?", "In principle one can memorize data with Lip(f) = O(1) but will require p ≈ nd parameters "
        "(sum of bumps construction).",
    ),
    kind="theorem",
    prediction=Theorem(at_least_examples=EXAMPLES["reduced"]),
    population=INPUTS,
    explains=("overparam/large-model-smoother",),
    tags=("memorisation", "lipschitz"),
)  # fmt: skip
def test_sum_of_bumps(harness: Harness) -> Evidence:
    """Exact rational arithmetic in the L∞ and the L1 norm."""
    table = falsify(
        bumps.check,
        bumps.situations,
        examples=EXAMPLES[harness.scale],
        key="overparam/sum-of-bumps",
        store=harness.store,
    )
    return Evidence(table, figure_of_bumps(), settings={"norms": ["L∞", "L1"], "dimensions": "1 to 4", "points": "2 to 6"})


def figure_of_bumps() -> Figure:
    """Five points on a line with labels ±1, the nearest of them 1 apart."""
    centres = tuple((Fraction(place),) for place in (0, 1, 3, 4, 6))
    f = bumps.Bumps("linf", centres, tuple(map(Fraction, (1, -1, -1, 1, -1))))
    steps = [Fraction(step, 20) for step in range(-20, 141)]
    curve = pd.DataFrame({"x": [float(step) for step in steps], "f": [float(f((step,))) for step in steps]})
    return Figure(
        "lines", curve, x="x", y="f", reference={"labels": 1.0, " ": -1.0},
        title="A sum of bumps through five points (the construction that the document names under “What about Smoothness?”)",
        x_label="x (separations)", y_label="f(x) (no unit)",
    )  # fmt: skip


@claim(
    "overparam/lipschitz-definition",
    statement="A ReLU network is L-Lipschitz with L the product of its layers' operator norms: neither a local gradient norm "
    "nor a difference quotient exceeds it.",
    source=OVERPARAM.at(
        "What Do We Mean by Robustness?", "A function f is L - Lipschitz if for all x, y: ||f(x) - f(y)|| ≤ L||x - y||_*",
    ),
    kind="theorem",
    prediction=Theorem(at_least_examples=EXAMPLES["reduced"]),
    population=INPUTS,
    tags=("lipschitz", "gradients"),
)  # fmt: skip
def test_lipschitz_definition(harness: Harness) -> Evidence:
    """Networks of one to four layers in double precision, in the Euclidean and the L∞ norm."""
    table = falsify(
        lipschitz.check,
        lipschitz.cases,
        examples=EXAMPLES[harness.scale],
        key="overparam/lipschitz-definition",
        store=harness.store,
    )
    settings = {"norms": ["L2", "L∞"], "networks": "1 to 4 layers of 1 to 5 units, weights up to 30,000"}
    return Evidence(table, figure_of_slopes(), settings=settings)


def figure_of_slopes() -> Figure:
    """Largest local slope against the product of norms, for random networks of four shapes."""
    import torch

    from harness.measure.spectra import jacobian_norms, operator_bound
    from harness.networks import MLPProgram

    rows = []
    for sizes in ((5, 1), (5, 8, 1), (5, 8, 8, 1), (5, 8, 8, 8, 1)):
        program = MLPProgram(sizes)
        generator = torch.Generator().manual_seed(len(sizes))
        theta = torch.randn(40, program.layout.total, generator=generator, dtype=torch.float64)
        parameters = program.layout.views(theta)
        points = torch.randn(1, 5, 200, generator=generator, dtype=torch.float64).expand(40, -1, -1).contiguous()
        bounds = operator_bound(program, parameters, "l2")
        slopes = jacobian_norms(program, parameters, points)["l2"].amax(1)
        rows += [{"bound": float(bound), "slope": float(slope), "layers": str(len(sizes) - 1)}
                 for bound, slope in zip(bounds, slopes, strict=True)]  # fmt: skip
    return Figure(
        "scatter", pd.DataFrame(rows), x="bound", y="slope", hue="layers", log_x=True, log_y=True, slope=1.0,
        through=(1.0, 1.0),
        title="Largest of 200 local gradient norms against the product of operator norms, networks with random weights",
        x_label="product of the layers' operator norms", y_label="largest ‖∇f‖₂",
    )  # fmt: skip


# n, d and the noise are ours; the grid is denser around the threshold.
DESCENT = {"smoke": (40, 10, 2), "reduced": (200, 50, 16), "full": (1000, 200, 32)}  # n, d, seeds
RATIOS = (0.125, 0.25, 0.5, 0.7, 0.85, 1.0, 1.2, 1.4, 2.0, 4.0, 8.0)
NOISE = 0.5
NAMES = {"log_error": "log₁₀ of the test error", "ratio": "p / n"}


@claim(
    "overparam/double-descent",
    statement="The test error of random-feature regression peaks where the number of features equals that of the points, and "
    "falls again beyond.",
    source=OVERPARAM.at("Classical Statistics vs Modern ML", "Observed “Double Descent” structure of Test/Training error."),
    prediction=Conjunction((
        Peak(
            y="log_error", x="ratio", unit="seed", margin=0.3, names=NAMES,
            margin_reason="log₁₀ 2: an error that less than doubles on the way to the threshold, and less than halves after "
            "it, would be no second descent that anyone plots",
        ),
        Landmark(
            y="log_error", x="ratio", unit="seed", of="peak", what="position", value=0.0, tolerance=0.5, log_x=True,
            names=NAMES,
            margin_reason="half a doubling of the parameters: the peak is nearer to p = n than to n / 2 or 2 n",
        ),
    )),
    gates=(INTERPOLATES,),
    scope={"noise": st.floats(0.1, 1.5)},
    population=Factors(random="seed"),
    tags=("double descent", "random features"),
)  # fmt: skip
def test_double_descent(harness: Harness) -> Evidence:
    """Least squares of minimum norm; points, labels and features of every seed are its own."""
    from fixtures.overparam import random_features

    points, dimension, seeds = DESCENT[harness.scale]
    noise = harness.setting("noise", NOISE)
    spec = random_features.RandomFeatures(points, dimension, RATIOS, noise=noise)
    table = harness.store.cached(
        "double descent", {"spec": describe(spec), "seeds": seeds},
        partial(random_features.errors_by_size, spec, range(seeds)),
    )  # fmt: skip
    table = table.assign(log_error=np.log10(table["test_error"]))
    figure = Figure(
        "lines", table, x="ratio", y="test_error", log_x=True, log_y=True,
        title="Test error of random-feature regression against its size (the document's figure under “Modern ML”)",
        x_label="features p / points n", y_label="test error (mean square, against noiseless labels)",
    )  # fmt: skip
    settings = {
        "data": f"y = β·x + noise of standard deviation {noise:g}, n = {points}, d = {dimension}; {seeds} seeds",
        "features": "relu(w·x), w ~ N(0, I/d); least squares of minimum norm",
    }
    return Evidence(table, figure, settings=settings)
