"""Searches of earlier runs stand in a report as long as they are about the same claim."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import ClaimError
from harness.report import ReportError, assemble, base_row
from harness.report.carried import CHANGED, carried
from harness.report.searches import searched

TRIAL = {"settings": {"noise": 2.0}, "verdict": "supported", "reason": "So.", "effect": 1.0, "interval": [0.5, 1.5], "n": 8,
         "seconds": 1.0, "why": "even"}  # fmt: skip
FOUND = {"looked_for": "refuted", "trials": [TRIAL], "found": None, "confirmed": None, "confirmation": None, "reason": "So."}
MARCH, MAY = "2026-03-01T00:00:00+00:00", "2026-05-01T00:00:00+00:00"


def row(name: str = "paper/one", *, design: str = "d", digest: str = "c", verdict: str = "supported", **more: Any) -> dict:
    known = {
        "digest": digest,
        "verdict": verdict,
        "design": {"digest": design, "populations": [], "instruments": [], "code": "c"},
    }
    return base_row(ClaimError("no"), name) | known | more


def kept(path, *rows: dict, started: str = MARCH, scale: str = "reduced"):
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(assemble(rows, scale=scale, device="cpu", provenance={"started": started})))
    return path


def test_a_search_is_taken_over_with_its_date_and_the_card_says_so(tmp_path):
    path = kept(tmp_path / "kept.json", row(search=FOUND), row("paper/two"))
    done = carried({0: row(), 1: row("paper/two"), 2: row("paper/new")}, scale="reduced", reports=tmp_path, named=[path])
    assert list(done) == [0]
    assert done[0]["search"]["as_of"] == MARCH
    assert done[0]["search"]["reason"] == "So."
    assert searched(done[0]["search"], done[0])["as_of"] == MARCH


@pytest.mark.parametrize(
    "other",
    [{"design": "x"}, {"digest": "x"}, {"verdict": "refuted"}, {"name": "paper/other"}, {"as_of": MAY}, {"digest": None}],
)
def test_a_search_of_something_else_is_not(tmp_path, other):
    path = kept(tmp_path / "kept.json", row(search=FOUND))
    assert carried({0: row(**other)}, scale="reduced", reports=tmp_path, named=[path]) == {}


@given(
    captured=st.lists(st.sampled_from([None, "", "four", "seven"]), min_size=1, max_size=4),
    now=st.sampled_from([None, "", "four", "seven"]),
)
def test_nor_one_made_while_the_body_captured_something_else_and_the_row_says_so(tmp_path_factory, captured, now):
    """What a run does not tell is believed, as the reports of before are."""
    folder = tmp_path_factory.mktemp("runs")
    paths = [
        kept(folder / f"{at}.json", row(search=FOUND, captured=each), started=f"2026-0{at}-01T00:00:00+00:00")
        for at, each in enumerate(captured, 1)
    ]
    done = carried({0: row(captured=now)}, scale="reduced", reports=folder / "none", named=paths)[0]
    about = [at for at, each in enumerate(captured, 1) if each is None or now in (None, each)]
    if about:
        assert done["search"]["as_of"].startswith(f"2026-0{about[-1]}")
        assert CHANGED not in done["notes"]
    else:
        assert done["search"] is None
        assert done["notes"] == [CHANGED]


def test_a_file_of_before_without_the_field_is_read(tmp_path):
    path = kept(tmp_path / "kept.json", row(search=FOUND))
    run = json.loads(path.read_text())
    for each in run["rows"]:
        del each["captured"]
    path.write_text(json.dumps(run))
    assert carried({0: row(captured="four")}, scale="reduced", reports=tmp_path, named=[path])[0]["search"]["as_of"] == MARCH


def test_neither_is_one_at_another_scale_one_that_broke_or_tried_nothing_or_one_for_a_claim_that_has_its_own(tmp_path):
    path = kept(tmp_path / "kept.json", row(search=FOUND))
    assert carried({0: row()}, scale="full", reports=tmp_path, named=[path]) == {}
    assert carried({0: row(search=FOUND)}, scale="reduced", reports=tmp_path, named=[path]) == {}
    for empty in ({"broke": "ValueError: no"}, {"trials": []}):
        path = kept(tmp_path / "kept.json", row(search=FOUND | empty))
        assert carried({0: row()}, scale="reduced", reports=tmp_path, named=[path]) == {}


@pytest.mark.parametrize(("of_report", "latest"), [(MAY, MAY), ("2026-01-01T00:00:00+00:00", MARCH)])
def test_of_several_searches_the_latest_is_taken_and_keeps_its_date_from_run_to_run(tmp_path, of_report, latest):
    path = kept(tmp_path / "kept.json", row(search=FOUND))
    kept(tmp_path / "reports" / "claims.json", row(search=FOUND), started=of_report)
    first = carried({0: row()}, scale="reduced", reports=tmp_path / "reports", named=[path])[0]
    assert first["search"]["as_of"] == latest
    kept(tmp_path / "reports" / "claims.json", first, started="2026-07-01T00:00:00+00:00")
    again = carried({0: row()}, scale="reduced", reports=tmp_path / "reports")[0]
    assert again["search"]["as_of"] == latest


@given(
    searches=st.lists(st.tuples(st.integers(1, 12), st.integers(0, 4), st.booleans()), max_size=5),
    own=st.none() | st.tuples(st.integers(0, 4), st.booleans()),
)
def test_the_latest_search_stands_but_for_those_cut_short_with_fewer_settings(tmp_path_factory, searches, own):
    folder = tmp_path_factory.mktemp("runs")

    def search(count: int, cut: bool) -> dict[str, Any]:
        return FOUND | {"trials": [TRIAL] * count, "cut": cut}

    paths = [
        kept(folder / f"{at}.json", row(search=search(count, cut)), started=f"2026-{month:02}-01T00:00:00+00:00")
        for at, (month, count, cut) in enumerate(searches)
    ]
    now = row(search=None if own is None else search(*own))
    done = carried({0: now}, scale="reduced", reports=folder / "none", named=paths).get(0, now)["search"]
    stands = None
    for _, count, cut in sorted(searches, key=lambda each: each[0]):
        if count and (stands is None or not cut or count >= stands[0]):
            stands = count, cut
    if own is not None and (stands is None or not own[1] or own[0] >= stands[0]):
        stands = own
    assert (None if done is None else (len(done["trials"]), done["cut"])) == stands


def test_a_run_that_is_named_has_to_be_one_and_the_reports_own_need_not(tmp_path):
    (tmp_path / "claims.json").write_text("{")
    assert carried({0: row()}, scale="reduced", reports=tmp_path) == {}
    with pytest.raises(ReportError, match=r"claims\.json"):
        carried({0: row()}, scale="reduced", reports=tmp_path, named=[tmp_path / "claims.json"])
