"""Claims of "Adversarial Robustness Through the Lens of Singular Learning Theory": long training, toy images and MNIST."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import strategies as st

from fixtures.generality import SEEDS
from fixtures.slt.drawing import side_by_side
from fixtures.slt.gates import AT_A_MINIMUM, ATTACK_SANE, COMPETENT, COURSE_GATES, COURSE_PROTOCOLS, FINITE, LEARNED, MOVING
from fixtures.slt.long import slt_long, slt_mnist
from fixtures.slt.quantities import long_relative_llc, mnist_relative_llc
from fixtures.slt.terms import NAMES, RHO_MARGIN, RHO_MARGIN_REASON, SPIKE_MARGIN, SPIKE_MARGIN_REASON
from fixtures.sources import SLT
from harness import (
    Conjunction,
    Evidence,
    Figure,
    Gate,
    Harness,
    NoChange,
    Ordering,
    PairedDifference,
    PerSampleCorrelation,
    Trajectory,
    claim,
)

if TYPE_CHECKING:
    import pandas as pd


SECTION = "Extended Epochs"
SCOPE = {"noise": st.floats(0.5, 1.5), "amplitude": st.floats(4, 8), "attack_steps": st.integers(3, 20)}
MNIST_SCOPE = {"mnist_epsilon": st.floats(0.05, 0.2), "document_gamma": st.sampled_from([1.0, 10.0, 100.0])}
DOUBLINGS = ("start", "2 × start", "4 × start", "8 × start")

LOSS_MARGIN = 0.05
LOSS_MARGIN_REASON = (
    "a fortieth of the training attack's size, 2, and half of the standard deviation among seeds, 0.09 in pilot members (seeds "
    "1000 to 1007)"
)


def robustness_falls(regime: str, size: str = "larger") -> Ordering:
    """The median smallest perturbation falls with every doubling of the epochs."""
    return Ordering(
        value="median_perturbation", factor="doubling", levels=DOUBLINGS[::-1], unit="seed",
        where={"regime": regime, "size": size}, margin=LOSS_MARGIN, margin_reason=LOSS_MARGIN_REASON,
        names=NAMES | {"doubling": "epoch", "larger": "the document's, 3 × 16", "smaller": "the smaller, 3 × 8"},
    )  # fmt: skip


def course(table: pd.DataFrame, *values: str) -> Figure:
    """Quantities over epochs by size and regime."""
    kinds = table.assign(kind=table["architecture"] + " " + table["regime"])
    return Figure(
        "lines", side_by_side(kinds, *values, kind="kind"), x="epoch", y="value", hue="kind", facet="quantity",
        own_axes=True, log_x=True, x_label="epoch", y_label="LLC; perturbation (L∞)",
        title="LLC and robustness up to 192 epochs, two sizes (the document's figures under “Extended Epochs”); mean and "
        "spread over seeds, document protocol",
    )  # fmt: skip


@claim(
    "slt/long-training-lowers-robustness",
    statement="When training is extended to 192 epochs, robustness decreases over time.",
    source=SLT.at(SECTION, "We observe that robustness seems to decrease overtime"),
    prediction=robustness_falls("standard"),
    gates=(COMPETENT, ATTACK_SANE),
    companions=(robustness_falls("robust"), robustness_falls("standard", "smaller")),
    population=SEEDS,
    tags=("robustness", "long training"),
    scope=SCOPE,
)
def test_long_training_lowers_robustness(harness: Harness) -> Evidence:
    """Standard networks of the document's size at batch 64, from the end of the spike, by doublings of the epochs."""
    study = slt_long(harness).under("document")
    return study.where(doubling=DOUBLINGS).evidence(course(study.table, "median_perturbation"))


@claim(
    "slt/long-training-leaves-llc",
    statement="Over the same epochs there is relatively little change in the LLC.",
    source=SLT.at(SECTION, "however, there is relatively little change in the local learning coefficient."),
    prediction=NoChange(
        value=long_relative_llc, factor="doubling", first="start", second="8 × start", pair="seed",
        where={"regime": "standard", "size": "larger"}, margin=SPIKE_MARGIN, margin_reason=SPIKE_MARGIN_REASON, names=NAMES,
    ),
    gates=COURSE_GATES,
    protocols=COURSE_PROTOCOLS,
    companions=(
        NoChange(
            value=long_relative_llc, factor="doubling", first="start", second="8 × start", pair="seed",
            where={"regime": "standard", "size": "smaller"}, margin=SPIKE_MARGIN, margin_reason=SPIKE_MARGIN_REASON,
            names=NAMES,
        ),
    ),
    population=SEEDS,
    tags=("llc", "long training"),
    scope=SCOPE,
)  # fmt: skip
def test_long_training_leaves_llc(harness: Harness) -> Evidence:
    """Standard networks of the document's size, in units of their spike."""
    runs = slt_long(harness)
    return runs.where(doubling=DOUBLINGS).evidence(course(runs.table, "llc", "median_perturbation"))


