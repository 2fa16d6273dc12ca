"""Whatever a claim hands over costs that claim at most: it has a row, the report has its card, and the others stand."""

from __future__ import annotations

import csv
import io
import json
import math
from dataclasses import fields
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure as Canvas

from harness.claim import Claim
from harness.errors import ClaimError
from harness.evidence import Evidence, Figure, Images
from harness.gate import Gate
from harness.predict import PairedDifference
from harness.report import assemble, base_row, render
from harness.report.figures import draw
from harness.report.flat import to_csv
from harness.report.rows import plain
from harness.report.write import to_json
from harness.running.returned import check_claim, check_evidence
from harness.running.run import Judging, judged_row
from harness.source import Source

SOURCE = Source("doc", "A document", "A. Writer", 2024, "https://example.org")
HIGHER = PairedDifference("v", "regime", "a", "b", "seed", margin=0.5, margin_reason="half")
TABLE = pd.DataFrame(
    [
        {"seed": seed, "regime": regime, "v": (regime == "a") * (1 + (seed * 7 % 5) / 20), "w": seed}
        for seed in range(8)
        for regime in "ab"
    ]
)
FIGURE = Figure("scatter", TABLE, "w", "v", "What is seen", "w (1)", "v (1)", hue="regime")


def claim_of(**changed: Any) -> Claim:
    terms = {"statement": "It is higher.", "source": SOURCE.at("1", "it is higher"), "prediction": HIGHER}
    return Claim("doc/higher", **(terms | changed))


class Unspeakable:
    def __str__(self) -> str:
        raise RuntimeError("no words")

    __repr__ = object.__repr__


JUNK = st.one_of(
    st.none(), st.booleans(), st.integers(-5, 5), st.just(10**400), st.floats(), st.text(max_size=5), st.binary(max_size=3),
    st.sampled_from(["\x07", "a\ud800b", "\x00", "\ufffe", "<script>", "]]>", "\x1b[31m", "seed", "v", "regime"]),
    st.just({}), st.just({"seeds": "0"}), st.just({1: 2}), st.just(()), st.just((1, 2)), st.just(["x"]), st.just(({},)),
    st.just(({"name": 3, "seeds": [1, "x"], "digest": 5},)), st.just({"line": math.inf}), st.just({"line": "high"}),
    st.builds(object), st.builds(Unspeakable), st.builds(Canvas), st.just(TABLE), st.just(TABLE.head(0)),
    st.just(TABLE.assign(v=1e308)), st.just(TABLE.assign(v="x")), st.just(TABLE["v"]), st.just(np.zeros((2, 2))),
    st.just(Gate("g", "v", at_least=0)), st.just(FIGURE), st.just(pd.NaT), st.just(np.float32(2)), st.just(set("ab")),
)  # fmt: skip


def row_of(claim: Claim | ClaimError, evidence: Any) -> dict[str, Any]:
    """The row of a claim as a session makes it: an error has one, too."""
    try:
        if isinstance(claim, ClaimError):
            raise claim
        check_claim(claim)
        row = base_row(claim, "doc/higher")
        return judged_row(row, claim, evidence, Judging("reduced"), lambda harness: evidence, None).row
    except Exception as problem:
        return base_row(ClaimError(str(problem) if isinstance(problem, ClaimError) else type(problem).__name__), "doc/higher")


@cache
def sound_text() -> str:
    other = claim_of()
    row = judged_row(
        base_row(other, "doc/sound"), other, Evidence(TABLE, FIGURE), Judging("reduced"), lambda harness: None, None
    )  # type: ignore[arg-type, return-value]
    return json.dumps(row.row | {"id": "doc/sound"})


def sound() -> dict[str, Any]:
    """The row of a claim with nothing wrong about it."""
    return dict(json.loads(sound_text()))


def undrawn(figure: Any, key: str) -> str:
    return "<svg></svg>"


def reported(row: dict[str, Any], draw: Any = undrawn) -> str:
    """A run of this row and of a sound one goes through everything that is written, and both are there."""
    run = assemble([row, sound()], scale="reduced", device="cpu", provenance={})
    assert json.loads(to_json(run))["rows"][1]["verdict"] == "supported"
    to_json(run).encode()
    assert len(list(csv.reader(io.StringIO(to_csv(run))))) == 3
    page = render(run, None, draw)
    page.encode()
    assert page.count('<article class="card') == 2
    assert 'id="claim/doc/sound"' in page
    return page


def of_claim(**changed: Any) -> Claim | ClaimError:
    try:
        return claim_of(**changed)
    except (ClaimError, TypeError, AttributeError, ValueError) as problem:
        return ClaimError(str(problem))


FEW = settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow], deadline=None)


@FEW
@given(name=st.sampled_from([each.name for each in fields(Evidence)]), junk=JUNK)
def test_junk_in_any_field_of_the_evidence_costs_that_claim_at_most(name: str, junk: Any) -> None:
    evidence = Evidence(**({"table": TABLE, "figure": FIGURE} | {name: junk}))
    reported(row_of(claim_of(), evidence))


