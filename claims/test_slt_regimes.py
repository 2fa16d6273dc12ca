"""Claims of "Adversarial Robustness Through the Lens of Singular Learning Theory": after training, by regime."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fixtures.generality import NETWORKS, SIZES_OF_NETWORKS
from fixtures.slt.gates import GRID_GATES, PROTOCOLS, ROBUSTNESS_GATES
from fixtures.slt.grid import slt_grid
from fixtures.slt.quantities import grid_relative_llc
from fixtures.slt.rates import REGIMES, by_threshold
from fixtures.slt.terms import GRID_SCOPE, LLC_MARGIN, LLC_MARGIN_REASON, NAMES, RATE_MARGIN, RATE_MARGIN_REASON
from fixtures.sources import SLT
from harness import Conjunction, Evidence, Figure, Harness, NoTrend, PairedDifference, claim

if TYPE_CHECKING:
    import pandas as pd

    from harness import Study

SECTION = "Effects of Finetuning"
TRAINED = REGIMES[1:]
THRESHOLDS = (2.0, 3.0)
PAIR = {"pair": ("architecture", "seed"), "strata": "architecture"}

# --- LLC by regime ----------------------------------------------------------------------------------------------------


def lower(lower: str, higher: str) -> PairedDifference:
    """The LLC per parameter is lower in one regime, paired by seed within the architecture."""
    return PairedDifference(
        value=grid_relative_llc, factor="regime", higher=higher, lower=lower, margin=LLC_MARGIN,
        margin_reason=LLC_MARGIN_REASON, names=NAMES, **PAIR,
    )  # fmt: skip


def regimes(grid: Study, *names: str) -> Evidence:
    """Whole-network LLC of members in these regimes, drawn against the parameter count."""
    chosen = grid.where(scope="all", regime=names)
    figure = Figure(
        "scatter", chosen.table, x="parameters", y="llc_per_parameter", hue="regime", log_x=True,
        title="LLC per parameter against parameter count by regime (the document's figure under “Effects of Finetuning”)",
        x_label="parameters of the network", y_label="LLC per parameter",
    )  # fmt: skip
    return chosen.evidence(figure)


ORDER = SLT.at(
    SECTION, "We observe that the local learning coefficient for finetuned models are lower than those of robust models, which "
    "are in turn lower than those of standard models.",
)  # fmt: skip


@claim(
    "slt/robust-llc-below-standard",
    statement="Robustly trained networks have a lower LLC per parameter than standard ones.",
    source=ORDER,
    prediction=lower("robust", "standard"),
    gates=GRID_GATES,
    protocols=PROTOCOLS,
    population=NETWORKS,
    explains=("slt/adversarial-training-lowers-asr",),
    tags=("llc", "regimes"),
    scope=GRID_SCOPE,
)
def test_robust_llc_below_standard(harness: Harness) -> Evidence:
    """Paired by architecture, initialisation and data order."""
    return regimes(slt_grid(harness), "standard", "robust")


@claim(
    "slt/finetuned-llc-lowest",
    statement="Finetuned networks have the lowest LLC per parameter: lower than robust and than standard ones.",
    source=ORDER,
    prediction=Conjunction((lower("finetuned", "robust"), lower("finetuned", "standard"))),
    gates=GRID_GATES,
    protocols=PROTOCOLS,
    population=NETWORKS,
    requires=("slt/long-training-leaves-llc",),
    explains=("slt/finetuned-more-robust-than-robust",),
    tags=("llc", "regimes"),
    scope=GRID_SCOPE,
)
def test_finetuned_llc_lowest(harness: Harness) -> Evidence:
    """Paired by architecture, initialisation and data order."""
    return regimes(slt_grid(harness), *REGIMES)


TREND_MARGIN = 0.05
TREND_REASON = (
    "0.4 over the document's eight doublings, from 107 to 34,563 parameters: half of a reduction by 0.8, which with more would "
    "no longer be the same reduction at both ends"
)


@claim(
    "slt/llc-reduction-consistent",
    statement="The relative reduction of the LLC by robust training and by finetuning does not depend on the number of "
    "parameters.",
    source=SLT.at(
        SECTION, "we observe that with each architecture the relative reduction in local learning coefficient provided by the "
        "robust and finetuned models remains fairly consistent.",
    ),
    prediction=Conjunction(tuple(
        NoTrend(
            value=grid_relative_llc, x="parameters", unit="seed", where={"regime": regime}, margin=TREND_MARGIN,
            margin_reason=TREND_REASON, names=NAMES,
        )
        for regime in TRAINED
    )),
    gates=GRID_GATES,
    protocols=PROTOCOLS,
    population=SIZES_OF_NETWORKS,
    requires=("slt/robust-llc-below-standard",),
    tags=("llc", "regimes", "architecture"),
    scope=GRID_SCOPE,
)  # fmt: skip
def test_llc_reduction_consistent(harness: Harness) -> Evidence:
    """LLC relative to the mean of the architecture's standard networks; one slope a seed over all architectures."""
    chosen = slt_grid(harness).where(scope="all")
    figure = Figure(
        "scatter", chosen.table[chosen.table["regime"] != "standard"], x="parameters", y="relative_llc", hue="regime",
        log_x=True,
        title="LLC relative to the architecture's standard networks against parameter count (the document's second figure "
        "under “Effects of Finetuning”)",
        x_label="parameters of the network", y_label="LLC / mean LLC of standard networks", reference={"no reduction": 1.0},
    )  # fmt: skip
    return chosen.evidence(figure)


