"""Claims of "Theoretical Understanding of Adversarial Examples" on orthogonal clusters: averaged and decoupled features."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import strategies as st

from fixtures.dynamics.clusters import BINARY, CLUSTER, LARGE, cluster_networks
from fixtures.dynamics.gates import CLASSIFIES, REACHED
from fixtures.sources import DYNAMICS
from harness import (
    Conjunction,
    Evidence,
    Factors,
    Figure,
    Harness,
    NoTrend,
    PairedDifference,
    Proportion,
    ScalingExponent,
    claim,
)

if TYPE_CHECKING:
    import pandas as pd

    from harness import Study

CELLS = ("clusters", "dimension")
OVER_D, OVER_K = {"clusters": 8}, {"dimension": 256}  # where the other of the two is varied
NAMES = {
    "median_perturbation": "the critical radius",
    "clusters": "k",
    "dimension": "d",
    "radius_share": "critical radius / √d",
    "log_own_weight": "log₂ of λ‖μ‖² on the own features",
}
SHARE = (
    "the theorem holds with high probability; a share of networks below 0.75 would be none, and twelve networks of twelve give "
    "an interval above it"
)
OTHER = "a largest other coefficient, in units of the least own one,"
QUARTER = "half the way to the next quarter, from which the exponent has to be told apart"
LAWS = Factors(random=("seed", *CELLS), fixed="test points")
SCOPE = {
    "noise": st.floats(0.5, 2.0),
    "units": st.integers(4, 32),
    "binary_rate": st.floats(1.0, 8.0),
    "cluster_rate": st.floats(0.2, 1.6),
}


def share_of(of: str, says: str, training: str, **limit: float) -> Proportion:
    """Nearly all networks of every cell keep a limit."""
    return Proportion(
        of=of,
        unit="seed",
        every=CELLS,
        exceeds=0.75,
        margin=0.1,
        margin_reason=SHARE,
        where={"training": training},
        names={**NAMES, of: says},
        **limit,
    )


def radius_law(x: str, value: float, training: str, where: dict[str, int]) -> ScalingExponent:
    """The critical radius as a power of the dimension or of the number of clusters."""
    return ScalingExponent(
        y="median_perturbation",
        x=x,
        unit="seed",
        value=value,
        tolerance=0.125,
        margin_reason=QUARTER,
        where={"training": training, **where},
        names=NAMES,
    )


def does_not_vanish(training: str) -> NoTrend:
    """λ‖μ‖² on the own features neither vanishes nor grows with the dimension."""
    return NoTrend(
        value="log_own_weight",
        x="dimension",
        unit="seed",
        margin=0.125,
        where={"training": training, **OVER_D},
        margin_reason="the tolerance of the exponents: a power of the dimension below 1/8 is Ω(1) here",
        names=NAMES,
    )


def more_robust(higher: str) -> PairedDifference:
    """The critical radius of cluster-trained networks is larger than that of the networks with two labels."""
    return PairedDifference(
        value="radius_share", factor="training", higher=higher, lower=BINARY, pair="seed", strata=CELLS, margin=0.1,
        margin_reason="half of the least difference that the theorems state in this grid: √(1/2) against √(1/k) at k = 4",
        names=NAMES,
    )  # fmt: skip


def networks(study: Study) -> pd.DataFrame:
    """The table with the cell in words."""
    table = study.table
    return table.assign(cell=[f"k={k}, d={d}" for k, d in zip(table["clusters"], table["dimension"], strict=True)])


def evidence(study: Study, figure: Figure, training: str | None = None) -> Evidence:
    """Evidence of the networks of one training, or of all."""
    table = study.table if training is None else study.table[study.table["training"] == training]
    recipes = tuple(population.provenance() for population in study.populations)
    return Evidence(table.reset_index(drop=True), figure, recipes, study.settings)


def cosines(study: Study, training: str) -> Figure:
    """The document's first figure: cosine of units and features, here as points instead of a matrix."""
    table = study.tables["cosines"]
    table = table[table["training"] == training].assign(
        feature=lambda t: [f"{j + 1:02d}" for j in t["feature"]],
        unit=lambda t: [f"units of class {c}" if training == BINARY else f"output {c + 1}" for c in t["unit_class"]],
    )
    return Figure(
        "strip", table, x="feature", y="cosine", hue="unit",
        title="Mean cosine between units and cluster features (the document's figure 1, a row of its matrix a colour)",
        x_label="feature μ_j", y_label="cosine of the angle", reference={"orthogonal": 0.0},
    )  # fmt: skip


