"""When more seeds are not worth their price: settings that stay undecided, and gates that no further seed can mend.

A first look at a setting costs a fraction of a look at all seeds.  Where it leaves a claim undecided it also says how likely
all seeds are to decide it; where a gate fails, whether they could change that.  Stopping there is never a support or a
refutation, so that it adds to no error rate: the setting keeps the verdict of its first look, undecided or invalid, with the
reason.

The probability is the predictive one of stochastic curtailment (Spiegelhalter, Freedman & Blackburn 1986, doi
10.1016/0197-2456(86)90003-6) with a flat prior: the mean of n units of which the first m gave d ± s is normal about d with the
variance s² (1 − m/n).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.stats

from harness.judge.rule import refutes, supports
from harness.predict import Conjunction
from harness.quantities import Quantity
from harness.rows import NoRow, Where

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from harness.claim import Claim
    from harness.gate import Gate
    from harness.judge import Verdict
    from harness.predict import Estimate, Prediction

FUTILE = 0.1
"""Probability that all seeds decide, below which they are not trained."""
SURE = 0.95  # with which a pooled gate fails that is not looked at again
FEWEST = 3  # seeds without which nothing is known of how a pooled gate varies
_ONE = float(scipy.stats.norm.sf(1.0))  # one-sided level of an interval of one standard error
_QUANTILES = scipy.stats.norm.ppf((np.arange(200) + 0.5) / 200)


def chance(verdict: Verdict, grows: float, share: float) -> float:
    """How likely all seeds are to decide what a first look left open; 1 where that cannot be told.

    Args:
        verdict: of the first look.
        grows: how many times as many units all seeds have.
        share: of the first look's alpha for the look at all of them.
    """
    if not isinstance(verdict.prediction, Conjunction):
        return min(1.0, sum(_sides(verdict.prediction, verdict.estimate, grows, share)))
    whole = verdict.prediction
    if whole.needed < len(whole.parts):
        return 1.0
    sides = [_sides(part.prediction, part.estimate, grows, share) for part in verdict.parts]
    return min(1.0, min(holds for holds, _ in sides) + sum(fails for _, fails in sides))  # bounds, whatever the dependence


def _sides(prediction: Prediction, seen: Estimate | None, grows: float, share: float) -> tuple[float, float]:
    """Predictive probabilities of a support and of a refutation; (1, 1) where they are not known."""
    if seen is None or seen.confidence is None or prediction.rule == "exact" or grows <= 1:
        return 1.0, 1.0
    low, high = (float(end) for end in seen.confidence.interval(_ONE))
    error = (high - low) / 2
    if not (math.isfinite(error) and math.isfinite(seen.effect)):
        return 1.0, 1.0
    means = seen.effect + error * math.sqrt(1 - 1 / grows) * _QUANTILES
    half = -scipy.stats.norm.ppf(prediction.alpha * share) * error / math.sqrt(grows)
    told = prediction.rule, prediction.centre, prediction.margin, means - half, means + half
    return float(np.mean(supports(*told))), float(np.mean(refutes(*told)))


@dataclass(frozen=True)
class Mending:
    """Whether the gates that fail at a first look could pass with all seeds.

    Args:
        gates: of the claim, under the protocol that decides.
        steady: columns whose values in a row do not depend on which other seeds there are, as seen at the defaults.
    """

    gates: tuple[Gate, ...] = ()
    steady: frozenset[str] = field(default_factory=frozenset)

    def hopeless(self, table: pd.DataFrame, grows: float) -> bool:
        """Whether a gate fails whatever the other seeds show, or is all but sure to.

        Args:
            table: of the seeds that were looked at.
            grows: how many times as many seeds all of them are.
        """
        return any(self._fails(gate, table, grows) for gate in self.gates)

    def _fails(self, gate: Gate, table: pd.DataFrame, grows: float) -> bool:
        try:
            if gate.column in self.steady and all(column in self.steady for column in gate.limit_columns):
                good = _admitted(gate, table)
                return len(good) > 0 and 1 - int((~good).sum()) / (len(good) * grows) < gate.share - 1e-9
            return self._all_but_surely(gate, table)
        except (NoRow, KeyError, TypeError, ValueError):  # the look at all seeds will say what is wrong
            return False

    def _all_but_surely(self, gate: Gate, table: pd.DataFrame) -> bool:
        """Of a quantity that is pooled over seeds: by its jackknife over them (Miller 1974, doi 10.1093/biomet/61.1.1)."""
        seeds = sorted(set(table["seed"].tolist()))
        if not isinstance(gate.column, Quantity) or gate.share != 1 or gate.limit_columns or len(seeds) < FEWEST:
            return False
        if not np.array_equal(_values(gate, table), _values(gate, _anew(gate, table)), equal_nan=True):
            return False  # it cannot be made of the rows that are judged
        own = _excess(gate, table)
        without = np.array([_excess(gate, _anew(gate, table[table["seed"] != seed])) for seed in seeds])
        count = len(seeds)
        error = math.sqrt((count - 1) / count * float(np.square(without - without.mean()).sum()))
        return own - float(scipy.stats.t.ppf(SURE, count - 1)) * error > 0


def mending(claim: Claim, few: Any, every: Any) -> Mending:
    """What is known of a claim's gates at its defaults.

    Args:
        claim: the declaration.
        few: its table, or its tables by protocol, of the seeds of a first look.
        every: likewise of all seeds.
    """
    protocol = claim.protocols[0] if claim.protocols else None
    gates = tuple(gate for gate in claim.gates if gate.protocols is None or protocol in gate.protocols)
    return Mending(gates, _steady(deciding(claim, few), deciding(claim, every)))


def deciding(claim: Claim, tables: Any) -> pd.DataFrame:
    """The table of the protocol that decides."""
    found: pd.DataFrame = tables[claim.protocols[0]] if isinstance(tables, Mapping) else tables
    return found


def _steady(few: pd.DataFrame, every: pd.DataFrame) -> frozenset[str]:
    """Columns of numbers that have the same values in rows of the same seeds, whichever other seeds there are."""
    if "seed" not in few or "seed" not in every:
        return frozenset()
    same = every[every["seed"].isin(set(few["seed"]))]
    if len(same) != len(few):
        return frozenset()
    keys = [name for name in few.columns if not _is_measured(few[name]) and name in same]
    one, other = (table.sort_values(keys, key=lambda column: column.astype(str), kind="stable") for table in (few, same))
    if not all(np.array_equal(one[key].astype(str), other[key].astype(str)) for key in keys) or one.duplicated(keys).any():
        return frozenset()
    return frozenset(
        str(name) for name in few.columns
        if name in same and _is_number(few[name]) and np.array_equal(one[name].astype(float), other[name].astype(float), True)
    )  # fmt: skip


def _is_measured(column: pd.Series[Any]) -> bool:
    return bool(column.dtype.kind == "f")


def _is_number(column: pd.Series[Any]) -> bool:
    return bool(column.dtype.kind in "fiub")


def _anew(gate: Gate, table: pd.DataFrame) -> pd.DataFrame:
    assert isinstance(gate.column, Quantity)
    return table.assign(**{str(gate.column): gate.column.of(table)})


def _rows(gate: Gate, table: pd.DataFrame) -> pd.DataFrame:
    return Where(gate.where).select(table, f"gate {gate.name!r}")


def _values(gate: Gate, table: pd.DataFrame) -> NDArray[np.float64]:
    return np.asarray(_rows(gate, table)[gate.column].astype(float), dtype=np.float64)


def _admitted(gate: Gate, table: pd.DataFrame) -> NDArray[np.bool_]:
    rows = _rows(gate, table)
    columns: Sequence[str] = (gate.column, *gate.limit_columns)
    return gate.admitted(_values(gate, table), rows[list(dict.fromkeys(columns))].astype(float))


def _excess(gate: Gate, table: pd.DataFrame) -> float:
    """How far the worst row lies beyond the limits, which are numbers; negative where all rows lie inside."""
    values = _values(gate, table)
    beyond = [
        float(limit) - values if name in ("at_least", "above") else values - float(limit) for name, limit in gate.limits.items()
    ]
    return float(np.max(beyond))
