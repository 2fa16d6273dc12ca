"""Claims of "Adversarial Robustness Through the Lens of Singular Learning Theory": LLC against attack success rate."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fixtures.generality import NETWORKS, NETWORKS_BY_REGIME
from fixtures.slt.drawing import coloured
from fixtures.slt.gates import GRID_GATES, PROTOCOLS
from fixtures.slt.grid import slt_grid
from fixtures.slt.rates import REGIMES, whole, with_pseudo_correlations
from fixtures.slt.terms import ACROSS, GRID_SCOPE, RHO_MARGIN, RHO_MARGIN_REASON, WITHIN, correlates
from fixtures.sources import SLT
from harness import AtLeast, Conjunction, Evidence, Figure, Harness, PairedDifference, claim

if TYPE_CHECKING:
    from harness import Study

SECTION = "Effects of Finetuning"


def against_rates(grid: Study) -> Figure:
    """Attack success rate against LLC, architectures in colour, a panel per regime and threshold."""
    rows = coloured(whole(grid.table))
    long = rows.melt(["architecture", "colour", "regime", "seed", "llc_per_parameter"], ["asr_2", "asr_3"], "threshold", "asr")
    long["panel"] = long["regime"] + ", at " + long["threshold"].str.removeprefix("asr_")
    return Figure(
        "scatter", long, x="llc_per_parameter", y="asr", hue="colour", facet="panel", own_axes=True,
        title="Attack success rate against LLC per parameter by regime and threshold (the document's last figure under "
        "“Effects of Finetuning”); colours are architectures: a slope between colours comes from the architecture; each panel "
        "has its own axes",
        x_label="LLC per parameter", y_label="attack success rate",
    )  # fmt: skip


RATES = ("asr_2", "asr_3")


@claim(
    "slt/llc-asr-positive-correlation",
    statement="Across the models of a regime, LLC per parameter and attack success rate correlate positively in at least four "
    "of the six cases of regime and threshold.",
    source=SLT.at(
        SECTION, "Indeed we observe that there is, in most cases, a statistically significant positive correlation between the "
        "attack success rate and the local learning coefficient.",
    ),
    prediction=AtLeast(
        parts=tuple(
            correlates("all", rate, {"unit": ("architecture", "seed")}, regime=regime) for regime in REGIMES for rate in RATES
        ),
        count=4,
    ),
    gates=GRID_GATES,
    protocols=PROTOCOLS,
    companions=tuple(correlates("all", rate, grouping) for rate in RATES for grouping in (ACROSS, WITHIN)),
    population=NETWORKS_BY_REGIME,
    tags=("llc", "robustness", "correlation"),
    scope=GRID_SCOPE,
)  # fmt: skip
def test_llc_asr_positive_correlation(harness: Harness) -> Evidence:
    """The document's estimand decides; the one within architectures stands beside it."""
    grid = slt_grid(harness)
    return grid.derived(whole).evidence(against_rates(grid))


@claim(
    "slt/llc-asr-within-architecture",
    statement="Among the seeds of one architecture and regime, LLC and attack success rate correlate positively, at 2 and at "
    "3.",
    source=SLT.at(
        SECTION, "Recall that from our intuition we expect there to be a positive correlation.",
    ),
    prediction=Conjunction(tuple(correlates("all", rate, WITHIN) for rate in RATES)),
    gates=GRID_GATES,
    protocols=PROTOCOLS,
    companions=tuple(correlates("all", rate, ACROSS) for rate in RATES),
    population=NETWORKS_BY_REGIME,
    tags=("llc", "robustness", "correlation"),
    scope=GRID_SCOPE,
)  # fmt: skip
def test_llc_asr_within_architecture(harness: Harness) -> Evidence:
    """Where the number of parameters cannot make it."""
    grid = slt_grid(harness)
    return grid.derived(whole).evidence(against_rates(grid))


def stronger_than_robust(regime: str, value: str = "correlation") -> PairedDifference:
    """The correlation of a regime exceeds that of robust networks."""
    return PairedDifference(
        value=value, factor="regime", higher=regime, lower="robust", pair=("architecture", "seed"), margin=RHO_MARGIN,
        margin_reason=RHO_MARGIN_REASON,
        names={
            "correlation": "share in the correlation of LLC and attack success rate (mean over both thresholds)",
            "correlation_2": "share in the correlation at 2", "correlation_3": "share in the correlation at 3",
        },
    )  # fmt: skip


@claim(
    "slt/correlation-stronger-standard-finetuned",
    statement="The correlation of LLC and attack success rate is stronger for standard and for finetuned networks than for "
    "robust ones.",
    source=SLT.at(
        SECTION, "these correlations tend to be more significant in the case of the standard and finetuned model.",
    ),
    prediction=Conjunction((stronger_than_robust("standard"), stronger_than_robust("finetuned"))),
    gates=GRID_GATES,
    protocols=PROTOCOLS,
    companions=tuple(
        stronger_than_robust(regime, value)
        for regime in ("standard", "finetuned") for value in ("correlation_2", "correlation_3")
    ),
    population=NETWORKS,
    requires=("slt/llc-asr-positive-correlation",),
    tags=("llc", "robustness", "correlation"),
    scope=GRID_SCOPE,
)  # fmt: skip
def test_correlation_stronger_standard_finetuned(harness: Harness) -> Evidence:
    """Spearman correlations across all architectures, compared by the jackknife over pairs of architecture and seed."""
    grid = slt_grid(harness)
    return grid.derived(with_pseudo_correlations).evidence(against_rates(grid))
