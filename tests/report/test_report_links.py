"""Links between claims: which are refused, and what the verdict of one claim says about another, once and in words."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from report_samples import PROVENANCE, SLT, Predicted, claim_of

from harness import links
from harness.claim import Claim
from harness.errors import ClaimError
from harness.fixed import declared
from harness.report import assemble, base_row, overview, render, standing
from harness.report.rows import VERDICTS, adjust
from harness.source import Source

IDS = [f"paper/{letter}" for letter in "abcdef"]
EDGES = st.dictionaries(st.sampled_from(IDS), st.sets(st.sampled_from(IDS), max_size=3))


def reached(edges: dict[str, set[str]], start: str) -> set[str]:
    """All that can be reached in one step or more."""
    found: set[str] = set()
    waiting = list(edges.get(start, ()))
    while waiting:
        if (here := waiting.pop()) not in found:
            found.add(here)
            waiting += edges.get(here, ())
    return found


def linked(*given: tuple[str, str, dict[str, tuple[str, ...]]]) -> list[dict[str, Any]]:
    """Rows of claims by id, verdict and links, as a run has them."""
    rows = []
    for id, verdict, own in given:
        rows.append(base_row(claim_of(id, **own), id) | {"verdict": verdict, "reason": "So."})
    return adjust(rows)


class TestGraph:
    @pytest.mark.parametrize("kind", links.ACYCLIC)
    @given(edges=EDGES)
    def test_whoever_returns_to_itself_is_refused_and_nobody_else(self, kind: str, edges: dict[str, set[str]]) -> None:
        found = links.faults({id: {kind: sorted(own)} for id, own in edges.items()}, IDS)
        returning = {id for id in IDS if id in reached(edges, id)}
        assert bool(found) == bool(returning)
        assert set(found) <= returning
        left = {id: set() if id in found else own - set(found) for id, own in edges.items()}
        assert not any(id in reached(left, id) for id in IDS)
        for id, said in found.items():
            assert said.startswith(f"the claim {id} {kind} itself in the end (")
            assert said.count(":") == 1

    @given(edges=EDGES)
    def test_contradictions_may_go_both_ways(self, edges: dict[str, set[str]]) -> None:
        assert not links.faults({id: {"contradicts": sorted(own)} for id, own in edges.items()}, IDS)

    @given(edges=EDGES, known=st.sets(st.sampled_from(IDS)), kind=st.sampled_from(links.KINDS))
    def test_an_id_is_unknown_only_where_all_are_known(self, edges: dict[str, set[str]], known: set[str], kind: str) -> None:
        acyclic = {id: sorted(other for other in own if other > id) for id, own in edges.items()}
        found = links.faults({id: {kind: own} for id, own in acyclic.items()}, known)
        assert set(found) == {id for id, own in acyclic.items() if set(own) - known}
        assert not links.faults({id: {kind: own} for id, own in acyclic.items()}, None)

    def test_the_nearest_id_is_offered(self) -> None:
        found = links.faults({"paper/a": {"requires": ["paper/hihger"]}}, ["paper/a", "paper/higher"])
        assert found["paper/a"].endswith("no claim has this id; did you mean paper/higher?")


class TestDeclaration:
    @given(kind=st.sampled_from(links.KINDS), others=st.lists(st.sampled_from(IDS), min_size=1, unique=True))
    def test_links_are_in_no_digest(self, kind: str, others: list[str]) -> None:
        plain, with_links = claim_of("slt/x"), claim_of("slt/x", **{kind: tuple(others)})
        assert with_links.digest() == plain.digest()
        assert declared(with_links) == declared(plain)
        assert links.of(with_links) == {each: others if each == kind else [] for each in links.KINDS}

    @pytest.mark.parametrize("wrong", ["no id", "slt/x", ("slt/y", "slt/y"), (3,), ("Slt/Y",)])
    @pytest.mark.parametrize("kind", links.KINDS)
    def test_what_is_no_link_is_refused(self, kind: str, wrong: Any) -> None:
        with pytest.raises(ClaimError, match=f"claim slt/x has {kind}="):
            claim_of("slt/x", **{kind: wrong})

    def test_roles_are_in_no_digest_and_what_passes_is(self) -> None:
        control = Source(SLT.key, SLT.title, year=SLT.year, role="control")

        def of(source: Source, **more: Any) -> Claim:
            return Claim("slt/x", "So.", source.at("I", "q"), Predicted(), **more)

        assert of(control).digest() == of(SLT).digest()
        assert of(control, passes=("refuted", "inconclusive")).digest() != of(control).digest()
        assert declared(of(control, passes=("refuted",)))["passes"] == ["refuted"]
        with pytest.raises(ClaimError, match="for claims whose source has role='control'"):
            of(SLT, passes=("refuted",))
        with pytest.raises(ClaimError, match="has role='guess'; allowed are document"):
            Source("a", "A", role="guess")  # type: ignore[arg-type]


class TestRows:
    @given(verdicts=st.lists(st.sampled_from(VERDICTS), min_size=3, max_size=3))
    def test_a_claim_says_so_where_what_it_requires_is_not_supported(self, verdicts: list[str]) -> None:
        first, second, third = linked(
            ("slt/a", verdicts[0], {"requires": ("slt/b",), "explains": ("slt/c",)}), ("slt/b", verdicts[1], {}),
            ("slt/c", verdicts[2], {"contradicts": ("slt/b",)}),
        )  # fmt: skip
        unmet = ["slt/b"] if verdicts[1] != "supported" else []
        assert first["shaken"] == {"unmet": unmet, "conflicts": []}
        assert [note.startswith("It requires slt/b, which ") for note in first["notes"]] == [True] * len(unmet)
        both = verdicts[1] == verdicts[2] == "supported"
        assert second["shaken"]["conflicts"] == (["slt/c"] if both else [])
        assert third["shaken"]["conflicts"] == (["slt/b"] if both else [])
        assert len(third["notes"]) == both

    @given(verdicts=st.lists(st.sampled_from(VERDICTS), min_size=2, max_size=6))
    def test_it_is_said_once_however_often_and_whatever_rows_are_adjusted(self, verdicts: list[str]) -> None:
        rows = linked(("slt/a", "supported", {"requires": ("slt/b",), "contradicts": ("slt/b",)}), ("slt/b", verdicts[0], {}))
        rows[0]["notes"].insert(0, "The interval is wide.")
        for verdict in verdicts[1:]:
            rows[1]["verdict"] = verdict
            rows = adjust(rows)
        assert rows[0]["notes"][0] == "The interval is wide."
        assert len(rows[0]["notes"]) == 2
        assert adjust(rows[:1])[0]["notes"] == ["The interval is wide."]

    def test_what_has_not_run_counts_against_nobody(self) -> None:
        rows = [base_row(claim_of("slt/a", requires=("slt/b",)), "slt/a"), base_row(claim_of("slt/b"), "slt/b")]
        assert [row["shaken"]["unmet"] for row in adjust(rows)] == [[], []]

    def test_it_is_the_first_to_distrust_and_stands_on_the_card(self) -> None:
        rows = linked(("slt/a", "supported", {"contradicts": ("slt/b",)}), ("slt/b", "supported", {"requires": ("slt/c",)}),
                      ("slt/c", "refuted", {}))  # fmt: skip
        found = {flag: count for _, kinds in overview.lists(rows) for flag, count, _ in kinds}
        assert (found["conflict"], found["unmet"]) == (2, 1)
        page = render(assemble(rows, scale="full", device="cpu", provenance=PROVENANCE))
        said = {"slt/a": "It contradicts slt/b as both are worded", "slt/b": "It requires slt/c, which is refuted."}
        for id, sentence in said.items():
            card = page.partition(f'id="claim/{id}"')[2].partition("</article>")[0]
            assert card.count(sentence) == 1
            assert page.count(sentence) == 2, "on the card, and once in the chapter"


class TestControls:
    @settings(deadline=None, max_examples=20)
    @given(verdicts=st.lists(st.sampled_from(VERDICTS), min_size=1, max_size=5))
    def test_controls_are_counted_apart(self, verdicts: list[str]) -> None:
        source = Source("known", "What is known", role="control")
        rows = linked(("slt/a", "supported", {}))
        for number, verdict in enumerate(verdicts):
            claim = Claim(f"known/{number}", "So.", source.at("I", "q"), Predicted(), passes=("refuted", "inconclusive"))
            rows.append(base_row(claim, claim.id) | {"verdict": verdict, "reason": "So.", "p_support": 0.001})
        passing = sum(verdict in ("refuted", "inconclusive") for verdict in verdicts)
        rows = adjust(rows)
        assert standing.claimed(rows) == {
            "claims": 1, "documents": 1, "besides": [f"Controls: {passing} of {len(verdicts)} as expected."]
        }  # fmt: skip
        assert {row["p_adjusted_all"] for row in rows if row["role"] == "control"} == {None}
        page = render(assemble(rows, scale="full", device="cpu", provenance=PROVENANCE))
        told = page.partition('class="lede">')[2].partition("</p>")[0]
        assert told.startswith("1 claim from 1 document, ")
        assert told.endswith(f" whether any was changed after a first run. Controls: {passing} of {len(verdicts)} as expected.")
        failed = [flag for heading, kinds in overview.lists(rows) if "distrust" in heading for flag, *_ in kinds]
        assert (failed[:1] == ["failed-control"]) == (passing < len(verdicts))

    @pytest.mark.parametrize("verdict", ["supported", "refuted", "inconclusive"])
    def test_a_card_says_whether_a_control_came_out_as_it_has_to(self, verdict: str) -> None:
        """A red badge on a control is no bad news, and the page says so wherever the badge stands by itself."""
        source = Source("known", "What is known", role="control")
        claim = Claim("known/a", "So.", source.at("I", "q"), Predicted(), passes=("refuted", "inconclusive"))
        row = base_row(claim, claim.id) | {"verdict": verdict, "reason": "So."}
        page = render(assemble([row], scale="full", device="cpu", provenance=PROVENANCE))
        came = verdict in claim.passes
        assert f"it has to be refuted or inconclusive, and is{'' if came else ' not'}." in page
        assert f"<li>{int(came)} of 1 as expected</li>" in page
        assert "Clearest" not in page
