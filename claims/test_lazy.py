"""Claims of "Adversarial Robustness is at Odds with Lazy Training": networks in the ball, and what one step does to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from fixtures.lazy.gates import BALL_REACHED, COMPETENT, IN_BALL
from fixtures.lazy.steps import lazy_scaling, lazy_steps
from fixtures.sources import LAZY
from harness import Conjunction, Evidence, Factors, Figure, Harness, NoTrend, Proportion, ScalingExponent, claim

if TYPE_CHECKING:
    import pandas as pd

    from harness import Study

CENTRE = {"width": 512, "deviation": 10.0}
NEIGHBOURS = (
    {"width": 128, "deviation": 10.0},
    {"width": 2048, "deviation": 10.0},
    {"width": 512, "deviation": 5.0},
    {"width": 512, "deviation": 20.0},
)
FROM_100 = {**CENTRE, "dimension": [100, 196, 400, 784]}
NAMES = {
    "relative_size": "‖δ‖/‖x‖",
    "dimension": "d",
    "step": "|η|",
    "gradient_norm": "‖∇f‖",
    "width": "m",
    "deviation": "C₀",
    "log_gradient_norm": "log₂ ‖∇f‖",
}
QUARTER = "half the way to the next quarter, from which the exponent has to be told apart"
HIGH_PROBABILITY = (
    "the theorem holds with probability 1 − γ; a share of networks below 0.8 would be no theorem's “high probability”, 0.9 "
    "and above is"
)
TRIED = Factors(random="seed", fixed=("width", "deviation", "weights", "test points"))
LAW = Factors(random=("seed", "dimension"), fixed=("width", "deviation", "test points"))
LAWS = Factors(random=("seed", "dimension", "width", "deviation"), fixed="test points")
SCOPE = {"learning_rate": st.floats(4.0, 16.0), "digits": st.sampled_from([(0, 1), (3, 8), (4, 9), (1, 7)])}


def exponent(y: str, value: float, where: dict[str, Any]) -> ScalingExponent:
    """The law of a quantity over the input dimension, at one width and deviation."""
    return ScalingExponent(
        y=y, x="dimension", unit="seed", value=value, tolerance=0.125, margin_reason=QUARTER, where=where, names=NAMES
    )


def no_trend(x: str, where: dict[str, float]) -> NoTrend:
    """The gradient norm does not change with the width or with the deviation."""
    return NoTrend(
        value="log_gradient_norm",
        x=x,
        unit="seed",
        strata="dimension",
        margin=0.125,
        where=where,
        names=NAMES,
        margin_reason="the tolerance of the exponents: a power of the width or deviation below 1/8",
    )


def labelled(table: pd.DataFrame) -> pd.DataFrame:
    """The table with the cell of every row in words."""
    cells = [f"m={w}, C₀={c:g}" for w, c in zip(table["width"], table["deviation"], strict=True)]
    return table.assign(cell=cells)


def law(study: Study, y: str, slope: float, title: str, label: str) -> Figure:
    """A quantity over the input dimension for every width and deviation, after the document's two rows of figures."""
    means = labelled(study.table).groupby(["cell", "dimension", "seed"], as_index=False)[y].mean()
    return Figure(
        "lines", means, x="dimension", y=y, hue="cell", log_x=True, log_y=True, slope=slope, title=title,
        x_label="input dimension d (pixels)", y_label=label,
    )  # fmt: skip