@claim(
    "dynamics/feature-averaging-accuracy",
    statement="Gradient descent on the two classes reaches an accuracy of 0.99 or more, for every number of clusters and every "
    "dimension tried.",
    source=DYNAMICS.at(
        "GD Provably Learns Averaged Features", "The model achieves perfect standard accuracy: P[sgn(f(x)) = y] = 1 − o(1).",
        reported="accuracy 1 − o(1)",
    ),
    prediction=share_of("accuracy", "an accuracy", BINARY, at_least=0.99),
    gates=(REACHED,),
    population=Factors(random="seed", fixed=CELLS),
    tags=("clusters",),
    scope=SCOPE,
)  # fmt: skip
def test_feature_averaging_accuracy(harness: Harness) -> Evidence:
    """Held-out accuracy, one network a seed and cell."""
    networks_study = cluster_networks(harness)
    table = networks(networks_study)
    figure = Figure(
        "strip", table[table["training"] == BINARY], x="cell", y="accuracy", title="Held-out accuracy: one point a network",
        x_label="clusters k and dimension d", y_label="accuracy (share of points)", reference={"0.99": 0.99},
    )  # fmt: skip
    return evidence(networks_study, figure, BINARY)


@claim(
    "dynamics/features-averaged",
    statement="The units learn the average of their class's features: coefficients of like size on all features of the class "
    "(within a factor of four in the median unit), none above a tenth of that on the other class's, and no smaller in higher "
    "dimension.",
    source=DYNAMICS.at(
        "GD Provably Learns Averaged Features", "GD learns averaged features: λ_{s,r,j} ≥ Ω(1), λ_{−s,r,j} ≤ o(1), "
        "λ_{s,r,j} / λ_{s,r,k} ≤ O(1) […] Intuitively, it approximately satisfies: w_{s,r} ∝ Σ_{j∈J_s} μ_j",
    ),
    prediction=Conjunction((
        share_of("alike", "a median ratio of smallest and largest own coefficient", BINARY, at_least=0.25),
        share_of("other_share", "a share of the other class's coefficients in the own ones", BINARY, at_most=0.1),
        does_not_vanish(BINARY),
    )),
    gates=(CLASSIFIES,),
    population=LAWS,
    explains=("dynamics/averaged-features-fragile",),
    tags=("clusters", "features"),
    scope=SCOPE,
)  # fmt: skip
def test_features_averaged(harness: Harness) -> Evidence:
    """Coefficients by projection of what the weights learned."""
    networks = cluster_networks(harness)
    return evidence(networks, cosines(networks, BINARY), BINARY)


