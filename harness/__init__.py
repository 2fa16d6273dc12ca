"""A property-test harness for scientific hypotheses about trained networks.

Names are loaded on first use (PEP 562), so that collecting claims or asking for ``--help`` never pays for torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_HOME = {
    "harness.claim": ("Citation", "Claim", "ClaimError", "Evidence", "Figure", "Gate", "Source", "claim"),
    "harness.predict": (
        "Conjunction", "Correlation", "CorrelationDifference", "DataFact", "NoCorrelation", "PairedDifference",
        "PerSampleCorrelation", "Proportion", "ScalingExponent", "Theorem",
    ),
    "harness.judge": ("Outcome", "Verdict", "judge"),
}  # fmt: skip
_WHERE = {name: module for module, names in _HOME.items() for name in names}
__all__ = sorted(_WHERE)


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'harness' has no attribute {name!r}")
    return getattr(import_module(_WHERE[name]), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
