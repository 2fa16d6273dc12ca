"""Predictions: what must be seen if a claim holds, one small file per kind.

Each is a frozen dataclass with the terms that are fixed beforehand (estimand, unit, margin and its reason,
alpha); ``str(prediction)`` is the sentence that it tests.  :mod:`harness.kinds` lists the kinds that there are.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from harness.predict.base import MINIMUM as MINIMUM
from harness.predict.base import Prediction as Prediction
from harness.predict.base import Rule as Rule
from harness.predict.base import Unusable as Unusable
from harness.predict.curves.features import curve_features as curve_features
from harness.predict.estimate import Estimate as Estimate
from harness.predict.estimate import Stratum as Stratum
from harness.registry import kinds

if TYPE_CHECKING:
    from harness.kinds import *  # noqa: F403 - the registry

_OTHERS = ("MINIMUM", "Estimate", "Prediction", "Rule", "Stratum", "Unusable", "curve_features")


def __getattr__(name: str) -> Any:
    if name == "__all__":  # as a variable it would hide from type checkers what it does not spell out
        return __dir__()
    if name not in kinds():
        raise AttributeError(f"module 'harness.predict' has no attribute {name!r}")
    return getattr(import_module(kinds()[name]), name)


def __dir__() -> list[str]:
    return sorted([*_OTHERS, *kinds()])
