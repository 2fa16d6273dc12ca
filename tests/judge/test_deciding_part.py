"""Of several parts one decides, and everything that a verdict says of the whole is said of that one."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.judge import Outcome, Verdict, judge
from harness.judge.caution import second_opinion
from harness.judge.power import plan
from harness.predict import AtLeast, Conjunction, NoChange, PairedDifference, Prediction
from harness.report import forest
from harness.report.rows import blank_row, with_verdict


def part(number: int, *, absence: bool, margin: float) -> Prediction:
    """One of two kinds, about the rows of one scope."""
    terms = {"margin": margin, "margin_reason": "drawn", "where": {"scope": number}}
    if absence:
        return NoChange("v", "regime", "a", "b", "seed", **terms)
    return PairedDifference("v", "regime", "a", "b", "seed", **terms)


@st.composite
def several(draw: st.DrawFn) -> tuple[Conjunction, pd.DataFrame]:
    """A conjunction of two to five parts, or at least some of them, and a table with an effect for each."""
    count = draw(st.integers(2, 5))
    margins = st.sampled_from([0.2, 0.5, 1.0])
    parts = tuple(part(i, absence=draw(st.booleans()), margin=draw(margins)) for i in range(count))
    needed = draw(st.integers(1, count))
    joined = Conjunction(parts) if needed == count else AtLeast(parts=parts, count=needed)
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    rows = []
    for scope in range(count):
        effect = draw(st.sampled_from([-2.0, -0.5, 0.0, 0.1, 0.4, 0.6, 2.0]))
        for seed in range(8):
            rows.append({"scope": scope, "seed": seed, "regime": "a", "v": effect + rng.normal()})
            rows.append({"scope": scope, "seed": seed, "regime": "b", "v": 0.0})
    table = pd.DataFrame(rows)
    if draw(st.booleans()) and draw(st.booleans()):
        table.loc[draw(st.integers(0, len(table) - 1)), "v"] = np.nan  # one part that cannot be judged
    return joined, table


def decisive(verdict: Verdict) -> Verdict:
    assert verdict.decides is not None
    return verdict.parts[verdict.decides]


@given(several())
def test_reason_estimate_margin_power_and_voice_are_of_one_part(drawn: tuple[Conjunction, pd.DataFrame]) -> None:
    prediction, table = drawn
    verdict = judge(prediction, table)
    one = decisive(verdict)
    assert one.reason in verdict.reason
    assert set(one.notes) <= set(verdict.notes)
    row = with_verdict(blank_row() | {"id": "a/b"}, verdict.to_json())
    own = with_verdict(blank_row() | {"id": "a/b"}, one.to_json())
    for name in ("effect", "interval", "n", "unit", "estimand", "strata", "voice", "standardised"):
        assert row[name] == own[name], name
    assert forest.deciding(row) is row["parts"][row["decides"]]
    if one.estimate is None:
        assert verdict.outcome is Outcome.INVALID
        return
    assert (row["margin"], row["alpha"], row["centre"]) == (own["margin"], own["alpha"], own["centre"])
    expected = plan(one.prediction.stricter(prediction.support_share), one.estimate)
    told = (row["power"] or {}).get("enough")
    assert row["power"] == (expected.to_json() | {"enough": told} if expected else None)
    assert (told is not None) == (row["verdict"] in ("inconclusive", "invalid") and expected is not None)


@given(several())
def test_the_deciding_part_is_one_whose_own_verdict_is_that_of_the_whole(drawn: tuple[Conjunction, pd.DataFrame]) -> None:
    """Refuted wholes by a refuted part, supported ones by a supported part, open ones by one that is not supported enough."""
    prediction, table = drawn
    verdict = judge(prediction, table)
    own = decisive(verdict).outcome
    if verdict.outcome is not Outcome.INCONCLUSIVE:
        assert own is verdict.outcome
    elif prediction.support_share == 1:
        assert own is not Outcome.SUPPORTED


@given(several())
def test_no_part_that_stands_worse_is_needed_and_none_that_stands_better_decides(
    drawn: tuple[Conjunction, pd.DataFrame],
) -> None:
    prediction, table = drawn
    verdict = judge(prediction, table)
    if verdict.outcome is Outcome.SUPPORTED and isinstance(prediction, Conjunction):
        one = decisive(verdict)
        assert one.estimate is not None
        weakest = one.prediction.strength(one.estimate)
        supported = [each for each in verdict.parts if each.outcome is Outcome.SUPPORTED and each.estimate is not None]
        stronger = [each for each in supported if each.prediction.strength(each.estimate) >= weakest]  # type: ignore[arg-type]
        assert len(stronger) >= prediction.needed


@pytest.mark.parametrize("gate_failed", [False, True])
def test_a_gate_changes_the_verdict_and_not_the_part(gate_failed: bool) -> None:
    from harness.claim import Claim
    from harness.evidence import Evidence
    from harness.gate import Gate
    from harness.source import Source

    parts = (part(0, absence=False, margin=0.2), part(1, absence=False, margin=0.2))
    source = Source("doc", "A document").at("1", "words")
    gates = (Gate("small", "v", at_most=0.0 if gate_failed else 100.0),)
    claim = Claim("doc/one", "s", source, Conjunction(parts), gates=gates)
    rng = np.random.default_rng(1)
    table = pd.DataFrame(
        [{"scope": scope, "seed": seed, "regime": regime, "v": (regime == "a") * (1 + scope + 0.1 * rng.normal())}
         for scope in (0, 1) for seed in range(8) for regime in ("a", "b")]
    )  # fmt: skip
    verdict = judge(claim, Evidence(table))
    assert verdict.outcome is (Outcome.INVALID if gate_failed else Outcome.SUPPORTED)
    assert verdict.decides == 0


def test_the_open_part_decides_where_another_is_weaker_and_supported_by_its_interval() -> None:
    """A supported part near its margin, and an open one that lies farther beyond its own: the open one keeps it open."""
    rng = np.random.default_rng(3)
    noise = rng.normal(size=12)
    noise = (noise - noise.mean()) / noise.std(ddof=1)
    rows = []
    for scope, effect, spread in ((0, 0.22, 0.1), (1, 1.0, 2.5)):
        for seed in range(12):
            rows.append({"scope": scope, "seed": seed, "regime": "a", "v": effect + spread * noise[seed]})
            rows.append({"scope": scope, "seed": seed, "regime": "b", "v": 0.0})
    joined = Conjunction((part(0, absence=False, margin=0.2), part(1, absence=False, margin=0.5)))
    verdict = judge(joined, pd.DataFrame(rows))
    assert [each.outcome.value for each in verdict.parts] == ["supported", "inconclusive"]
    assert verdict.decides == 1
    assert verdict.estimate is not None
    assert verdict.estimate.effect == pytest.approx(1.0)
    assert second_opinion(Outcome.INCONCLUSIVE, joined.parts[1], verdict.estimate)[0] is Outcome.INCONCLUSIVE
