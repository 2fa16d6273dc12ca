"""Claims of "Adversarial Robustness Through the Lens of Singular Learning Theory": the LLC by layer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fixtures.generality import NETWORKS, NETWORKS_BY_REGIME
from fixtures.slt.drawing import coloured
from fixtures.slt.gates import GRID_GATES, PROTOCOLS, RELIABLE
from fixtures.slt.grid import slt_grid
from fixtures.slt.quantities import grid_relative_llc
from fixtures.slt.terms import (
    ACROSS,
    ERRORS,
    GRID_SCOPE,
    LLC_MARGIN,
    LLC_MARGIN_REASON,
    NAMES,
    RHO_MARGIN,
    RHO_MARGIN_REASON,
    WITHIN,
    correlates,
)
from fixtures.sources import SLT
from harness import Conjunction, CorrelationDifference, Evidence, Figure, Harness, NoCorrelation, PairedDifference, claim

if TYPE_CHECKING:
    from harness import Study

SECTION = "Effects on Layers"
LAYERS = ("input", "hidden", "output")
PANELS = {
    "input": "input layer", "hidden": "hidden layers", "hidden 1": "first of two hidden layers",
    "hidden 2": "second of two hidden layers", "output": "output layer",
}  # fmt: skip


def stronger(here: str) -> CorrelationDifference:
    """The correlation in that layer exceeds the one in the hidden layers."""
    return CorrelationDifference(
        y="asr_2", x="llc_per_parameter", factor="scope", here=here, there="hidden", margin=RHO_MARGIN,
        margin_reason=RHO_MARGIN_REASON, names=NAMES, errors=ERRORS, **ACROSS,
    )  # fmt: skip


def layers(grid: Study, *scopes: str) -> Evidence:
    """Layer-restricted LLC beside the attack success rate, architectures in colour."""
    chosen = grid.where(scope=scopes)
    drawn = coloured(chosen.table).assign(panel=chosen.table["scope"] + ", " + chosen.table["regime"])
    drawn = drawn.sort_values("scope", kind="stable", key=lambda column: column.map(scopes.index))
    figure = Figure(
        "scatter", drawn, x="llc_per_parameter", y="asr_2", hue="colour", facet="panel", own_axes=True,
        title="Attack success rate against LLC per parameter by layer and regime (the document's figures under “Effects on "
        "Layers”); colours are architectures: a slope between colours comes from the architecture; each panel has its own axes",
        x_label="LLC per parameter of the layer", y_label="attack success rate at 2",
    )  # fmt: skip
    return chosen.evidence(figure)


def deep(grid: Study) -> Study:
    """Only networks that have hidden layers between input and output layer."""
    table = grid.table
    return grid.where(architecture=table.loc[table["scope"] == "hidden", "architecture"].unique().tolist())


@claim(
    "slt/layers-follow-ordering",
    statement="In the input layer, in the hidden layers and in the output layer the LLC is lower in robust networks than in "
    "standard ones, and lower in finetuned networks than in robust ones.",
    source=SLT.at(
        SECTION, "In each case we observe that the local learning coefficient follows our outlined intuition, and the patterns "
        "observed when we computed the estimate on the entire parameter space.",
    ),
    prediction=Conjunction(tuple(
        PairedDifference(
            value=grid_relative_llc, factor="regime", higher=higher, lower=lower, pair=("architecture", "seed"),
            strata="architecture", where={"scope": scope}, margin=LLC_MARGIN, margin_reason=LLC_MARGIN_REASON, names=NAMES,
        )
        for scope in LAYERS for lower, higher in (("robust", "standard"), ("finetuned", "robust"))
    )),
    gates=GRID_GATES,
    protocols=PROTOCOLS,
    population=NETWORKS,
    requires=("slt/robust-llc-below-standard", "slt/finetuned-llc-lowest"),
    tags=("llc", "layers", "regimes"),
    scope=GRID_SCOPE,
)  # fmt: skip
def test_layers_follow_ordering(harness: Harness) -> Evidence:
    """Relative to the mean of the architecture's standard networks; hidden layers that are drawn singly decide nothing."""
    networks = deep(slt_grid(harness))
    drawn = networks.where(scope=list(PANELS)).table
    drawn = drawn.sort_values("scope", kind="stable", key=lambda column: column.map(list(PANELS).index))
    drawn = drawn.assign(layer=drawn["scope"].map(PANELS))
    figure = Figure(
        "scatter", drawn, x="parameters", y="llc_per_parameter", hue="regime", facet="layer", log_x=True, own_axes=True,
        title="LLC per parameter of the layer against its parameter count by regime (after the document's figures under "
        "“Effects on Layers”)",
        x_label="parameters of the layer", y_label="LLC per parameter of the layer",
    )  # fmt: skip
    return networks.where(scope=LAYERS).evidence(figure)


@claim(
    "slt/input-output-correlation",
    statement="Across the models of a regime, LLC and attack success rate correlate positively in the input layer and in the "
    "output layer.",
    source=SLT.at(
        SECTION, "we find that positive correlation between the local learning coefficient and attack success rate is only "
        "present in the input and output layers.",
    ),
    prediction=Conjunction((correlates("input"), correlates("output"))),
    gates=GRID_GATES,
    protocols=PROTOCOLS,
    companions=(
        correlates("input", grouping=WITHIN), correlates("output", grouping=WITHIN),
        correlates("input", "asr_3"), correlates("output", "asr_3"),
    ),
    population=NETWORKS_BY_REGIME,
    tags=("llc", "layers", "correlation"),
    scope=GRID_SCOPE,
)  # fmt: skip
def test_input_output_correlation(harness: Harness) -> Evidence:
    """The document's estimand decides; the one within architectures stands beside it."""
    return layers(slt_grid(harness), "input", "output")


@claim(
    "slt/hidden-no-correlation",
    statement="In the hidden layers there is no correlation between LLC and attack success rate, and there is more of it in "
    "the input and output layers.",
    source=SLT.at(
        SECTION, "In the hidden layers there is no correlation between the local learning coefficient and the attack success "
        "rate.",
    ),
    prediction=Conjunction((
        NoCorrelation(
            x="llc_per_parameter", y="asr_2", where={"scope": "hidden"}, margin=0.4, names=NAMES, errors=ERRORS,
            **ACROSS,
            margin_reason="a correlation inside ±0.4 explains less than a sixth of the rank variance; 66 networks show that "
            "with 90 % power",
        ),
        stronger("input"),
        stronger("output"),
    )),
    gates=(*GRID_GATES, RELIABLE),
    protocols=PROTOCOLS,
    companions=(correlates("hidden", grouping=WITHIN), correlates("hidden", "asr_3")),
    population=NETWORKS_BY_REGIME,
    requires=("slt/input-output-correlation",),
    tags=("llc", "layers", "correlation"),
    scope=GRID_SCOPE,
)  # fmt: skip
def test_hidden_no_correlation(harness: Harness) -> Evidence:
    """Only networks that have hidden layers between input and output layer."""
    return layers(deep(slt_grid(harness)), *LAYERS)
