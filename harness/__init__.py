"""A property-test harness for scientific hypotheses about trained networks.

What a claim is made of is here.  Predictions and verdicts are loaded on first use (PEP 562), so that asking for
``--help`` or collecting claims never pays for numerical libraries.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

# Before anything else, so that the source of what is imported from here on is known as it was imported.
import harness.code  # noqa: F401

# Not by name: once anything has imported the module harness.claim, the attribute "claim" would be that module.
from harness.claim import Citation, Claim, ClaimError, Evidence, Figure, Gate, Images, Source, claim
from harness.quantities import quantity
from harness.rows import Between

__version__ = "0.1.0"

_HOME = {
    "harness.predict": (
        "AreaDifference", "AtLeast", "Conjunction", "Correlation", "CorrelationDifference", "DataFact",
        "IndependentDifference", "Landmark", "NoChange", "NoCorrelation", "NoTrend", "Ordering", "PairedDifference", "Peak",
        "PerSampleCorrelation", "Proportion", "ScalingExponent", "Superiority", "Theorem", "Trajectory",
        "curve_features",
    ),
    "harness.judge": ("Outcome", "Verdict"),
}  # fmt: skip
_WHERE = {name: module for module, names in _HOME.items() for name in names}
__all__ = [
    "AreaDifference", "AtLeast", "Between", "Citation", "Claim", "ClaimError", "Conjunction", "Correlation",
    "CorrelationDifference", "DataFact", "Evidence", "Figure", "Gate", "Images", "IndependentDifference", "Landmark",
    "NoChange", "NoCorrelation", "NoTrend", "Ordering", "Outcome", "PairedDifference", "Peak", "PerSampleCorrelation",
    "Proportion", "ScalingExponent", "Source", "Superiority", "Theorem", "Trajectory", "Verdict", "claim", "curve_features",
    "quantity",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'harness' has no attribute {name!r}")
    return getattr(import_module(_WHERE[name]), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
