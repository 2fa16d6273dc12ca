"""Predictions: what must be seen if a claim holds, one small file per kind.

Each is a frozen dataclass with the terms that are fixed beforehand (estimand, unit, margin and its reason,
alpha); ``str(prediction)`` is the sentence that it tests.
"""

from __future__ import annotations

from harness.predict.area import AreaDifference
from harness.predict.base import MINIMUM, Prediction, Rule, Unusable
from harness.predict.conjunction import AtLeast, Conjunction
from harness.predict.correlation import Correlation, NoCorrelation
from harness.predict.correlation_difference import CorrelationDifference
from harness.predict.curves import Peak
from harness.predict.estimate import Estimate, Stratum
from harness.predict.exact import DataFact, Theorem
from harness.predict.features import curve_features
from harness.predict.independent import IndependentDifference
from harness.predict.landmark import Landmark
from harness.predict.no_change import NoChange
from harness.predict.no_trend import NoTrend
from harness.predict.oftener import IndependentSuperiority
from harness.predict.ordering import Ordering
from harness.predict.paired import PairedDifference
from harness.predict.per_sample import PerSampleCorrelation
from harness.predict.proportion import Proportion
from harness.predict.scaling import ScalingExponent
from harness.predict.superiority import Superiority
from harness.predict.trajectory import Trajectory
from harness.predict.trimmed import IndependentTrimmedDifference, TrimmedDifference

__all__ = [
    "MINIMUM",
    "AreaDifference",
    "AtLeast",
    "Conjunction",
    "Correlation",
    "CorrelationDifference",
    "DataFact",
    "Estimate",
    "IndependentDifference",
    "IndependentSuperiority",
    "IndependentTrimmedDifference",
    "Landmark",
    "NoChange",
    "NoCorrelation",
    "NoTrend",
    "Ordering",
    "PairedDifference",
    "Peak",
    "PerSampleCorrelation",
    "Prediction",
    "Proportion",
    "Rule",
    "ScalingExponent",
    "Stratum",
    "Superiority",
    "Theorem",
    "Trajectory",
    "TrimmedDifference",
    "Unusable",
    "curve_features",
]
