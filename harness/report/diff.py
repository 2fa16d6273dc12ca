"""Two runs compared: verdicts that flipped, effects that moved further than chance explains, and the possible causes.

Runs with the same networks are not independent; their numbers should be equal, and any difference is reported.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from harness.report.causes import Cause, Shift, between_runs, in_half_widths, of_claim, same_networks, shift
from harness.report.merge import check_run
from harness.report.rows import Row, Run, complete
from harness.stats import holm

_EQUAL = 1e-9  # relative; numbers that were written and read as JSON are equal to the last digit
_NO_NUMBERS = ("error", "invalid")
_DECIDED = {"supported", "refuted"}


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
        """Whether the verdict differs, or is a refutation of another kind or a support of another grade."""
        graded = None not in (self.old["grade"], self.new["grade"]) and self.old["grade"] != self.new["grade"]
        return graded or bool((self.old["verdict"], self.old["label"]) != (self.new["verdict"], self.new["label"]))

    @property
    def equal(self) -> bool:
        """Whether effect and interval are the same numbers."""
        before, after = ((row["effect"], *(row["interval"] or (None, None))) for row in (self.old, self.new))
        return all(_same_number(one, other) for one, other in zip(before, after, strict=True))

    @property
    def moved(self) -> bool:
        """Whether the same networks gave different numbers."""
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
        """Verdicts that changed: from support to refutation or back first, errors last."""
        return sorted((each for each in self.changes if each.flipped), key=_weight)

    @property
    def shifts(self) -> list[Change]:
        """Effects beyond their prediction interval, the least likely first."""
        beyond = [each for each in self.changes if each.shift is not None and each.shift.beyond]
        return sorted(beyond, key=lambda each: _shift(each).p or 0.0)

    @property
    def moved(self) -> list[Change]:
        """The same networks with different numbers, the farthest first, in half widths of the old interval."""
        moved = [each for each in self.changes if each.moved]
        return sorted(moved, key=lambda each: -in_half_widths(_shift(each).difference, each.old))

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
        """Claims whose effects cannot be compared."""
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
    changes = [_change(before[id], row, (old, new)) for id, row in after.items() if id in before]
    return Diff(
        old=dict(old), new=dict(new), changes=_adjusted(changes), appeared=tuple(id for id in after if id not in before),
        vanished=tuple(id for id in before if id not in after), causes=between_runs(old, new),
    )  # fmt: skip


def _change(old: Row, new: Row, runs: tuple[Mapping[str, Any], Mapping[str, Any]]) -> Change:
    causes, paired = of_claim(old, new, runs), same_networks(old, new)
    if (why := _incomparable(old, new)) is not None:
        return Change(old, new, None, paired, causes, why)
    return Change(old, new, shift(old, new, independent=not paired), paired, causes)


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


def _same_number(one: float | None, other: float | None) -> bool:
    return one is other if one is None or other is None else math.isclose(one, other, rel_tol=_EQUAL, abs_tol=0.0)
