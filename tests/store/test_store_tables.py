"""Tables that are joined from the tables of single members: the same as joining data frames, for whatever columns they have."""

from __future__ import annotations

import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.store.files import Columns, tabulate, tabulate_marked

VALUES = {
    "int64": st.integers(-5, 5), "float64": st.floats(allow_nan=False), "bool": st.booleans(),
    "object": st.sampled_from(["a", "b"]),
}  # fmt: skip
NAMES = ("seed", "epoch", "value")


@st.composite
def a_part(draw: st.DrawFn, kinds: dict[str, str]) -> Columns:
    rows = draw(st.integers(0, 3))
    return {name: (kind, draw(st.lists(VALUES[kind], min_size=rows, max_size=rows))) for name, kind in kinds.items()}


kinds = st.dictionaries(st.sampled_from(NAMES), st.sampled_from(sorted(VALUES)), min_size=1)


@st.composite
def groups(draw: st.DrawFn) -> list[tuple[list[Columns], dict[str, str]]]:
    shared = draw(st.none() | kinds)
    marks = st.fixed_dictionaries({"recipe": st.sampled_from("xyz"), "regime": st.sampled_from(["standard", "robust"])})
    one = st.tuples(st.lists(a_part(shared) if shared else kinds.flatmap(a_part), min_size=1, max_size=3), marks)
    return draw(st.lists(one, min_size=1, max_size=3))


@settings(max_examples=200)
@given(groups())
def test_joined_tables_are_those_of_data_frames(groups: list[tuple[list[Columns], dict[str, str]]]) -> None:
    one_by_one = [tabulate(parts).assign(**marks) for parts, marks in groups]
    pd.testing.assert_frame_equal(tabulate_marked(groups), pd.concat(one_by_one, ignore_index=True))
