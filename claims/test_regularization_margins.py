"""Claims of "Towards Understanding the Regularization of Adversarial Robustness on Neural Networks": weights and margins."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from hypothesis import strategies as st

from fixtures.generality import INPUTS, SEEDS
from fixtures.regularization import margins as margin_bound
from fixtures.regularization.gates import GATES
from fixtures.regularization.populations import regularization
from fixtures.sources import REGULARIZATION
from harness import (
    Conjunction,
    Evidence,
    Factors,
    Figure,
    Harness,
    Ordering,
    PairedDifference,
    Proportion,
    Theorem,
    claim,
    falsify,
)
from harness.measure.counterexample import revived

if TYPE_CHECKING:
    from fixtures.regularization.populations import Regularization

DATA = ("MNIST", "CIFAR-10")
SPLITS = ("train", "test")
LEVELS = ("standard", "weak", "medium", "strong")
LAYERS = (1, 2, 3)  # from the input to the output; of one network, so that none of them is a unit of its own
SCOPE = {"learning_rate": st.sampled_from((0.5, 1.0, 2.0)), "strength": st.sampled_from((0.5, 1.0, 2.0))}  # of the defaults
NAMES = {
    "standard": "standard training", "weak": "PGD training at a quarter of ε", "medium": "PGD training at half of ε",
    "strong": "PGD training at all of ε", "data": "data set",
    "log_variance": "log₂ of the variance", "log_rms_margin": "log₂ of the root mean square margin",
    "generalisation": "a generalisation error", "bound": "the bound",
}  # fmt: skip
TENTH = "log₂ 1.1: a change by a tenth"
STEP = "a third of log₂ 1.1: a change by a tenth over the three steps from standard training to the strongest ε"


@claim(
    "regularization/singular-value-variance",
    statement="The variance of the singular values of every weight matrix falls with training ε, on MNIST and on CIFAR-10.",
    source=REGULARIZATION.at(
        "Reduced variance of singular values", "stronger adversarial robustness reduces variance of singular values",
    ),
    prediction=Conjunction(tuple(
        Ordering(
            value="log_variance", factor="training", levels=LEVELS[::-1], unit="seed", margin=0.0458, margin_reason=STEP,
            where={"of": "spectra", "data": data, "layer": layer}, names=NAMES,
        )
        for data in DATA
        for layer in LAYERS
    )),
    gates=GATES,
    scope=SCOPE,
    population=SEEDS,
    explains=("regularization/activation-norm-variance", "regularization/margins-concentrate"),
    tags=("mnist", "cifar-10", "singular values"),
)  # fmt: skip
def test_singular_value_variance(harness: Harness) -> Evidence:
    """Three layers on each data set; kernels as matrices."""
    return by_layer(
        regularization(harness), "spectra",
        "Variance of singular values by layer against training ε (the document's left figure under “Reduced variance of "
        "singular values”)", "variance of the singular values",
    )  # fmt: skip


def by_layer(regularization: Regularization, of: str, title: str, label: str) -> Evidence:
    """A variance against training ε, a colour for each layer."""
    study = regularization.layers.where(of=of)
    table = study.table.assign(layer="layer " + study.table["layer"].astype(int).astype(str))
    figure = Figure(
        "lines", table, x="epsilon", y="variance", hue="layer", facet="data", own_axes=True, log_y=True, title=title,
        x_label="training ε (L∞, pixels from 0 to 1)", y_label=label,
    )  # fmt: skip
    return study.evidence(figure)


@claim(
    "regularization/activation-norm-variance",
    statement="The variance of the norms of every layer's activations is lower after adversarial training, on MNIST and on "
    "CIFAR-10.",
    source=REGULARIZATION.at(
        "Reduced variance of singular values", "the reduced variance results in reduced variance of the norms of the "
        "activation outputs.",
    ),
    prediction=Conjunction(tuple(
        PairedDifference(
            value="log_variance", factor="training", higher=LEVELS[0], lower=LEVELS[-1], pair="seed", margin=0.1375,
            margin_reason=TENTH, where={"of": "activations", "data": data, "layer": layer}, names=NAMES,
        )
        for data in DATA
        for layer in LAYERS
    )),
    companions=tuple(
        Ordering(
            value="log_variance", factor="training", levels=LEVELS[::-1], unit="seed", margin=0.0458, margin_reason=STEP,
            where={"of": "activations", "data": data, "layer": layer}, names=NAMES,
        )
        for data in DATA
        for layer in LAYERS
    ),
    gates=GATES,
    scope=SCOPE,
    population=SEEDS,
    explains=("regularization/margins-concentrate",),
    tags=("mnist", "cifar-10", "activations"),
)  # fmt: skip
def test_activation_norm_variance(harness: Harness) -> Evidence:
    """Over test images, after the ReLUs and at the logits; every layer by itself."""
    return by_layer(
        regularization(harness), "activations",
        "Variance of the activations' norms by layer against training ε (the document's right figure under “Reduced variance "
        "of singular values”)", "variance of ‖activations‖₂ over test images",
    )  # fmt: skip


@claim(
    "regularization/margins-concentrate",
    statement="After adversarial training margins concentrate around the decision boundary, on training and on test images of "
    "MNIST and of CIFAR-10.",
    source=REGULARIZATION.at(
        "Key results", "The reduced variance of singular values of weight matrices results in concentration of examples around "
        "decision boundaries.",
    ),
    prediction=Conjunction(tuple(
        PairedDifference(
            value="log_rms_margin", factor="training", higher=LEVELS[0], lower=LEVELS[-1], pair="seed", margin=0.1375,
            margin_reason=TENTH, where={"data": data, "split": split}, names=NAMES,
        )
        for data in DATA
        for split in SPLITS
    )),
    companions=tuple(
        Ordering(
            value="log_rms_margin", factor="training", levels=LEVELS[::-1], unit="seed", margin=0.0458, margin_reason=STEP,
            where={"data": data, "split": split}, names=NAMES,
        )
        for data in DATA
        for split in SPLITS
    ),
    gates=GATES,
    scope=SCOPE,
    population=SEEDS,
    explains=("regularization/loss-gap-shrinks", "regularization/smoother-under-attack", "regularization/indecisive-errors"),
    tags=("mnist", "cifar-10", "margins"),
)  # fmt: skip
def test_margins_concentrate(harness: Harness) -> Evidence:
    """Root mean square of f_y − max f_i: its distance from 0, whichever side."""
    experiment = regularization(harness)
    figure = Figure(
        "lines", distributions(experiment.samples.table), x="margin", y="share", hue="training", facet="panel",
        own_axes=True,
        title="Margins of all images, first seed, by training ε (the document's figures under “Concentration of margin”)",
        x_label="margin f_y − max f_i (logits)", y_label="share of images in a bin", reference={" ": 0.0},
    )  # fmt: skip
    return experiment.margins.evidence(figure)


BINS = 24


def distributions(samples: pd.DataFrame) -> pd.DataFrame:
    """Histogram of the margins for standard training and the strongest ε, by data set and split."""
    rows = []
    for (data, split), group in samples.groupby(["data", "split"]):
        low, high = np.quantile(group["margin"], [0.002, 0.998])
        edges = np.linspace(low, high, BINS + 1)
        for training, own in group.groupby("training"):
            if training in (LEVELS[0], LEVELS[-1]):
                counts, _ = np.histogram(own["margin"].clip(low, high), edges)
                rows += [{"margin": (a + b) / 2, "share": count / len(own), "training": training, "panel": f"{data}, {split}"}
                         for a, b, count in zip(edges, edges[1:], counts, strict=False)]  # fmt: skip
    return pd.DataFrame(rows)


EXAMPLES = {"smoke": 50, "reduced": 500, "full": 5_000}  # inputs tried, the same ones in every run
SEARCHES = {"ReLU networks": margin_bound.relu_cases, "all units active up to the boundary": margin_bound.active_cases}


@claim(
    "regularization/margin-lower-bound",
    statement="The margin of a rightly classified point in the network's outputs is at least min ‖w_y − w_ŷ‖ Π σ_min times its "
    "distance from the decision boundary.",
    source=REGULARIZATION.at(
        "The generalization bound", "smallest margin on feature space: u_min = min_{y≠ŷ} ‖w_y − w_ŷ‖₂ Π_{i=1}^{L−1} σ_min^i "
        "v_min",
    ),
    kind="theorem",
    prediction=Theorem(at_least_examples=EXAMPLES["reduced"], where={"networks": "ReLU networks"}),
    companions=(
        Theorem(at_least_examples=EXAMPLES["reduced"], where={"networks": "all units active up to the boundary"}),
    ),
    population=INPUTS,
    tags=("margins", "singular values"),
)  # fmt: skip
def test_margin_lower_bound(harness: Harness) -> Evidence:
    """Exact arithmetic on networks of two inputs, two hidden units and two classes, where v is known."""
    tables = []
    for networks, cases in SEARCHES.items():
        table = falsify(
            margin_bound.check,
            cases,
            examples=EXAMPLES[harness.scale],
            key=f"regularization/margin-lower-bound, {networks}",
            store=harness.store,
        )
        tables.append(table.assign(networks=networks))
    settings = {"networks": "two inputs, two hidden units, two classes; margins that fall all the way to the boundary"}
    return Evidence(pd.concat(tables, ignore_index=True), figure_of_margins(tables[0]), settings=settings)


def figure_of_margins(searched: pd.DataFrame) -> Figure:
    """Margin against the bound for a grid of points of one network: u = 1 + relu(x₁) − 2 relu(x₂), W the identity.

    The ring is the counterexample that the search found, of another network.
    """
    from fractions import Fraction

    one, none = Fraction(1), Fraction(0)
    network = margin_bound.Network(((one, none), (none, one)), (none, none), (one, Fraction(-2)), one)
    rows = []
    for step in range(-12, 13):
        for other in range(-12, 13):
            x = (Fraction(step, 4), Fraction(other, 4))
            found = network.nearest(x)
            if network.margin(x) > 0 and found is not None:
                active = sum(value > 0 for value in network.units(x))
                rows.append({"bound": float(5 * found[1]) ** 0.5, "margin": float(network.margin(x)),
                             "active": f"{active} of 2 units active"})  # fmt: skip
    return Figure(
        "scatter", pd.DataFrame(rows).drop_duplicates(), x="bound", y="margin", hue="active", log_x=True, log_y=True, slope=1.0,
        title="Margin against ‖w_y − w_ŷ‖ σ_min v over points of one network: below the line the inequality fails (after "
        "“The generalization bound”)",
        x_label="‖w_y − w_ŷ‖ σ_min v (logits)", y_label="margin (logits)", through=(1.0, 1.0),
        ringed=counterexample(searched),
    )  # fmt: skip


def counterexample(searched: pd.DataFrame) -> dict[str, dict[str, float]]:
    """Where the counterexample of a search lies in the figure; nothing where none was found."""
    from fractions import Fraction

    text = searched["counterexample"].iloc[0] if len(searched) else None
    if not isinstance(text, str):
        return {}
    case = revived(text, margin_bound.Case, margin_bound.Network, Fraction)
    found = case.network.nearest(case.x)
    scale = float(margin_bound.dot(case.network.last, case.network.last) * found[1]) ** 0.5
    smallest = np.linalg.svd(np.array(case.network.weight, dtype=float), compute_uv=False).min()
    return {"counterexample": {"bound": float(scale * smallest), "margin": float(case.network.margin(case.x))}}


@claim(
    "regularization/generalisation-bound",
    statement="The measured generalisation error of the ramp loss never exceeds Theorem 3.1's bound, on MNIST and on CIFAR-10, "
    "at any training ε.",
    source=REGULARIZATION.at(
        "The generalization bound", "GE(l_γ ∘ T) ≤ max{0, 1 − u_min/γ} + √(2 log(2) C_X^k / (ε^k m) + 2 log(1/η) / m)",
    ),
    prediction=Proportion(
        of="generalisation", at_most="bound", unit="seed", every=("data", "training"), exceeds=0.65, margin=0.3, names=NAMES,
        margin_reason="the bound holds with probability 1 − η = 0.95; from eight networks no share above 0.68 can be shown",
    ),
    companions=(
        Proportion(
            of="bound", below=1, unit="seed", every=("data", "training"), exceeds=0.5, margin=0.25,
            names=NAMES | {"bound": "a bound"},
            margin_reason="whether the bound says anything: a ramp loss lies between 0 and 1, so that a bound of 1 or more "
            "holds whatever the network does",
        ),
    ),
    gates=GATES,
    scope=SCOPE,
    population=Factors(random="seed", fixed=("data", "training")),
    requires=("regularization/margin-lower-bound",),
    tags=("mnist", "cifar-10", "margins"),
)  # fmt: skip
def test_generalisation_bound(harness: Harness) -> Evidence:
    """Ramp loss with γ = 1; covering number 1, η = 0.05: nothing makes the bound smaller."""
    study = regularization(harness).members
    parts = study.table.melt(["data", "epsilon", "seed"], ["generalisation", "bound"], var_name="of", value_name="value")
    parts["of"] = parts["of"].map({"generalisation": "measured error", "bound": "bound"})
    figure = Figure(
        "lines", parts, x="epsilon", y="value", hue="of", facet="data", reference={"largest possible": 1.0},
        title="Generalisation error of the ramp loss and Theorem 3.1's bound (after “The generalization bound”)",
        x_label="training ε (L∞, pixels from 0 to 1)", y_label="|test − training| ramp loss (no unit)",
    )  # fmt: skip
    return study.evidence(figure)
