"""Questions that the documents leave open, asked with their networks and instruments.

Predictions, margins and settings were written down before what decides was measured, with pilot members (seeds from 1000 on)
where a spread was needed; docs/decisions/0061 says what was known of each beforehand.
"""

from __future__ import annotations

from hypothesis import strategies as st

from fixtures.dynamics.images import TEN, TWO
from fixtures.generality import SEEDS
from fixtures.ours.grid import COEFFICIENT, DISTANCE, MARGIN, order_over_gamma, predictors
from fixtures.ours.labels import labels_at_equal_accuracy
from fixtures.ours.lazy import small_lazy
from fixtures.ours.quantities import error_of_prediction, gamma_relative_llc
from fixtures.slt.gates import ATTACK_SANE, COMPETENT, FINITE, MOVING
from fixtures.slt.terms import GRID_SCOPE, LLC_MARGIN, LLC_MARGIN_REASON, NAMES
from fixtures.sources import OURS
from harness import AreaDifference, Conjunction, Evidence, Factors, Figure, Gate, Harness, NoTrend, PairedDifference, claim

TOYS = {name: values for name, values in GRID_SCOPE.items() if name != "gamma"}  # the claims on the grid have a γ of their own
JUDGED = (32, 128, 512)  # at width 8 a network in six has points that no single step flips, and so no exponent


@claim(
    "ours/lazy-exponent-without-width",
    statement="The exponent of the smallest perturbation in the input dimension does not change from width 32 to width 512.",
    source=OURS.at(
        "Lazy training", "At which width does the lazy scaling end? The theorem needs m ≥ d^2.4, far beyond any width tried.",
    ),
    prediction=NoTrend(
        value="exponent", x="width", unit="seed", margin=0.03, where={"width": JUDGED},
        margin_reason="over four doublings 0.12, the tolerance with which the document's own exponents are told from others",
        names={"exponent": "the exponent", "width": "the width"},
    ),
    gates=(
        Gate("networks classify the digits", "accuracy", at_least=0.8, share=0.9, where={"width": JUDGED},
             reason="0 and 1 are the easiest pair of digits; chance is 0.5"),
    ),
    population=Factors(random="seed", fixed=("width", "test points")),
    tags=("mnist", "scaling", "lazy ball"),
    scope={"learning_rate": st.floats(4.0, 16.0), "digits": st.sampled_from([(0, 1), (3, 8), (4, 9), (1, 7)])},
    requires=("lazy/single-step-flips",),
)  # fmt: skip
def test_lazy_exponent_without_width(harness: Harness) -> Evidence:
    """One slope over six dimensions for every seed and width; width 8 is drawn, and not judged."""
    found = small_lazy(harness)
    figure = Figure(
        "lines", found.table.dropna(subset="exponent"), x="width", y="exponent", log_x=True,
        title="Exponent of ‖δ‖/‖x‖ in d against the width, of the networks that have one",
        x_label="width m", y_label="exponent of d", reference={"the theorem's −1/2": -0.5},
    )  # fmt: skip
    return found.evidence(figure)


@claim(
    "ours/finer-labels-at-equal-accuracy",
    statement="Of the images that they classify correctly, networks trained with ten labels keep a larger share under attack "
    "than networks trained with two.",
    source=OURS.at(
        "Finer labels", "Do finer labels buy robustness at equal accuracy? Networks with ten labels are more accurate on the "
        "binary task, too, and robust accuracy counts both.",
    ),
    prediction=AreaDifference(
        y="kept", x="radius", factor="training", higher=TEN, lower=TWO, pair="seed", margin=0.05,
        margin_reason="that of the document's claim on robust accuracy: one image in twenty on average over the radii",
        names={"kept": "share of the correct images that withstands"},
    ),
    gates=(
        Gate("both know their task", "accuracy", at_least=0.7, reason="held-out accuracy; chance is 0.5"),
        Gate("the attack reaches nearly every image", "censored", at_most=0.05,
             reason="any image becomes one of the other class by a perturbation of its own size"),
    ),
    population=SEEDS,
    tags=("mnist", "robustness"),
    scope={
        "hidden": st.sampled_from([(16,), (64,), (256,), (64, 64)]), "learning_rate": st.floats(0.05, 0.2),
        "images": st.integers(300, 3000),
    },
)  # fmt: skip
def test_finer_labels_at_equal_accuracy(harness: Harness) -> Evidence:
    """Pairs share the images, the initialisation of the hidden layer and the seed."""
    found = labels_at_equal_accuracy(harness)
    figure = Figure(
        "lines", found.table, x="radius", y="kept", hue="training",
        title="Share of the correctly classified images that withstands, after training with two labels and with ten",
        x_label="Euclidean radius (pixels from 0 to 1)", y_label="share of the correct images",
    )  # fmt: skip
    return found.evidence(figure)