# --- attack success rates ---------------------------------------------------------------------------------------------


def rates(grid: Study) -> tuple[Study, pd.DataFrame]:
    """The grid's attack success rates, one row per member and threshold, and those of adversarially trained members."""
    study = grid.under("sound").derived(by_threshold)
    return study, study.table[study.table["regime"] != "standard"]


def against_standard(grid: Study) -> Evidence:
    """Attack success rates, drawn against those of standard networks of the same seed."""
    study, trained = rates(grid)
    figure = Figure(
        "scatter", trained, x="standard_asr", y="asr", hue="regime", facet="threshold",
        title="Attack success rate of robust and finetuned networks against that of the standard network of the same seed, by "
        "threshold (the document's third figure under “Effects of Finetuning”)",
        x_label="attack success rate, standard", y_label="attack success rate, adversarially trained",
    )  # fmt: skip
    return study.evidence(figure)


@claim(
    "slt/asr-increases-with-threshold",
    statement="In every regime the attack success rate is higher at a perturbation of 3 than at 2.",
    source=SLT.at(SECTION, "The attack success rates in all cases increases as the perturbation threshold increases"),
    prediction=Conjunction(tuple(
        PairedDifference(
            value="asr", factor="threshold", higher=3.0, lower=2.0, where={"regime": regime}, margin=RATE_MARGIN,
            margin_reason=RATE_MARGIN_REASON, names={"asr": "attack success rate"}, **PAIR,
        )
        for regime in REGIMES
    )),
    gates=ROBUSTNESS_GATES,
    population=NETWORKS,
    tags=("robustness", "regimes"),
    scope=GRID_SCOPE,
)  # fmt: skip
def test_asr_increases_with_threshold(harness: Harness) -> Evidence:
    """It cannot fall, as a rate of sizes below a threshold; what is asked is whether it rises by an amount that matters."""
    study, _ = rates(slt_grid(harness))
    figure = Figure(
        "strip", study.table, x="threshold", y="asr", facet="regime",
        title="Attack success rate by threshold and regime (rows of the document's third figure under “Effects of Finetuning”)",
        x_label="perturbation threshold (L∞)", y_label="attack success rate",
    )  # fmt: skip
    return study.evidence(figure)


@claim(
    "slt/adversarial-training-lowers-asr",
    statement="Robust and finetuned networks have lower attack success rates than standard ones, at 2 and at 3.",
    source=SLT.at(
        SECTION, "we observe that the robust and finetune models are significantly more robust compared to the standard "
        "models.",
    ),
    prediction=Conjunction(tuple(
        PairedDifference(
            value="asr", factor="regime", higher="standard", lower=regime, where={"threshold": threshold}, margin=RATE_MARGIN,
            margin_reason=RATE_MARGIN_REASON, names={"asr": "attack success rate"}, **PAIR,
        )
        for regime in TRAINED for threshold in THRESHOLDS
    )),
    gates=ROBUSTNESS_GATES,
    population=NETWORKS,
    tags=("robustness", "regimes"),
    scope=GRID_SCOPE,
)  # fmt: skip
def test_adversarial_training_lowers_asr(harness: Harness) -> Evidence:
    """Paired by architecture, initialisation and data order."""
    return against_standard(slt_grid(harness))


