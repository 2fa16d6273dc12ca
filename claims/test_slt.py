"""Claims of "Adversarial Robustness Through the Lens of Singular Learning Theory"."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fixtures.slt_gates import (
    AT_A_MINIMUM,
    COMPETENT,
    FINITE,
    GRID_GATES,
    INSIDE,
    PROTOCOLS,
    RELIABLE,
)
from fixtures.sources import SLT
from harness.claim import Evidence, Figure, claim
from harness.predict import (
    Conjunction,
    Correlation,
    CorrelationDifference,
    NoCorrelation,
    PairedDifference,
    PerSampleCorrelation,
)

if TYPE_CHECKING:
    from fixtures.study import Study

NAMES = {
    "llc_per_parameter": "LLC per parameter", "asr_2": "attack success rate at 2", "asr_3": "attack success rate at 3",
    "relative_llc": "LLC per parameter relative to the standard mean",
}  # fmt: skip

RHO_MARGIN_REASON = "a correlation below 0.3 explains less than a tenth of the rank variance (Cohen's “medium” effect)"

# --- samples: first, so that the grid is trained meanwhile ------------------------------------------------------------


@claim(
    "slt/sample-llc-perturbation-negative",
    statement="Within a sample, over epochs and models, LLC and smallest perturbation correlate negatively: the typical "
    "per-sample correlation is below zero.",
    source=SLT.at(
        "Sample-Level", "What we observe is that a higher local learning coefficient correlates with a lower perturbation to "
        "reclassify the test sample.",
    ),
    prediction=PerSampleCorrelation(
        x="llc", y="perturbation", unit="seed", sample="sample", sign=-1, margin=0.3, margin_reason=RHO_MARGIN_REASON,
        names={"llc": "LLC", "perturbation": "smallest perturbation"},
    ),
    gates=(COMPETENT, FINITE, INSIDE, AT_A_MINIMUM),
    protocols=PROTOCOLS,
    companions=(
        PerSampleCorrelation(
            x="llc", y="perturbation", unit="seed", sample=("regime", "epoch"), sign=-1, margin=0.3,
            margin_reason=RHO_MARGIN_REASON, names={"llc": "LLC", "perturbation": "smallest perturbation"},
        ),
    ),
    tags=("llc", "samples", "correlation"),
)  # fmt: skip
def test_sample_llc_perturbation_negative(slt_samples: Study) -> Evidence:
    """32 held-out points, 10 epochs, standard and robust members of every seed."""
    from fixtures.slt_samples import per_sample_summary

    figure = Figure(
        "scatter", per_sample_summary(slt_samples.tables), x="perturbation", y="correlation", hue="protocol",
        title="Correlation of LLC and smallest perturbation, sample by sample, ordered by robustness (the document's last "
        "figure)",
        x_label="mean smallest perturbation of the sample (L∞)", y_label="Spearman correlation, mean over seeds",
        reference={"no correlation": 0.0},
    )  # fmt: skip
    return slt_samples.evidence(figure)


# --- regimes, after training ------------------------------------------------------------------------------------------

# LLCs of different protocols and architectures lie orders of magnitude apart, so that no absolute margin serves them all: the
# LLC per parameter is expressed relative to the mean of the architecture's standard members ("the relative reduction in
# local learning coefficient", as the document says).
LLC_MARGIN = 0.1
LLC_MARGIN_REASON = (
    "a tenth of the standard networks' LLC: a little less than the standard deviation among seeds of one architecture, 0.11 "
    "of the mean over pilot members (seeds 1000 to 1007, not used here)"
)


def lower(lower: str, higher: str) -> PairedDifference:
    """The LLC per parameter is lower in one regime, paired by seed within the architecture."""
    return PairedDifference(
        value="relative_llc", factor="regime", higher=higher, lower=lower, pair=("architecture", "seed"), strata="architecture",
        margin=LLC_MARGIN, margin_reason=LLC_MARGIN_REASON, names=NAMES,
    )  # fmt: skip


def regimes(grid: Study, *names: str) -> Evidence:
    """Whole-network LLC of members in these regimes, drawn against the parameter count."""
    chosen = grid.where(scope=["all"], regime=names)
    figure = Figure(
        "scatter", chosen.table, x="parameters", y="llc_per_parameter", hue="regime", log_x=True,
        title="LLC per parameter against parameter count by regime (the document's figure under “Effects of Finetuning”)",
        x_label="parameters of the network", y_label="LLC per parameter",
    )  # fmt: skip
    return chosen.evidence(figure)


@claim(
    "slt/robust-llc-below-standard",
    statement="Robustly trained networks have a lower LLC per parameter than standard ones.",
    source=SLT.at(
        "Effects of Finetuning", "We observe that the local learning coefficient for finetuned models are lower than those of "
        "robust models, which are in turn lower than those of standard models.",
    ),
    prediction=lower("robust", "standard"),
    gates=GRID_GATES,
    protocols=PROTOCOLS,
    tags=("llc", "regimes"),
)  # fmt: skip
def test_robust_llc_below_standard(slt_grid: Study) -> Evidence:
    """Paired by architecture, initialisation and data order."""
    return regimes(slt_grid, "standard", "robust")


@claim(
    "slt/finetuned-llc-lowest",
    statement="Finetuned networks have the lowest LLC per parameter: lower than robust and than standard ones.",
    source=SLT.at(
        "Effects of Finetuning", "We observe that the local learning coefficient for finetuned models are lower than those of "
        "robust models, which are in turn lower than those of standard models.",
    ),
    prediction=Conjunction((lower("finetuned", "robust"), lower("finetuned", "standard"))),
    gates=GRID_GATES,
    protocols=PROTOCOLS,
    tags=("llc", "regimes"),
)  # fmt: skip
def test_finetuned_llc_lowest(slt_grid: Study) -> Evidence:
    """Paired by architecture, initialisation and data order."""
    return regimes(slt_grid, "standard", "robust", "finetuned")


# --- layers -----------------------------------------------------------------------------------------------------------

ACROSS = {"unit": ("architecture", "seed"), "blocks": "regime"}
WITHIN = {"unit": ("architecture", "seed"), "blocks": ("architecture", "regime")}


def correlates(scope: str, rate: str = "asr_2", grouping: dict[str, object] = ACROSS) -> Correlation:
    """LLC and attack success rate correlate positively in a layer; by default as the document pools its models."""
    return Correlation(
        x="llc_per_parameter", y=rate, sign=1, where={"scope": scope}, margin=0.3, margin_reason=RHO_MARGIN_REASON,
        names=NAMES, **grouping,
    )  # fmt: skip


def stronger(here: str) -> CorrelationDifference:
    """The correlation in that layer exceeds the one in the hidden layers."""
    return CorrelationDifference(
        y="asr_2", x="llc_per_parameter", factor="scope", here=here, there="hidden", margin=0.3,
        margin_reason=RHO_MARGIN_REASON, names=NAMES, **ACROSS,
    )  # fmt: skip


def layers(grid: Study, *scopes: str) -> Evidence:
    """Layer-restricted LLC beside the attack success rate, architectures in colour."""
    chosen = grid.where(scope=scopes)
    drawn = chosen.table.assign(panel=chosen.table["scope"] + ", " + chosen.table["regime"])
    drawn = drawn.sort_values("scope", kind="stable", key=lambda column: column.map(scopes.index))
    figure = Figure(
        "scatter", drawn, x="llc_per_parameter", y="asr_2", hue="architecture", facet="panel", own_axes=True,
        title="Attack success rate against LLC per parameter by layer and regime (the document's figures under “Effects on "
        "Layers”); colours are architectures: a slope between colours comes from the architecture; each panel has its own axes",
        x_label="LLC per parameter of the layer", y_label="attack success rate at 2",
    )  # fmt: skip
    return chosen.evidence(figure)


@claim(
    "slt/input-output-correlation",
    statement="Across the models of a regime, LLC and attack success rate correlate positively in the input layer and in the "
    "output layer.",
    source=SLT.at(
        "Effects on Layers", "we find that positive correlation between the local learning coefficient and attack success rate "
        "is only present in the input and output layers.",
    ),
    prediction=Conjunction((correlates("input"), correlates("output"))),
    gates=GRID_GATES,
    protocols=PROTOCOLS,
    companions=(
        correlates("input", grouping=WITHIN), correlates("output", grouping=WITHIN),
        correlates("input", "asr_3"), correlates("output", "asr_3"),
    ),
    tags=("llc", "layers", "correlation"),
)  # fmt: skip
def test_input_output_correlation(slt_grid: Study) -> Evidence:
    """The document's estimand decides; the one within architectures stands beside it."""
    return layers(slt_grid, "input", "output")


