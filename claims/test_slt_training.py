"""Claims of "Adversarial Robustness Through the Lens of Singular Learning Theory": through training, the first epochs.

The document's protocol decides here.  Early checkpoints are no minima of the loss, so that no sound LLC exists there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import strategies as st

from fixtures.generality import SEEDS
from fixtures.slt.courses import finetuning_moments, peak_widths, same_updates, settled, spikes
from fixtures.slt.drawing import side_by_side
from fixtures.slt.gates import (
    BATCH_PROTOCOLS,
    COURSE_GATES,
    COURSE_PROTOCOLS,
    HARDENED,
    HARDENED_BY_FINETUNING,
    WHOLE_COURSE_GATES,
)
from fixtures.slt.quantities import course_relative_llc, early_relative_llc
from fixtures.slt.terms import NAMES, SPIKE_MARGIN, SPIKE_MARGIN_REASON
from fixtures.slt.training import slt_course, slt_early
from fixtures.sources import SLT
from harness import Conjunction, Evidence, Figure, Harness, Landmark, NoChange, NoTrend, Ordering, PairedDifference, Peak, claim

if TYPE_CHECKING:
    import pandas as pd


SECTION = "Initial Epochs"
SCOPES = ("all", "input", "hidden 1", "hidden 2", "output")
BATCHES = (32, 64, 128)
SCOPE = {
    "noise": st.floats(0.5, 1.5), "amplitude": st.floats(4, 8), "document_gamma": st.sampled_from([1.0, 10.0, 100.0]),
    "document_step": st.sampled_from([3e-5, 1e-4, 3e-4]),
}  # fmt: skip

HALF = "half of the height of the mean curve at its highest: what rises or falls by less is a ripple and no spike"


def spike(scope: str) -> Peak:
    """The LLC of a layer rises to a peak and falls again."""
    return Peak(
        y=early_relative_llc, x="epoch", unit="seed", where={"scope": scope}, margin=0.5, margin_reason=HALF, names=NAMES,
    )  # fmt: skip


@claim(
    "slt/llc-spike-standard",
    statement="Under standard training the LLC of the whole network and of every layer rises to a spike in the first epochs "
    "and falls back.",
    source=SLT.at(
        SECTION, "In the first few epochs it experiences a spike, which is observed across all layers, and then it settles",
    ),
    prediction=Conjunction((
        *map(spike, SCOPES),
        Landmark(
            y=early_relative_llc, x="epoch", unit="seed", of="peak", what="position", value=3, tolerance=3,
            where={"scope": "all"}, margin_reason="“the first few epochs”: up to six", names=NAMES,
        ),
    )),
    gates=COURSE_GATES,
    protocols=COURSE_PROTOCOLS,
    population=SEEDS,
    tags=("llc", "training", "layers"),
    scope=SCOPE,
)  # fmt: skip
def test_llc_spike_standard(harness: Harness) -> Evidence:
    """Batch 32, by layer."""
    early = slt_early(harness)
    figure = Figure(
        "lines", early.table, x="epoch", y="llc", facet="scope", own_axes=True,
        title="LLC over the first epochs of standard training, all layers and layer by layer (the document's figures under "
        "“Initial Epochs”); mean and spread over seeds, document protocol",
        x_label="epoch", y_label="LLC",
    )  # fmt: skip
    return early.evidence(figure)


@claim(
    "slt/output-layer-dips-first",
    statement="In the output layer the LLC dips before it spikes.",
    source=SLT.at(
        SECTION, "Interesting behaviour is seen in the output layer where the local learning coefficient dips before spiking "
        "and then settling.",
    ),
    prediction=Conjunction((
        Peak(
            y=early_relative_llc, x="epoch", unit="seed", valley=True, where={"scope": "output"}, margin=0.5,
            margin_reason=HALF, names=NAMES,
        ),
        spike("output"),
        PairedDifference(
            value="epoch", factor="extreme", higher="spike", lower="dip", pair="seed", where={"scope": "output"}, margin=1,
            margin_reason="one epoch, the distance of the checkpoints",
        ),
    )),
    gates=COURSE_GATES,
    protocols=COURSE_PROTOCOLS,
    population=SEEDS,
    requires=("slt/llc-spike-standard",),
    tags=("llc", "training", "layers"),
    scope=SCOPE,
)  # fmt: skip
def test_output_layer_dips_first(harness: Harness) -> Evidence:
    """The output layer alone; a member's dip and spike are its lowest and highest checkpoint after the initialisation."""
    output = slt_early(harness).where(scope="output")
    figure = Figure(
        "lines", output.table, x="epoch", y="llc", hue="scope",
        title="LLC of the output layer over the first epochs of standard training (the document's figure “Output layers”); "
        "mean and spread over seeds, document protocol",
        x_label="epoch", y_label="LLC", reference={"no difference to the loss at w*": 0.0},
    )  # fmt: skip
    return output.evidence(figure)


