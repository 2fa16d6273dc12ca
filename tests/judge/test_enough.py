"""What would decide an open claim, held against the rule itself and against studies of so many units."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from harness import Factors
from harness.judge import judge
from harness.judge.enough import Enough, enough
from harness.judge.rule import Outcome, decide
from harness.predict import Estimate, NoChange, PairedDifference, Prediction, Proportion, ScalingExponent
from harness.stats import Share, Student

MARGIN = {"margin": 0.5, "margin_reason": "half a deviation"}
HIGHER = PairedDifference("llc", "regime", "standard", "robust", "seed", **MARGIN)
SAME = NoChange("llc", "regime", "standard", "robust", "seed", **MARGIN)


def seen(confidence: Any, n: int, **more: Any) -> Estimate:
    return Estimate("difference", "pair (seed)", float(confidence.effect), (0.0, 0.0), 0.5, n, confidence=confidence, **more)


@given(st.sampled_from([HIGHER, SAME]), st.integers(4, 40), st.floats(-1.5, 1.5).map(lambda x: round(x, 2)), st.floats(0.3, 3))
@settings(max_examples=60, deadline=None)
def test_so_many_units_decide_and_a_tenth_fewer_do_not(prediction: Prediction, n: int, effect: float, spread: float):
    study = Student(effect, spread / np.sqrt(n), n - 1)
    terms = (prediction.rule, prediction.centre, prediction.margin)
    assume(decide(*terms, study.interval(prediction.alpha))[0] is Outcome.INCONCLUSIVE)
    found = enough(prediction, seen(study, n))
    assert found is not None
    if found.units is None:
        assert min(abs(abs(effect) - 0.5), abs(effect) if prediction is HIGHER else 1.0) < 0.02 * spread
        return
    assert decide(*terms, study.resized(n, found.units).interval(prediction.alpha))[0] is found.outcome
    fewer = int(found.units / 1.1) - 1
    assert fewer <= n or decide(*terms, study.resized(n, fewer).interval(prediction.alpha))[0] is Outcome.INCONCLUSIVE


def test_an_effect_on_the_margin_is_never_decided():
    assert enough(SAME, seen(Student(0.5, 0.1, 11), 12)) == Enough("pair (seed)", 12, None, None)
    assert "no number of" in str(Enough("seed", 12, None, None))


def test_a_part_of_a_conjunction_is_refuted_at_its_share_of_alpha():
    study = seen(Student(0.2, 0.2, 11), 12)
    alone, one_of_six = enough(HIGHER, study), enough(HIGHER, study, refute=1 / 6, support=1 / 6)
    assert alone is not None
    assert one_of_six is not None
    assert alone.units is not None
    assert one_of_six.units is not None
    assert one_of_six.units > alone.units


def test_support_waits_for_what_else_it_needs():
    """A rise of which every step has to rise: the steps' own evidence, not that of the whole, says when."""
    whole, step = Student(1.0, 0.5, 5), Student(0.2, 0.3, 5)
    found, sooner = enough(HIGHER, seen(whole, 6, planned=step)), enough(HIGHER, seen(Student(1.0, 0.7, 5), 6))
    assert found is not None
    assert sooner is not None
    assert found.units is not None
    assert sooner.units is not None
    assert step.resized(6, found.units).interval(0.05)[0] > 0
    assert found.units > sooner.units


def test_where_points_of_x_stand_for_others_more_of_them_are_needed_and_not_more_seeds():
    population = Factors(random=("seed", "d"), fixed=("test points",))
    law = ScalingExponent("y", "d", "seed", value=-0.5, tolerance=0.1, margin_reason="a tenth").drawn_from(population)
    rng = np.random.default_rng(4)
    points = np.array([16, 32, 64, 128])
    shared = np.array([0.1, -0.15, 0.1, -0.05])  # what all seeds share at a point
    table = pd.DataFrame([
        {"seed": seed, "d": d, "y": float(d**-0.5 * np.exp(bend + 0.01 * rng.normal()))}
        for seed in range(12) for d, bend in zip(points, shared, strict=True)
    ])  # fmt: skip
    verdict = judge(law, table)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert verdict.estimate is not None
    found = enough(law, verdict.estimate)
    assert found is not None
    assert (found.unit, found.n) == ("value of d", 4)
    power = verdict.to_json()["power"]
    assert power["enough"]["statement"] == str(found)


def test_a_share_of_units_that_are_alike_needs_more_of_their_levels():
    share = Proportion("has", "seed", exceeds=0.75, margin=0.1, margin_reason="a tenth")
    estimate = seen(Share(4.0, 4.0), 12, counted=("seed", 4))
    found = enough(share, estimate)
    assert found is not None
    assert (found.n, found.units, found.outcome) == (4, 11, Outcome.SUPPORTED)


@pytest.mark.parametrize("outcome", ["decided", "open"])
def test_only_open_verdicts_say_what_would_decide_them(outcome: str):
    rng = np.random.default_rng(1)
    gap = 1.0 if outcome == "decided" else 0.3
    table = pd.DataFrame([
        {"seed": seed, "regime": regime, "llc": float((regime == "standard") * gap + rng.normal())}
        for seed in range(40 if outcome == "decided" else 6) for regime in ("standard", "robust")
    ])  # fmt: skip
    verdict = judge(HIGHER, table)
    assert (verdict.outcome is Outcome.INCONCLUSIVE) == (outcome == "open")
    assert (verdict.to_json()["power"]["enough"] is None) == (outcome == "decided")