@claim(
    "slt/hidden-no-correlation",
    statement="In the hidden layers there is no correlation between LLC and attack success rate, and there is more of it in "
    "the input and output layers.",
    source=SLT.at(
        "Effects on Layers", "In the hidden layers there is no correlation between the local learning coefficient and the "
        "attack success rate.",
    ),
    prediction=Conjunction((
        NoCorrelation(
            x="llc_per_parameter", y="asr_2", where={"scope": "hidden"}, margin=0.4, names=NAMES, **ACROSS,
            margin_reason="a correlation inside ±0.4 explains less than a sixth of the rank variance; 66 networks show that "
            "with 90 % power",
        ),
        stronger("input"),
        stronger("output"),
    )),
    gates=(*GRID_GATES, RELIABLE),
    protocols=PROTOCOLS,
    companions=(correlates("hidden", grouping=WITHIN), correlates("hidden", "asr_3")),
    tags=("llc", "layers", "correlation"),
)  # fmt: skip
def test_hidden_no_correlation(slt_grid: Study) -> Evidence:
    """Only networks that have hidden layers between input and output layer."""
    table = slt_grid.table
    deep = table.loc[table["scope"] == "hidden", "architecture"].unique()
    return layers(slt_grid.where(architecture=deep), "input", "hidden", "output")
