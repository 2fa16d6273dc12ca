"""The first screen, the two tracks, and what a reader may take along."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.report import overview, read_run, render
from harness.report.citing import FORMATS, entries, escaped, table
from harness.report.rows import complete


def rows_of(run: dict[str, Any]) -> list[dict[str, Any]]:
    return [complete(row) for row in run["rows"]]


def test_every_count_is_that_of_the_claims_that_it_leads_to(bare: dict[str, Any]) -> None:
    page = render(bare)
    flagged = re.findall(r'<article[^>]* data-flag="([^"]*)"', page)
    counts = {flag: int(count) for flag, count in re.findall(r'<a href="#flag=([\w-]+)"><strong>(\d+)</strong>', page)}
    assert counts
    for flag, count in counts.items():
        assert sum(flag in each.split() for each in flagged) == count, flag
        assert f'<option value="{flag}">' in page


def test_what_surprises_and_what_to_distrust(bare: dict[str, Any]) -> None:
    found = {flag: count for _, kinds in overview.lists(rows_of(bare)) for flag, count, _ in kinds}
    assert found == {"protocols-disagree": sum(len({p["verdict"] for p in row["protocols"]}) > 1 for row in bare["rows"]),
                     "reversed": 1, "turned": 1, "in-part": 1, "probably-small": 1, "changed": 1, "untrusted": 3} | {
                         name: found[name] for name in ("unadjusted", "few-units") if name in found}  # fmt: skip


def test_a_document_is_told_in_its_clearest_claims(bare: dict[str, Any]) -> None:
    told = overview.highlights([row for row in rows_of(bare) if row["document"] == "slt"])
    assert [one["said"] for one in told][:2] == ["Clearest support", "Clearest refutation"]
    verdicts = {row["id"]: row["verdict"] for row in bare["rows"]}
    assert [verdicts[one["id"]] for one in told][:2] == ["supported", "refuted"]


def test_reproduced_and_holding_are_two_tracks(bare: dict[str, Any]) -> None:
    row = next(row for row in rows_of(bare) if row["protocols"])
    assert [(track["name"], track["verdict"]) for track in overview.tracks(row)] == [
        ("Reproduced", "invalid"), ("Holds", "supported"),
    ]  # fmt: skip
    card = render(bare).partition(f'id="claim/{row["id"]}"')[2].partition("</article>")[0]
    assert "Reproduced, with the document’s own procedure:" in card
    assert "Holds, measured soundly:" in card
    others = [each for each in rows_of(bare) if not each["protocols"]]
    assert not any(overview.tracks(each) for each in others)


@pytest.mark.parametrize("form", FORMATS)
def test_a_table_has_every_claim(bare: dict[str, Any], form: str) -> None:
    said = table(bare, form)
    for row in bare["rows"]:
        assert (escaped(row["id"]) if form == "latex" else row["id"]) in said
    lines = [line for line in said.splitlines() if ("&" in line if form == "latex" else line.startswith("|"))]
    separators = {len(re.findall(r"(?<!\\)&" if form == "latex" else r"(?<!\\)\|", line)) for line in lines}
    assert len(separators) == 1, "as many cells in every line"


@given(st.text(st.sampled_from("\\~^&%$#_{}<>|ab −"), max_size=12))
def test_no_letter_of_latex_gets_through(words: str) -> None:
    left = re.sub(
        r"\\text(backslash|asciitilde|asciicircum|less|greater|bar)\{\}|\\[&%$#_{}]|\$-+\$",
        "",
        escaped(words),
    )
    assert not set(left) & set("\\~^&%$#_{}<>|")


SCIENCE = st.text(st.one_of(
    st.sampled_from("αβγδεζηθικλμνξοπρςστυφχψωΑΒΓΔΕΖΗΘΙΚΛΜΝΞΟΠΡΣΤΥΦΧΨΩ⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿ₀₁₂₃₄₅₆₇₈₉ₙ√‖≤≥≠±·→∞∈∇×−"),
    st.sampled_from("ab1 (/)^_$")), max_size=14)  # fmt: skip


@given(SCIENCE)
def test_what_a_claim_may_say_is_ascii_in_latex_and_every_formula_is_closed(words: str) -> None:
    said = escaped(words)
    assert said.isascii()
    bare = re.sub(r"\\text\w+\{\}|\\[&%$#_{}]", " ", said)
    assert "$$" not in bare
    assert bare.count("$") % 2 == 0
    for place, formula in enumerate(bare.split("$")):
        assert formula.count("{") == formula.count("}")
        assert not re.search(r"\^\{[^}]*\}\^|_\{[^}]*\}_", formula), "TeX refuses two exponents on one letter"
        assert place % 2 or not set(formula) & set("^_{}")


def test_the_table_of_the_kept_run_has_nothing_that_pdflatex_refuses() -> None:
    said = table(read_run(Path(__file__).parents[2] / "reports" / "reference" / "claims.json"), "latex")
    # Letters with accents, quotation marks and dashes are among what it reads.
    refused = {c for c in said if not c.isascii() and not unicodedata.name(c).startswith("LATIN") and c not in "“”‘’–—…"}
    assert refused == set()


def test_references_of_the_documents_and_of_this_software(bare: dict[str, Any]) -> None:
    found = entries(bare, rows_of(bare))
    assert found["lazy"] == (
        "@misc{lazy,\n  title = {{Adversarial Robustness is at Odds with Lazy Training}},\n  author = {Y. Wang and others},\n"
        "  year = {2022},\n  url = {https://x.org/a}\n}\n"
    )
    assert "commit 4f0c2d9a77be31" in found["claims-harness"]


def test_a_default_figure_does_not_repeat_its_prediction(run: dict[str, Any]) -> None:
    row = run["rows"][0]
    row["figure"]["title"] = f"What is judged: {row['prediction'][0].lower()}{row['prediction'][1:]}"
    card = render(run).partition(f'id="claim/{row["id"]}"')[2].partition("</article>")[0]
    caption = card.partition("<figcaption>")[2].partition("</figcaption>")[0]
    assert caption.startswith("What is judged. ")
    assert row["prediction"] not in caption
