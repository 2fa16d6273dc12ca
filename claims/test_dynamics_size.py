"""Claims of "Theoretical Understanding of Adversarial Examples" on the size that robust generalisation needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import strategies as st

from fixtures.dynamics.cubes import ROBUST, STANDARD, WIDE, embedded_cubes, labelled_cubes
from fixtures.dynamics.gates import SMALLEST_LEARNT
from fixtures.sources import DYNAMICS
from harness import Conjunction, Evidence, Factors, Figure, Harness, NoTrend, Ordering, PairedDifference, Proportion, claim

if TYPE_CHECKING:
    pass

UNIT = ("labelling", "seed")
NAMES = {"robust_error": "the robust error", "dimension": "the dimension of the cube", "ambient": "the ambient dimension"}
A_POINT_IN_TWENTY = "one point in twenty a step; from no error to chance, 1/2, the grid has room for a tenth and more a step"
SCOPE = {"gap": st.floats(0.05, 0.2), "learning_rate": st.floats(0.003, 0.02)}


@claim(
    "dynamics/robust-generalisation-needs-size",
    statement="On a linearly separable family a network of fixed width keeps a standard test error of 0.05 or less in every "
    "dimension, while its robust test error after adversarial training rises with the dimension.",
    source=DYNAMICS.at(
        "Robust Generalization Requires Exponentially Large Models", "there exists a number m(d) = Ω(exp(d)) and a "
        "linear-separable distribution D satisfying the assumption such that, for any classifier in F_m(d), the robust test "
        "error is at least Ω(1). […] in contrast, for standard generalization, only O(d) params are enough.",
    ),
    prediction=Conjunction((
        Proportion(
            of="error", at_most=0.05, unit=UNIT, every="dimension", exceeds=0.75, margin=0.1, where={"training": STANDARD},
            margin_reason="nearly all networks; twelve of twelve give an interval above 0.75",
            names={**NAMES, "error": "a standard test error"},
        ),
        Ordering(
            value="robust_error", factor="dimension", levels=(2, 4, 6, 8), unit=UNIT, margin=0.05,
            margin_reason=A_POINT_IN_TWENTY, where={"training": ROBUST}, names=NAMES,
        ),
    )),
    companions=(
        PairedDifference(
            value="robust_error", factor="training", higher=ROBUST, lower=WIDE, pair=UNIT, margin=0.05, where={"dimension": 6},
            margin_reason="one point in twenty; were size not what is lacking, more units would not help", names=NAMES,
        ),
    ),
    gates=(SMALLEST_LEARNT,),
    population=Factors(random="seed", fixed=("labelling", "dimension", "test points")),
    explains=("dynamics/robust-generalisation-gap",),
    tags=("cubes", "size"),
    scope=SCOPE,
)  # fmt: skip
def test_robust_generalisation_needs_size(harness: Harness) -> Evidence:
    """Error after standard training, robust error after adversarial training; a unit is a labelling and a seed."""
    cubes = labelled_cubes(harness)
    figure = Figure(
        "lines", cubes.table, x="dimension", y="robust_error", hue="training",
        title="Robust test error against the dimension of the cube, at fixed width (the document's table 1, linear separable)",
        x_label="dimension of the cube (bits)", y_label="robust error (share of points)", reference={"chance": 0.5},
    )  # fmt: skip
    return cubes.evidence(figure)


@claim(
    "dynamics/manifold-helps",
    statement="For data on a k-dimensional linear manifold the robust error on the manifold rises with k and does not depend "
    "on the ambient dimension d.",
    source=DYNAMICS.at(
        "Robust Generalization for Low-dimensional-manifold Data", "Under the manifold-data assumption, there exists a ReLU "
        "net with at most Õ(exp(k)) params such that the robust test error on the manifold is zero.",
        reported="exp(O(k)) parameters, k ≪ d",
    ),
    prediction=Conjunction((
        NoTrend(
            value="robust_error", x="ambient", unit=UNIT, margin=0.025, where={"dimension": 4}, names=NAMES,
            margin_reason="over the four doublings tried, a change of less than one point in ten",
        ),
        Ordering(
            value="robust_error", factor="dimension", levels=(2, 4, 6), unit=UNIT, margin=0.05,
            margin_reason=A_POINT_IN_TWENTY, where={"ambient": 64}, names=NAMES,
        ),
    )),
    gates=(SMALLEST_LEARNT,),
    population=Factors(random=("labelling", "seed", "ambient"), fixed="test points"),
    tags=("cubes", "manifold"),
    scope=SCOPE,
)  # fmt: skip
def test_manifold_helps(harness: Harness) -> Evidence:
    """Robust error under perturbations that stay on the manifold; a unit is a labelling and seed."""
    cubes = embedded_cubes(harness)
    table = cubes.table
    table = table.assign(bits=[f"k = {k + 1}" for k in table["dimension"]])
    figure = Figure(
        "lines", table, x="ambient", y="robust_error", hue="bits", log_x=True,
        title="Robust error on the manifold against the ambient dimension (the document's table 1, k-dim manifold)",
        x_label="ambient dimension d", y_label="robust error on the manifold (share of points)", reference={"chance": 0.5},
    )  # fmt: skip
    return cubes.evidence(figure)
