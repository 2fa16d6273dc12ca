"""What differs between two states of what is fixed: nothing is missed, and what differs is named."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.claim import Claim
from harness.fixed import CODE, declared, differences, is_design, put_together, set_apart, stable
from harness.gate import Gate
from harness.predict import Conjunction, NoChange, PairedDifference
from harness.source import Source
from harness.spec import digest

HIGHER = PairedDifference(
    value="llc", factor="regime", higher="standard", lower="robust", pair=("seed",), margin=1.0, margin_reason="half",
    where={"scope": "all"},
)  # fmt: skip
SAME = NoChange("llc", "regime", "standard", "robust", "seed", margin=0.5, margin_reason="half")
COMPETENT = Gate("models are competent", "accuracy", at_least=0.95, reason="far above chance")
CLAIM = Claim(
    "paper/higher", "The LLC is higher.", Source("paper", "A paper").at("Intro", "it is higher", reported="0.3"), HIGHER,
    gates=(COMPETENT, Gate("the attack works", "asr", at_most=0.5)), companions=(SAME,), protocols=("sound", "document"),
    scope={"noise": st.floats(0.5, 2.0)},
)  # fmt: skip
DESIGN = {
    "populations": [{"seeds": list(range(8)), "recipes": {"a1": "2x8 standard", "b2": "2x8 robust"}}],
    "instruments": [
        {"name": "LLC", "members": 16, "settings": {"type": "LLC", "spec": {"type": "LLCSpec", "draws": 1200}}, "streams": [0]},
        {"name": "accuracy", "members": 16, "settings": {"points": 64}, "streams": []},
    ],
    "code": "c0ffee",
}  # fmt: skip


def state(claim: Claim = CLAIM, **design: Any) -> dict[str, Any]:
    whole = copy.deepcopy(DESIGN) | design
    return {"digest": claim.digest(), "declared": declared(claim), "design": {"digest": digest(whole), **whole}}


def seeds(count: int) -> list[dict[str, Any]]:
    return [{**DESIGN["populations"][0], "seeds": list(range(count))}]  # type: ignore[index]


def instrument(**changed: Any) -> list[dict[str, Any]]:
    first, second = copy.deepcopy(DESIGN["instruments"])  # type: ignore[misc]
    return [first | changed, second]


BOTH = replace(CLAIM, prediction=Conjunction((HIGHER, replace(HIGHER, margin=0.5))))


@pytest.mark.parametrize(
    ("now", "said"),
    [
        (replace(CLAIM, prediction=replace(HIGHER, margin=0.2)), ["margin 1 → 0.2"]),
        (replace(CLAIM, prediction=replace(HIGHER, alpha=0.1, margin=0.2)), ["margin 1 → 0.2", "alpha 0.05 → 0.1"]),
        (replace(CLAIM, prediction=replace(HIGHER, where={})), ["where scope all → none"]),
        (replace(CLAIM, prediction=replace(HIGHER, where={"scope": ["all", "input"]})), ["where scope all → all, input"]),
        (replace(CLAIM, prediction=SAME), ["prediction PairedDifference → NoChange"]),
        (replace(CLAIM, statement="It is not lower."), ["statement The LLC is higher. → It is not lower."]),
        (replace(CLAIM, statement="It is so, and it is so in every single case that was ever tried."), ["statement"]),
        (replace(CLAIM, protocols=("document",)), ["protocols sound, document → document"]),
        (replace(CLAIM, companions=()), ["companion 1 left out"]),
        (replace(CLAIM, companions=(replace(SAME, margin=0.7),)), ["companion 1 margin 0.5 → 0.7"]),
        (replace(CLAIM, scope={}), ["scope noise from 0.5 to 2 → none"]),
        (replace(CLAIM, scope={"noise": st.integers(1, 9)}), ["scope noise from 0.5 to 2 → whole numbers from 1 to 9"]),
        (replace(CLAIM, scope={"noise": st.sampled_from([0.5, 2.0])}), ["scope noise from 0.5 to 2 → one of 0.5, 2"]),
        (replace(CLAIM, scope={"noise": st.sampled_from([(6,), (8, 8)])}), ["scope noise from 0.5 to 2 → one of (6), (8, 8)"]),
        (replace(CLAIM, scope={"noise": st.booleans()}), ["scope noise from 0.5 to 2 → booleans()"]),
        (replace(CLAIM, kind="data"), ["kind empirical → data"]),
        (replace(CLAIM, gates=(replace(COMPETENT, at_least=0.5), CLAIM.gates[1])),
         ["gate “models are competent” at least 0.95 → 0.5"]),
        (replace(CLAIM, gates=CLAIM.gates[:1]), ["gate “the attack works” left out"]),
        (replace(CLAIM, gates=(*CLAIM.gates, Gate("new", "x", at_least=1))), ["gate “new” added"]),
        (replace(CLAIM, tags=("llc",)), []),
    ],
)  # fmt: skip
def test_a_changed_declaration_is_named(now: Claim, said: list[str]) -> None:
    assert differences(state(), state(now)) == said


def test_a_part_of_a_conjunction_is_named() -> None:
    later = replace(CLAIM, prediction=Conjunction((HIGHER, replace(HIGHER, margin=0.2))))
    assert differences(state(BOTH), state(later)) == ["part 1 margin 0.5 → 0.2"]


@pytest.mark.parametrize(
    ("design", "said"),
    [
        ({"populations": seeds(30)}, ["seeds 8 → 30"]),
        ({"populations": [{"seeds": list(range(8, 16)), "recipes": DESIGN["populations"][0]["recipes"]}]},  # type: ignore[index]
         ["seeds 0–7 → 8–15"]),
        ({"populations": [{"seeds": list(range(8)), "recipes": {"a1": "2x8 standard", "c3": "2x8 robust"}}]},
         ["recipe changed (2x8 robust)"]),
        ({"populations": [{"seeds": list(range(8)), "recipes": {"a1": "2x8 standard"}}]}, ["recipe left out (2x8 robust)"]),
        ({"populations": [{"seeds": list(range(8)), "recipes": {"a1": "2x8 standard"}},
                          {"seeds": [0, 1], "recipes": {"b2": "2x8 robust"}}]}, ["seeds of 2x8 robust 0–7 → 0, 1"]),
        ({"instruments": instrument(settings={"type": "LLC", "spec": {"type": "LLCSpec", "draws": 50}})},
         ["“LLC” draws 1200 → 50"]),
        ({"instruments": instrument(members=8)}, ["“LLC” members 16 → 8"]),
        ({"instruments": instrument()[1:]}, ["“LLC” left out"]),
        ({"populations": seeds(9), "instruments": instrument(members=18), "code": "other"}, ["seeds 8 → 9"]),
        ({"code": "other"}, [CODE]),
        ({"code": None}, []),
    ],
)  # fmt: skip
def test_a_changed_design_is_named(design: dict[str, Any], said: list[str]) -> None:
    assert differences(state(), state(**design)) == said


def test_what_a_state_does_not_know_is_not_compared() -> None:
    assert differences({"digest": None, "declared": None, "design": None}, state()) == []
    assert differences({"digest": "0" * 16}, state()) == [f"declaration (digest 00000000 → {CLAIM.digest()[:8]})"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3), max_leaves=8,
)  # fmt: skip


def filled(value: Any) -> Any:
    """Without fields that have no value, which count as absent."""
    if isinstance(value, dict):
        inside = {name: filled(item) for name, item in value.items()}
        return {name: item for name, item in inside.items() if item not in (None, "", [], {})}
    return [filled(item) for item in value] if isinstance(value, list) else value


OBJECTS = st.dictionaries(st.text(max_size=5), JSON, max_size=3)


@settings(max_examples=300)
@given(before=OBJECTS, now=OBJECTS)
def test_any_two_declarations_differ_in_words_exactly_where_they_differ(before: Any, now: Any) -> None:
    pair = [{"x": 1} | filled(each) for each in (before, now)]
    found = differences({"digest": "a", "declared": pair[0]}, {"digest": "a", "declared": pair[1]})
    assert bool(found) == (pair[0] != pair[1])
    assert all(isinstance(each, str) for each in found)


@given(st.integers(1, 30), st.integers(1, 30), st.text("abc", max_size=3))
def test_a_design_survives_being_set_apart(few: int, members: int, code: str) -> None:
    whole = state(populations=seeds(few), instruments=instrument(members=members), code=code)["design"]
    shared: dict[str, Any] = {}
    apart = set_apart(whole, shared)
    assert put_together(apart, shared) == whole == put_together(whole, {})
    assert is_design(whole)
    assert not is_design(apart)


def test_a_description_has_no_address_of_an_object() -> None:
    class Own:
        pass

    said = stable({"a": Own(), "b": [Own, test_a_description_has_no_address_of_an_object], "c": {2, 1}, "d": float("inf")})
    assert "0x" not in str(said)
    assert said["c"] == [1, 2]
    assert said["d"] == "inf"
