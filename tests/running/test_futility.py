"""What is not looked at again: settings that all seeds would hardly decide, and gates that they could not mend."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from harness import AtLeast, Conjunction, Gate, NoChange, PairedDifference, quantity
from harness.judge import judge
from harness.judge.gates import check
from harness.judge.rule import refutes, supports
from harness.running.futility import FUTILE, Mending, chance, mending
from harness.running.screening import FIRST, Look
from harness.stats import Student

ALPHA, FEW, ALL = 0.05, 12, 64
LATER = (1 - FIRST) / FIRST
HIGHER = PairedDifference("llc", "regime", "standard", "robust", "seed", margin=1.0, margin_reason="one")
NONE = NoChange("llc", "regime", "standard", "robust", "seed", margin=1.0, margin_reason="one")


def table(differences: Any) -> pd.DataFrame:
    count = len(differences)
    return pd.DataFrame({
        "seed": [*range(count)] * 2, "regime": ["standard"] * count + ["robust"] * count,
        "llc": [*differences, *np.zeros(count)],
    })  # fmt: skip


def first(prediction: Any, differences: Any) -> Any:
    return judge(prediction, table(differences), share=FIRST)


def decides(prediction: Any, units: Any, share: float) -> Any:
    """Which studies are supported and which refuted at a share of α by Student intervals; units of shape (study, unit)."""
    half = scipy.stats.t.ppf(1 - ALPHA * share, units.shape[1] - 1) * scipy.stats.sem(units, axis=1)
    told = prediction.rule, prediction.centre, prediction.margin, units.mean(1) - half, units.mean(1) + half
    return supports(*told), refutes(*told)


def chances(prediction: Any, units: Any) -> Any:
    """The chance of each study, of which these are the units of the first look, to be decided by all of them."""
    stricter, errors = prediction.stricter(FIRST), scipy.stats.sem(units, axis=1)
    seen = (
        SimpleNamespace(
            prediction=stricter,
            estimate=SimpleNamespace(effect=float(mean), confidence=Student(float(mean), float(error), units.shape[1] - 1)),
        )
        for mean, error in zip(units.mean(1), errors, strict=True)
    )
    return np.array([chance(each, ALL / FEW, LATER) for each in seen])


def looked_at(prediction: Any, effects: Any, spread: float, rng: np.random.Generator) -> Any:
    """Units of all seeds, which studies the first look leaves open, and their chances."""
    units = rng.normal(np.asarray(effects)[:, None], spread, (len(effects), ALL))
    supported, refuted = decides(prediction, units[:, :FEW], FIRST)
    left = ~(supported | refuted)
    return units, left, chances(prediction, units[:, :FEW])


# --- how likely all seeds are to decide ----------------------------------------------------------------------------------


@pytest.mark.parametrize("prediction", [HIGHER, NONE], ids=["a direction", "an absence"])
def test_the_chance_is_the_share_of_studies_that_come_to_a_verdict(prediction):
    """2,000 studies whose effect is drawn evenly: of those with a chance of about p, a share of about p is decided later."""
    rng = np.random.default_rng(1)
    units, left, found = looked_at(prediction, rng.uniform(-2, 3, 2000), 1.5, rng)
    decided = np.logical_or(*decides(prediction, units, 1 - FIRST))
    assert left.sum() > 300
    for low, high in ((0.0, 0.3), (0.3, 0.7), (0.7, 1.01)):
        some = left & (found >= low) & (found < high)
        if some.sum() >= 30:
            error = 3 * np.sqrt(0.25 / some.sum()) + 0.05  # it reckons with normal intervals, and Student's are wider
            assert abs(decided[some].mean() - found[some].mean()) <= error


@pytest.mark.parametrize("effect", np.linspace(-1.0, 2.5, 8))
def test_what_is_stopped_would_hardly_have_been_decided_wherever_the_effect_lies(effect):
    """At every effect, the loss of power is FUTILE at most; 1,000 studies, with 3 standard errors."""
    units, left, found = looked_at(HIGHER, np.full(1000, effect), 3.0, np.random.default_rng(2))
    lost = left & (found < FUTILE) & np.logical_or(*decides(HIGHER, units, 1 - FIRST))
    assert lost.mean() <= FUTILE + 3 * np.sqrt(FUTILE / 1000)


def test_a_stop_adds_to_no_error_rate():
    """At the margin, where a refutation is wrong: with stops there are no more of them than without, and α of them at most."""
    units, left, found = looked_at(HIGHER, np.ones(2000), 3.0, np.random.default_rng(3))
    few, later = decides(HIGHER, units[:, :FEW], FIRST)[1], decides(HIGHER, units, 1 - FIRST)[1]
    without = np.where(left, later, few)
    stopping = np.where(left, later & (found >= FUTILE), few)
    assert stopping.sum() <= without.sum() <= scipy.stats.binom.isf(0.001, 2000, ALPHA)


def test_parts_that_are_all_needed_hold_no_likelier_than_the_least_likely():
    rng = np.random.default_rng(4)
    far, near = rng.normal(3.0, 1.0, FEW), rng.normal(0.5, 1.0, FEW)
    both = table(far).assign(of="far"), table(near).assign(of="near")
    parts = [PairedDifference("llc", "regime", "standard", "robust", "seed", margin=1.0, margin_reason="one", where={"of": of})
             for of in ("far", "near")]  # fmt: skip
    whole = judge(Conjunction(tuple(parts)), pd.concat(both), share=FIRST)
    alone = [judge(part, pd.concat(both), share=FIRST) for part in parts]
    found = chance(whole, 4, LATER)
    assert found <= sum(chance(each, 4, LATER) for each in alone)
    assert chance(judge(AtLeast(tuple(parts), count=1), pd.concat(both), share=FIRST), 4, LATER) == 1.0


def test_what_has_no_interval_is_looked_at_again():
    constant = first(HIGHER, np.ones(FEW))
    assert constant.estimate is None
    assert chance(constant, 4, LATER) == 1.0
    assert chance(first(HIGHER, np.random.default_rng(0).normal(size=FEW)), 1.0, LATER) == 1.0


# --- gates ------------------------------------------------------------------------------------------------------------------


@quantity("pooled")
def pooled(table: pd.DataFrame) -> pd.Series[Any]:
    """The size of the mean drift of a regime, beside each of its rows."""
    return table.groupby("regime")["drift"].transform("mean").abs()


def claim_with(*gates: Gate) -> Any:
    return SimpleNamespace(gates=gates, protocols=())


@given(
    st.lists(st.booleans(), min_size=2, max_size=6), st.integers(1, 5), st.sampled_from([0.5, 0.8, 0.9, 1.0]), st.data()
)  # fmt: skip
def test_a_share_of_rows_is_hopeless_just_if_no_other_rows_could_save_it(seen, times, share, data):
    gate = Gate("good", "value", at_least=1, share=share)
    few = pd.DataFrame({"seed": range(len(seen)), "value": np.array(seen, dtype=float)})
    found = Mending((gate,), frozenset({"value"})).hopeless(few, times)
    best = pd.concat([few, pd.DataFrame({"seed": range(len(seen), times * len(seen)), "value": 1.0})])
    assert found == (not check(gate, best).passed)
    others = data.draw(st.lists(st.booleans(), min_size=(times - 1) * len(seen), max_size=(times - 1) * len(seen)))
    whole = pd.DataFrame({"seed": range(times * len(seen)), "value": np.array([*seen, *others], dtype=float)})
    assert not (found and check(gate, whole).passed)


@pytest.mark.parametrize("bias", [0.0, 0.6, 0.9, 1.0, 1.1, 2.0])
def test_a_pooled_gate_is_hardly_ever_given_up_that_all_seeds_would_pass(bias):
    """1,000 settings of 4 seeds of 16: where the limit is 1, and the drift of a network is a bias and chance."""
    rng = np.random.default_rng(5)
    gate, wrong, given_up = Gate("converged", pooled, at_most=1.0), 0, 0
    for _ in range(1000):
        every = pd.DataFrame({"seed": range(16), "regime": "robust", "drift": rng.normal(bias, 0.3, 16)})
        few = every[every["seed"] < 4].reset_index(drop=True)
        few, every = (each.assign(pooled=pooled.of(each)) for each in (few, every))
        stopped = Mending((gate,), frozenset()).hopeless(few, 4.0)
        given_up += stopped
        wrong += stopped and check(gate, every).passed
    assert wrong <= scipy.stats.binom.isf(0.001, 1000, 0.05)
    assert bias < 2 or given_up > 900


def test_a_pooled_gate_of_two_seeds_or_of_rows_that_cannot_be_made_anew_is_looked_at_again():
    gate = Gate("converged", pooled, at_most=1.0)
    rows = pd.DataFrame({"seed": range(4), "regime": "robust", "drift": 9.0}).assign(pooled=lambda own: pooled.of(own))
    assert Mending((gate,), frozenset()).hopeless(rows, 4.0)
    assert not Mending((gate,), frozenset()).hopeless(rows[rows["seed"] < 2], 4.0)
    assert not Mending((gate,), frozenset()).hopeless(rows.assign(pooled=8.0), 4.0)
    assert not Mending((gate,), frozenset()).hopeless(rows.drop(columns="drift"), 4.0)


def test_what_is_steady_is_seen_at_the_defaults():
    rng = np.random.default_rng(6)
    every = pd.DataFrame({"seed": [*range(8)] * 2, "regime": ["a"] * 8 + ["b"] * 8, "value": rng.normal(size=16)})
    few = every[every["seed"] < 3]
    few, every = (each.assign(share=lambda own: own["value"] / own["value"].mean()).sample(frac=1, random_state=0)
                  for each in (few, every))  # fmt: skip
    found = mending(claim_with(Gate("good", "value", at_least=0)), few, every)
    assert "value" in found.steady
    assert "share" not in found.steady
    assert mending(claim_with(), few, every[every["seed"] > 0]).steady == frozenset()
    assert mending(claim_with(), few.drop(columns="seed"), every).steady == frozenset()


def test_a_gate_that_cannot_be_read_is_left_to_the_look_at_all_seeds():
    rows = pd.DataFrame({"seed": range(4), "value": [0.0] * 4})
    for gate in (Gate("good", "other", at_least=1), Gate("good", "value", at_least=1, where={"seed": 9})):
        assert not Mending((gate,), frozenset({"value", "other"})).hopeless(rows, 2.0)


def test_a_first_look_that_ends_is_the_verdict():
    calls = []

    def few(share):
        calls.append(share)
        return SimpleNamespace(outcome=SimpleNamespace(value="inconclusive"))

    ended = object()
    assert Look(0.25, FIRST).verdict(few, lambda verdict: ended) is ended
    assert Look(0.25, FIRST).verdict(few) is None
    assert calls == [FIRST, FIRST]
