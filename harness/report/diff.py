"""Two runs compared: verdicts that flipped, effects that moved further than chance moves them, and what differs behind them.

Two independent runs of one estimand scatter both.  What the old run lets one expect of the new one is a prediction interval:
it is wider than either confidence interval, and its half widths follow from theirs, since variances of independent
estimates add (Zou and Donner 2008, "Construction of confidence limits about effect measures", the MOVER: the ends of the two
intervals that face each other count, so that asymmetric ones are served, too).  Runs with the same networks are not
independent; their numbers should be equal, and any difference is told as one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from scipy import stats as distributions

from harness.report.causes import Cause, between_runs, of_claim, same_networks
from harness.report.merge import check_run
from harness.report.rows import Row, Run, complete
from harness.stats import holm

ALPHA = 0.05  # a set of shifts is beyond chance where Holm's adjustment over all claims compared leaves one below
_EQUAL = 1e-9  # relative; numbers that were written and read as JSON are equal to the last digit
_NO_NUMBERS = ("error", "invalid")
_DECIDED = {"supported", "refuted"}


@dataclass(frozen=True)
class Shift:
    """How far an effect moved between two runs.

    Attributes:
        difference: new less old, in natural units.
        interval: the new effect's prediction interval from the old run, less the old effect: (low, high) of differences that
            chance explains.  None where a run has no interval, or both have the same networks.
        level: of that interval (0.9).
        p: two-sided and approximate (normal), of a difference at least as large between two independent runs of one truth; None without an interval.
        p_adjusted: Holm's, over all claims compared.
    """

    difference: float
    interval: tuple[float, float] | None
    level: float | None
    p: float | None
    p_adjusted: float | None = None

    @property
    def beyond(self) -> bool:
        """Whether the new effect lies outside the prediction interval."""
        return self.interval is not None and not self.interval[0] <= self.difference <= self.interval[1]

    @property
    def demonstrable(self) -> bool:
        """Whether it would, by chance, in fewer than one of twenty such comparisons of whole runs."""
        return self.beyond and self.p_adjusted is not None and self.p_adjusted <= ALPHA


@dataclass(frozen=True)
class Change:
    """A claim in both runs.

    Attributes:
        old: its row in the old run.
        new: its row in the new run.
        shift: how far its effect moved; None where the two effects cannot be compared.
        paired: both runs have the same networks, or need none: the numbers should be equal.
        causes: what differs for this claim alone.
        incomparable: why the effects are not compared, or None.
    """

    old: Row
    new: Row
    shift: Shift | None
    paired: bool
    causes: tuple[Cause, ...]
    incomparable: str | None = None

    @property
    def id(self) -> str:
        """The claim."""
        return str(self.new["id"])

    @property
    def flipped(self) -> bool:
        """Whether the verdict is another one, or a refutation of another kind."""
        return bool((self.old["verdict"], self.old["label"]) != (self.new["verdict"], self.new["label"]))

    @property
    def equal(self) -> bool:
        """Whether effect and interval are the same numbers."""
        return _same_number(self.old["effect"], self.new["effect"]) and all(
            _same_number(a, b) for a, b in zip(*((row["interval"] or (None, None)) for row in (self.old, self.new)), strict=True)
        )

    @property
    def moved(self) -> bool:
        """Whether the same networks gave other numbers."""
        return self.paired and self.shift is not None and not self.equal


@dataclass(frozen=True)
class Diff:
    """Two runs compared.

    Attributes:
        old: the run before.
        new: the run after.
        changes: the claims that both have, in the new run's order.
        appeared: ids that only the new run has.
        vanished: ids that only the old run has.
        causes: what differs for every claim.
    """

    old: Run
    new: Run
    changes: tuple[Change, ...]
    appeared: tuple[str, ...]
    vanished: tuple[str, ...]
    causes: tuple[Cause, ...]

    @property
    def flips(self) -> list[Change]:
        """Other verdicts: from support to refutation or back first, errors last."""
        return sorted((each for each in self.changes if each.flipped), key=_weight)

    @property
    def shifts(self) -> list[Change]:
        """Effects beyond their prediction interval, the least likely first."""
        beyond = [each for each in self.changes if each.shift is not None and each.shift.beyond]
        return sorted(beyond, key=lambda each: _shift(each).p or 0.0)

    @property
    def moved(self) -> list[Change]:
        """The same networks with other numbers, the farthest first, in half widths of the old interval."""
        return sorted((each for each in self.changes if each.moved), key=lambda each: -abs(_shift(each).difference) / _half(each.old))

    @property
    def compared(self) -> list[Change]:
        """Claims whose effects two independent runs estimated."""
        return [each for each in self.changes if each.shift is not None and each.shift.interval is not None]

    @property
    def by_chance(self) -> float:
        """How many shifts independent runs of one truth would show, on average."""
        return sum(1 - (_shift(each).level or 1.0) for each in self.compared)

    @property
    def incomparable(self) -> list[Change]:
        """Claims whose effects say nothing of each other."""
        return [each for each in self.changes if each.incomparable is not None]

    @property
    def demonstrable(self) -> bool:
        """Whether a verdict flipped or an effect moved further than chance explains, over all claims."""
        return bool(self.flips or self.moved) or any(_shift(each).demonstrable for each in self.shifts)


def compare(old: Mapping[str, Any], new: Mapping[str, Any]) -> Diff:
    """Compare two runs.

    Args:
        old: what ``claims.json`` held before.
        new: what it holds now.

    Raises:
        ReportError: one of them is not a run of claims.
    """
    for name, run in (("the old run", old), ("the new run", new)):
        check_run(run, name)
    before = {row["id"]: complete(row) for row in old["rows"]}
    after = {row["id"]: complete(row) for row in new["rows"]}
    changes = [_change(before[id], row) for id, row in after.items() if id in before]
    return Diff(
        old=dict(old), new=dict(new), changes=_adjusted(changes), appeared=tuple(id for id in after if id not in before),
        vanished=tuple(id for id in before if id not in after), causes=between_runs(old, new),
    )  # fmt: skip


def half_widths(old: Row, new: Row) -> tuple[float, float, float]:
    """How far below and above the old effect chance puts the new one, and the level of that interval.

    Each half width is the root of the sum of squares of the two that face each other: upwards, the upper half of the old
    interval and the lower half of the new one.  Where the two intervals have different levels, that of the lower level is
    widened to the higher by the ratio of normal quantiles.
    """
    (old_down, old_up), (new_down, new_up) = _halves(old), _halves(new)
    alpha = min(_alpha(old), _alpha(new))
    wider_old, wider_new = (_quantile(alpha) / _quantile(_alpha(row)) for row in (old, new))
    downwards = math.hypot(old_down * wider_old, new_up * wider_new)
    upwards = math.hypot(old_up * wider_old, new_down * wider_new)
    return downwards, upwards, 1 - 2 * alpha


def _change(old: Row, new: Row) -> Change:
    causes, paired = of_claim(old, new), same_networks(old, new)
    if (why := _incomparable(old, new)) is not None:
        return Change(old, new, None, paired, causes, why)
    difference = new["effect"] - old["effect"]
    if paired or None in (old["interval"], new["interval"]):
        return Change(old, new, Shift(difference, None, None, None), paired, causes)
    down, up, level = half_widths(old, new)
    shift = Shift(difference, (-down, up), level, _chance(difference, up if difference > 0 else down, level))
    return Change(old, new, shift, paired, causes)


def _chance(difference: float, half: float, level: float) -> float:
    """Two-sided p of a difference, where one of ``half`` is the end of the interval of ``level``; normal tails."""
    if difference == 0:
        return 1.0
    return 2 * float(distributions.norm.sf(_quantile((1 - level) / 2) * abs(difference) / half)) if half else 0.0


def _incomparable(old: Row, new: Row) -> str | None:
    """Why two effects are not compared, or None where they can be."""
    if old["verdict"] == new["verdict"] and old["verdict"] in _NO_NUMBERS:
        return f"{old['verdict']} in both runs"
    for when, row in (("old", old), ("new", new)):
        if row["verdict"] in _NO_NUMBERS:
            return f"{row['verdict']} in the {when} run"
    if old["effect"] is None or new["effect"] is None:
        return "no estimate"
    if (old["estimand"], old["unit"]) != (new["estimand"], new["unit"]):
        return "another estimand"
    unknown = not same_networks(old, new) and None in (old["interval"], new["interval"])
    return "no interval" if unknown and old["effect"] != new["effect"] else None


def _adjusted(changes: list[Change]) -> tuple[Change, ...]:
    adjusted = holm([None if each.shift is None else each.shift.p for each in changes])
    return tuple(
        each if each.shift is None else replace(each, shift=replace(each.shift, p_adjusted=p))
        for each, p in zip(changes, adjusted, strict=True)
    )


def _weight(change: Change) -> tuple[int, str]:
    verdicts = {change.old["verdict"], change.new["verdict"]}
    if verdicts == _DECIDED:
        return 0, change.id
    return (3 if "error" in verdicts else 2 if len(verdicts) == 1 else 1), change.id


def _shift(change: Change) -> Shift:
    assert change.shift is not None, change.id
    return change.shift


def _halves(row: Row) -> tuple[float, float]:
    """From the estimate down and up to the ends of its interval; an end that is unknown is unbounded."""
    low, high = row["interval"]
    return (math.inf if low is None else max(0.0, row["effect"] - low), math.inf if high is None else max(0.0, high - row["effect"]))


def _half(row: Row) -> float:
    low, high = row["interval"] or (None, None)
    return (high - low) / 2 if None not in (low, high) and high > low else 1.0


def _alpha(row: Row) -> float:
    return float(row["alpha"]) if row["alpha"] else ALPHA


def _quantile(tail: float) -> float:
    return float(distributions.norm.isf(tail))


def _same_number(one: float | None, other: float | None) -> bool:
    return one is other if one is None or other is None else math.isclose(one, other, rel_tol=_EQUAL, abs_tol=0.0)
