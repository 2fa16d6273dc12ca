"""Open claims judged again on fresh seeds alone, so many of them as a plan says that is written before anything of it runs.

Seeds that are added after a look, and judged at the same alpha together with those that were seen, support too much
(docs/decisions/0009).  A study of fresh seeds alone is one of its own: the claim's margin, alpha and gates stay, the seeds
that were seen do not count, and nothing has to be corrected.  How many there are is fixed by :func:`blocks_of`, from the run
that left the claim open.

The plan is JSON: ``{"fresh": 1, "date", "scale", "rule", "claims"}``, each claim with ``digest``, ``unit``, ``n``, ``units``,
``verdict`` and ``blocks``.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.claim import SCALES
from harness.errors import ClaimError

if TYPE_CHECKING:
    from harness.evidence import Evidence
    from harness.running.growth import Body
    from harness.running.session import Harness

Row = Mapping[str, Any]
SCHEMA = 1
MOST = 4
"""Largest number of blocks: a block has as many seeds as the claim asks for."""
FIRST = 11
"""Number of the first block of fresh seeds; those before it are left to the searches' confirmations."""
SEED = "seed"
RULE = (
    f"twice as many seeds as would decide the claim with effect and spread as seen, in whole blocks, at most {MOST}; "
    f"none where that are more than {MOST} times the present ones, or where seeds are not what there are too few of"
)
_TOLD = ("unit", "n", "units", "verdict")  # of what would decide the claim
REMEDY = "give a file that python -m harness fresh RUN --out FILE wrote"


class FreshError(ValueError):
    """A plan that cannot be read, or does not fit the run; the message names it and what to do."""


@dataclass(frozen=True)
class Plan:
    """What is judged again.

    Attributes:
        path: the file.
        date: when it was written.
        scale: whose seeds.
        claims: by id, each with digest and blocks.
    """

    path: Path
    date: str
    scale: str
    claims: Mapping[str, Mapping[str, Any]]

    def blocks(self, claim: str, digest: str) -> int:
        """Blocks of fresh seeds of a claim.

        Raises:
            ClaimError: it is not in the plan, or has changed since.
        """
        planned = self.claims.get(claim)
        if planned is None:
            raise ClaimError(f"{self.path} plans no fresh seeds of {claim}; choose claims of the plan with --claims-only")
        if planned["digest"] != digest:
            raise ClaimError(
                f"{claim} has changed since {self.path} planned its fresh seeds on {self.date}: restore its declaration, or "
                "plan anew, with python -m harness fresh"
            )
        return int(planned["blocks"])


def blocks_of(row: Row) -> int | None:
    """Blocks of fresh seeds that the rule gives an open claim; None where it gives none."""
    told = (row["power"] or {}).get("enough")
    if row["verdict"] != "inconclusive" or not told or not told["units"]:
        return None
    design = row.get("design")
    if design and not design["populations"] and not row["recipes"]:
        return None  # it rests on a table, or on networks that are there: it asks for no seeds that could be others
    from harness.predict import words  # which brings NumPy, and the plugin imports this module in every session of pytest

    ratio = told["units"] / told["n"]
    return min(MOST, math.ceil(2 * ratio)) if words.shared(str(told["unit"])) == SEED and ratio <= MOST else None


def planned(run: Mapping[str, Any], wanted: Iterable[str] = ()) -> dict[str, Any]:
    """The plan for the open claims of a run, or for some of them.

    Raises:
        FreshError: one that is wanted is not planned by the rule, or none is.
    """
    found = {
        row["id"]: {"digest": row["digest"], **{name: row["power"]["enough"][name] for name in _TOLD}, "blocks": blocks}
        for row in run["rows"] if (blocks := blocks_of(row)) is not None
    }  # fmt: skip
    names = list(wanted) or list(found)
    if unknown := [name for name in names if name not in {row["id"] for row in run["rows"]}]:
        raise FreshError(f"the run has no claim {', '.join(unknown)}")
    if absent := [name for name in names if name not in found]:
        raise FreshError(
            f"the rule plans no fresh seeds of {', '.join(absent)}: {RULE}; it does of {', '.join(found) or 'none'}"
        )
    if not names:
        raise FreshError(f"the rule plans no fresh seeds of any claim of this run: {RULE}")
    today = datetime.now(UTC).date().isoformat()
    return {
        "fresh": SCHEMA,
        "date": today,
        "scale": run["scale"],
        "rule": RULE,
        "claims": {name: found[name] for name in names},
    }


def read_plan(path: Path, scale: str) -> Plan:
    """Read a plan of a scale.

    Raises:
        FreshError: it cannot be read, is no plan, or is of another scale.
    """
    try:
        held = json.loads(path.read_text(encoding="utf-8"))
    except OSError as problem:
        raise FreshError(f"{path} cannot be read: {problem.strerror}; {REMEDY}") from None
    except (ValueError, RecursionError) as problem:
        raise FreshError(f"{path} is damaged ({problem}); {REMEDY}") from None
    if not isinstance(held, dict) or held.get("fresh") != SCHEMA or not _is_plan(held):
        raise FreshError(f"{path} is no plan of fresh seeds; {REMEDY}")
    if held["scale"] != scale:
        raise FreshError(f"{path} plans for scale {held['scale']}, and this run is of scale {scale}; give --claims-scale too")
    return Plan(path, held["date"], held["scale"], held["claims"])


def _is_plan(held: Mapping[str, Any]) -> bool:
    claims = held.get("claims")
    return held.get("scale") in SCALES and isinstance(held.get("date"), str) and isinstance(claims, dict) and all(
        isinstance(each, dict) and isinstance(each.get("digest"), str) and type(each.get("blocks")) is int and each["blocks"]
        for each in claims.values()
    )  # fmt: skip


def on_fresh_seeds(body: Body, harness: Harness, blocks: int, asked: Iterable[int], seen: Iterable[int]) -> Evidence:
    """What a claim's body returns with fresh seeds in place of all that it asks for.

    Args:
        body: the claim's.
        harness: the session's.
        blocks: how many blocks of them.
        asked: seeds that it asks for.
        seen: seeds of its evidence.

    Raises:
        ClaimError: its tables hold no seeds, or some that were seen.
    """
    from harness.running.growth import in_blocks, seeds_of

    old = {*asked, *seen}
    evidence = in_blocks(body, harness, range(FIRST, FIRST + blocks), set(old))
    new = seeds_of(evidence)
    if not new or new & old:
        raise ClaimError("fresh seeds change nothing that this claim is judged on, so that they cannot judge it again")
    return evidence
