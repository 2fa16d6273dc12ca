"""Claims of "Adversarial Robustness Through Overparameterization" on random data."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
from hypothesis import strategies as st

from fixtures.overparam.gates import MEMORISED, SETTLED, THRESHOLD
from fixtures.overparam.random import overparam_memorisation, overparam_random
from fixtures.sources import OVERPARAM
from harness import Between, Conjunction, Evidence, Factors, Figure, Harness, Ordering, PairedDifference, Proportion, claim

if TYPE_CHECKING:
    from harness import Study

NAMES = {
    "l2_max": "a largest gradient norm at 1,000 random points", "log_gradient": "log₂ of the largest gradient norm",
    "gradient_in_steps": "log of the largest gradient norm, in units of the step of d (its slope is an exponent of d)",
    "gain_in_steps": "log of the small model's largest gradient norm over the large one's, in units of the step of d",
    "step": "step of d", "ratio": "parameters a point", "level": "√(n d / p)", "draw": "draw of the data",
    "residual_max": "a largest |f(x) − y|", "right": "a share of right signs", "law": "√(n d / p)",
}  # fmt: skip
UNIT = ("draw", "seed")
RATES = st.sampled_from((0.002, 0.005, 0.01))
SCOPE = {"learning_rate": RATES, "points": st.sampled_from((500, 1000))}

# An exponent of 0.05 is a factor of 1.36 over the document's whole range of d, from 10 to 5,000.
EXPONENT_MARGIN = 0.05
EXPONENT_REASON = (
    "as an exponent of d: a factor of 1.36 from d = 10 to 5,000, the document's range; less could not be seen in its figure"
)
SMOOTHER_MARGIN = 0.1375
SMOOTHER_REASON = "log₂ 1.1: a gradient that is smaller by less than a tenth would make no visible difference to robustness"


def against_dimension(study: Study, title: str) -> Evidence:
    """Largest gradient of the small and the large model against d."""
    chosen = study.where(model=["small", "large"])
    figure = Figure(
        "lines", chosen.table, x="dimension", y="l2_max", hue="model", log_x=True, log_y=True, title=title,
        x_label="dimension d", y_label="largest ‖∇f(z)‖₂ of 1,000 random z", slope=0.5,
    )  # fmt: skip
    return chosen.evidence(figure)


@claim(
    "overparam/memorisation",
    statement="Two-layer ReLU networks with p ≥ n parameters, trained by Adam on least squares, fit n random labels perfectly.",
    source=OVERPARAM.at(
        "Neural Networks in Practice", "For a number of parameters p and n data points, if p ≥ n the model can perfectly "
        "memorize the data. Formally, f(x_i) = y_i ∀ (x_i, y_i) in the training set.",
    ),
    prediction=Proportion(
        of="residual_max", below=THRESHOLD, unit=UNIT, every="ratio", exceeds=0.75, margin=0.2,
        margin_reason="“perfectly memorize” is said of every model; from twelve networks no share above 0.78 can be shown, and "
        "0.95 and more is what would count as all",
        names=NAMES,
    ),
    companions=(
        Proportion(
            of="residual_max", below=THRESHOLD, unit=UNIT, every="ratio", exceeds=0.75, margin=0.2,
            where={"ratio": [2, 5, 10]}, names=NAMES,
            margin_reason="the same, from two parameters a point on: at p = n the rescaling of units leaves fewer than n "
            "degrees of freedom",
        ),
        Proportion(
            of="right", at_least=1, unit=UNIT, every="ratio", exceeds=0.75, margin=0.2, names=NAMES,
            margin_reason="the same, if a label counts as fitted where the sign of f is right",
        ),
    ),
    gates=(SETTLED,),
    scope={"learning_rate": RATES},
    population=Factors(random=UNIT, fixed="ratio"),
    tags=("random data", "memorisation"),
)  # fmt: skip
def test_memorisation(harness: Harness) -> Evidence:
    """One, two, five and ten parameters a point; what did not fit has stopped falling."""
    found = overparam_memorisation(harness)
    figure = Figure(
        "strip", found.table.assign(size=lambda table: "p = " + table["ratio"].astype(str) + " n"),
        x="size", y="residual_max", log_y=True, reference={"memorised": THRESHOLD},
        title="Largest residual of every network (the document's theorem under “Neural Networks in Practice”)",
        x_label="number of parameters", y_label="largest |f(x) − y| of the training set",
    )  # fmt: skip
    return found.evidence(figure)


def rises(value: str) -> Ordering:
    """A quantity of the small model rises with the dimension, by five steps of equal factors."""
    return Ordering(
        value=value, factor="step", levels=(0, 1, 2, 3, 4), unit=UNIT, strata="draw", where={"model": "small"},
        margin=EXPONENT_MARGIN, margin_reason=EXPONENT_REASON, names=NAMES,
    )  # fmt: skip


@claim(
    "overparam/small-model-gradient-grows",
    statement="The largest gradient at random points of a network with p = 10 n parameters that has memorised random labels "
    "grows with the dimension d.",
    source=OVERPARAM.at(
        "What about Smoothness?", "While we can memorize data with only n parameters, these constructions will have "
        "Lip(f) = Ω(√d) even for well dispersed data",
    ),
    prediction=rises("gradient_in_steps"),
    gates=(MEMORISED,),
    scope=SCOPE,
    population=Factors(random=UNIT),
    tags=("random data", "gradients"),
)  # fmt: skip
def test_small_model_gradient_grows(harness: Harness) -> Evidence:
    """Five dimensions with equal factors between them; one slope for each seed and draw of the data."""
    title = "Largest gradient against d, p = 10 n and p = n d (the document's “Results (Random Data)”)"
    return against_dimension(overparam_random(harness), title)


@claim(
    "overparam/large-model-smoother",
    statement="Of two networks that have memorised random labels the one with p = n d parameters has a smaller largest "
    "gradient than the one with p = 10 n, and their ratio widens with d.",
    source=OVERPARAM.at(
        "What about Smoothness?", "In principle one can memorize data with Lip(f) = O(1) but will require p ≈ nd parameters",
    ),
    prediction=Conjunction((
        PairedDifference(
            value="log_gradient", factor="model", higher="small", lower="large", pair=(*UNIT, "step"), strata=("draw", "step"),
            where={"step": [1, 2, 3, 4], "model": ["small", "large"]}, margin=SMOOTHER_MARGIN, margin_reason=SMOOTHER_REASON,
            names=NAMES,
        ),
        rises("gain_in_steps"),
    )),
    gates=(MEMORISED,),
    scope=SCOPE,
    population=Factors(random=UNIT, fixed="step"),
    explains=("overparam/mnist-fgsm", "overparam/mnist-white-noise"),
    tags=("random data", "gradients"),
)  # fmt: skip
def test_large_model_smoother(harness: Harness) -> Evidence:
    """At the lowest d both are the same network; the difference is taken over the four others."""
    title = "The model with p = n d beside that with p = 10 n (the document's “Results (Random Data)”)"
    return against_dimension(overparam_random(harness), title)


@claim(
    "overparam/universal-law",
    statement="The largest gradient of networks that have memorised random labels rises with √(n d / p) at a fixed "
    "dimension, and never lies below it.",
    source=OVERPARAM.at(
        "Overparametrization and Robustness", "[Universal Law of Robustness] Extreme overparametrization (nd parameters) is "
        "necessary for robust Neural Networks.",
    ),
    prediction=Conjunction((
        Ordering(
            value="log_gradient", factor="level", levels=(1, 2, 4), unit=(*UNIT, "dimension"), strata=("draw", "dimension"),
            where={"model": "law"}, names=NAMES, margin=0.1,
            margin_reason="as an exponent of √(n d / p): a factor of 1.07 for every doubling; a law that binds would make it "
            "1, one that holds with room to spare less",
        ),
        Proportion(
            of="l2_max", at_least="law", unit=(*UNIT, "dimension", "ratio"), exceeds=0.95, margin=0.04,
            where={"counted": True, "residual_max": Between(high=THRESHOLD)}, names=NAMES,
            margin_reason="a theorem allows no exception; 0.99 is what can be shown of some 150 networks. The constant is "
            "taken as 1, which asks more than the theorem, whose own constant and logarithm only lower its bound",
        ),
    )),
    gates=(MEMORISED,),
    scope=SCOPE,
    population=Factors(random=UNIT, fixed=("dimension", "ratio")),
    explains=("overparam/small-model-gradient-grows", "overparam/large-model-smoother"),
    tags=("random data", "gradients", "law of robustness"),
)  # fmt: skip
def test_universal_law(harness: Harness) -> Evidence:
    """Networks of n d, n d / 4 and n d / 16 parameters at two dimensions; the bound is asked of every network."""
    found = overparam_random(harness)
    networks = found.where(counted=True).table
    drawn = networks.assign(network="d = " + networks["dimension"].astype(str))[["law", "l2_max", "network"]]
    law = pd.DataFrame({"law": sorted(networks["law"].unique()), "network": "the law itself"}).assign(l2_max=lambda t: t["law"])
    figure = Figure(
        "scatter", pd.concat([drawn, law], ignore_index=True), x="law", y="l2_max", hue="network", log_x=True, log_y=True,
        title="Largest gradient of every memorising network against the law (“Overparametrization and Robustness”)",
        x_label="√(n d / p)", y_label="largest ‖∇f(z)‖₂ of 1,000 random z",
    )  # fmt: skip
    return found.evidence(figure)
