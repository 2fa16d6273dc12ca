"""Claims of "Adversarial Robustness is at Odds with Lazy Training": adversarial training inside the ball."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hypothesis import strategies as st

from fixtures.lazy.adversarial import lazy_budgets, lazy_plane, thresholds
from fixtures.lazy.gates import CLEAN_AT_THE_ROBUST_END, CROSSED
from fixtures.sources import LAZY
from harness import Conjunction, Evidence, Factors, Figure, Harness, Proportion, ScalingExponent, claim

if TYPE_CHECKING:
    pass

NAMES = {
    "threshold": "the threshold",
    "dimension": "d",
    "width": "m",
    "change": "a change between half the threshold and twice it",
}
QUARTER = "half the way to the exponents −1/4 and −3/4, from which −1/2 has to be told apart"
SHARP = "more than one network in two; a curve whose change takes more than two doublings is no sharp drop"
SCOPE = {"learning_rate": st.floats(4.0, 16.0), "digits": st.sampled_from([(0, 1), (3, 8), (4, 9), (1, 7)])}


def law(x: str, where: dict[str, list[int]] | None = None) -> ScalingExponent:
    """The threshold scales as the −1/2 power of x."""
    return ScalingExponent(
        y="threshold", x=x, unit="seed", value=-0.5, tolerance=0.125, margin_reason=QUARTER, names=NAMES, where=where or {}
    )


def sharp(every: str) -> Proportion:
    """Most of the change lies within a factor of two of the threshold."""
    return Proportion(
        of="change", above=0.5, unit="seed", every=every, exceeds=0.5, margin=0.1, margin_reason=SHARP, names=NAMES
    )


@claim(
    "lazy/adversarial-training-threshold",
    statement="The robust accuracy of networks that are adversarially trained inside the ball drops sharply over the "
    "perturbation budget, and the budget where it drops scales as d^(−1/2).",
    source=LAZY.at(
        "7. Experiments", "a sharp drop in robust accuracy about the O(1/√d) threshold for the perturbation budget ‖δ‖ as "
        "predicted by the theorem.", reported="threshold about 1/√d", number=(-0.5, None),
    ),
    prediction=Conjunction((law("dimension"), sharp("dimension"))),
    companions=(law("dimension", {"dimension": [100, 400, 784]}),),
    gates=(CROSSED, CLEAN_AT_THE_ROBUST_END),
    population=Factors(random=("seed", "dimension"), fixed="test points"),
    tags=("mnist", "adversarial training"),
    scope=SCOPE,
)  # fmt: skip
def test_adversarial_training_threshold(harness: Harness) -> Evidence:
    """Robust accuracy of every network at the budget that it was trained on; one threshold a dimension and seed."""
    budgets = lazy_budgets(harness)
    curves = budgets.table.assign(d=[f"d = {d}" for d in budgets.table["dimension"]])
    figure = Figure(
        "lines", curves, x="budget", y="robust_accuracy", hue="d", log_x=True,
        title="Robust accuracy after adversarial training in the lazy ball (the document's last figure, left)",
        x_label="perturbation budget ‖δ‖ in training and test (inputs of norm 1)", y_label="robust accuracy (share of images)",
        reference={"threshold": 0.5},
    )  # fmt: skip
    return replace(budgets, tables=thresholds(budgets.table, "budget", "dimension")).evidence(figure)


@claim(
    "lazy/transition-in-deviation",
    statement="Adversarially trained networks turn robust at a weight deviation V that scales as m^(−1/2) with the width.",
    source=LAZY.at(
        "7. Experiments", "a phase transition in the robust test accuracy at the value of V around O(1/√m) as required by the "
        "theorem.", reported="transition at V about 1/√m", number=(-0.5, None),
    ),
    prediction=Conjunction((law("width"), sharp("width"))),
    gates=(CROSSED, CLEAN_AT_THE_ROBUST_END),
    population=Factors(random=("seed", "width"), fixed="test points"),
    tags=("mnist", "adversarial training"),
    scope=SCOPE,
)  # fmt: skip
def test_transition_in_deviation(harness: Harness) -> Evidence:
    """Robust accuracy over the plane of width m and deviation V; one transition a width and seed."""
    plane = lazy_plane(harness)
    curves = plane.table.assign(m=[f"m = {m}" for m in plane.table["width"]])
    figure = Figure(
        "lines", curves, x="radius", y="robust_accuracy", hue="m", log_x=True,
        title="Robust accuracy against the maximal deviation V, by width (the document's last figure, right, as curves)",
        x_label="maximal deviation V = C₀/√m", y_label="robust accuracy (share of images)", reference={"transition": 0.5},
    )  # fmt: skip
    return replace(plane, tables=thresholds(plane.table, "radius", "width")).evidence(figure)