RELATIVE_RATE = 0.1
RELATIVE_RATE_REASON = "a tenth of the standard networks' rate at the same threshold, as for the LLC"
RELATIVE_NAMES = {
    "relative_asr": "attack success rate relative to the standard mean", "reduction": "relative reduction of the success rate",
}  # fmt: skip


@claim(
    "slt/gain-shrinks-with-threshold",
    statement="The relative reduction of the attack success rate by robust training and by finetuning is smaller at 3 than at "
    "2.",
    source=SLT.at(SECTION, "In particular, the improvement in robustness degrades as the perturbation threshold is increase"),
    prediction=Conjunction(tuple(
        PairedDifference(
            value="reduction", factor="threshold", higher=2.0, lower=3.0, where={"regime": regime}, margin=RELATIVE_RATE,
            margin_reason=RELATIVE_RATE_REASON, names=RELATIVE_NAMES, **PAIR,
        )
        for regime in TRAINED
    )),
    gates=ROBUSTNESS_GATES,
    population=NETWORKS,
    requires=("slt/adversarial-training-lowers-asr",),
    tags=("robustness", "regimes"),
    scope=GRID_SCOPE,
)  # fmt: skip
def test_gain_shrinks_with_threshold(harness: Harness) -> Evidence:
    """Relative to the mean rate of the architecture's standard networks at the same threshold."""
    return against_standard(slt_grid(harness))


@claim(
    "slt/finetuned-more-robust-than-robust",
    statement="Finetuned networks have lower attack success rates than robust ones, at 2 and at 3.",
    source=SLT.at(SECTION, "Moreover, the finetuned models are more robust compared to the robust models as expected."),
    prediction=Conjunction(tuple(
        PairedDifference(
            value="relative_asr", factor="regime", higher="robust", lower="finetuned", where={"threshold": threshold},
            margin=RELATIVE_RATE, margin_reason=RELATIVE_RATE_REASON, names=RELATIVE_NAMES, **PAIR,
        )
        for threshold in THRESHOLDS
    )),
    gates=ROBUSTNESS_GATES,
    population=NETWORKS,
    tags=("robustness", "regimes"),
    scope=GRID_SCOPE,
)  # fmt: skip
def test_finetuned_more_robust_than_robust(harness: Harness) -> Evidence:
    """Relative to the mean rate of the architecture's standard networks at the same threshold."""
    return against_standard(slt_grid(harness))


@claim(
    "slt/asr-reduction-consistent",
    statement="The relative reduction of the attack success rate by robust training and by finetuning does not depend on the "
    "number of parameters.",
    source=SLT.at(
        SECTION, "we observe here that the robustness improvement provided by the robust and finetuned models is consistent "
        "across parameter count.",
    ),
    prediction=Conjunction(tuple(
        NoTrend(
            value="relative_asr", x="parameters", unit="seed", where={"regime": regime, "threshold": threshold},
            margin=TREND_MARGIN, margin_reason=TREND_REASON, names=RELATIVE_NAMES,
        )
        for regime in TRAINED for threshold in THRESHOLDS
    )),
    gates=ROBUSTNESS_GATES,
    population=SIZES_OF_NETWORKS,
    requires=("slt/adversarial-training-lowers-asr",),
    tags=("robustness", "regimes", "architecture"),
    scope=GRID_SCOPE,
)  # fmt: skip
def test_asr_reduction_consistent(harness: Harness) -> Evidence:
    """Relative to the mean rate of the architecture's standard networks at the same threshold; one slope a seed."""
    study, _ = rates(slt_grid(harness))
    figure = Figure(
        "scatter", study.table, x="parameters", y="asr", hue="regime", facet="threshold", log_x=True,
        title="Attack success rate against parameter count by regime and threshold (the document's fourth figure under "
        "“Effects of Finetuning”)",
        x_label="parameters of the network", y_label="attack success rate",
    )  # fmt: skip
    return study.evidence(figure)
