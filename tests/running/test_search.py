"""The search of a claim's scope, on claims whose verdict is a known function of the settings."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import strategies as st

from harness.judge import judge
from harness.predict import PairedDifference
from harness.report.rows import plain
from harness.running.search import in_words, search

SCOPE = {"noise": st.floats(0.5, 3.0), "points": st.integers(16, 256), "regime": st.sampled_from(["a", "b"])}
DEFAULTS = {"noise": 1.0, "points": 64, "regime": "a"}
HIGHER = PairedDifference(
    value="llc", factor="regime", higher="standard", lower="robust", pair="seed", margin=0.5, margin_reason="half",
)  # fmt: skip


def verdict(difference: float, spread: float = 0.1):
    """The judge's verdict on twelve pairs of that mean difference."""
    noise = np.random.default_rng(3).normal(0, spread, 12)
    rows = [
        {"seed": seed, "regime": regime, "llc": (difference + noise[seed] - noise.mean()) * (regime == "standard")}
        for seed in range(12) for regime in ("standard", "robust")
    ]  # fmt: skip
    return judge(HIGHER, pd.DataFrame(rows))


def claim(turns, asked=None):
    """A claim that is refuted where ``turns`` says so and supported elsewhere; what is asked of it is noted."""

    def judged(settings):
        if asked is not None:
            asked.append(dict(settings))
        return verdict(-1.0 if turns(DEFAULTS | dict(settings)) else 1.0)

    return judged


def run(judged, trials=20, fresh=None, at_default="supported"):
    return search(SCOPE, DEFAULTS, judged, verdict=at_default, trials=trials, fresh=fresh or judged)


def test_a_claim_that_holds_everywhere_is_never_turned():
    asked = []
    found = run(claim(lambda settings: False, asked), trials=12)
    assert len(asked) == len(found.trials) == 12
    assert found.found is found.confirmed is found.confirmation is None
    assert found.reason == "refuted in none of 12 settings of noise, points, regime"
    assert all(trial.verdict == "supported" and trial.effect == pytest.approx(1.0) for trial in found.trials)


def test_settings_that_were_never_moved_are_told():
    found = run(claim(lambda settings: False), trials=1)
    (trial,) = found.trials
    still = sorted(set(SCOPE) - set(trial.settings))
    assert still
    assert found.reason.endswith(f"; {', '.join(still)} stayed at {'its default' if len(still) == 1 else 'their defaults'}")


def test_what_turns_it_is_found_and_reduced_to_the_one_setting_that_does():
    found = run(claim(lambda settings: settings["noise"] > 2.0), trials=60)
    assert set(found.found) == {"noise"}
    assert found.found["noise"] > 2.0
    assert found.confirmed
    assert found.reason.startswith("refuted with noise = ")
    assert "confirmed with seeds that had no part in finding it" in found.reason


def test_an_interaction_of_two_settings_is_reduced_to_the_two():
    found = run(claim(lambda settings: settings["noise"] > 1.5 and settings["regime"] == "b"), trials=80)
    assert set(found.found) == {"noise", "regime"}


def test_no_setting_is_tried_twice_and_never_more_than_was_asked_for():
    asked = []
    run(claim(lambda settings: settings["noise"] > 1.2, asked), trials=9, fresh=claim(lambda settings: True))
    assert len(asked) <= 9
    assert len({repr(sorted(settings.items())) for settings in asked}) == len(asked)
    assert {} not in asked, "the defaults were judged before"
    assert all(value != DEFAULTS[name] for settings in asked for name, value in settings.items())


def test_fresh_seeds_that_do_not_agree_leave_it_unconfirmed():
    found = run(claim(lambda settings: settings["regime"] == "b"), fresh=lambda settings: verdict(0.3, spread=1.0))
    assert found.confirmed is False
    assert found.confirmation.verdict == "inconclusive"
    assert "not confirmed: with fresh seeds it is inconclusive" in found.reason


def test_without_seeds_there_is_nothing_to_confirm_with():
    found = run(claim(lambda settings: settings["regime"] == "b"), fresh=lambda settings: None)
    assert found.found == {"regime": "b"}
    assert found.confirmed is None


def test_of_a_refuted_claim_it_looks_for_settings_in_which_it_holds():
    found = run(claim(lambda settings: settings["noise"] < 2.0), trials=60, at_default="refuted")
    assert found.looked_for == "supported"
    assert found.found["noise"] >= 2.0


def test_a_setting_that_breaks_turns_nothing_and_is_told():
    def judged(settings):
        if "noise" in settings:
            raise RuntimeError("training diverged")
        return verdict(1.0)

    found = run(judged, trials=15)
    assert found.found is None
    broken = [trial for trial in found.trials if trial.verdict == "error"]
    assert broken
    assert all(trial.reason == "RuntimeError: training diverged" and trial.effect is None for trial in broken)
    assert f"({len(broken)} error)" in found.reason


def test_an_inconclusive_setting_turns_nothing():
    found = run(lambda settings: verdict(0.3, spread=1.0), trials=5)
    assert found.found is None
    assert "(5 inconclusive)" in found.reason


def test_it_draws_the_same_settings_again():
    one, two = [], []
    run(claim(lambda settings: settings["noise"] > 2.5, one))
    run(claim(lambda settings: settings["noise"] > 2.5, two))
    assert one == two


def test_it_is_plain_json():
    found = run(claim(lambda settings: settings["noise"] > 2.0), trials=30)
    said = json.loads(json.dumps(plain(found.to_json()), allow_nan=False))
    assert set(said) == {"looked_for", "trials", "found", "confirmed", "confirmation", "reason"}
    assert set(said["trials"][0]) == {"settings", "verdict", "reason", "effect", "interval", "n", "seconds"}


def test_no_trials_are_refused():
    with pytest.raises(ValueError, match="1 setting or more"):
        run(claim(lambda settings: False), trials=0)


def test_settings_in_words():
    assert in_words({"noise": 1.23456, "points": 64, "regime": "b"}) == "noise = 1.235, points = 64, regime = b"
