"""A run as machine-readable hypothesis tests and as a graph of claims.

The terms are those of Lakens & DeBruine (2021, doi 10.1177/2515245920970949).  A hypothesis has *criteria*, each a comparison
of a *result* of its analysis with a *comparator*.  Evaluations, which are conjunctions of criteria, say when it is corroborated
and when it is falsified; where both are false it is inconclusive.  Here it has a *validity*, too, without which nothing is
concluded.
``hypotheses.schema.json`` beside this module publishes the form; the graph is in the JSON Graph Format, version 2.

Every criterion can be evaluated from the numbers in the file alone, and :func:`conclusion` does so.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from harness import links
from harness.links import KINDS
from harness.report import schema
from harness.report.rows import INTERVAL_RULES, ReportError, Row, complete

SCHEMA = 1
Criterion = dict[str, Any]
VERDICTS: Mapping[str, str] = {
    "corroborated": "supported", "falsified": "refuted", "inconclusive": "inconclusive", "invalid": "invalid",
    "not evaluated": "error",
}  # fmt: skip
"""The verdict of this harness for each conclusion."""
_OPERATORS: Mapping[str, Callable[[Any, Any], bool]] = {
    "<": lambda a, b: a is not None and a < b, "<=": lambda a, b: a is not None and a <= b,
    ">": lambda a, b: a is not None and a > b, ">=": lambda a, b: a is not None and a >= b,
    "=": lambda a, b: bool(a == b), "!=": lambda a, b: bool(a != b),
}  # fmt: skip


@cache
def published() -> dict[str, Any]:
    """The schema."""
    held: dict[str, Any] = json.loads((Path(__file__).parent / "hypotheses.schema.json").read_text(encoding="utf-8"))
    return held


def hypotheses(run: Mapping[str, Any]) -> dict[str, Any]:
    """All claims of a run as hypothesis tests, with the graph of their links.

    Args:
        run: what ``claims.json`` holds.

    Raises:
        ReportError: the criteria do not give the verdict that the run has, for the claims that the message names.
    """
    rows = [complete(row) for row in run["rows"]]
    told = {
        "schema": SCHEMA, "terms": "https://doi.org/10.1177/2515245920970949", "scale": run["scale"],
        "commit": run["provenance"].get("commit"), "started": run["provenance"].get("started"),
        "hypotheses": [_hypothesis(row) for row in rows],
        "analyses": [{"id": row["id"], "results": _results(row, run["scale"])} for row in rows], **graph(rows),
    }  # fmt: skip
    if differing := [one["id"] for one in told["hypotheses"] if conclusion(told, one["id"]) != one["conclusion"]]:
        raise ReportError(
            f"the criteria do not give the verdict of {', '.join(differing)}: the run was written by another version, or "
            "changed by hand; run these claims again"
        )
    return told


def read_hypotheses(path: Path) -> dict[str, Any]:
    """What :func:`hypotheses` wrote, checked against the published schema and against itself (:func:`contradictions`).

    Raises:
        ReportError: it cannot be read, is something else, or says two things at once.
    """
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as problem:
        raise ReportError(f"cannot read {path}: {problem}; give what python -m harness export wrote") from problem
    for where, fault in schema.faults_by(published(), told):
        raise ReportError(f"{path} holds no hypotheses: {where or 'it'} {fault}; export the run again")
    if said := next(contradictions(told), None):
        raise ReportError(f"{path} contradicts itself: {said}; export the run again")
    return dict(told)


def contradictions(told: Mapping[str, Any]) -> Iterator[str]:
    """What a file of the schema says that cannot be: names of nothing, links in a circle, conclusions that do not follow."""
    results = {each["id"]: each["results"] for each in told["analyses"]}
    for part in ("hypotheses", "analyses"):
        for id, count in Counter(each["id"] for each in told[part]).items():
            if count > 1:
                yield f"{id} is there {count} times in {part}"
    for one in told["hypotheses"]:
        id = one["id"]
        if id not in results:
            yield f"{id} has no analysis"
        elif said := next(_unfounded(one, results[id]), None):
            yield f"{id} {said}"
        elif conclusion(told, id) != one["conclusion"]:
            yield f"{id} is said to be {one['conclusion']}, and its criteria give {conclusion(told, id)}"
    yield from _loose(told)


def _unfounded(one: Mapping[str, Any], results: Mapping[str, Any]) -> Iterator[str]:
    """Criteria of a hypothesis that cannot be evaluated, and evaluations that name none."""
    named = {each["id"] for each in one["criteria"]}
    if len(named) < len(one["criteria"]):
        yield "has two criteria of one id"
    for criterion in one["criteria"]:
        value, bound = results.get(criterion["result"]), criterion["comparator"]
        if criterion["result"] not in results:
            yield f"reads a result that its analysis lacks: {criterion['result']}"
        elif criterion["operator"] in ("<", "<=", ">", ">=") and not (
            _is_number(bound) and (value is None or _is_number(value))
        ):
            yield f"compares by size what has none: {criterion['id']}"
    terms = {term for part in ("validity", "corroboration", "falsification") for term in _terms(one[part])}
    for term in sorted({"evaluated", "at_scale"} | {term.removeprefix("!") for term in terms}):
        if term not in named:
            yield f"lacks the criterion {term}"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _loose(told: Mapping[str, Any]) -> Iterator[str]:
    """Links that the graph does not have or that go round in a circle, and edges from or to nothing."""
    own = {one["id"]: one["links"] for one in told["hypotheses"]}
    nodes, edges = told["graph"]["nodes"], told["graph"]["edges"]
    linked = Counter((id, kind, other) for id, kinds in own.items() for kind in KINDS for other in kinds[kind])
    drawn = Counter((edge["source"], edge["relation"], edge["target"]) for edge in edges)
    for id, kind, other in sorted(set(linked - drawn) | set(drawn - linked)):
        yield f"{id} {kind} {other} by its links or by the graph, and not by both"
    for id in sorted({end for edge in edges for end in (edge["source"], edge["target"])} - set(nodes)):
        yield f"the graph has an edge at {id}, and no such node"
    yield from links.faults(own, None).values()


def conclusion(told: Mapping[str, Any], id: str) -> str:
    """What the criteria of a hypothesis give, evaluated from the results of its analysis."""
    one = next(each for each in told["hypotheses"] if each["id"] == id)
    results = next(each["results"] for each in told["analyses"] if each["id"] == id)
    met = {each["id"]: _OPERATORS[each["operator"]](results[each["result"]], each["comparator"]) for each in one["criteria"]}

    def holds(evaluation: str) -> bool:
        return all(not met[term[1:]] if term.startswith("!") else met[term] for term in _terms(evaluation))

    if not met["evaluated"]:
        return "not evaluated"
    if not met["at_scale"]:
        return "inconclusive"
    if not holds(one["validity"]):
        return "invalid"
    return "corroborated" if holds(one["corroboration"]) else "falsified" if holds(one["falsification"]) else "inconclusive"


def _terms(evaluation: str) -> list[str]:
    """The criteria of which an evaluation is made, with ! before one that must not be met."""
    return [term.strip() for term in evaluation.split("&") if term.strip()]


def graph(rows: list[Row]) -> dict[str, Any]:
    """The claims of a run and their links, in the JSON Graph Format.

    A claim that is linked to and is not in the run is a node without a verdict, so that every edge has two ends.
    """
    unknown = {"document": None, "role": None, "verdict": None}
    nodes = {other: {"label": other, "metadata": unknown} for row in rows for kind in KINDS for other in row["links"][kind]}
    nodes |= {
        row["id"]: {"label": row["statement"] or row["id"],
                    "metadata": {"document": row["document"], "role": row["role"], "verdict": row["verdict"]}}
        for row in rows
    }  # fmt: skip
    edges = [
        {"source": row["id"], "target": other, "relation": kind}
        for row in rows for kind in KINDS for other in row["links"][kind]
    ]  # fmt: skip
    return {"graph": {"directed": True, "nodes": nodes, "edges": edges}}


def _hypothesis(row: Row) -> dict[str, Any]:
    """One claim: what it predicts, the criteria, and what they gave."""
    criteria = list(_criteria(row))

    def all_of(part: str) -> str:
        return " & ".join(each["id"] for each in criteria if each["for"] == part)

    reached, missed = all_of("corroboration"), all_of("falsification")
    if missed and row["rule"] != "exact":
        reached += " & !" + missed.replace(" & ", " & !")
    return {
        "id": row["id"], "description": row["statement"], "document": row["document"], "role": row["role"],
        "source": row["source"], "digest": row["digest"], "prediction": row["prediction"],
        "parts": [each["prediction"] for each in row["parts"]], "criteria": criteria, "validity": all_of("validity"),
        "corroboration": reached, "falsification": missed,
        "conclusion": next(said for said, verdict in VERDICTS.items() if verdict == row["verdict"]),
        "as_expected": row["verdict"] in row["passes"] if row["role"] == "control" else None,
        "links": row["links"],
    }  # fmt: skip


def _criterion(id: str, result: str, operator: str, comparator: Any, part: str, description: str) -> Criterion:
    return {"id": id, "result": result, "operator": operator, "comparator": comparator, "for": part, "description": description}


def _criteria(row: Row) -> Iterator[Criterion]:
    """The comparisons on which the verdict rests, as far as the run tells their numbers."""
    yield _criterion("evaluated", "verdict", "!=", "error", "all", "the claim was judged")
    yield _criterion("estimated", "effect", "!=", None, "validity", "there is an estimate")
    for place, gate in enumerate(row["gates"], 1):
        yield _criterion(f"gate_{place}", f"gate_{place}", "=", True, "validity", gate["name"])
    yield _criterion("at_scale", "scale", "!=", "smoke", "all", "scale smoke decides nothing")
    if row["rule"] == "exact":
        yield _criterion("none", "effect", "=", 0, "corroboration", "no counterexample, or no case that differs")
        yield _criterion("some", "effect", "!=", 0, "falsification", "a counterexample, or a case that differs")
    elif row["counts"] is not None:
        needed, parts = row["counts"]["needed"], len(row["parts"])
        yield _criterion("holding", "parts_supported", ">=", needed, "corroboration", "so many parts hold, at their level")
        yield _criterion("failing", "parts_refuted", ">", parts - needed, "falsification", "too few parts are left")
    elif row["alpha"] is not None:
        alpha = row["alpha"]
        yield _criterion(
            "p_support", "p_support", "<=", alpha, "corroboration", "p against the edge of what the claim excludes"
        )
        yield from _of_the_interval(row)
        if row["objection"] is not None:
            yield _criterion("form", "objection", "=", None, "corroboration", "nothing hides how the number came about")
        yield _criterion("p_refute", "p_refute", "<=", alpha, "falsification", "p against the least that the claim says")
        if row["rule"] in INTERVAL_RULES:
            strictly = ">=" if row["rule"] == "within" else ">"
            said = "the interval leaves out all that the claim says would matter"
            yield _criterion("short", "short_by", strictly, 0, "falsification", said)


def _of_the_interval(row: Row) -> Iterator[Criterion]:
    """What a support asks of the interval, beside the p of the curve that allows for skewness."""
    c, m = row["centre"], row["margin"]
    if row["rule"] == "above":
        yield _criterion("beyond", "low", ">", c, "corroboration", "the interval excludes no effect")
    elif row["rule"] == "below":
        yield _criterion("beyond", "high", "<", c, "corroboration", "the interval excludes no effect")
    elif row["rule"] == "within":
        yield _criterion("from_below", "low", ">", c - m, "corroboration", "the interval lies above the lower limit")
        yield _criterion("from_above", "high", "<", c + m, "corroboration", "the interval lies below the upper limit")


def _results(row: Row, scale: str) -> dict[str, Any]:
    """The numbers that criteria read, and those that a reader wants beside them."""
    low, high = row["interval"] or (None, None)
    counts = row["counts"] or {"supporting": None, "refuting": None}
    return {
        "verdict": row["verdict"], "scale": scale, "effect": row["effect"], "low": low, "high": high, "centre": row["centre"],
        "short_by": _short_by(row),
        "margin": row["margin"], "alpha": row["alpha"], "n": row["n"], "p": row["p"], "p_support": row["p_support"],
        "p_refute": row["p_refute"], "objection": row["objection"], "parts_supported": counts["supporting"],
        "parts_refuted": counts["refuting"],
        **{f"gate_{place}": gate["passed"] for place, gate in enumerate(row["gates"], 1)},
    }  # fmt: skip


def _short_by(row: Row) -> float | None:
    """By how much the interval lies wholly on the side that refutes the claim; negative where it does not."""
    if row["rule"] not in INTERVAL_RULES or row["interval"] is None:
        return None
    low, high = (end if end is not None else bound for end, bound in zip(row["interval"], (-math.inf, math.inf), strict=True))
    c, m = row["centre"], row["margin"]
    short = {"above": c + m - high, "below": low - (c - m), "within": max(low - (c + m), (c - m) - high)}[row["rule"]]
    return float(short) if math.isfinite(short) else None


def written(told: Mapping[str, Any]) -> str:
    """As text: strict JSON, indented."""
    return json.dumps(told, allow_nan=False, ensure_ascii=False, indent=1) + "\n"