@claim(
    "slt/settles-to-the-same-value",
    statement="After the spike the LLC of standard networks settles to the same value as that of robust ones.",
    source=SLT.at(SECTION, "and then it settles to the same value as that of the robustly trained model."),
    prediction=NoChange(
        value=course_relative_llc, factor="regime", first="robust", second="standard", pair="seed", where={"batch": 32},
        margin=SPIKE_MARGIN, margin_reason=SPIKE_MARGIN_REASON, names=NAMES,
    ),
    gates=(*COURSE_GATES, HARDENED),
    protocols=COURSE_PROTOCOLS,
    companions=tuple(
        NoChange(
            value=course_relative_llc, factor="regime", first="robust", second="standard", pair="seed", where={"batch": batch},
            margin=SPIKE_MARGIN, margin_reason=SPIKE_MARGIN_REASON, names=NAMES,
        )
        for batch in BATCHES[1:]
    ),
    population=SEEDS,
    requires=("slt/llc-spike-standard",),
    contradicts=("slt/robust-llc-below-standard",),
    tags=("llc", "training", "regimes"),
    scope=SCOPE,
)  # fmt: skip
def test_settles_to_the_same_value(harness: Harness) -> Evidence:
    """Means over the last three checkpoints, in units of the standard networks' spike."""
    study = slt_course(harness).under(*COURSE_PROTOCOLS)
    return study.derived(settled).evidence(regimes(study.table))


def regimes(table: pd.DataFrame) -> Figure:
    """LLC and robustness over epochs by regime, batch 32."""
    own = table[table["batch"] == 32]
    end = int(own.loc[own["regime"] == "standard", "epoch"].max())
    own = own.assign(epoch=own["epoch"] + (own["regime"] == "finetuned") * end)
    return Figure(
        "lines", side_by_side(own, "llc", "median_perturbation", kind="regime"), x="epoch", y="value", hue="regime",
        facet="quantity", own_axes=True, x_label="epoch (finetuning continues standard training)",
        y_label="LLC; perturbation (L∞)",
        title="LLC and robustness over epochs by regime (the document's first figure under “Initial Epochs”); mean and spread "
        "over seeds, document protocol",
    )  # fmt: skip


@claim(
    "slt/robust-stabilises-llc-faster",
    statement="Robust training has no initial spike of the LLC, and its LLC settles in fewer epochs than that of standard "
    "training.",
    source=SLT.at(
        SECTION, "It seems as though robustly training the model stabilises the local learning coefficient faster, eliminating "
        "its initial spike.",
    ),
    prediction=Conjunction((
        NoChange(
            value=course_relative_llc, factor="moment", first="settled", second="spike", pair="seed",
            where={"regime": "robust", "batch": 32}, margin=0.25, names=NAMES,
            margin_reason="a quarter of the standard networks' spike: what is smaller beside it is eliminated",
        ),
        PairedDifference(
            value="settled_at", factor="regime", higher="standard", lower="robust", pair="seed",
            where={"moment": "settled", "batch": 32}, margin=1, names=NAMES,
            margin_reason="one epoch, the distance of the checkpoints there",
        ),
    )),
    gates=(*WHOLE_COURSE_GATES, HARDENED),
    protocols=COURSE_PROTOCOLS,
    companions=(
        PairedDifference(
            value=course_relative_llc, factor="regime", higher="standard", lower="robust", pair="seed",
            where={"moment": "spike", "batch": 32}, margin=0.25, names=NAMES,
            margin_reason="a quarter of the standard networks' spike",
        ),
        *(
            PairedDifference(
                value="settled_at", factor="regime", higher="standard", lower="robust", pair="seed",
                where={"moment": "settled", "batch": batch}, margin=1, margin_reason="one epoch, the finest that is resolved",
                names=NAMES,
            )
            for batch in BATCHES[1:]
        ),
    ),
    population=SEEDS,
    requires=("slt/llc-spike-standard",),
    tags=("llc", "training", "regimes"),
    scope=SCOPE,
)  # fmt: skip
def test_robust_stabilises_llc_faster(harness: Harness) -> Evidence:
    """The spike's place is chosen on the other seeds; settled is within a tenth of a curve's range from its last value."""
    study = slt_course(harness).under(*COURSE_PROTOCOLS)
    return study.derived(spikes).evidence(regimes(study.table))


@claim(
    "slt/finetuning-leaves-llc",
    statement="Finetuning does not change the LLC.",
    source=SLT.at(
        SECTION, "Finetuning does not seem to effect the local learning coefficient, which is perhaps because the robustness "
        "has already been established by this point.",
    ),
    prediction=NoChange(
        value=course_relative_llc, factor="moment", first="before", second="after", pair="seed", margin=SPIKE_MARGIN,
        margin_reason=SPIKE_MARGIN_REASON, names=NAMES,
    ),
    gates=(*COURSE_GATES, HARDENED_BY_FINETUNING),
    protocols=COURSE_PROTOCOLS,
    companions=(
        NoChange(
            value="llc_of_before", factor="moment", first="before", second="after", pair="seed", margin=0.25,
            margin_reason="a quarter of the LLC before finetuning, instead of the spike's height",
            names=NAMES | {"llc_of_before": "LLC relative to its mean before finetuning"},
        ),
    ),
    population=SEEDS,
    contradicts=("slt/finetuned-llc-lowest",),
    tags=("llc", "training", "regimes"),
    scope=SCOPE,
)  # fmt: skip
def test_finetuning_leaves_llc(harness: Harness) -> Evidence:
    """Before finetuning and after its last epoch, in units of the standard networks' spike."""
    study = slt_course(harness).under(*COURSE_PROTOCOLS)
    return study.derived(finetuning_moments).evidence(regimes(study.table))


