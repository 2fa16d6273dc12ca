"""Claims of "Theoretical Understanding of Adversarial Examples" on real images."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
from hypothesis import strategies as st

from fixtures.dynamics.gates import ATTACK_HURTS, FLIPPED, LEARNT_GROUPS, LEARNT_IMAGES
from fixtures.dynamics.images import ROBUST, STANDARD, TEN, TWO, adversarial_images, grouped_images
from fixtures.generality import SEEDS
from fixtures.sources import DYNAMICS
from harness import AreaDifference, Conjunction, Evidence, Figure, Harness, PairedDifference, Peak, Proportion, claim

if TYPE_CHECKING:
    from harness import Study

NAMES = {
    "robust_test_accuracy": "robust test accuracy",
    "robust_train_accuracy": "robust training accuracy",
    "gap": "training accuracy minus test accuracy",
}
SCOPE = {"epsilon": st.floats(0.03, 0.2), "learning_rate": st.floats(0.03, 0.15)}
ROBUST_AT_THE_END = {"regime": ROBUST, "last": True}
IN_FIFTY = "one image in fifty: the document's curves rise by several"


def curves(study: Study) -> Figure:
    """Learning curves of adversarial training, after the document's figure."""
    table = study.table[study.table["regime"] == ROBUST]
    names = {
        "robust_train_accuracy": "robust training",
        "robust_test_accuracy": "robust test",
        "train_accuracy": "training",
        "test_accuracy": "test",
    }
    long = table.melt(["seed", "epoch"], list(names), var_name="accuracy of", value_name="accuracy")
    return Figure(
        "lines", long.assign(**{"accuracy of": long["accuracy of"].map(names)}), x="epoch", y="accuracy", hue="accuracy of",
        title="Learning curves of adversarial training on MNIST (the document's are on CIFAR-10, after Rice et al.)",
        x_label="epoch", y_label="accuracy (share of images)",
    )  # fmt: skip


@claim(
    "dynamics/adversarial-training-works",
    statement="Networks trained on PGD examples have a much higher robust test accuracy than those of standard training.",
    source=DYNAMICS.at(
        "Improve Robustness via Adversarial Training", "Networks trained using adversarial training are significantly more "
        "robust than those trained using the standard gradient descent algorithm.",
        reported="robust test error of adversarial training 45.8 % on CIFAR-10",
    ),
    prediction=PairedDifference(
        value="robust_test_accuracy", factor="regime", higher=ROBUST, lower=STANDARD, pair="seed", margin=0.2,
        margin_reason="one image in five, about half of the document's robust test accuracy of 0.54", where={"last": True},
        names=NAMES,
    ),
    gates=(LEARNT_IMAGES, ATTACK_HURTS),
    population=SEEDS,
    tags=("mnist", "adversarial training"),
    scope=SCOPE,
)  # fmt: skip
def test_adversarial_training_works(harness: Harness) -> Evidence:
    """Robust test accuracy after the last epoch; pairs share initialisation and order of the data."""
    images_study = adversarial_images(harness)
    figure = Figure(
        "lines", images_study.table, x="epoch", y="robust_test_accuracy", hue="regime", x_label="epoch",
        y_label="robust accuracy on held-out images", title="Robust test accuracy through standard and adversarial training",
    )  # fmt: skip
    return images_study.evidence(figure)


@claim(
    "dynamics/robust-generalisation-gap",
    statement="After adversarial training the robust training error is near zero while the gap to the robust test error is "
    "large, much larger than the gap of the clean errors.",
    source=DYNAMICS.at(
        "Robust Generalization Gap is Large!", "while the state-of-the-art adversarial training methods can achieve high "
        "robust training accuracy, all existing methods suffer from large robust test error",
        reported="robust train 100 %, robust test error 45.8 %; clean train 100 %, clean test 87.3 %",
        number=(None, 0.331),
    ),
    prediction=Conjunction((
        Proportion(
            of="robust_train_accuracy", at_least=0.95, unit="seed", exceeds=0.7, margin=0.1,
            where={**ROBUST_AT_THE_END, "under": "attack"},
            margin_reason="nearly all networks; ten of ten give an interval above 0.7",
            names={**NAMES, "robust_train_accuracy": "a robust training accuracy"},
        ),
        PairedDifference(
            value="gap", factor="under", higher="attack", lower="no attack", pair="seed", margin=0.2, names=NAMES,
            margin_reason="half of the document's difference: 45.8 points of robust error against 12.7 clean ones",
            where=ROBUST_AT_THE_END,
        ),
    )),
    gates=(LEARNT_IMAGES, ATTACK_HURTS),
    population=SEEDS,
    requires=("dynamics/adversarial-training-works",),
    tags=("mnist", "adversarial training"),
    scope=SCOPE,
)  # fmt: skip
def test_robust_generalisation_gap(harness: Harness) -> Evidence:
    """Gaps of accuracy between training and held-out images, clean and under attack, of the same networks."""
    images = adversarial_images(harness)
    table = images.table
    attacked = table.assign(under="attack", gap=table["robust_error_gap"])
    clean = table.assign(under="no attack", gap=table["error_gap"])
    recipes = tuple(population.provenance() for population in images.populations)
    both = pd.concat([attacked, clean], ignore_index=True)
    return Evidence(both, curves(images), recipes, images.settings)


