"""Predictions: what must be seen if a claim holds, one small file per kind.

Each is a frozen dataclass with the terms that are fixed beforehand (estimand, unit, margin and its reason,
alpha); ``str(prediction)`` is the sentence that it tests.
"""

from __future__ import annotations

from harness.predict.base import MINIMUM, Estimate, Prediction, Rule, Stratum, Unusable
from harness.predict.conjunction import Conjunction
from harness.predict.correlation import Correlation, NoCorrelation
from harness.predict.correlation_difference import CorrelationDifference
from harness.predict.exact import DataFact, Theorem
from harness.predict.paired import PairedDifference
from harness.predict.per_sample import PerSampleCorrelation
from harness.predict.proportion import Proportion
from harness.predict.scaling import ScalingExponent

__all__ = [
    "MINIMUM",
    "Conjunction",
    "Correlation",
    "CorrelationDifference",
    "DataFact",
    "Estimate",
    "NoCorrelation",
    "PairedDifference",
    "PerSampleCorrelation",
    "Prediction",
    "Proportion",
    "Rule",
    "ScalingExponent",
    "Stratum",
    "Theorem",
    "Unusable",
]
