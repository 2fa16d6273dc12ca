"""Claims of "Adversarial Robustness Through the Lens of Singular Learning Theory": single samples."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hypothesis import strategies as st

from fixtures.generality import SAMPLES, SEEDS
from fixtures.slt.gates import AT_A_MINIMUM, COMPETENT, COURSE_PROTOCOLS, FINITE, INSIDE, PROTOCOLS, SEEDS_AT_MINIMA
from fixtures.slt.points import MUCH, correlations, inside, per_sample_summary, saturation, share_inside, with_selection
from fixtures.slt.samples import slt_samples
from fixtures.slt.terms import NAMES, RHO_MARGIN, RHO_MARGIN_REASON
from fixtures.sources import SLT
from harness import Evidence, Figure, Harness, NoChange, PairedDifference, PerSampleCorrelation, Proportion, claim

if TYPE_CHECKING:
    import pandas as pd


SECTION = "Sample-Level"
LEAST = "a smallest perturbation of all samples, in radii of the neighbourhood"
ALL = "document, all estimates"
SCOPE = {
    "noise": st.floats(0.5, 1.5), "amplitude": st.floats(4, 8), "radius": st.floats(0.05, 0.4),
    "document_gamma": st.sampled_from([1.0, 10.0, 100.0]),
}  # fmt: skip


def correlate(**where: object) -> PerSampleCorrelation:
    """Within a sample, over epochs and regimes, LLC and smallest perturbation correlate negatively."""
    return PerSampleCorrelation(
        x="llc", y="perturbation", unit="seed", sample="sample", sign=-1, margin=RHO_MARGIN, margin_reason=RHO_MARGIN_REASON,
        names=NAMES, where=where,
    )  # fmt: skip


def ordered(tables: dict[str, pd.DataFrame]) -> Figure:
    """Correlations sample by sample."""
    return Figure(
        "scatter", per_sample_summary(tables), x="perturbation", y="correlation", hue="protocol",
        title="Correlation of LLC and smallest perturbation, sample by sample, ordered by robustness (the document's last "
        "figure)",
        x_label="mean smallest perturbation of the sample (L∞)", y_label="Spearman correlation, mean over seeds",
        reference={"no correlation": 0.0},
    )  # fmt: skip


@claim(
    "slt/sample-llc-perturbation-negative",
    statement="Within a sample, over epochs and models, LLC and smallest perturbation correlate negatively: the typical "
    "per-sample correlation is below zero.",
    source=SLT.at(
        SECTION, "What we observe is that a higher local learning coefficient correlates with a lower perturbation to "
        "reclassify the test sample.",
    ),
    prediction=correlate(),
    gates=(COMPETENT, FINITE, INSIDE, AT_A_MINIMUM),
    protocols=PROTOCOLS,
    companions=(
        PerSampleCorrelation(
            x="llc", y="perturbation", unit="seed", sample=("regime", "epoch"), sign=-1, margin=RHO_MARGIN,
            margin_reason=RHO_MARGIN_REASON, names=NAMES,
        ),
    ),
    population=SAMPLES,
    requires=("slt/neighbourhood-inside-perturbation",),
    tags=("llc", "samples", "correlation"),
    scope=SCOPE,
)  # fmt: skip
def test_sample_llc_perturbation_negative(harness: Harness) -> Evidence:
    """32 held-out points, 10 epochs, standard and robust members of every seed."""
    study = slt_samples(harness).under(*PROTOCOLS)
    return study.evidence(ordered(dict(study.tables)))


@claim(
    "slt/sample-llc-perturbation-selection",
    statement="The negative correlation within samples is there without the removal of negative LLC estimates.",
    source=SLT.at(
        SECTION, "Note that we have also removed the local learning coefficient estimates that are negative, as to not skew "
        "the diagrams.",
    ),
    prediction=correlate(row="estimate"),
    # Not INSIDE: what the document's removal takes away are the samples that fail it, misclassified in the first epochs.
    gates=(COMPETENT, FINITE, replace(AT_A_MINIMUM, where={"row": "estimate"})),
    protocols=COURSE_PROTOCOLS,
    companions=(
        NoChange(
            value="correlation", factor="selection", first="all", second="not negative", pair="seed", where={"row": "seed"},
            margin=0.1, margin_reason="a third of the smallest correlation of interest",
            names={"selection": "estimates", "all": "all of them", "not negative": "those that are not negative"},
        ),
    ),
    population=SAMPLES,
    requires=("slt/sample-llc-perturbation-negative", "slt/neighbourhood-inside-perturbation"),
    tags=("llc", "samples", "correlation"),
    scope=SCOPE,
)  # fmt: skip
def test_sample_llc_perturbation_selection(harness: Harness) -> Evidence:
    """The document's protocol with all of its estimates decides, since it is its removal that is in question."""
    samples = slt_samples(harness)
    tables = {"document": samples.tables[ALL], "sound": samples.tables["sound"]}
    shown = {ALL: tables["document"], "document, not negative": samples.tables["document"]}
    return samples.of(tables).derived(with_selection).evidence(ordered(shown))