@claim(
    "ours/llc-order-at-every-gamma",
    statement="Robust networks have a lower LLC than standard ones at γ of 1, 3, 30 and 100, too.",
    source=OURS.at(
        "Localisation", "Does the LLC order of regimes survive at the plateau of γ? There is no plateau on these networks, so "
        "that the order has to hold at every γ.",
    ),
    prediction=Conjunction(tuple(
        PairedDifference(
            value=gamma_relative_llc, factor="regime", higher="standard", lower="robust", pair="seed", where={"gamma": gamma},
            margin=LLC_MARGIN, margin_reason=LLC_MARGIN_REASON, names=NAMES | {"gamma": "γ"},
        )
        for gamma in (1.0, 3.0, 30.0, 100.0)
    )),
    gates=(FINITE, Gate("chains move", "acceptance", at_least=0.6, share=0.95, reason=MOVING.reason)),
    population=SEEDS,
    tags=("llc", "regimes"),
    scope=TOYS,
    requires=("slt/robust-llc-below-standard",),
)  # fmt: skip
def test_llc_order_at_every_gamma(harness: Harness) -> Evidence:
    """Two hidden layers of 16; relative to the standard networks' mean at the same γ."""
    found = order_over_gamma(harness)
    figure = Figure(
        "lines", found.table, x="gamma", y="llc", hue="regime", log_x=True, title="LLC against γ by regime, two hidden layers",
        x_label="γ", y_label="LLC",
    )  # fmt: skip
    return found.evidence(figure)


def worse(predictor: str, than: str) -> PairedDifference:
    """One quantity predicts a network's robustness with the larger error."""
    return PairedDifference(
        value=error_of_prediction, factor="predictor", higher=predictor, lower=than, pair=("architecture", "regime", "seed"),
        strata=("architecture", "regime"), margin=0.1,
        margin_reason="a tenth of the error of predicting the mean of the other seeds", names={"error": "error of prediction"},
    )  # fmt: skip


@claim(
    "ours/margin-predicts-better-than-llc",
    statement="Among networks of one architecture and regime, margin over slope predicts the robustness of a network that was "
    "left out with a smaller error than the LLC does.",
    source=OURS.at(
        "Prediction", "Which of margin, curvature and LLC predicts a network's robustness best out of sample? Margin over "
        "slope stands for the first two; no instrument here measures the curvature of the boundary.",
    ),
    prediction=worse(COEFFICIENT, DISTANCE),
    companions=(worse(COEFFICIENT, MARGIN), worse(MARGIN, DISTANCE)),
    gates=(COMPETENT, ATTACK_SANE),
    population=Factors(random="seed", fixed=("architecture", "regime", "test points")),
    tags=("llc", "margins", "robustness"),
    scope=GRID_SCOPE,
)  # fmt: skip
def test_margin_predicts_better_than_llc(harness: Harness) -> Evidence:
    """Lines through the other seeds; margins of training points, robustness of held-out ones."""
    found = predictors(harness)
    figure = Figure(
        "strip", found.table, x="predictor", y="error", facet="regime",
        title="Error of predicting a left-out network's median smallest perturbation, by what predicts it",
        x_label="predictor", y_label="error / mean error of the mean", reference={"no better than the mean": 1.0},
    )  # fmt: skip
    return found.evidence(figure)
