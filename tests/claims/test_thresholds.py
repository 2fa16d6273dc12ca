"""What is fixed stands in the declaration: no gate and no proportion reads what a fixture has already judged.

A comparison that a fixture puts into a column is in no digest and in no sentence.  The walk below finds such columns in the
syntax trees of fixtures and claims, and the flags of instruments, and holds them against what declarations read.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from test_declarations import CLAIMS, parts

from harness.claim import Claim
from harness.gate import Gate
from harness.limits import BOUNDS
from harness.predict import Conjunction, Proportion
from harness.quantities import Quantity

ROOT = Path(__file__).parents[2]
BOOLEAN = {
    "finite": "a chain has diverged or it has not: no threshold decides it",
    "crossed": "a curve has a crossing or it has none",
}
"""Columns of gates and proportions that are a matter of yes and no by themselves, and why."""
SELECTS = {
    "last": "which epoch is the last is a size of the scale",
    "learned": "from which epoch on MNIST is learned is a size of the scale",
    "smallest": "which cube is the smallest is a size of the scale",
    "size": "which architecture is the larger one is a size of the scale",
    "counted": "each network once, where it has several parts in a claim",
}
"""Columns by which declarations select rows, although a comparison made them, and why that hides no threshold."""
COMPARING = {"ge", "gt", "le", "lt", "between", "greater", "greater_equal", "less", "less_equal", "isclose", "duplicated"}


CHOOSING = (ast.In, ast.NotIn, ast.Is, ast.IsNot)


def compares(node: ast.AST, tainted: set[str]) -> bool:
    """Whether an expression holds what a comparison of numbers has said; one that chooses rows or a branch does not count."""
    if isinstance(node, ast.Compare):
        sides = (node.left, *node.comparators)
        return not any(named(side) is not None for side in sides) and not any(isinstance(op, CHOOSING) for op in node.ops)
    if isinstance(node, ast.IfExp):
        return compares(node.body, tainted) or compares(node.orelse, tainted)
    if isinstance(node, ast.comprehension):
        return compares(node.iter, tainted)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in COMPARING:
        return True
    if isinstance(node, ast.Name):
        return node.id in tainted
    if isinstance(node, ast.Subscript):
        return compares(node.value, tainted)
    return any(compares(child, tainted) for child in ast.iter_child_nodes(node))


def named(node: ast.AST) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def columns_of(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    """Columns that a statement or an expression makes, with what it makes them of."""
    if isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign) and node.value is not None:
        for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
            if isinstance(target, ast.Subscript):
                for place in ast.walk(target.slice):
                    if name := named(place):
                        yield name, node.value
    if isinstance(node, ast.Dict):
        yield from ((name, value) for key, value in zip(node.keys, node.values, strict=True) if key and (name := named(key)))
    if isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", None)) in ("assign", "dict"):
        yield from ((keyword.arg, keyword.value) for keyword in node.keywords if keyword.arg)


def own(scope: ast.AST) -> Iterator[ast.AST]:
    """Nodes of a module or a function, without those of the functions in it."""
    for child in ast.iter_child_nodes(scope):
        yield child
        if not isinstance(child, ast.FunctionDef):
            yield from own(child)


def judged(source: str) -> set[str]:
    """Columns that a source puts a comparison into, directly or by way of a local name."""
    found: set[str] = set()
    tree = ast.parse(source)
    for scope in (node for node in ast.walk(tree) if isinstance(node, ast.Module | ast.FunctionDef)):
        tainted: set[str] = set()
        for _ in range(3):  # names of names
            for node in own(scope):
                if isinstance(node, ast.Assign) and compares(node.value, tainted):
                    tainted |= {target.id for target in node.targets if isinstance(target, ast.Name)}
        found |= {name for node in own(scope) for name, value in columns_of(node) if compares(value, tainted)}
        if isinstance(scope, ast.FunctionDef):
            for call in scope.decorator_list:
                if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "quantity":
                    returns = (node.value for node in own(scope) if isinstance(node, ast.Return) and node.value)
                    found |= {str(named(call.args[0])) for value in returns if isinstance(value, ast.Compare | ast.BoolOp)}
    return found


def flags(source: str) -> set[str]:
    """Columns of an instrument that are a comparison and nothing else; a share of compared points is a measurement."""
    made = (each for node in ast.walk(ast.parse(source)) for each in columns_of(node))
    return {name for name, value in made if isinstance(value, ast.Compare)}


def texts(pattern: str) -> Iterator[str]:
    return (path.read_text(encoding="utf-8") for path in ROOT.glob(pattern))


def instrument(source: str) -> bool:
    """Whether a document's file is an instrument: one that computes with torch."""
    return "\nimport torch\n" in source


OWN = [(instrument(source), source) for source in texts("fixtures/**/*.py")]
FLAGS = set().union(*map(flags, texts("harness/measure/**/*.py")), *(flags(source) for measures, source in OWN if measures))
JUDGED = FLAGS.union(*(judged(source) for measures, source in OWN if not measures), *map(judged, texts("claims/*.py")))


def predictions(claim: Claim) -> list[Any]:
    """All that a claim judges, companions included."""
    return [part for each in (claim.prediction, *claim.companions) for part in parts(each)]


def limited(claim: Claim) -> list[Gate | Proportion]:
    """All that has limits."""
    return [*claim.gates, *(each for each in predictions(claim) if isinstance(each, Proportion))]