@claim(
    "slt/neighbourhood-inside-perturbation",
    statement="For every sample the neighbourhood is much smaller than the smallest perturbation: less than half of it, at "
    "every epoch at which the sample is classified correctly.",
    source=SLT.at(
        SECTION, "In every case, the size of the neighbourhood from which the samples is taken is much smaller than this "
        "perturbation amplitude",
    ),
    prediction=Proportion(
        of="least_inside", at_least=MUCH, unit="seed", exceeds=0.5, margin=0.25, names={"least_inside": f"{LEAST},"},
        margin_reason="half-way from half of the networks, with which the sentence would be as often wrong as right, to all",
    ),
    gates=(COMPETENT,),
    companions=(
        Proportion(
            of="least_inside_last", at_least=MUCH, unit="seed", exceeds=0.5, margin=0.25,
            margin_reason="as above, after the last epoch alone",
            names={"least_inside_last": f"{LEAST}, after the last epoch,"},
        ),
        Proportion(
            of="least_inside_all", at_least=MUCH, unit="seed", exceeds=0.5, margin=0.25,
            margin_reason="as above, misclassified samples included, whose perturbation is 0",
            names={"least_inside_all": f"{LEAST}, misclassified ones included,"},
        ),
    ),
    population=SEEDS,
    tags=("samples", "robustness"),
    scope=SCOPE,
)  # fmt: skip
def test_neighbourhood_inside_perturbation(harness: Harness) -> Evidence:
    """Standard and robust members of a seed together; a neighbourhood has L∞ radius 0.1."""
    study = slt_samples(harness).under("sound")
    figure = Figure(
        "lines", share_inside(study.table), x="epoch", y="share", hue="regime",
        title="Share of the samples whose neighbourhood is less than half of their smallest perturbation, mean and spread over "
        "seeds (the document shows no figure)",
        x_label="epoch", y_label="share of the samples", reference={"every sample": 1.0},
    )  # fmt: skip
    return study.derived(inside).evidence(figure)


@claim(
    "slt/robust-training-saturates-samples",
    statement="Robust training reaches the final robustness of a sample in fewer epochs than standard training.",
    source=SLT.at(SECTION, "we observe that robustly training the model quickly saturates the robustness possible at a "
    "particular"),
    prediction=PairedDifference(
        value="settled_at", factor="regime", higher="standard", lower="robust", pair="seed", margin=0.5,
        margin_reason="half an epoch on average over samples; checkpoints are an epoch apart",
        names={"settled_at": "epoch from which a sample's smallest perturbation has settled"},
    ),
    gates=(COMPETENT,),
    population=SEEDS,
    tags=("samples", "robustness", "training"),
    scope=SCOPE,
)  # fmt: skip
def test_robust_training_saturates_samples(harness: Harness) -> Evidence:
    """Settled: within a tenth of the curve's range from its last value, sample by sample, then the mean over samples."""
    samples_study = slt_samples(harness)
    four = samples_study.tables["document"].query("sample < 4")
    four = four.assign(panel="sample " + (four["sample"] + 1).astype(str)).melt(
        ["panel", "regime", "epoch", "seed"], ["llc", "perturbation"], "quantity", "value"
    )
    four["panel"] += ", " + four["quantity"].map(NAMES)
    figure = Figure(
        "lines", four.groupby(["panel", "regime", "epoch"], as_index=False)["value"].mean(), x="epoch", y="value", hue="regime",
        facet="panel", own_axes=True, x_label="epoch", y_label="LLC; perturbation (L∞)",
        title="LLC and smallest perturbation of four samples over epochs, mean over seeds, negative estimates removed (the "
        "document's first figure under “Sample-Level”)",
    )  # fmt: skip
    return samples_study.under("sound").derived(saturation).evidence(figure)


@claim(
    "slt/trend-fails-at-fragile-samples",
    statement="The smaller the perturbation that a sample withstands, the less negative its correlation of LLC and "
    "perturbation.",
    source=SLT.at(
        SECTION, "the test samples at which this negative trend fails, correspond to the test samples that are not-robust "
        "points",
    ),
    prediction=PerSampleCorrelation(
        x="correlation", y="mean_perturbation", unit="seed", sample="panel", sign=-1, margin=RHO_MARGIN,
        margin_reason=RHO_MARGIN_REASON,
        names={"correlation": "correlation within a sample", "mean_perturbation": "mean smallest perturbation of the sample",
               "panel": "panel of samples"},
    ),
    gates=(COMPETENT, FINITE, SEEDS_AT_MINIMA),
    protocols=PROTOCOLS,
    population=SEEDS,
    requires=("slt/sample-llc-perturbation-negative",),
    tags=("llc", "samples", "correlation"),
    scope=SCOPE,
)  # fmt: skip
def test_trend_fails_at_fragile_samples(harness: Harness) -> Evidence:
    """Across the samples of one seed: Spearman's rho of the within-sample correlation and the mean perturbation."""
    study = slt_samples(harness).under(*PROTOCOLS)
    return study.derived(correlations).evidence(ordered(dict(study.tables)))