@claim(
    "dynamics/robust-overfitting",
    statement="In adversarial training the robust test accuracy rises and falls again, while the robust training accuracy "
    "still rises over the second half.",
    source=DYNAMICS.at(
        "Robust Generalization Gap is Large!", "all existing methods suffer from large robust test error, which is also called "
        "robust overfitting. […] The learning curves of adversarial training on CIFAR 10",
    ),
    prediction=Conjunction((
        Peak(
            y="robust_test_accuracy", x="epoch", unit="seed", margin=0.02, margin_reason=IN_FIFTY, where={"regime": ROBUST},
            names=NAMES,
        ),
        PairedDifference(
            value="robust_train_accuracy", factor="epoch", higher=40, lower=20, pair="seed", margin=0.02,
            margin_reason=IN_FIFTY, where={"regime": ROBUST}, names=NAMES,
        ),
    )),
    companions=(
        Peak(
            y="robust_test_loss", x="epoch", unit="seed", margin=0.1, valley=True, where={"regime": ROBUST},
            margin_reason="a tenth of a nat; the loss sees confidence in errors that the accuracy does not", names=NAMES,
        ),
    ),
    gates=(LEARNT_IMAGES, ATTACK_HURTS),
    population=SEEDS,
    requires=("dynamics/adversarial-training-works",),
    tags=("mnist", "adversarial training"),
    scope=SCOPE,
)  # fmt: skip
def test_robust_overfitting(harness: Harness) -> Evidence:
    """Robust accuracies at the kept epochs; one course a seed."""
    images = adversarial_images(harness)
    return images.evidence(curves(images))


def ten_above_two(dataset: str) -> AreaDifference:
    """The curve of robust accuracy over the radius lies higher for the binary classifier from ten-class training."""
    return AreaDifference(
        y="robust_accuracy", x="radius", factor="training", higher=TEN, lower=TWO, pair="seed", margin=0.05,
        margin_reason="one image in twenty on average over the radii", where={"dataset": dataset}, names=NAMES,
    )  # fmt: skip


@claim(
    "dynamics/mnist-ten-classes-more-robust",
    statement="The binary classifier that a network trained on all ten classes is has a higher Euclidean robust accuracy than "
    "a network trained on the two classes, on MNIST (odd or even) and on CIFAR-10 (animal or vehicle).",
    source=DYNAMICS.at(
        "Real-World Experiments", "We create binary classification tasks from the MNIST and CIFAR10 datasets: Red: binary "
        "classifier trained by 2-classification task. Blue: binary classifier trained by 10-classification task. Figure 2: "
        "Robustness Improvement on MNIST and CIFAR10.",
    ),
    prediction=Conjunction((ten_above_two("MNIST"), ten_above_two("CIFAR-10"))),
    gates=(LEARNT_GROUPS, FLIPPED),
    scope={"hidden": st.sampled_from([(32,), (256,), (128, 128)]), "rate_factor": st.floats(0.5, 2.0)},
    population=SEEDS,
    tags=("mnist", "cifar-10", "robustness"),
)  # fmt: skip
def test_mnist_ten_classes_more_robust(harness: Harness) -> Evidence:
    """Robust accuracy at each radius, the clean one at 0; pairs share the images and the seed."""
    images_study = grouped_images(harness)
    figure = Figure(
        "lines", images_study.table, x="radius", y="robust_accuracy", hue="training", facet="dataset",
        title="Robust accuracy of binary classifiers from two-class and ten-class training (the document's figure 2)",
        x_label="Euclidean radius (pixels from 0 to 1)", y_label="robust accuracy (share of images)",
    )  # fmt: skip
    return images_study.evidence(figure)
