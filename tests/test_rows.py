"""The grammar of ``where``: what it admits, over many tables, held against a plain reading of it cell by cell."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction
from itertools import permutations
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from harness import Between, Gate
from harness.errors import ClaimError
from harness.judge import Outcome, check, judge
from harness.predict import PairedDifference, Proportion
from harness.predict.tables import Unusable, selected
from harness.rows import NoRow, Where
from harness.running.asking import ClaimDesign
from harness.study import Study

TEXT = st.sampled_from(["", "a", "b", "1", "True", "nan"])
NUMBERS = st.integers(-3, 3) | st.sampled_from([0.1, 0.3, 0.1 + 0.2, -0.0, 2.5, 2**53 + 1, math.inf, -math.inf])
VALUES = TEXT | NUMBERS | st.booleans() | st.sampled_from([None, math.nan])
COLUMNS = {
    "object": VALUES, "int64": st.integers(-3, 3), "float64": NUMBERS | st.just(math.nan), "bool": st.booleans(),
    "boolean": st.booleans() | st.none(), "string": TEXT | st.none(), "category": TEXT,
    "Int64": st.integers(-3, 3) | st.none(),
}  # fmt: skip
ENDS = st.floats(-4, 4) | st.integers(-4, 4)


@st.composite
def columns(draw: st.DrawFn) -> pd.Series:
    """A column of one of the types that tables have."""
    dtype = draw(st.sampled_from(sorted(COLUMNS)))
    return pd.Series(draw(st.lists(COLUMNS[dtype], min_size=1, max_size=12)), dtype=dtype)


@st.composite
def conditions(draw: st.DrawFn):
    """Anything that the grammar allows."""
    kind = draw(st.sampled_from(["value", "list", "tuple", "set", "frozenset", "range", "between"]))
    if kind == "value":
        return draw(VALUES)
    if kind == "range":
        start, length, step = draw(st.integers(-4, 4)), draw(st.integers(1, 4)), draw(st.sampled_from([-2, -1, 1, 2]))
        return range(start, start + length * step, step)
    if kind == "between":
        ends = sorted(draw(st.lists(ENDS, min_size=2, max_size=2)))
        return Between(*draw(st.sampled_from([(ends[0], ends[1]), (ends[0], None), (None, ends[1])])))
    values = draw(st.lists(VALUES, min_size=1, max_size=4))
    return {"list": list, "tuple": tuple, "set": set, "frozenset": frozenset}[kind](values)


def missing(value) -> bool:
    return value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value))


def same(cell, value) -> bool:
    """Whether a cell holds a value: of one kind, and equal."""
    if missing(cell) or missing(value):
        return missing(cell) and missing(value)
    for kind in (bool, str):
        if isinstance(cell, kind) or isinstance(value, kind):
            return isinstance(cell, kind) and isinstance(value, kind) and cell == value
    return cell == value


def meant(cell, condition) -> bool:
    """The grammar, read plainly."""
    number = not missing(cell) and isinstance(cell, int | float) and not isinstance(cell, bool)
    if isinstance(condition, range):
        return number and math.isfinite(cell) and cell == int(cell) and int(cell) in condition
    if isinstance(condition, Between):
        low, high = (math.inf * sign if end is None else end for end, sign in ((condition.low, -1), (condition.high, 1)))
        return number and low <= cell <= high
    values = condition if isinstance(condition, list | tuple | set | frozenset) else [condition]
    return any(same(cell, value) for value in values)


@given(columns(), conditions())
def test_rows_are_those_whose_cells_are_meant(column, condition):
    table = pd.DataFrame({"x": column, "row": range(len(column))})
    expected = [i for i, cell in enumerate(column.tolist()) if meant(cell, condition)]
    where = Where({"x": condition})
    assert [i for i, cell in enumerate(column.tolist()) if where.admits("x", cell)] == expected
    if expected:
        assert where.select(table)["row"].tolist() == expected
    else:
        with pytest.raises(NoRow, match=r"no row has x .*present: "):
            where.select(table)


@given(columns(), conditions(), st.permutations(range(12)))
def test_the_order_and_the_index_of_rows_do_not_matter(column, condition, order):
    table = pd.DataFrame({"x": column, "row": range(len(column))})
    shuffled = table.iloc[[i for i in order if i < len(table)]].set_axis([7] * len(table))
    try:
        rows = Where({"x": condition}).select(table)["row"].tolist()
    except NoRow:
        with pytest.raises(NoRow):
            Where({"x": condition}).select(shuffled)
    else:
        assert sorted(Where({"x": condition}).select(shuffled)["row"]) == rows


@given(st.floats(-4, 4, width=32), st.floats(-4, 4))
def test_single_precision_is_what_its_decimals_say(single, double):
    column = pd.Series([single, double], dtype="float32")
    table = pd.DataFrame({"x": column})
    for asked in (double, np.float64(double), column[1], np.float32(double)):
        assert 1 in Where({"x": asked}).select(table).index
    assert 0.1 in Where({"x": np.float32(0.1)})["x"].choices


@given(st.lists(VALUES, min_size=1, max_size=4))
def test_any_order_and_any_container_is_one_condition(values):
    plain = not any(isinstance(value, bool) for value in values)
    assume(plain or len(set(values)) == len(set(map(repr, values))))  # Python's own set {0, False} has one element
    one = Where({"x": values})
    for each in permutations(values):
        for kind in (list, tuple, set, frozenset):
            other = Where({"x": kind(each)})
            assert (one, hash(one), repr(one.describe())) == (other, hash(other), repr(other.describe()))


@given(st.dictionaries(st.sampled_from("xyz"), conditions(), min_size=1), st.dictionaries(st.sampled_from("xyz"), conditions()))
def test_equal_descriptions_mean_the_same_and_others_differ(one, other):
    first, second = Where(one), Where(other)
    assert Where(first) == first
    assert first.describe() == Where(dict(reversed(one.items()))).describe()
    if first == second:
        for column in one:
            for cell in (*range(-6, 7), 0.1, 0.3, 2.5, True, False, None, "", "a", "b", "1", "True", "nan", math.inf):
                assert first.admits(column, cell) == second.admits(column, cell)


def test_kinds_are_kept_apart():
    said = [Where({"x": value}).describe()["x"] for value in (True, 1, "1", "True", None, math.inf, "inf")]
    assert len({repr(each) for each in said}) == len(said)
    assert Where({"x": 1}) == Where({"x": 1.0}) == Where({"x": np.int8(1)}) == {"x": [1, 1.0]}
    assert Where({"x": 1}) != Where({"x": True})
    assert Where({"x": np.True_}) == Where({"x": True})
    assert Where({"x": range(0, 5, 2)}) == Where({"x": range(4, -1, -2)}) == Where({"x": range(0, 6, 2)})


@pytest.mark.parametrize(("column", "asked", "hint"), [
    ([True, False], 1, "holds boolean, the condition asks for number"), ([0, 1], True, "holds number, the condition asks for"),
    (["1", "2"], 1, "holds text, the condition asks for number"),
    ([0.1, 0.2], "0.1", "holds number, the condition asks for text"),
    (["a"], Between(0, 1), "holds text, the condition asks for number"),
])  # fmt: skip
def test_another_kind_is_said(column, asked, hint):
    with pytest.raises(NoRow, match=hint):
        Where({"x": asked}).select(pd.DataFrame({"x": column}))


@pytest.mark.parametrize(("given_", "said"), [
    ([], "without a value"), (set(), "without a value"), (range(3, 3), "a range without a number"),
    ({"a": 1}, "of type dict"),
    ([[1]], "of type list"), ([Between(0, 1)], "of type Between"), (1j, "of type complex"),
    (np.array([1, 2]), "of type ndarray"),
    (pd.Series(["a"]), "of type Series"), (lambda row: True, "of type function"),
])  # fmt: skip
def test_what_is_no_condition_is_refused_when_it_is_declared(given_, said):
    for declare in (
        lambda: Gate("g", "v", at_least=0, where={"x": given_}),
        lambda: Proportion("v", "seed", 0.5, margin=0.2, margin_reason="…", where={"x": given_}),
        lambda: Study([], pd.DataFrame({"x": [1]})).where(x=given_),
    ):
        with pytest.raises(ClaimError, match=f"(?s)has where={{'x': .*{said}"):
            declare()


@pytest.mark.parametrize("ends", [(None, None), (2, 1), (math.nan, 1), ("a", "b"), (0, True), (-math.inf, 0), (0, math.inf)])
def test_what_is_no_interval_is_refused(ends):
    with pytest.raises(ClaimError, match="is no interval"):
        Between(*ends)


@pytest.mark.parametrize("given_", [[], 0, "", False, (), "x", [("x", 1)], {"x"}, 10**400])
def test_what_is_no_mapping_is_refused_and_does_not_mean_all_rows(given_):
    for declare in (
        lambda: Gate("g", "v", at_least=0, where=given_),
        lambda: Proportion("v", "seed", 0.5, margin=0.2, margin_reason="…", where=given_),
    ):
        with pytest.raises(ClaimError, match=r"has where=.*; give what each column has to hold") as caught:
            declare()
        assert len(str(caught.value)) < 250


@pytest.mark.parametrize("condition", [
    10**400, [1, -(10**400)], [10**5000], {2: 10**400}, [["x" * 1000]], {10**400: 1},
])  # fmt: skip
def test_no_message_shows_a_number_of_hundreds_of_digits(condition):
    with pytest.raises(ClaimError) as caught:
        Where({"i": condition})
    assert len(str(caught.value)) < 350


def test_ends_that_are_too_large_are_refused():
    for ends in ((0, 10**400), (-(10**400), None), (10**5000, None)):
        with pytest.raises(ClaimError, match="is no interval: give low and high as finite numbers") as caught:
            Between(*ends)
        assert len(str(caught.value)) < 250


def test_columns_are_text():
    with pytest.raises(ClaimError, match="name the column as text"):
        Where({1: 2})
    with pytest.raises(ClaimError, match=r"has where=.*give what each column has to hold"):
        Where(["x"])


def test_conditions_in_words():
    said = {"size": 0.1, "batch": {64, 32}, "epoch": range(0, 10, 2), "step": range(3),
            "level": Between(0, 0.5), "low": Between(high=3), "high": Between(2), "note": None}  # fmt: skip
    where = Where(said)
    assert [where.worded(column, lambda each: f"<{each}>") for column in said] == [
        "<size> = <0.1>", "<batch> = <32> or <64>", "<epoch> a whole number from 0 to 8 in steps of 2",
        "<step> a whole number from 0 to 2", "<level> from 0 to 0.5", "<low> at most 3", "<high> at least 2",
        "<note> = missing",
    ]  # fmt: skip


def test_a_declaration_does_not_change_with_what_it_was_made_of():
    wanted, rows = [1, 2], {"x": 1}
    gate = Gate("g", "v", at_least=0, where={"x": wanted})
    other = Gate("g", "v", at_least=0, where=rows)
    wanted.append(3)
    rows["x"] = 2
    assert gate.where == {"x": [1, 2]}
    assert other.where == {"x": 1}
    assert replace(gate, share=0.5).where == gate.where


TABLE = pd.DataFrame({
    "x": [1, 2, 3, 1, 2, 3] * 8, "seed": np.repeat(np.arange(8), 6), "level": ["a", "a", "a", "b", "b", "b"] * 8,
    "v": np.arange(48.0) ** 1.5,
})  # fmt: skip


@given(st.sampled_from([1, [1, 3], (1, 2, 3), {2}, frozenset({3, 2}), range(2, 4), Between(1.5, 3)]))
def test_gates_predictions_studies_and_designs_read_the_same_rows(condition):
    rows = Where({"x": condition}).select(TABLE)
    assert selected(TABLE, {"x": condition}).equals(rows)
    assert Study([], TABLE).where(x=condition).table.equals(rows.reset_index(drop=True))
    gate = Gate("g", "v", at_least=0, where={"x": condition})
    assert f"in {len(rows)} of {len(rows)} rows with x " in check(gate, TABLE).detail
    pair = PairedDifference(value="v", factor="level", higher="b", lower="a", pair=("seed", "x"), margin=0.5, margin_reason="…",
                            where={"x": condition})  # fmt: skip
    assert pair.estimate(TABLE, rng=np.random.default_rng(0)).n == len(rows) // 2
    regimes = [SimpleNamespace(name=level) for level in "ab"]
    recipes = [SimpleNamespace(key="r", architecture=SimpleNamespace(name="a"), regime=regime) for regime in regimes]
    design = ClaimDesign(tuple((recipe, tuple(range(4))) for recipe in recipes))
    seeds = {1: {1}, 2: {2}, 3: {3}}
    wanted = {seed for seed in seeds if Where({"x": condition}).admits("x", seed)}
    assert design.units(("seed",), {"seed": condition, "other": "anything"}) == len(wanted)


def test_a_row_that_is_not_there_is_said():
    gate = Gate("g", "v", at_least=0, where={"x": [7, 8]}, reason="why")
    assert check(gate, TABLE).detail == "v is at least 0 in none of its rows: no row has x = 7 or 8; present: 1, 2, 3 (why)"
    assert not check(gate, TABLE).passed
    with pytest.raises(Unusable, match="no row has x = 7 or 8; present: 1, 2, 3"):
        selected(TABLE, {"x": [7, 8]})
    share = Proportion("v", ("seed", "x", "level"), 0.5, at_least=0, margin=0.2, margin_reason="…", where={"x": 7})
    verdict = judge(share, TABLE)
    assert verdict.outcome is Outcome.INVALID
    assert "no row has x = 7; present: 1, 2, 3" in verdict.reason
    with pytest.raises(NoRow, match="no row has x = 7"):
        Study([], TABLE).where(x=7)


def test_a_column_that_is_not_there_is_said():
    gate = Gate("g", "v", at_least=0, where={"y": 1})
    with pytest.raises(ClaimError, match="gate 'g' reads the column 'y'; the table has x, seed, level, v"):
        check(gate, TABLE)
    with pytest.raises(ClaimError, match="the study selects rows by the column 'y'; the table has x"):
        Study([], TABLE).where(y=1)


def test_a_tuple_as_long_as_the_table_is_one_of_its_values():
    """Once compared with the column row by row, in silence."""
    table = pd.DataFrame({"x": [1, 2, 3], "v": [1.0, 0.0, 0.0]})
    result = check(Gate("g", "v", at_least=1, where={"x": (1, 3, 2)}), table)
    assert "in 1 of 3 rows with x = 1 or 2 or 3" in result.detail


def test_exact_numbers_of_other_kinds():
    table = pd.DataFrame({"x": pd.Series([Fraction(1, 2), np.int64(2), np.float32(0.1), np.bool_(True)], dtype=object)})
    for asked, row in ((0.5, 0), (2, 1), (0.1, 2), (True, 3)):
        assert Where({"x": asked}).select(table).index.tolist() == [row]
