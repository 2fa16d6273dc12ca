"""Claims of "Theoretical Understanding of Adversarial Examples: Expressive Power and Training Dynamics"."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import pandas as pd
from hypothesis import strategies as st

from fixtures.sources import DYNAMICS
from harness.claim import Evidence, Figure, claim
from harness.data import DataShortfall, RawImages, raw_cifar10, raw_mnist
from harness.measure import separation
from harness.measure.falsify import falsify
from harness.predict import DataFact, Theorem

# --- data are far from each other -------------------------------------------------------------------------

# Minimum train-train and test-train separation in the document's table, and its attack size: L∞, pixels from 0 to 1.
REPORTED = {"MNIST": ("0.737", "0.812"), "CIFAR-10": ("0.212", "0.220")}
ATTACK_SIZE = {"MNIST": 0.1, "CIFAR-10": 0.031}


@claim(
    "dynamics/data-well-separated",
    statement="The smallest L∞ distance between two differently labelled images of MNIST is 0.737 among training images and "
    "0.812 between test and training images, and of CIFAR-10, where the whole set is there, 0.212 and 0.220: all far above "
    "twice the attack sizes 0.1 and 0.031.",
    # The same table gives SVHN and ResImageNet, which are not covered.
    source=DYNAMICS.at(
        "Key Observation", "Fact Data are far from each other.",
        reported="MNIST 0.737 and 0.812, CIFAR-10 0.212 and 0.220",
    ),
    kind="data",
    prediction=DataFact(value="value", reported="reported", digits="digits", case="case"),
    tags=("mnist", "cifar-10", "separation"),
)  # fmt: skip
def test_data_well_separated(harness: Any) -> Evidence:
    """Exact minimum over all pairs of each set that is there as a whole; the same at every scale, since it takes seconds."""
    try:
        table = separations(harness, "MNIST", raw_mnist(whole=True))
    except DataShortfall as shortfall:
        return Evidence(
            pd.DataFrame(columns=["case", "value", "reported", "digits"]), shortfall=str(shortfall)
        )
    settings = {"data": "MNIST, 60,000 training and 10,000 test images", "norm": "L∞"}
    try:
        table = pd.concat([table, separations(harness, "CIFAR-10", raw_cifar10(whole=True))], ignore_index=True)
        settings["data"] += "; CIFAR-10, 50,000 training and 10,000 test images"
    except DataShortfall as shortfall:
        # A minimum over a part is only an upper bound of the whole set's, so that nothing is said of it.
        settings["not judged: CIFAR-10"] = str(shortfall)
    bars = table.melt("case", ["value", "reported"], var_name="number", value_name="distance")
    bars["number"] = bars["number"].map({"value": "measured here", "reported": "in the document"})
    named = {case.split()[0] for case in table["case"]}
    figure = Figure(
        "bars", bars, x="case", y="distance", hue="number",
        reference={f"2 × attack size {size} ({name})": 2 * size for name, size in ATTACK_SIZE.items() if name in named},
        title="Images of different classes are far apart (the document's table under “Key Observation”)",
        x_label="pairs of images", y_label="smallest L∞ distance (pixels from 0 to 1)",
    )  # fmt: skip
    return Evidence(table, figure, settings=settings)


def separations(harness: Any, name: str, raw: RawImages) -> pd.DataFrame:
    """Both separations of a whole set beside the printed ones, computed once."""
    reported = REPORTED[name]
    return harness.store.cached(
        "separation", {"data": raw.digest, "reported": reported},
        lambda: separation.separation_table((raw.train_x, raw.train_y), (raw.test_x, raw.test_y), reported, name),
        code=(separation,),
    )  # fmt: skip


# --- a robust classifier exists ---------------------------------------------------------------------------

EXAMPLES = {"smoke": 50, "reduced": 500, "full": 5_000}  # inputs tried, the same ones in every run
Point = tuple[Fraction, ...]


@dataclass(frozen=True)
class Situation:
    """Two sets that are 2ε-separated in a norm, a perturbed point of one of them, and two points anywhere."""

    norm: str
    a: tuple[Point, ...]
    b: tuple[Point, ...]
    epsilon: Fraction
    anywhere: tuple[Point, Point]
    base: int  # position in a + b
    perturbation: Point


def size(norm: str, vector: Point) -> Fraction:
    """L∞ or L1 norm; both are rational on rational vectors, so that nothing here needs a tolerance."""
    return max(map(abs, vector)) if norm == "linf" else sum(map(abs, vector), Fraction(0))


def distance(norm: str, x: Point, points: tuple[Point, ...]) -> Fraction:
    """d(x, A): distance of a point to the nearest point of a set."""
    return min(size(norm, minus(x, point)) for point in points)


def minus(x: Point, y: Point) -> Point:
    """The difference x − y."""
    return tuple(left - right for left, right in zip(x, y, strict=True))


def along(x: Point, direction: Point, length: Fraction) -> Point:
    """The point x + length · direction."""
    return tuple(start + length * step for start, step in zip(x, direction, strict=True))


def distance_classifier(norm: str, x: Point, a: tuple[Point, ...], b: tuple[Point, ...]) -> Fraction:
    """f*(x) = (d(x,B) − d(x,A)) / (d(x,B) + d(x,A)): above 0 near A, below 0 near B."""
    to_a, to_b = distance(norm, x, a), distance(norm, x, b)
    return (to_b - to_a) / (to_b + to_a)


SHARES = st.integers(0, 100).map(lambda percent: Fraction(percent, 100))
JUST_BELOW_1 = 1 - Fraction(1, 10**12)


@st.composite
def situations(draw: st.DrawFn) -> Situation:
    """Admissible situations, edges included.

    Edges: sets exactly 2ε apart, sets of one point, perturbations just short of ε straight at the other
    set, points between the sets, and coordinates from 10⁻⁹ to 10⁹.
    """
    norm = draw(st.sampled_from(("linf", "l1")))
    scale = Fraction(10) ** draw(st.integers(-9, 9))
    grid = st.tuples(*[st.integers(-6, 6)] * draw(st.integers(1, 4)))
    cells = draw(st.lists(grid, min_size=2, max_size=6, unique=True))
    points = tuple(tuple(scale * value for value in cell) for cell in cells)
    cut = draw(st.integers(1, len(points) - 1))
    a, b = points[:cut], points[cut:]
    epsilon = min(distance(norm, x, b) for x in a) / 2 * draw(st.just(Fraction(1)) | SHARES.filter(bool))

    def anywhere() -> Point:
        start, stop = draw(st.sampled_from(a)), draw(st.sampled_from(b))
        if draw(st.booleans()):
            return along(start, minus(stop, start), draw(SHARES))
        return along(start, tuple(scale * step for step in draw(grid)), draw(SHARES))

    base = draw(st.integers(0, len(points) - 1))
    if draw(st.booleans()):
        direction = minus(draw(st.sampled_from(b if base < cut else a)), points[base])
    else:
        direction = tuple(map(Fraction, draw(grid.filter(any))))
    reach = draw(st.just(JUST_BELOW_1) | SHARES.filter(lambda share: share < 1))
    perturbation = along((Fraction(0),) * len(direction), direction, epsilon * reach / size(norm, direction))
    return Situation(norm, a, b, epsilon, (anywhere(), anywhere()), base, perturbation)


def check_distance_classifier(case: Situation) -> None:
    """f* is 1/ε-Lipschitz, and no perturbation smaller than ε changes its sign on A or on B."""
    x, y = case.anywhere
    attacked = along((*case.a, *case.b)[case.base], case.perturbation, Fraction(1))
    at_x, at_y, value = (distance_classifier(case.norm, point, case.a, case.b) for point in (x, y, attacked))
    rise = abs(at_x - at_y)
    assert rise * case.epsilon <= size(case.norm, minus(x, y)), f"f* changes by {rise} between {x} and {y}"
    right = value > 0 if case.base < len(case.a) else value < 0
    assert right, f"f* is {value} at the attacked point {attacked}"


@claim(
    "dynamics/distance-classifier",
    statement="f*(x) = (d(x,B) − d(x,A)) / (d(x,B) + d(x,A)) is 1/ε-Lipschitz and classifies 2ε-separated "
    "sets A and B correctly under every perturbation smaller than ε.",
    source=DYNAMICS.at(
        "There Exists a EXP Large Robust Classifier",
        "there exists a robust classifier f* such that it can robustly classify the 2ϵ-separated labeled "
        "sets A and B; f* is a ϵ⁻¹-Lipschitz function",
    ),
    kind="theorem",
    prediction=Theorem(at_least_examples=EXAMPLES["reduced"]),
    tags=("robust-classifier",),
)
def test_distance_classifier(harness: Any) -> Evidence:
    """Exact rational arithmetic in the L∞ and the L1 norm."""
    table = falsify(
        check_distance_classifier,
        situations(),
        examples=EXAMPLES[harness.scale],
        key="dynamics/distance-classifier",
    )
    return Evidence(
        table, figure_of_distance_classifier(), settings={"norms": ["L∞", "L1"], "dimensions": "1 to 4"}
    )


def figure_of_distance_classifier() -> Figure:
    """f* through two points that are exactly 2ε apart (ε = 1): between them it is as steep as it may be."""
    a, b = ((Fraction(0),),), ((Fraction(2),),)
    steps = [Fraction(step, 10) for step in range(-20, 41)]
    values = [float(distance_classifier("linf", (step,), a, b)) for step in steps]
    bound = [float(1 - step) for step in steps]
    curve = pd.DataFrame({
        "position": [float(step) for step in steps] * 2, "value": values + bound,
        "line": ["f*"] * len(steps) + ["slope −1/ε"] * len(steps),
    })  # fmt: skip
    return Figure(
        "lines", curve[curve["value"].abs() <= 1], x="position", y="value", hue="line",
        title="f* for a point of A (at 0) and a point of B (at 2ε): between them just as steep as 1/ε allows",
        x_label="position (ε)", y_label="f* (no unit; above 0 it answers A)", reference={"boundary": 0.0},
    )  # fmt: skip