@pytest.mark.parametrize("source", [
    'table["fit"] = table["accuracy"] >= 0.95', 'table.loc[rows, "fit"] = table["accuracy"].ge(0.95)',
    'table = table.assign(fit=(table["accuracy"] > LEVEL) | ~trained)', 'rows.append({"fit": bool(accuracy > 0.95)})',
    'def f(t):\n    good = t["a"] < 1\n    both = good & other\n    return t.assign(fit=both)',
    '@quantity("fit")\ndef fit(table):\n    return table["a"] > 1', 'pd.DataFrame(dict(fit=a <= b))',
    'table.assign(fit=lambda t: t["a"] > 1)', 'table["fit"] = np.where(table["a"] > 1, 1, 0)',
])  # fmt: skip
def test_the_walk_sees_a_threshold_however_it_is_written(source):
    assert "fit" in judged(source)


@pytest.mark.parametrize("source", [
    'table["fit"] = table[table["a"] > 1]["b"].mean()', 'table.assign(fit=np.isfinite(table["a"]))',
    'table["fit"] = table["a"] - 1', 'table["fit"] = table["regime"] == "robust"',
])  # fmt: skip
def test_the_walk_leaves_what_is_none(source):
    assert "fit" not in judged(source)


def test_no_gate_and_no_proportion_reads_what_was_already_judged():
    assert {"last", "counted"} <= JUDGED, "the walk has lost sight of fixtures"
    assert {"within", "informative", "clearly_negative"} <= FLAGS, "the walk has lost sight of instruments"
    read = {str(column): claim.id for claim in CLAIMS for each in limited(claim)
            for column in (each.column if isinstance(each, Gate) else each.of, *each.limit_columns)}  # fmt: skip
    assert {column: id_ for column, id_ in read.items() if column in JUDGED and column not in BOOLEAN} == {}


def test_no_prediction_estimates_what_was_already_judged():
    read = {str(column): claim.id for claim in CLAIMS for each in predictions(claim) for column in each.own_columns()}
    assert {column: id_ for column, id_ in read.items() if column in JUDGED - set(SELECTS)} == {}


def test_rows_are_selected_by_what_hides_no_threshold():
    read = {column: claim.id for claim in CLAIMS for each in (*claim.gates, *predictions(claim)) for column in each.where}
    assert {column: id_ for column, id_ in read.items() if column in JUDGED and column not in SELECTS} == {}
    assert set(SELECTS) == set(read) & JUDGED, "an exception that nothing needs"


def test_what_is_a_matter_of_yes_and_no_is_listed():
    for claim in CLAIMS:
        for each in limited(claim):
            if isinstance(each, Proportion):
                assert each.limits or each.of in BOOLEAN, f"{claim.id}: {each}"
    gates = {gate.column for claim in CLAIMS for gate in claim.gates}
    assert set(BOOLEAN) <= gates, "an exception that nothing needs"


def test_derived_quantities_bring_their_code():
    read = {claim.id: {column for each in (*claim.gates, *predictions(claim)) for column in
                       ((each.column,) if isinstance(each, Gate) else each.own_columns())} for claim in CLAIMS}  # fmt: skip
    names = ("relative_llc", "sampling_error", "reliability", "llc_in_errors", "negative_share", "of_radius", "residual_kept")
    for name in names:
        readers = [column for columns in read.values() for column in columns if column == name]
        assert readers, name
        assert all(isinstance(column, Quantity) for column in readers), name


def changed(claim: Claim) -> Iterator[tuple[str, str, str, Claim]]:
    """What changed, its sentence before and after, and the claim with one limit that is the next number, one after another."""
    for place, gate in enumerate(claim.gates):
        for other in variants(gate):
            gates = (*claim.gates[:place], other, *claim.gates[place + 1 :])
            yield gate.name, str(gate), str(other), replace(claim, gates=gates)
    for part in predictions(claim):
        for other in variants(part):
            swapped = {"prediction": swap(claim.prediction, part, other),
                       "companions": tuple(swap(each, part, other) for each in claim.companions)}  # fmt: skip
            yield repr(part), str(part), str(other), replace(claim, **swapped)


def swap(prediction: Any, part: Any, other: Any) -> Any:
    """The prediction with ``other`` in place of one of its parts."""
    if isinstance(prediction, Conjunction):
        return replace(prediction, parts=tuple(other if each is part else each for each in prediction.parts))
    return other if prediction is part else prediction


def variants(each: Any) -> Iterator[Any]:
    """The declaration with one limit or one condition on rows changed."""
    for name in BOUNDS:
        limit = getattr(each, name, None)
        if isinstance(limit, str):
            yield replace(each, **{name: f"{limit}_2"})
        elif limit is not None:
            yield replace(each, **{name: math.nextafter(float(limit), math.inf)})
    if isinstance(each, Gate) and each.share < 1:
        yield replace(each, share=math.nextafter(each.share, 0))
    settable = {field.name for field in fields(each) if field.init}
    for name in {"margin", "exceeds", "tolerance"} & settable:
        if getattr(each, name):
            yield replace(each, **{name: 0.9 * getattr(each, name)})
    for column in each.where:
        yield replace(each, where={**each.where, column: "something else"})
        yield replace(each, where={name: condition for name, condition in each.where.items() if name != column})


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.id)
def test_a_changed_limit_changes_digest_and_sentence(claim):
    before_all, seen = claim.digest(), 0
    digests = {before_all}
    for what, before, after, other in changed(claim):
        assert before != after, what
        assert other.digest() != before_all, what
        digests.add(other.digest())
        seen += 1
    assert len(digests) > seen // 2, "different changes have different digests (equal parts may share theirs)"
    assert seen or claim.kind != "empirical"


def test_equal_conditions_have_one_digest():
    """In whatever order and container they are written."""
    for claim in CLAIMS:
        turned = tuple(replace(gate, where=dict(reversed(list(gate.where.items())))) for gate in claim.gates)
        assert replace(claim, gates=turned).digest() == claim.digest()
