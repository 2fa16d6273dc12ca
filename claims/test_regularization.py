"""Claims of "Towards Understanding the Regularization of Adversarial Robustness on Neural Networks": gaps and errors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from fixtures.generality import SEEDS
from fixtures.regularization.gates import GATES
from fixtures.regularization.populations import regularization
from fixtures.sources import REGULARIZATION
from harness import Conjunction, Evidence, Figure, Harness, Ordering, PairedDifference, claim

if TYPE_CHECKING:
    from harness import Study

DATA = ("MNIST", "CIFAR-10")
LEVELS = ("standard", "weak", "medium", "strong")
STANDARD, STRONGEST = LEVELS[0], LEVELS[-1]
SCOPE = {"learning_rate": st.sampled_from((0.5, 1.0, 2.0)), "strength": st.sampled_from((0.5, 1.0, 2.0))}  # of the defaults
NAMES = {
    "standard": "standard training", "weak": "PGD training at a quarter of ε", "medium": "PGD training at half of ε",
    "strong": "PGD training at all of ε", "test_accuracy": "clean test accuracy",
    "error_gap": "gap of the error (test − training)", "loss_gap": "gap of the loss (test − training, nats)",
    "robust_error_gap": "gap of the error under attack", "robust_loss_gap": "gap of the loss under attack (nats)",
    "log_output_change": "log₂ of the change of outputs under attack", "indecisive": "share of indecisive errors",
    "log_loss_change": "log₂ of the change of loss under attack", "data": "data set",
}  # fmt: skip
POINT = "one image in a hundred more; less would not be seen in the document's curves"
TENTH = "log₂ 1.1: a change by a tenth"


def falls(value: str, margin: float, reason: str, **where: Any) -> Conjunction:
    """Lower after training at the strongest ε than after standard training, on each data set."""
    return _both(value, margin, reason, higher=STANDARD, lower=STRONGEST, where=where)


def rises(value: str, margin: float, reason: str, **where: Any) -> Conjunction:
    """Higher after training at the strongest ε than after standard training, on each data set."""
    return _both(value, margin, reason, higher=STRONGEST, lower=STANDARD, where=where)


def _both(value: str, margin: float, reason: str, *, higher: str, lower: str, where: dict[str, Any]) -> Conjunction:
    return Conjunction(tuple(
        PairedDifference(
            value=value, factor="training", higher=higher, lower=lower, pair="seed", where={"data": data} | where,
            margin=margin, margin_reason=reason, names=NAMES,
        )
        for data in DATA
    ))  # fmt: skip


def dose(value: str, margin: float, reason: str, *, rising: bool) -> tuple[Ordering, ...]:
    """The dose-response over training ε, on each data set; a third of the margin of the whole range for a step."""
    levels = LEVELS if rising else LEVELS[::-1]
    return tuple(
        Ordering(
            value=value, factor="training", levels=levels, unit="seed", where={"data": data}, margin=round(margin / 3, 4),
            margin_reason=f"a third, for one of three steps, of: {reason}", names=NAMES,
        )
        for data in DATA
    )  # fmt: skip


def over_epsilon(study: Study, value: str, title: str, label: str, **more: Any) -> Evidence:
    """One quantity against training ε, a panel for each data set."""
    figure = Figure(
        "lines", study.table, x="epsilon", y=value, facet="data", own_axes=True, title=title,
        x_label="training ε (L∞, pixels from 0 to 1)", y_label=label, **more,
    )  # fmt: skip
    return study.evidence(figure)


@claim(
    "regularization/accuracy-trade-off",
    statement="Adversarial training lowers the accuracy on unperturbed test images, on MNIST and on CIFAR-10.",
    source=REGULARIZATION.at(
        "Puzzling observations", "There exists a trade-off between adversarial robustness and accuracy",
    ),
    prediction=falls("test_accuracy", 0.01, POINT),
    companions=dose("test_accuracy", 0.01, POINT, rising=False),
    gates=GATES,
    scope=SCOPE,
    population=SEEDS,
    tags=("mnist", "cifar-10", "accuracy"),
)  # fmt: skip
def test_accuracy_trade_off(harness: Harness) -> Evidence:
    """Standard against the strongest training ε, paired by seed."""
    title = "Clean test accuracy against training ε (the document's first figure under “Puzzling observations”)"
    return over_epsilon(regularization(harness).members, "test_accuracy", title, "test accuracy without attack")


@claim(
    "regularization/error-gap-grows",
    statement="Adversarial training makes the gap between test and training error larger, on MNIST and on CIFAR-10.",
    source=REGULARIZATION.at(
        "Puzzling observations", "Adversarial training exacerbate overfitting (the error gap is enlarged) ?",
    ),
    prediction=rises("error_gap", 0.01, POINT),
    companions=(
        *dose("error_gap", 0.01, POINT, rising=True),
        rises("robust_error_gap", 0.01, "the same, with both errors taken on adversarial examples at the strongest ε"),
    ),
    gates=GATES,
    scope=SCOPE,
    population=SEEDS,
    tags=("mnist", "cifar-10", "gap"),
)  # fmt: skip
def test_error_gap_grows(harness: Harness) -> Evidence:
    """Errors on unperturbed images; those under attack are a companion."""
    title = "Test error less training error against training ε (the document's second figure under “Puzzling observations”)"
    members = regularization(harness).members
    return over_epsilon(members, "error_gap", title, "test error − training error", reference={"none": 0.0})


LOSS = "five hundredths of a nat, the loss of one image in twenty whose probability falls by a factor e"


@claim(
    "regularization/loss-gap-shrinks",
    statement="Adversarial training makes the gap between test and training loss smaller, on MNIST and on CIFAR-10.",
    source=REGULARIZATION.at("Puzzling observations", "Or an effective regularization (loss gap is reduced) ?"),
    prediction=falls("loss_gap", 0.05, LOSS),
    companions=(
        *dose("loss_gap", 0.05, LOSS, rising=False),
        falls("robust_loss_gap", 0.05, "the same, with both losses taken on adversarial examples at the strongest ε"),
    ),
    gates=GATES,
    scope=SCOPE,
    population=SEEDS,
    tags=("mnist", "cifar-10", "gap"),
)  # fmt: skip
def test_loss_gap_shrinks(harness: Harness) -> Evidence:
    """Losses on unperturbed images; those under attack are a companion."""
    title = "Test loss less training loss against training ε (the document's third figure under “Puzzling observations”)"
    return over_epsilon(
        regularization(harness).members, "loss_gap", title, "test loss − training loss (nats)", reference={"none": 0.0}
    )


@claim(
    "regularization/smoother-under-attack",
    statement="After adversarial training an attack changes the outputs, and the loss, less than after standard training, on "
    "MNIST and on CIFAR-10.",
    source=REGULARIZATION.at(
        "Key results", "The concentration of examples around decision boundaries smoothens sudden changes induced by "
        "perturbations",
    ),
    prediction=Conjunction((falls("log_output_change", 0.1375, TENTH), falls("log_loss_change", 0.1375, TENTH))),
    companions=(
        *dose("log_output_change", 0.1375, TENTH, rising=False),
        *dose("log_loss_change", 0.1375, TENTH, rising=False),
    ),
    gates=GATES,
    scope=SCOPE,
    population=SEEDS,
    tags=("mnist", "cifar-10", "attack"),
)  # fmt: skip
def test_smoother_under_attack(harness: Harness) -> Evidence:
    """PGD at the strongest ε on test images; the same attack on every network."""
    study = regularization(harness).members
    columns = {"output_change": "outputs (logits)", "loss_change": "loss (nats)"}
    parts = study.table.melt(["data", "epsilon", "seed"], list(columns), var_name="of", value_name="change")
    parts["of"] = parts["of"].map(columns)
    figure = Figure(
        "lines", parts, x="epsilon", y="change", hue="of", facet="data", own_axes=True, log_y=True,
        title="Change of outputs and loss under attack against training ε (the document's figure under “The overall effect”)",
        x_label="training ε (L∞, pixels from 0 to 1)", y_label="mean change from a test image to its adversarial example",
    )  # fmt: skip
    return study.evidence(figure)


@claim(
    "regularization/indecisive-errors",
    statement="Adversarial training increases the share of test images that are misclassified by a small margin, on MNIST and "
    "on CIFAR-10.",
    source=REGULARIZATION.at(
        "The overall effect", "the sample concentration around decision boundaries smoothens sudden changes induced "
        "perturbations, but also increases indecisive misclassification",
    ),
    prediction=rises("indecisive", 0.01, POINT, split="test"),
    companions=tuple(
        Ordering(
            value="indecisive", factor="training", levels=LEVELS, unit="seed", where={"data": data, "split": "test"},
            margin=0.0033, margin_reason=f"a third, for one of three steps, of: {POINT}", names=NAMES,
        )
        for data in DATA
    ),
    gates=GATES,
    scope=SCOPE,
    population=SEEDS,
    explains=("regularization/accuracy-trade-off", "regularization/error-gap-grows"),
    tags=("mnist", "cifar-10", "margins"),
)  # fmt: skip
def test_indecisive_errors(harness: Harness) -> Evidence:
    """A wrong class that leads by less than one logit."""
    title = "Share of test images misclassified by less than one logit against training ε (the document's “overall effect”)"
    return over_epsilon(regularization(harness).margins.where(split="test"), "indecisive", title, "share of test images")
