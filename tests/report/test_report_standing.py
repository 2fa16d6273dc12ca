"""How claims stand to what was fixed: the page's first sentence, the card, the filters and the spreadsheet say the same."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest

from harness.fixed import CODE
from harness.report import overview, render, standing
from harness.report.flat import to_csv
from harness.report.rows import blank_row


def row(*changed: list[str], known: bool = True) -> dict[str, Any]:
    lines = [{"date": "2026-01-05", "changed": each, "was": "refuted", "because": "the sampler"} for each in changed]
    return blank_row() | {"id": "a/b", "changes": lines if known else None}


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([row(), row()], "each fixed with its prediction, its margin and its unit of replication before anything ran."),
        ([row(), row(), row(["margin 1.0 → 0.2"])], ": 2 stand as they were fixed before anything ran; 1 was changed after a "
         "first run."),
        ([row([CODE]), row([CODE]), row([CODE], ["seeds 8 → 30"])], ": 1 was changed after a first run; 2 were changed in the "
         "code of their fixtures alone."),
        ([row(), row(known=False)], ": 1 stands as it was fixed before anything ran; no ledger tells whether 1 was changed "
         "after a first run."),
        ([row(known=False)], ": no ledger tells whether any was changed after a first run."),
    ],
)  # fmt: skip
def test_the_first_sentence_is_true_claim_by_claim(rows: list[dict[str, Any]], said: str) -> None:
    assert standing.lede(rows).endswith(said)


def test_every_claim_counts_once(run: dict[str, Any]) -> None:
    choices = standing.choices(run["rows"])
    found = {choice["name"]: {value: number for value, _, number in choice["choices"]} for choice in choices}
    assert found == {
        "grade": {"at-least-m": 1, "probably-below-m": 1},
        "rows": {"on-the-outcome": 1},
        "holm": {"survives": 4, "does-not-survive": 2},
        "fixed": {"unchanged": 1, "changed": 1, "code": 1, "unknown": len(run["rows"]) - 3},
        "registered": {"as-registered": 1, "differs": 1, "not-registered": 1},
    }
    assert standing.choices([row(), row()]) == standing.choices([row(known=False)]) == []


def test_the_overview_the_card_and_the_filter_say_how_large_a_support_is(bare: dict[str, Any]) -> None:
    page = render(bare)
    assert '<a href="#document=slt&amp;grade=at-least-m">1 large enough to matter</a>' in page
    assert '<a href="#document=lazy&amp;grade=probably-below-m">1 probably too small to matter</a>' in page
    card = page.partition('id="claim/lazy/perturbation"')[2].partition("</article>")[0]
    assert 'data-grade="probably-below-m"' in card
    assert '<span class="label"> · probably too small to matter</span>' in card
    line = page.partition('<table class="forest">')[2].partition('<a href="#claim/lazy/perturbation">')[2].partition("</th>")[0]
    assert "supported, probably too small to matter" in line


@pytest.mark.parametrize(
    ("verdicts", "said"),
    [
        ([], ""),
        ([("inconclusive", None)], ""),
        ([("supported", True)], "1 of 1 support that an interval decides survives"),
        ([("refuted", False), ("refuted", True)], "1 of 2 refutations that an interval decides survives"),
        ([("supported", True), ("supported", True), ("supported", False), ("refuted", True), ("supported", None)],
         "2 of 3 supports and 1 of 1 refutation that an interval decides survive"),
    ],
)  # fmt: skip
def test_both_sides_are_counted_that_survive(verdicts: list[tuple[str, bool | None]], said: str) -> None:
    found = standing.surviving([row() | {"verdict": verdict, "survives": survives} for verdict, survives in verdicts])
    assert found == (f"{said} Holm’s adjustment for the claims of the document." if said else "")


def test_the_card_says_what_was_changed_and_why(bare: dict[str, Any]) -> None:
    page = render(bare)
    assert (
        "<p>Margin 0.02 → 0.01, seeds 8 → 10 (2026-01-05; the verdict had been inconclusive). The first sampler had not "
        "converged.</p>" in page
    ), "below a heading that says what these are"
    assert "Differs from what was preregistered on 2026-01-04: margin 0.02 → 0.01, seeds 8 → 10." in page
    assert "As preregistered on 2026-01-04." in page
    assert "Not preregistered on 2026-01-04." in page
    assert "<dt>Measured by</dt><dd>LLC (engine devinterp; 7 of 20 estimates trusted)</dd>" in page
    changed = page.partition('id="claim/slt/finetuning"')[2].partition("</article>")[0]
    assert "<dt>Prediction</dt>" in changed
    assert "<dt>Prediction, fixed beforehand</dt>" not in changed


def test_a_change_that_nobody_accepted_says_so() -> None:
    pending = {"date": "2026-01-06", "changed": ["margin 1.0 → 0.2"], "was": "refuted", "because": None}
    said = standing.changes(row() | {"changes": [pending]})
    assert said == [
        "Changed after a first run: margin 1.0 → 0.2 (2026-01-06; the verdict had been refuted). Nobody has accepted that yet."
    ]


def test_the_spreadsheet_has_them(run: dict[str, Any]) -> None:
    flat = {one["id"]: one for one in csv.DictReader(io.StringIO(to_csv(run)))}
    assert flat["slt/robust-below"]["instruments"] == "LLC (engine devinterp; 7 of 20 estimates trusted)"
    assert flat["slt/robust-below"]["registered"] == "as registered"
    assert flat["slt/robust-below"]["grade"] == "at least m"
    assert flat["slt/finetuning"]["registered"] == "differs: margin 0.02 → 0.01, seeds 8 → 10"
    assert flat["slt/finetuning"]["changes"].startswith("Changed after a first run: margin 0.02 → 0.01")
    assert flat["lazy/cone"]["design"] == flat["lazy/cone"]["registered"] == ""


@pytest.mark.parametrize(
    ("counts", "share"),
    [([], None), ([None], None), ([(7, 20)], 0.35), ([(7, 20), None, (10, 20)], 0.5), ([(0, 3), (3, 3)], 1.0)],
)
def test_a_claim_is_doubted_where_no_instrument_trusts_half_of_its_estimates(counts, share) -> None:
    measured = [{"name": f"LLC {at}", "engine": None, "settings": {}, "streams": None,
                 "trusted": each and {"count": each[0], "of": each[1]}} for at, each in enumerate(counts)]  # fmt: skip
    one = row() | {"instruments": measured}
    assert standing.trusted(one) == share
    assert ("untrusted" in overview.flags(one).split()) == (share is not None and share < 0.5)


@pytest.mark.parametrize(("number", "said"), [(1, ": 1 was changed"), (3, ": all 3 were changed")])
def test_what_is_true_of_all_claims_says_all(number: int, said: str) -> None:
    assert said in standing.lede([row(["margin 1.0 → 0.2"])] * number)