@claim(
    "lazy/trains-in-lazy-ball",
    statement="Projected SGD finds networks in the lazy ball that misclassify at most one in twenty held-out digits, for every "
    "width and every C₀ tried.",
    source=LAZY.at(
        "4. Lazy Regime", "Such W̄ can be found by efficient first-order methods such as Stochastic Gradient Descent (SGD) […] "
        "there exists W̄ : ‖w̄_s − w_{s,0}‖₂ = O(1/√m), such that the non-robust generalization error is small.",
    ),
    prediction=Proportion(
        of="accuracy", at_least=0.95, unit="seed", every=("width", "deviation"), exceeds=0.8, margin=0.1,
        margin_reason=f"{HIGH_PROBABILITY}; an error of 0.05 is a tenth of chance", where={"weights": "trained"},
        names={"accuracy": "a held-out accuracy", **NAMES},
    ),
    gates=(IN_BALL, BALL_REACHED),
    population=TRIED,
    tags=("mnist", "lazy ball"),
    scope=SCOPE,
)  # fmt: skip
def test_trains_in_lazy_ball(harness: Harness) -> Evidence:
    """Held-out accuracy after training; the distances of all rows are read by the gates."""
    study = lazy_steps(harness).where(weights="trained")
    figure = Figure(
        "strip", labelled(study.table), x="cell", y="accuracy", hue="weights",
        title="Held-out accuracy of networks that stay in the lazy ball: one point a network",
        x_label="width m and deviation C₀", y_label="accuracy (share of images)", reference={"test error 0.05": 0.95},
    )  # fmt: skip
    return study.evidence(figure)


@claim(
    "lazy/single-step-flips",
    statement="One gradient step of size O(1/d) flips the prediction at more than 90 % of the points of a network in the "
    "lazy regime: for trained networks, for random points of the ball, for every width and every C₀ tried.",
    source=LAZY.at(
        "5. Main Result", "A single gradient step suffices to attack lazy regime networks. […] W.h.p., for all W ∈ "
        "B₂,∞(W₀, C₀/√m) the robust error is greater than 0.9.", reported="robust error greater than 0.9",
    ),
    prediction=Proportion(
        of="flipped", above=0.9, unit="seed", every=("width", "deviation", "weights"), exceeds=0.8, margin=0.1,
        margin_reason=HIGH_PROBABILITY,
        names={"flipped": "a share of flipped points", "deviation": "C₀", "width": "m"},
    ),
    gates=(COMPETENT,),
    population=TRIED,
    explains=("lazy/robust-error-high",),
    tags=("mnist", "single step"),
    scope=SCOPE,
)  # fmt: skip
def test_single_step_flips(harness: Harness) -> Evidence:
    """The share of points that one step flips, network by network."""
    steps = lazy_steps(harness)
    figure = Figure(
        "strip", labelled(steps.table), x="cell", y="relative_size",
        hue="weights", log_y=True, x_label="width m and deviation C₀", y_label="median ‖δ‖ / ‖x‖",
        title="Size of the smallest flipping step (after the document's figures, left): one point a network",
    )  # fmt: skip
    return steps.evidence(figure)


@claim(
    "lazy/robust-error-high",
    statement="At R = 10/√d the robust error is above 0.9 everywhere in the ball: for trained networks, for random points, for "
    "every width and every C₀ tried.",
    source=LAZY.at(
        "6. Beyond Lazy Regime", "Corollary: W.h.p., for all W ∈ B₂,∞(W₀, C₀/√m) the robust error is greater than 0.9.",
        reported="robust error greater than 0.9 at R = O(1/√d)",
    ),
    prediction=Proportion(
        of="robust_error", above=0.9, unit="seed", every=("width", "deviation", "weights"), exceeds=0.8, margin=0.1,
        margin_reason=HIGH_PROBABILITY, names={"robust_error": "a robust error", **NAMES},
    ),
    gates=(COMPETENT,),
    population=TRIED,
    requires=("lazy/single-step-flips",),
    explains=("lazy/adversarial-training-threshold", "lazy/transition-in-deviation"),
    tags=("mnist", "robust error"),
    scope=SCOPE,
)  # fmt: skip
def test_robust_error_high(harness: Harness) -> Evidence:
    """Share of points that are misclassified or have a smaller flipping perturbation, network by network."""
    steps = lazy_steps(harness)
    figure = Figure(
        "strip", labelled(steps.table), x="cell", y="robust_error",
        hue="weights", title="Robust error at R = 10/√d (the document's corollary): one point a network",
        x_label="width m and deviation C₀", y_label="robust error (share of points)", reference={"the corollary's 0.9": 0.9},
    )  # fmt: skip
    return steps.evidence(figure)


