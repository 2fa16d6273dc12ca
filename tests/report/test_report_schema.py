"""Runs that are read: what the published schema says of them, and that a changed file is a clear error or a report."""

from __future__ import annotations

import contextlib
import copy
import io
import json
import math
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mutations import ODD, kinds_of_places, mutated, texts
from report_samples import PROVENANCE, rows

from harness import cli
from harness.report import ReportError, assemble, compare, read_run
from harness.report.arriving import read_rows
from harness.report.diff_views import to_text
from harness.report.history import History, read_history, record
from harness.report.page import render
from harness.report.schema import faults, published

ROWS = [row | {"figure": None} if place else row for place, row in enumerate(rows())]
RUN = assemble([*ROWS[:4], *ROWS[-3:]], scale="reduced", device="cpu", provenance=PROVENANCE)
KINDS = kinds_of_places(RUN)
SMALL = assemble(ROWS[1:3], scale="reduced", device="cpu", provenance=PROVENANCE)
SOME = settings(max_examples=200, suppress_health_check=list(HealthCheck), derandomize=True)
FEW = settings(SOME, max_examples=40)


def is_json(value: Any) -> bool:
    """Whether strict JSON in UTF-8 can hold it, in numbers that a computation can."""
    try:
        text = json.dumps(value, allow_nan=False, ensure_ascii=False)
        text.encode()
        json.loads(text, parse_int=lambda digits: math.isfinite(float(digits)))
    except (ValueError, OverflowError):
        return False
    return "1" + "0" * 400 not in text


@SOME
@given(mutated(RUN, KINDS))
def test_it_finds_what_a_full_validator_finds(run: Any) -> None:
    assert bool(list(faults(run))) == (not is_json(run) or not jsonschema.Draft202012Validator(published()).is_valid(run))


@SOME
@given(mutated(RUN, KINDS, most=1))
def test_it_names_the_place_and_the_reason_in_printable_words(run: Any) -> None:
    for where, fault in faults(run):
        assert (where + fault).isprintable()
        assert len(where) < 200
        assert len(fault) < 400


def control(text: str) -> list[str]:
    return [each for each in text if not each.isprintable() and each not in "\n\u202f\u2009\xa0"]


@FEW
@given(texts(RUN, KINDS))
def test_a_changed_run_is_a_report_or_one_line(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    folder = tmp_path_factory.mktemp("run", numbered=True)
    (folder / "old.json").write_text(json.dumps(RUN), encoding="utf-8")
    (folder / "new.json").write_bytes(content)
    names = [str(folder / name) for name in ("old.json", "new.json")]
    for command in (["diff", *names], ["diff", *names[::-1], "--html", str(folder / "d.html")],
                    ["report", names[1], "--out", str(folder / "out")]):  # fmt: skip
        said, complained = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(complained):
            code = cli.main(command)
        assert control(said.getvalue() + complained.getvalue()) == []
        if code == 2:
            assert complained.getvalue().count("\n") == 1
            assert "new.json" in complained.getvalue() or "ids" in complained.getvalue()


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (("rows", 0, "effect"), "0.5", "rows[0].effect is '0.5'; expected number or null"),
        (("rows", 1, "verdict"), "proved", 'rows[1].verdict is \'proved\'; expected "supported" or "refuted"'),
        (("rows", 0, "interval"), [1.0], "rows[0].interval has 1 entries; expected 2"),
        (("rows", 0, "p"), 1.5, "rows[0].p is 1.5; expected 1 or less"),
        (("rows", 2, "efect"), 1.0, "rows[2] has the unknown field 'efect'"),
        (("rows", 0, "effect"), float("nan"), "rows[0].effect is nan; unknown is null"),
        (("rows", 0, "source"), ["a"], "rows[0].source is ['a']; expected object"),
        (("scale",), "huge", 'scale is \'huge\'; expected "smoke" or "reduced" or "full"'),
        (("rows", 0, "reason"), "\ud800", "rows[0].reason is a text with half a character"),
    ],
)
def test_a_fault_is_named(tmp_path: Path, path: tuple[Any, ...], value: Any, said: str) -> None:
    run: Any = copy.deepcopy(RUN)
    holder = run
    for key in path[:-1]:
        holder = holder[key]
    holder[path[-1]] = value
    (tmp_path / "claims.json").write_text(json.dumps(run), encoding="utf-8")
    with pytest.raises(ReportError) as caught:
        read_run(tmp_path / "claims.json")
    assert said in str(caught.value)
    assert "restore it, or run the claims again" in str(caught.value)


