"""Links between claims: how a document's claims lean on each other, and what the verdict of one says about another.

A claim *requires* another if its sentence has no object, or no footing, where that one is false: "the peak widens" requires a
peak.  It *explains* another if the document gives it as the reason of that one.  It *contradicts* another if both cannot be
true of the same networks as they are worded.  Links are about reading: they decide nothing, and are in no digest.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Any

Links = Mapping[str, Sequence[str]]
"""Ids by the kind of link."""
KINDS: tuple[str, ...] = ("requires", "explains", "contradicts")
ACYCLIC: tuple[str, ...] = ("requires", "explains")
"""Kinds that have a direction: a claim neither rests on itself nor is its own reason, by whatever way."""

_UNMET: Mapping[str, str] = {
    "refuted": "is refuted", "inconclusive": "is undecided", "invalid": "could not be judged", "error": "could not be judged",
}  # fmt: skip


def of(claim: Any) -> dict[str, list[str]]:
    """The links that a claim declares, every kind with its ids."""
    return {kind: list(getattr(claim, kind, ())) for kind in KINDS}


def faults(links: Mapping[str, Links], known: Collection[str] | None) -> dict[str, str]:
    """What is wrong with the links of several claims.

    Args:
        links: of every claim that declares some, by its id.
        known: ids of all claims that there are; None where there may be others, so that no id can be called unknown.

    Returns:
        A sentence for each claim whose links cannot be meant, by its id.
    """
    found: dict[str, str] = {}
    named = [(id, kind, other) for id, own in links.items() for kind in KINDS for other in own.get(kind, ())]
    for id, kind, other in named:
        if known is not None and other not in known:
            close = difflib.get_close_matches(other, known, n=1, cutoff=0.6)
            meant = f"; did you mean {close[0]}?" if close else ": correct the id, or leave the link out"
            found.setdefault(id, f"the claim {id} {kind} {other}, and no claim has this id{meant}")
    for kind in ACYCLIC:
        for round_trip in _cycles({id: list(own.get(kind, ())) for id, own in links.items()}):
            way = f" {kind} ".join((*round_trip, round_trip[0]))
            for id in round_trip:
                found.setdefault(id, f"the claim {id} {kind} itself in the end ({way}): leave one of these links out")
    return found


def _cycles(edges: dict[str, list[str]]) -> Iterable[list[str]]:
    """Ways that return to where they began; every claim is in one at most."""
    while True:
        try:
            TopologicalSorter(edges).prepare()
            return
        except CycleError as problem:
            way = list(reversed(problem.args[1][1:]))  # the sorter lists the way backwards, its end twice
            first = way.index(min(way))
            yield way[first:] + way[:first]
            edges = {id: [other for other in own if other not in way] for id, own in edges.items() if id not in way}


def shaken(rows: Sequence[Mapping[str, Any]], unknown: Collection[str]) -> dict[str, dict[str, list[str]]]:
    """What the verdicts of linked claims say against a claim, by its id.

    Args:
        rows: of a report, with ``links`` and ``verdict``.
        unknown: ids of rows that have no verdict yet.

    Returns:
        For every row: "unmet", claims that it requires and that are not supported; "conflicts", claims that it contradicts,
        or that contradict it, where both are supported.  Claims without a verdict in these rows are in neither.
    """
    verdicts = {row["id"]: row["verdict"] for row in rows if row["id"] not in unknown}
    against: dict[str, set[str]] = {}
    for row in rows:
        for other in row["links"]["contradicts"]:
            against.setdefault(row["id"], set()).add(other)
            against.setdefault(other, set()).add(row["id"])
    return {
        row["id"]: {
            "unmet": [other for other in row["links"]["requires"] if verdicts.get(other, "supported") != "supported"],
            "conflicts": sorted(
                other for other in against.get(row["id"], ()) if verdicts.get(row["id"]) == verdicts.get(other) == "supported"
            ),
        }
        for row in rows
    }  # fmt: skip


def sentences(found: Mapping[str, Sequence[str]], verdicts: Mapping[str, str]) -> list[str]:
    """What :func:`shaken` found of a claim, in words."""
    return [*(_unmet(other, verdicts[other]) for other in found["unmet"]), *map(_conflict, found["conflicts"])]


def without_sentences(notes: Sequence[str], ids: Collection[str]) -> list[str]:
    """Notes without what :func:`sentences` may have said of any of these claims in an earlier state of the rows."""
    said = {_unmet(other, verdict) for other in ids for verdict in _UNMET} | set(map(_conflict, ids))
    return [note for note in notes if note not in said]


def _unmet(other: str, verdict: str) -> str:
    return f"It requires {other}, which {_UNMET[verdict]}."


def _conflict(other: str) -> str:
    return f"It contradicts {other} as both are worded, and both are supported: see what each of them measures."
