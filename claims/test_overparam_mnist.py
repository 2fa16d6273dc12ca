"""Claims of "Adversarial Robustness Through Overparameterization" on MNIST."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import strategies as st

from fixtures.generality import SEEDS
from fixtures.overparam.gates import ATTACK_BITES, COMPETENT, FITTED, NOISE_BITES
from fixtures.overparam.mnist import example_images, overparam_mnist
from fixtures.sources import OVERPARAM
from harness import AreaDifference, Evidence, Factors, Figure, Harness, PairedDifference, claim

if TYPE_CHECKING:
    from fixtures.overparam.mnist import Curves

NAMES = {"loss": "test loss (nats)", "accuracy": "test accuracy", "model": "network", "size": "size of the perturbation",
         "kept": "share of the clean accuracy that is left"}  # fmt: skip
SCOPE = {"learning_rate": st.sampled_from((0.0005, 0.001, 0.002)), "zero_loss": st.sampled_from((0.001, 0.005, 0.01))}
CURVE_MARGIN = 0.02
CURVE_REASON = "two points in a hundred on average over the sizes; less could not be seen between the document's curves"
REPORTED = {"small, as reported": (0.980, 0.211), "large, as reported": (0.985, 0.587)}  # test accuracy, test loss


def table_of(experiment: Curves, column: str, position: int, label: str) -> Evidence:
    """One number of the document's table for every member, with what the document prints."""
    reference = {name: values[position] for name, values in REPORTED.items()}
    figure = Figure(
        "strip", experiment.clean.table, x="model", y=column, reference=reference,
        title=f"{label} of every member (the document's table under “Clean Data Results”)", x_label="network", y_label=label,
    )  # fmt: skip
    return experiment.clean.evidence(figure)


def curves_of(experiment: Curves, attacks: list[str], title: str, x_label: str, hue: str, facet: str | None = None) -> Evidence:
    """Accuracy against the size of the perturbation; of one attack alone with example images."""
    chosen = experiment.curves.where(attack=attacks)
    mean = chosen.table.groupby(["model", "attack", "size", "seed"], as_index=False)["accuracy"].mean()
    figure = Figure(
        "lines", mean, x="size", y="accuracy", hue=hue, facet=facet, title=title, x_label=x_label, y_label="accuracy",
        reference={"chance": 0.1},
    )  # fmt: skip
    return chosen.evidence(figure, example_images(experiment, attacks[0]) if len(attacks) == 1 else None)


@claim(
    "overparam/mnist-large-more-accurate",
    statement="On MNIST the network with 3·10⁶ parameters, trained to zero loss, classifies held-out digits better than that "
    "with 120,000.",
    source=OVERPARAM.at(
        "Clean Data Results", "Let f_nd denote the model with 3 · 10⁶ parameters, and f_n denote the model with 120,000 "
        "parameters. Test accuracy: f_nd 0.985, f_n 0.980", reported="0.985 (large) against 0.980 (small)", number=0.005,
    ),
    prediction=PairedDifference(
        value="accuracy", factor="model", higher="large", lower="small", pair="seed", margin=0.0025,
        margin_reason="half of the document's difference, 0.985 − 0.980", names=NAMES,
    ),
    gates=(FITTED, COMPETENT),
    scope=SCOPE,
    population=SEEDS,
    tags=("mnist", "accuracy"),
)  # fmt: skip
def test_mnist_large_more_accurate(harness: Harness) -> Evidence:
    """Both networks of a seed see the images in the same order."""
    return table_of(overparam_mnist(harness), "accuracy", 0, "Test accuracy")


@claim(
    "overparam/mnist-large-higher-loss",
    statement="On MNIST the network with 3·10⁶ parameters, trained to zero loss, has the higher test loss.",
    source=OVERPARAM.at(
        "Clean Data Results", "Let f_nd denote the model with 3 · 10⁶ parameters, and f_n denote the model with 120,000 "
        "parameters. Test loss: f_nd 0.587, f_n 0.211", reported="0.587 (large) against 0.211 (small)", number=0.376,
    ),
    prediction=PairedDifference(
        value="loss", factor="model", higher="large", lower="small", pair="seed", margin=0.188,
        margin_reason="half of the document's difference, 0.587 − 0.211", names=NAMES,
    ),
    gates=(FITTED, COMPETENT),
    scope=SCOPE,
    population=SEEDS,
    tags=("mnist", "loss"),
)  # fmt: skip
def test_mnist_large_higher_loss(harness: Harness) -> Evidence:
    """Mean cross-entropy of held-out images; both networks stop at the same training loss."""
    return table_of(overparam_mnist(harness), "loss", 1, "Test loss (nats)")