def test_a_run_that_lacks_newer_fields_is_read(tmp_path: Path) -> None:
    old = copy.deepcopy(RUN)
    for row in old["rows"]:
        del row["as_of"], row["population"], row["source"]["reported"]
    (tmp_path / "claims.json").write_text(json.dumps(old), encoding="utf-8")
    assert compare(read_run(tmp_path / "claims.json"), RUN).changes


def test_what_a_run_says_does_nothing_to_a_terminal() -> None:
    odd = copy.deepcopy(RUN)
    odd["rows"][0] |= {"id": "slt/a\x1b[31m\x07\nb", "unit": "seed\x1b]0;title\x07"}
    odd["device"] = "cpu\x1b[2J"
    text = to_text(compare(RUN, odd))
    assert control(text) == []
    assert r"slt/a\x1b[31m\x07\nb" in text


def nested(depth: int) -> bytes:
    return b"[" * depth + b"]" * depth


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", nested(100_000), b'{"a": ' * 5000, b"1" * 10_000, b"NaN", b"null"])
def test_what_is_no_json_at_all_is_named(tmp_path: Path, content: bytes) -> None:
    for name in ("claims.json", "rows.jsonl"):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ReportError, match=name):
            read_run(tmp_path / name)


PAST = record(SMALL)
PAST_KINDS = kinds_of_places(PAST)


@FEW
@given(st.lists(texts(PAST, PAST_KINDS), min_size=1, max_size=3))
def test_a_changed_history_costs_no_page(tmp_path_factory: pytest.TempPathFactory, lines: list[bytes]) -> None:
    folder = tmp_path_factory.mktemp("history", numbered=True)
    whole = json.dumps(PAST).encode()
    (folder / "history.jsonl").write_bytes(b"\n".join([*(line.replace(b"\n", b" ") for line in lines), whole]))
    found = read_history(folder)
    assert PAST in found.records
    assert len(found.records) + found.unreadable <= len(lines) + 1
    assert "<html" in render(SMALL, found)


@pytest.mark.parametrize("field", ["verdict", "label", "grade", "effect", "interval", "alpha", "n", "digest"])
def test_one_line_of_a_history_that_says_what_there_is_not_is_left_out(tmp_path: Path, field: str) -> None:
    odd = copy.deepcopy(PAST)
    next(iter(odd["claims"].values()))[field] = "proved" if field not in ("digest",) else 3
    (tmp_path / "history.jsonl").write_text(f"{json.dumps(odd)}\n{json.dumps(PAST)}\n", encoding="utf-8")
    assert read_history(tmp_path) == History((PAST,), 1)


@FEW
@given(texts(SMALL, kinds_of_places(SMALL)), texts(SMALL["rows"][0], kinds_of_places(SMALL["rows"][0])))
def test_a_changed_file_of_rows_is_a_run_or_one_line(
    tmp_path_factory: pytest.TempPathFactory, begun: bytes, row: bytes
) -> None:
    path = tmp_path_factory.mktemp("rows", numbered=True) / "rows.jsonl"
    path.write_bytes(begun.replace(b"\n", b" ") + b"\n" + row.replace(b"\n", b" ") + b"\n")
    with contextlib.suppress(ReportError):
        to_text(compare(read_rows(path), SMALL))


def test_every_awkward_value_is_of_a_type_of_its_own() -> None:
    assert len({repr(value) for value in ODD}) == len(ODD)
