"""Claims of "Adversarial Robustness is at Odds with Lazy Training"."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fixtures.lazy_gates import COMPETENT
from fixtures.sources import LAZY
from harness.claim import Evidence, Figure, claim
from harness.predict import Proportion, ScalingExponent

if TYPE_CHECKING:
    from fixtures.study import Study

@claim(
    "lazy/single-step-flips",
    statement="One gradient step of size O(1/d) flips the prediction at more than 90 % of the points of a network in the "
    "lazy regime: for trained networks, for random points of the ball, for every width and every C₀ tried.",
    source=LAZY.at(
        "5. Main Result", "A single gradient step suffices to attack lazy regime networks. […] W.h.p., for all W ∈ "
        "B₂,∞(W₀, C₀/√m) the robust error is greater than 0.9.", reported="robust error greater than 0.9",
    ),
    prediction=Proportion(
        success="flips_most", unit="seed", every=("width", "deviation", "weights"), exceeds=0.8, margin=0.1,
        margin_reason="the theorem holds with probability 1 − γ; a share of networks below 0.8 would be no theorem's "
        "“high probability”, 0.9 and above is",
        names={"flips_most": "flipped at more than 90 % of its points", "deviation": "C₀", "width": "m"},
    ),
    gates=(COMPETENT,),
    tags=("mnist", "single step"),
)  # fmt: skip
def test_single_step_flips(lazy_steps: Study) -> Evidence:
    """The share of points that one step flips, network by network."""
    table = lazy_steps.table
    table = table.assign(cell=[f"m={w}, C₀={c:g}" for w, c in zip(table["width"], table["deviation"], strict=True)])
    figure = Figure(
        "strip", table, x="cell", y="relative_size", hue="weights", log_y=True,
        title="Size of the smallest flipping step (after the document's figures, left): one point a network",
        x_label="width m and deviation C₀", y_label="median ‖δ‖ / ‖x‖",
    )  # fmt: skip
    return lazy_steps.evidence(figure)


@claim(
    "lazy/perturbation-scales",
    statement="The smallest normalised perturbation ‖δ‖/‖x‖ that flips a lazily trained network scales as d^(−1/2) with the "
    "input dimension d.",
    source=LAZY.at(
        "7. Experiments", "Experimental results closely match the theoretical bound for different network widths and weight "
        "deviations: 1. ‖δ‖ = O(1/√d)", reported="slope −1/2",
    ),
    prediction=ScalingExponent(
        y="relative_size", x="dimension", unit="seed", value=-0.5, tolerance=0.125,
        margin_reason="half the way to the exponents −1/4 and −3/4, from which −1/2 has to be told apart",
        names={"relative_size": "‖δ‖/‖x‖", "dimension": "d"},
    ),
    gates=(COMPETENT,),
    tags=("mnist", "scaling"),
)  # fmt: skip
def test_perturbation_scales(lazy_scaling: Study) -> Evidence:
    """Median smallest step of every network at every dimension; one slope a seed."""
    figure = Figure(
        "lines", lazy_scaling.table, x="dimension", y="relative_size", log_x=True, log_y=True, slope=-0.5,
        title="Smallest normalised perturbation against input dimension (the document's figure, left; C₀ = 10)",
        x_label="input dimension d (pixels)", y_label="median ‖δ‖ / ‖x‖",
    )  # fmt: skip
    return lazy_scaling.evidence(figure)