@FEW
@given(name=st.sampled_from([each.name for each in fields(Figure)]), junk=JUNK)
def test_junk_in_any_field_of_a_figure_costs_that_claim_at_most(name: str, junk: Any) -> None:
    given = {each.name: getattr(FIGURE, each.name) for each in fields(Figure)}
    reported(row_of(claim_of(), Evidence(TABLE, Figure(**(given | {name: junk})))), draw)


@FEW
@given(name=st.sampled_from([each.name for each in fields(Claim) if each.name != "id"]), junk=JUNK)
def test_junk_in_any_field_of_a_declaration_costs_that_claim_at_most(name: str, junk: Any) -> None:
    reported(row_of(of_claim(**{name: junk}), Evidence(TABLE, FIGURE)))


@FEW
@given(name=st.sampled_from(["key", "title", "authors", "year", "address", "section", "quote", "reported"]), junk=JUNK)
def test_junk_in_any_field_of_a_source_costs_that_claim_at_most(name: str, junk: Any) -> None:
    cited = {"section": "1", "quote": "q", "reported": None}
    given = {"key": "doc", "title": "t", "authors": None, "year": None, "address": None}
    (cited if name in cited else given)[name] = junk
    source = Source(**given).at(cited["section"], cited["quote"], reported=cited["reported"])  # type: ignore[arg-type]
    reported(row_of(of_claim(source=source), Evidence(TABLE, FIGURE)))


@FEW
@given(name=st.sampled_from([each.name for each in fields(Images)]), junk=JUNK)
def test_junk_in_any_field_of_images_costs_that_claim_at_most(name: str, junk: Any) -> None:
    table = pd.DataFrame([{"size": "small", "network": 1, "image": np.zeros((3, 3))}])
    given = {"table": table, "image": "image", "x": "size", "y": "network", "title": "Images"}
    reported(row_of(claim_of(), Evidence(TABLE, images=Images(**(given | {name: junk})))))


@FEW
@given(name=st.sampled_from(sorted(base_row(claim_of(), "doc/higher"))), junk=JUNK)
def test_junk_in_any_field_of_a_row_costs_that_card_at_most(name: str, junk: Any) -> None:
    """Of a run that was written by hand, by another version, or by a harness with a fault."""
    value = plain(junk)
    if name == "id" and not isinstance(value, str):
        value = "doc/other"  # a run without ids is refused as a whole
    row = sound() | {"id": "doc/higher", name: value}
    run = {"schema": 1, "scale": "reduced", "device": "cpu", "provenance": {}, "rows": [row, sound()]}
    page = render(run, None, undrawn)
    page.encode()
    assert page.count('<article class="card') == 2
    assert len(list(csv.reader(io.StringIO(to_csv(run))))) == 3


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"figure": Canvas()}, "name the columns to draw: figure=Figure"),
        ({"recipes": {"name": "mlp"}}, "give a tuple of what Population.provenance"),
        ({"recipes": ("mlp",)}, "give a tuple of what Population.provenance"),
        ({"shortfall": 5}, "say in a sentence what is missing"),
        ({"settings": [1]}, "give a mapping"),
        ({"figure": Figure("scatter", TABLE, "w", "v", "t", "x", "y", reference={"line": math.inf})}, "a finite number"),
        ({"figure": Figure("scatter", TABLE, "w", "v", "t", "x", "y", slope=math.nan)}, "a finite number"),
        ({"figure": Figure("scatter", TABLE, "w", 3, "t", "x", "y")}, "y=3; name a column"),  # type: ignore[arg-type]
        ({"images": "none"}, "give Images"),
    ],
)
def test_what_was_returned_is_refused_with_the_remedy(changed: dict[str, Any], said: str) -> None:
    with pytest.raises(ClaimError, match=r"the evidence of doc/higher has") as problem:
        check_evidence(claim_of(), Evidence(TABLE, **changed))
    assert said in str(problem.value)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"tags": "llc"}, "tags=('llc',)"),
        ({"tags": (1, 2)}, "tags=('llc',)"),
        ({"gates": Gate("g", "v", at_least=0)}, "gates=(Gate(…),)"),
        ({"companions": HIGHER}, "companions=(PairedDifference(…),)"),
        ({"statement": 3}, "statement=3; give it as text"),
        ({"prediction": "higher"}, "give one of harness.predict"),
    ],
)
def test_what_was_declared_is_refused_with_the_remedy(changed: dict[str, Any], said: str) -> None:
    with pytest.raises(ClaimError) as problem:
        check_claim(claim_of(**changed))
    assert said in str(problem.value)


@given(st.text(st.characters(exclude_categories=())))
def test_any_text_becomes_one_that_json_xml_and_a_terminal_hold(text: str) -> None:
    from xml.etree import ElementTree as ET

    held = plain(text)
    held.encode()
    element = ET.Element("p")
    element.text = held
    assert ET.fromstring(ET.tostring(element)).text == (held or None)
    assert "\x1b" not in held