@claim(
    "dynamics/averaged-features-fragile",
    statement="Networks trained on the two classes have a robust accuracy of 0.05 or less at 2 √(d/k) along the document's "
    "direction, and their critical radius scales as √(d/k).",
    source=DYNAMICS.at(
        "Averaged Features are Non-robust Features", "the model has nearly zero δ-robust accuracy for perturbation radius "
        "δ = Ω(√(d/k)) […] the attack can be chosen as ε ∝ −Σ_{j∈J+} μ_j + Σ_{j∈J−} μ_j",
        reported="robust accuracy near 0 at Ω(√(d/k))", number=(None, 0.5, -0.5),
    ),
    prediction=Conjunction((
        share_of("along_direction", "an accuracy at 2 √(d/k) along the direction", BINARY, at_most=0.05),
        radius_law("dimension", 0.5, BINARY, OVER_D),
        radius_law("clusters", -0.5, BINARY, OVER_K),
    )),
    gates=(CLASSIFIES, REACHED),
    population=LAWS,
    requires=("dynamics/features-averaged",),
    tags=("clusters", "robustness"),
    scope=SCOPE,
)  # fmt: skip
def test_averaged_features_fragile(harness: Harness) -> Evidence:
    """Accuracy along the direction, and the median smallest perturbation."""
    networks_study = cluster_networks(harness)
    table = networks_study.table
    points = table[table["training"] == BINARY]
    named = [f"k = {k}" for k in points["clusters"]]
    points = points.assign(ratio=points["dimension"] / points["clusters"], clusters=named)
    figure = Figure(
        "lines", points, x="ratio", y="median_perturbation", hue="clusters", log_x=True, log_y=True, slope=0.5,
        title="Critical radius of networks that average features, against d/k", x_label="d / k",
        y_label="median smallest perturbation (Euclidean)",
    )  # fmt: skip
    return evidence(networks_study, figure, BINARY)


@claim(
    "dynamics/cluster-labels-decouple",
    statement="Trained on the cluster labels, every output learns its own cluster's feature and of each other at most a "
    "quarter of that, in every dimension alike.",
    source=DYNAMICS.at(
        "Detailed Feature-Level Supervisory Label", "After T = Θ(poly(d)), it holds that: λ_{i,i} = Ω(1), λ_{i,j} = o(1), "
        "∀ i ∈ [k], j ∈ [k] \\ {i}.",
    ),
    prediction=Conjunction((
        share_of("other_share", OTHER, CLUSTER, at_most=0.25), does_not_vanish(CLUSTER),
    )),
    companions=(share_of("other_share", OTHER, LARGE, at_most=0.25),),
    gates=(CLASSIFIES,),
    population=LAWS,
    explains=("dynamics/cluster-labels-more-robust",),
    tags=("clusters", "features"),
    scope=SCOPE,
)  # fmt: skip
def test_cluster_labels_decouple(harness: Harness) -> Evidence:
    """Coefficients of the outputs, means over their units."""
    networks = cluster_networks(harness)
    return evidence(networks, cosines(networks, CLUSTER))


@claim(
    "dynamics/cluster-labels-more-robust",
    statement="The binary decision of a network trained on the cluster labels has a larger critical radius than that of one "
    "trained on the two classes; it scales as √d and does not depend on the number of clusters.",
    source=DYNAMICS.at(
        "Detailed Feature-Level Supervisory Label", "if one is provided detailed feature level label, some two-layer ReLU "
        "network can learn feature-decoupled solutions, which is provably more robust.", reported="O(√d) against O(√(d/k))",
        number=(None, 0.5, None),
    ),
    prediction=Conjunction((
        more_robust(CLUSTER),
        radius_law("dimension", 0.5, CLUSTER, OVER_D),
        NoTrend(
            value="radius_share", x="clusters", unit="seed", margin=0.05, where={"training": CLUSTER, **OVER_K}, names=NAMES,
            margin_reason="half of what √(1/k) loses from k = 8 to 16, 0.10",
        ),
    )),
    companions=(more_robust(LARGE), radius_law("dimension", 0.5, LARGE, OVER_D)),
    gates=(CLASSIFIES, REACHED),
    population=LAWS,
    requires=("dynamics/cluster-labels-decouple",),
    explains=("dynamics/mnist-ten-classes-more-robust",),
    tags=("clusters", "robustness"),
    scope=SCOPE,
)  # fmt: skip
def test_cluster_labels_more_robust(harness: Harness) -> Evidence:
    """Median smallest perturbation that changes the binary decision; pairs share the points and the seed."""
    networks_study = cluster_networks(harness)
    figure = Figure(
        "strip", networks(networks_study), x="cell", y="radius_share", hue="training",
        title="Critical radius of the binary decision, by what the network was trained on: one point a network",
        x_label="clusters k and dimension d", y_label="median smallest perturbation / √d",
        reference={"half the way to the next cluster": 0.5**0.5},
    )  # fmt: skip
    return evidence(networks_study, figure)