@claim(
    "slt/smaller-model-more-pronounced",
    statement="A smaller model loses more robustness over long training.",
    source=SLT.at(SECTION, "This effect is more pronounced on a smaller model."),
    prediction=PairedDifference(
        value="lost", factor="size", higher="smaller", lower="larger", pair="seed",
        where={"regime": "standard", "doubling": "8 × start"}, margin=LOSS_MARGIN, margin_reason=LOSS_MARGIN_REASON,
        names={"lost": "loss of robustness (median smallest perturbation)", "8 × start": "the last epoch", "doubling": "epoch"},
    ),
    gates=(COMPETENT, ATTACK_SANE),
    population=SEEDS,
    requires=("slt/long-training-lowers-robustness",),
    tags=("robustness", "long training"),
    scope=SCOPE,
)  # fmt: skip
def test_smaller_model_more_pronounced(harness: Harness) -> Evidence:
    """Loss from the end of the spike to the last epoch; members of both sizes share the order of their data."""
    study = slt_long(harness).under("document")
    return study.where(doubling=DOUBLINGS).evidence(course(study.table, "median_perturbation"))


TENTH = 0.1
MNIST_NAMES = NAMES | {"robustness": "relative robustness"}
HARDENED = Gate(
    "adversarial training lowered the attack success rate at 0.1",
    "asr_0.1",
    below="standard_asr_0.1",
    share=0.9,
    where={"regime": "robust", "learned": True},
    reason="below that of the standard network of the same seed: the manipulation has to have worked before its effect can be "
    "asked for",
)
MNIST_GATES = (LEARNED, ATTACK_SANE, HARDENED)


def mnist_figure(table: pd.DataFrame) -> Figure:
    """LLC and robustness over epochs by regime."""
    return Figure(
        "lines", side_by_side(table, "llc", "median_perturbation", kind="regime"), x="epoch", y="value", hue="regime",
        facet="quantity",
        own_axes=True, x_label="epoch", y_label="LLC; perturbation (L∞, pixels)",
        title="LLC and robustness over epochs on MNIST (the document's last figures under “Extended Epochs”); mean and spread "
        "over seeds, document protocol",
    )  # fmt: skip


@claim(
    "slt/mnist-llc-rises",
    statement="On MNIST the LLC of standard networks rises over training, while their robustness, once the task is learned, "
    "falls, and within a network the two correlate negatively.",
    source=SLT.at(
        SECTION, "We observe that the local learning coefficient increases over time for the standardly trained model, which "
        "correlates with its decrease in robustness.",
    ),
    prediction=Conjunction((
        PairedDifference(
            value=mnist_relative_llc, factor="moment", higher="last", lower="first", pair="seed", where={"regime": "standard"},
            margin=0.25, margin_reason="a quarter of the LLC after training", names=MNIST_NAMES,
        ),
        PairedDifference(
            value="robustness", factor="moment", higher="learned", lower="last", pair="seed", where={"regime": "standard"},
            margin=TENTH, margin_reason="a tenth of the robustness when the task is learned", names=MNIST_NAMES,
        ),
        PerSampleCorrelation(
            x="llc", y="median_perturbation", unit="seed", sample="regime", sign=-1,
            where={"regime": "standard", "learned": True}, margin=RHO_MARGIN, margin_reason=RHO_MARGIN_REASON, names=NAMES,
        ),
    )),
    gates=(*MNIST_GATES, FINITE, MOVING, AT_A_MINIMUM),
    protocols=COURSE_PROTOCOLS,
    companions=(
        Trajectory(
            x="llc", y="median_perturbation", over="epoch", unit="seed", sign=-1, where={"regime": "standard", "learned": True},
            margin=RHO_MARGIN, margin_reason=RHO_MARGIN_REASON, names=NAMES,
        ),
    ),
    population=SEEDS,
    tags=("llc", "robustness", "mnist", "long training"),
    scope=MNIST_SCOPE,
)  # fmt: skip
def test_mnist_llc_rises(harness: Harness) -> Evidence:
    """The document's correlation, over epochs; beside it that of the changes, which a shared course in time cannot make."""
    mnist = slt_mnist(harness)
    return mnist.evidence(mnist_figure(mnist.table))


@claim(
    "slt/mnist-robust-stays-robust",
    statement="On MNIST the robustness of robustly trained networks, once the task is learned, stays consistent.",
    source=SLT.at(SECTION, "On the other hand, the robustness of the robustly trained model remains fairly consistent."),
    prediction=NoChange(
        value="robustness", factor="moment", first="learned", second="last", pair="seed", where={"regime": "robust"},
        margin=TENTH, margin_reason="a tenth of the robustness when the task is learned, the loss that counts for standard "
        "networks", names=MNIST_NAMES,
    ),
    gates=MNIST_GATES,
    companions=(
        PairedDifference(
            value="robustness", factor="regime", higher="robust", lower="standard", pair="seed", where={"moment": "last"},
            margin=TENTH, margin_reason="a tenth of the robustness when the task is learned", names=MNIST_NAMES,
        ),
    ),
    population=SEEDS,
    tags=("robustness", "mnist", "long training"),
    scope=MNIST_SCOPE,
)  # fmt: skip
def test_mnist_robust_stays_robust(harness: Harness) -> Evidence:
    """Median smallest perturbation, relative to its mean when the task is learned."""
    study = slt_mnist(harness).under("document")
    return study.evidence(mnist_figure(study.table))