def higher(attack: str, y: str = "accuracy") -> AreaDifference:
    """The large network's curve lies higher under an attack."""
    return AreaDifference(
        y=y, x="size", factor="model", higher="large", lower="small", pair="seed", where={"attack": attack},
        margin=CURVE_MARGIN, margin_reason=CURVE_REASON, names=NAMES,
    )  # fmt: skip


@claim(
    "overparam/mnist-fgsm",
    statement="Under FGSM with ε from 0 to 0.1 the large network is more accurate than the small one.",
    source=OVERPARAM.at(
        "FGSM", "Tested both models against FGSM adversary for twenty equally spaced values of ε ∈ [0, 0.1]."
    ),
    prediction=higher("FGSM"),
    companions=(higher("FGSM", "kept"),),
    gates=(FITTED, ATTACK_BITES),
    scope=SCOPE,
    population=SEEDS,
    tags=("mnist", "fgsm"),
)  # fmt: skip
def test_mnist_fgsm(harness: Harness) -> Evidence:
    """Twenty sizes; the sign is that of the loss's gradient, also where the loss itself is zero in single precision."""
    title = "Accuracy under FGSM, large and small network (the document's figure under “FGSM”)"
    return curves_of(overparam_mnist(harness), ["FGSM"], title, "ε (L∞, pixels from 0 to 1)", "model")


@claim(
    "overparam/mnist-white-noise",
    statement="Under Gaussian white noise with standard deviation from 0 to 0.5 the large network is more accurate than "
    "the small one.",
    source=OVERPARAM.at(
        "White Noise", "Tested both models against simple Gaussian white noise attacks for twenty equally spaced values of "
        "ε ∈ [0, 0.5] (where ε is the standard deviation of the noise).",
    ),
    prediction=higher("white noise"),
    companions=(higher("white noise", "kept"),),
    gates=(FITTED, NOISE_BITES),
    scope=SCOPE,
    population=SEEDS,
    tags=("mnist", "noise"),
)  # fmt: skip
def test_mnist_white_noise(harness: Harness) -> Evidence:
    """Twenty sizes; the same noise for both networks, kept within the range of pixels."""
    title = "Accuracy under white noise, large and small network (the document's figure under “White Noise”)"
    return curves_of(overparam_mnist(harness), ["white noise"], title, "standard deviation σ (pixels from 0 to 1)", "model")


@claim(
    "overparam/fgsm-beats-noise",
    statement="At equal size per pixel FGSM costs both networks far more accuracy than white noise does.",
    source=OVERPARAM.at(
        "Robustness of Neural Networks", "While the models generalize well to test data they are highly susceptible to "
        "“adversarial attacks”. […] These adversarial attacks are small nonrandom perturbations of the data.",
    ),
    prediction=AreaDifference(
        y="accuracy", x="size", factor="attack", higher="noise of the size of FGSM", lower="FGSM", pair=("model", "seed"),
        strata="model", margin=0.1, names=NAMES,
        margin_reason="“far more”: one point in ten, on average over sizes from 0 to 0.1",
    ),
    gates=(FITTED,),
    scope=SCOPE,
    population=Factors(random="seed", fixed=("model", "test points")),
    tags=("mnist", "fgsm", "noise"),
)  # fmt: skip
def test_fgsm_beats_noise(harness: Harness) -> Evidence:
    """Sizes from 0 to 0.1: ε of every pixel against the standard deviation of every pixel."""
    attacks = ["FGSM", "noise of the size of FGSM"]
    title = "Accuracy under FGSM and under noise of the same root mean square (the document's two curves on one axis)"
    x_label = "root mean square of a pixel's change (pixels from 0 to 1)"
    return curves_of(overparam_mnist(harness), attacks, title, x_label, "attack", "model")
