"""At which margins a verdict flips, as a card says it, for every kind of prediction: the judge is asked with each margin."""

from __future__ import annotations

import dataclasses
import itertools
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pytest
from test_properties import INPUT, KINDS, PAIRED, STATISTICAL, TERMS, models, redrawn

from harness.errors import ClaimError
from harness.judge import Outcome, Verdict, judge
from harness.judge.ruling import single
from harness.predict import Conjunction, Ordering, Prediction, Superiority
from harness.report.flips import Piece, flips, outcome
from harness.report.rows import complete

SEEDS = range(4)
SCORE = Superiority("llc", "regime", "standard", "robust", ("architecture", "seed"), where=INPUT, **TERMS)


def planted(table: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Other numbers in the same places; every second time skewed ones, so that the second opinion has a say."""
    new = redrawn(table, seed)
    if seed % 2:
        new["llc"] = np.exp(2 * new["llc"].to_numpy())
    return new


def with_margin(prediction: Prediction, margin: float) -> Prediction:
    names = {each.name for each in dataclasses.fields(prediction)}
    return dataclasses.replace(prediction, **{"tolerance" if "tolerance" in names else "margin": margin})


def possible(prediction: Prediction, margin: float) -> bool:
    """Whether the kind has such a margin: a share lies nowhere but between 0 and 1."""
    try:
        with_margin(prediction, margin)
    except ClaimError:
        return False
    return True


def verdict(prediction: Prediction, table: pd.DataFrame) -> Verdict:
    """The judge's, with the same draws whatever the margin."""
    return single(prediction, table, np.random.default_rng(0))


def shown(seen: Verdict) -> dict[str, Any] | None:
    return flips(complete({"id": "a/b", **seen.to_json()}))


def looked_up(found: dict[str, Any], margin: float) -> str:
    return outcome([Piece(start, at, after, None) for start, at, after in found["pieces"]], margin)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", STATISTICAL, ids=[type(KINDS[i][0]).__name__ for i in STATISTICAL])
def test_the_judge_says_at_every_margin_what_the_slider_shows(kind: int, seed: int) -> None:
    prediction, table, _ = KINDS[kind]
    table = planted(table, seed)
    seen = verdict(prediction, table)
    found = shown(seen)
    if seen.outcome is Outcome.INVALID:
        assert found is None
        return
    assert found is not None
    assert seen.estimate is not None
    if not found["pieces"]:
        assert prediction.rule == "within"
        assert seen.estimate.objection
        assert "a second test withholds support" in found["said"]
        return
    starts = [start for start, _, _ in found["pieces"]]
    between = [(one + other) / 2 for one, other in itertools.pairwise([*starts, found["far"]])]
    for margin in filter(partial(possible, prediction), {prediction.margin, *starts, *between} - {0.0}):
        there = verdict(with_margin(prediction, margin), table)
        if prediction.rule == "within" and margin != prediction.margin and there.estimate and there.estimate.objection:
            assert "might withhold that support" in found["said"] or "supported" not in found["said"]
            assert looked_up(found, margin) in ("supported", there.outcome.value)
        else:
            assert looked_up(found, margin) == there.outcome.value


def test_a_second_opinion_has_its_own_margins() -> None:
    rng = np.random.default_rng(0)
    table = models()
    table["llc"] = (1.75 - 0.3 * rng.exponential(size=len(table)) ** 2) * (table.regime == "standard")
    seen = verdict(PAIRED, table)
    assert (seen.outcome, "Allowing for skewness" in seen.reason) == (Outcome.INCONCLUSIVE, True)
    found = shown(seen)
    assert found is not None
    row = seen.to_json()
    assert {start for start, _, _ in found["pieces"]} <= {0.0, *map(abs, row["interval"]), *map(abs, row["cautious"])}
    assert found["said"].startswith("With this interval and the one that allows for skewness")


def test_support_that_a_second_test_withholds_is_withheld_at_every_margin() -> None:
    rng = np.random.default_rng(2)
    levels = {8: 0.0, 32: 1.0, 128: 0.5}  # the slope rises, the last step falls
    table = pd.DataFrame([{"seed": seed, "width": width, "llc": rise + 0.01 * rng.normal()}
                          for seed in range(9) for width, rise in levels.items()])  # fmt: skip
    seen = verdict(Ordering("llc", "width", (8, 32, 128), "seed", **TERMS), table)
    assert seen.estimate is not None
    assert seen.estimate.objection
    found = shown(seen)
    assert found is not None
    assert "supported" not in {outcome for _, *both in found["pieces"] for outcome in both}
    assert "support withheld by a second test" in found["said"]


@pytest.mark.parametrize("seed", SEEDS)
def test_of_a_whole_whose_parts_have_second_opinions(seed: int) -> None:
    table = planted(models(), seed)
    whole = Conjunction(parts=(PAIRED, SCORE))
    found = shown(judge(whole, table))
    assert found is not None
    starts = [start for start, _, _ in found["pieces"]]
    between = [(one + other) / 2 for one, other in itertools.pairwise([*starts, found["far"]])]
    for factor in {1.0, *between}:
        if not all(possible(part, factor * part.margin) for part in whole.parts):
            continue
        scaled = Conjunction(parts=tuple(with_margin(part, factor * part.margin) for part in whole.parts))
        assert (looked_up(found, factor) == "supported") == (judge(scaled, table).outcome is Outcome.SUPPORTED)


def test_of_which_only_some_are_needed_the_card_says_why_not() -> None:
    table = planted(models(), 0)
    kind = next(prediction for prediction, _, _ in KINDS if type(prediction).__name__ == "AtLeast")
    found = shown(judge(kind, table))
    assert found is not None
    assert found["pieces"] == []
    assert "2 of 3 parts are needed" in found["said"]
