"""What a session keeps while claims run: rows packed, reports without them; and nothing is lost by that."""

from __future__ import annotations

import json
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from papers import EVERY, Project

from harness.pytest_plugin.outcome import PROPERTY, PackedRows, light, lighten, read_row, to_text
from harness.report.rows import blank_row

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(rows=st.dictionaries(st.text(), st.dictionaries(st.text(), JSON, max_size=4), max_size=4), other=JSON)
def test_packed_rows_are_a_dict_of_rows_that_nobody_shares(rows: dict[str, dict[str, Any]], other: Any) -> None:
    packed, plain = PackedRows(rows.items()), {name: json.loads(to_text(row)) for name, row in rows.items()}
    assert dict(packed) == plain
    assert (len(packed), [*packed]) == (len(plain), [*plain])
    for name in [*plain]:
        packed[name]["other"] = other
        assert packed[name] == plain[name], "a look is at a row of its own"
        packed[name] = plain[name] = {"other": json.loads(to_text({"it": other}))}
    assert dict(packed) == plain
    for name in [*plain]:
        del packed[name]
        assert name not in packed
    assert not packed


class Holder:
    """What carries a row, as items and reports do."""

    def __init__(self, properties: list[tuple[str, Any]]) -> None:
        self.user_properties = properties


@pytest.mark.parametrize("changes", [None, [], [{"changed": ["margin"], "because": None}]])
@pytest.mark.parametrize("verdict", ["supported", "error"])
def test_a_lightened_row_has_what_its_words_need_and_no_more(verdict: str, changes: Any) -> None:
    row = blank_row() | {"id": "paper/a", "verdict": verdict, "expected": "refuted", "changes": changes, "reason": "x" * 5000}
    holder: Any = Holder([("mine", 1), (PROPERTY, to_text(row)), (PROPERTY + "s", "y")])
    assert not light(row)
    for _ in range(2):
        lighten(holder)
        kept = read_row(holder)
        assert kept == {name: row[name] for name in ("id", "verdict", "expected", "changes")}
        assert light(kept)
        assert [pair for pair in holder.user_properties if pair[0] != PROPERTY] == [("mine", 1), (PROPERTY + "s", "y")]
    bare: Any = Holder([("mine", 1)])
    lighten(bare)
    assert bare.user_properties == [("mine", 1)]


WATCH = """
import json
from xml.etree import ElementTree
import pytest
from harness.pytest_plugin.outcome import PROPERTY

def pytest_runtest_logreport(report):  # whoever gathers reports sees whole rows
    if report.when == "call":
        assert all(len(text) > 1000 for name, text in report.user_properties if name == PROPERTY)

def pytest_terminal_summary(terminalreporter, config):
    reports = [each for kind in terminalreporter.stats.values() for each in kind if hasattr(each, "user_properties")]
    held = [len(text) for each in reports for name, text in each.user_properties if name == PROPERTY]
    items = getattr(terminalreporter._session, "items", [])
    held += [len(text) for item in items for name, text in item.user_properties if name == PROPERTY]
    print("HELD", json.dumps([len(held), max(held)]))
"""


@pytest.mark.parametrize("workers", ["0", "1"])
def test_a_session_keeps_rows_packed_and_reports_all_of_them(project: Project, workers: str) -> None:
    project.claims(EVERY)
    (project.path / "conftest.py").write_text(WATCH)
    result = project.run("claims", "-n", workers, "--junitxml", "junit.xml")
    count, longest = json.loads(next(line for line in result.outlines if line.startswith("HELD"))[5:])
    assert count >= 2 * 5  # the reports of a call and what follows it, of each
    assert longest < 200
    rows = project.rows()
    assert {row["verdict"] for row in rows.values()} == {"supported", "refuted", "inconclusive", "invalid", "error"}
    assert all(row["statement"] for row in rows.values() if row["verdict"] != "error")
    assert f"REFUTED {'':8}paper/lower" in result.stdout.str()
    suite = ElementTree.parse(project.path / "junit.xml").getroot()[0]
    told = [json.loads(found.get("value", "")) for found in suite.iter("property") if found.get("name") == PROPERTY]
    assert [set(row) for row in told] == [set(blank_row())] * 5
