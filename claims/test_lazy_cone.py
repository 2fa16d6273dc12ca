"""The theorem of "Adversarial Robustness is at Odds with Lazy Training" on the cone over the lazy ball."""

from __future__ import annotations

from fractions import Fraction

import pandas as pd

from fixtures.generality import INPUTS
from fixtures.lazy.cone import check_cone, gradient, output, scaled_networks
from fixtures.sources import LAZY
from harness import Evidence, Figure, Harness, Theorem, claim, falsify

EXAMPLES = {"smoke": 50, "reduced": 500, "full": 5_000}  # inputs tried, the same ones in every run


@claim(
    "lazy/cone",
    statement="Multiplying all weights by a positive factor changes no prediction, and the single step that attacks a network "
    "attacks the whole ray through it, so that the result holds on the cone over the ball.",
    source=LAZY.at(
        "6. Beyond Lazy Regime", "Scaling the network weights with a positive factor for binary classification does not change "
        "the prediction. Our results can be extended to the following cone",
    ),
    kind="theorem",
    prediction=Theorem(at_least_examples=EXAMPLES["reduced"]),
    population=INPUTS,
    requires=("lazy/single-step-flips",),
    tags=("cone",),
)  # fmt: skip
def test_cone(harness: Harness) -> Evidence:
    """Exact rational arithmetic; networks of one to six units on one to four inputs."""
    table = falsify(check_cone, scaled_networks, examples=EXAMPLES[harness.scale], key="lazy/cone", store=harness.store)
    return Evidence(table, figure_of_cone(), settings={"units": "1 to 6", "inputs": "1 to 4", "factors": "10⁻¹² to 10¹²"})


def figure_of_cone() -> Figure:
    """Three networks of one ray along their common gradient: they cross zero at the same place."""
    rows = ((Fraction(2), Fraction(1)), (Fraction(-1), Fraction(3)), (Fraction(1), Fraction(-2)))
    signs, point = (1, 1, -1), (Fraction(1), Fraction(1))
    slope = gradient(rows, signs, point)
    points = []
    for factor in (Fraction(1, 2), Fraction(1), Fraction(2)):
        scaled = tuple(tuple(factor * value for value in row) for row in rows)
        for step in range(41):
            share = Fraction(-step, 40)
            moved = tuple(x + share * value for x, value in zip(point, slope, strict=True))
            points.append({"step": float(share), "f": float(output(scaled, signs, moved)), "factor": f"r = {float(factor):g}"})
    return Figure(
        "lines", pd.DataFrame(points), x="step", y="f", hue="factor", reference={"boundary": 0.0},
        title="f along the gradient of three networks of one ray: the prediction changes at the same perturbation",
        x_label="step η along ∇f of the middle network", y_label="f (without 1/√m)",
    )  # fmt: skip