@claim(
    "lazy/perturbation-scales",
    statement="The smallest normalised perturbation ‖δ‖/‖x‖ that flips a lazily trained network scales as d^(−1/2) with the "
    "input dimension d.",
    source=LAZY.at(
        "7. Experiments", "Experimental results closely match the theoretical bound for different network widths and weight "
        "deviations: 1. ‖δ‖ = O(1/√d)", reported="slope −1/2", number=-0.5,
    ),
    prediction=exponent("relative_size", -0.5, CENTRE),
    companions=tuple(exponent("relative_size", -0.5, where) for where in (*NEIGHBOURS, FROM_100)),
    gates=(COMPETENT,),
    population=LAW,
    requires=("lazy/single-step-flips",),
    tags=("mnist", "scaling"),
    scope=SCOPE,
)  # fmt: skip
def test_perturbation_scales(harness: Harness) -> Evidence:
    """Median smallest step of every network at every dimension; one slope a seed."""
    scaling = lazy_scaling(harness)
    title = "Smallest normalised perturbation against input dimension (the document's figures, left)"
    return scaling.evidence(law(scaling, "relative_size", -0.5, title, "median ‖δ‖ / ‖x‖"))


@claim(
    "lazy/step-scales",
    statement="The smallest step |η| along the gradient that flips a lazily trained network scales as 1/d with the input "
    "dimension d.",
    source=LAZY.at(
        "7. Experiments", "Experimental results closely match the theoretical bound for different network widths and weight "
        "deviations: […] 2. |η| = O(1/d)", reported="slope −1", number=-1,
    ),
    prediction=exponent("step", -1.0, CENTRE),
    companions=tuple(exponent("step", -1.0, where) for where in (*NEIGHBOURS, FROM_100)),
    gates=(COMPETENT,),
    population=LAW,
    requires=("lazy/single-step-flips",),
    explains=("lazy/perturbation-scales",),
    tags=("mnist", "scaling"),
    scope=SCOPE,
)  # fmt: skip
def test_step_scales(harness: Harness) -> Evidence:
    """Median smallest |η| of every network at every dimension, at inputs of Euclidean norm 1; one slope a seed."""
    scaling = lazy_scaling(harness)
    title = "Smallest step against input dimension (the document's figures, right)"
    return scaling.evidence(law(scaling, "step", -1.0, title, "median |η| (inputs of norm 1)"))


@claim(
    "lazy/gradient-norm-bounded",
    statement="The norm of the input gradient of a lazily trained network grows as √d with the input dimension and does not "
    "depend on the width m or on C₀.",
    source=LAZY.at(
        "7. Experiments", "the norm of the gradient ‖∇_x f(x; a, W)‖ for W in the lazy regime (middle) […] as a function of "
        "the input dimension for a fixed value of C₀ = 10 and different network widths m […] for a fixed network width of "
        "m = 10⁵ and different value of C₀. Experimental results closely match the theoretical bound.",
        reported="slope 1/2: ‖δ‖ = |η| ‖∇f‖ with ‖δ‖ = O(1/√d) and |η| = O(1/d)", number=(0.5, None, None),
    ),
    prediction=Conjunction((
        exponent("gradient_norm", 0.5, CENTRE),
        no_trend("width", {"deviation": CENTRE["deviation"]}),
        no_trend("deviation", {"width": CENTRE["width"]}),
    )),
    companions=tuple(exponent("gradient_norm", 0.5, where) for where in (*NEIGHBOURS, FROM_100)),
    gates=(COMPETENT,),
    population=LAWS,
    explains=("lazy/perturbation-scales",),
    tags=("mnist", "scaling"),
    scope=SCOPE,
)  # fmt: skip
def test_gradient_norm_bounded(harness: Harness) -> Evidence:
    """Median gradient norm over held-out points of every network."""
    scaling = lazy_scaling(harness)
    title = "Norm of the input gradient against input dimension (the document's figures, middle)"
    return scaling.evidence(law(scaling, "gradient_norm", 0.5, title, "median ‖∇f‖"))