def batches(table: pd.DataFrame) -> Figure:
    """LLC and robustness over epochs by batch size, standard training."""
    own = table[table["regime"] == "standard"]
    return Figure(
        "lines", side_by_side(own, "llc", "median_perturbation", kind="batch"), x="epoch", y="value", hue="batch",
        facet="quantity", own_axes=True, x_label="epoch", y_label="LLC; perturbation (L∞)",
        title="LLC and robustness over epochs of standard training by batch size (the document's figures “Batch size 64” and "
        "“Batch size 128”); mean and spread over seeds, document protocol",
    )  # fmt: skip


@claim(
    "slt/peak-widens-with-batch-size",
    statement="The larger the batch, 32, 64, 128, the wider the LLC's peak in epochs.",
    source=SLT.at(SECTION, "we see that as the batch size increases the width of the peak increases"),
    prediction=Ordering(
        value="peak_width", factor="batch", levels=BATCHES, unit="seed", margin=1, names=NAMES,
        margin_reason="one epoch a doubling, the distance of the checkpoints at the peak",
    ),
    gates=WHOLE_COURSE_GATES,
    protocols=BATCH_PROTOCOLS,
    companions=(
        NoTrend(
            value="width_in_updates", x="batch", unit="seed", margin=1, names=NAMES,
            margin_reason="one epoch of batch 32, 96 updates, a doubling: what is left beside fewer updates an epoch",
        ),
    ),
    population=SEEDS,
    requires=("slt/llc-spike-standard",),
    tags=("llc", "training", "batch size"),
    scope=SCOPE,
)  # fmt: skip
def test_peak_widens_with_batch_size(harness: Harness) -> Evidence:
    """Standard networks; the equivalent width, area of the peak over its height."""
    course = slt_course(harness)
    return course.derived(peak_widths).evidence(batches(course.table))


LLC_STEP = 0.05
LLC_STEP_REASON = "a tenth of the spike's height over both doublings, what can be seen in a figure that the spike fills"
ROBUSTNESS_STEP = 0.05
ROBUSTNESS_STEP_REASON = (
    "a twentieth of the training attack's size, 2, over both doublings; for each about half of the standard deviation among "
    "seeds of one batch size, 0.09 in pilot members (seeds 1000 to 1007)"
)


@claim(
    "slt/larger-batch-settles-higher",
    statement="The larger the batch, 32, 64, 128, the higher the LLC at which standard training settles, and the lower the "
    "robustness.",
    source=SLT.at(SECTION, "and the model settles at a high local learning coefficient and lower robustness."),
    prediction=Conjunction((
        Ordering(
            value=course_relative_llc, factor="batch", levels=BATCHES, unit="seed", margin=LLC_STEP,
            margin_reason=LLC_STEP_REASON, names=NAMES,
        ),
        Ordering(
            value="median_perturbation", factor="batch", levels=BATCHES[::-1], unit="seed", margin=ROBUSTNESS_STEP,
            margin_reason=ROBUSTNESS_STEP_REASON, names=NAMES,
        ),
    )),
    gates=COURSE_GATES,
    protocols=BATCH_PROTOCOLS,
    companions=tuple(
        NoTrend(
            value=f"same_updates_{value}", x="batch", unit="seed", margin=margin, margin_reason=reason,
            names=NAMES | {f"same_updates_{value}": f"{NAMES[value]} after equally many updates"},
        )
        for value, margin, reason in (
            (course_relative_llc, LLC_STEP, LLC_STEP_REASON), ("median_perturbation", ROBUSTNESS_STEP, ROBUSTNESS_STEP_REASON),
        )
    ),
    population=SEEDS,
    tags=("llc", "training", "batch size"),
    scope=SCOPE,
)  # fmt: skip
def test_larger_batch_settles_higher(harness: Harness) -> Evidence:
    """Standard networks, means over the last three checkpoints; beside them after as many updates as batch 128 has had."""
    course = slt_course(harness)

    def both(table: pd.DataFrame) -> pd.DataFrame:
        key, values = ["regime", "batch", "seed"], ["relative_llc", "median_perturbation"]
        again = same_updates(table)[[*key, *values]].rename(columns={name: f"same_updates_{name}" for name in values})
        rows = settled(table).merge(again, on=key, validate="one_to_one")
        return rows[rows["regime"] == "standard"].reset_index(drop=True)

    return course.derived(both).evidence(batches(course.table))
