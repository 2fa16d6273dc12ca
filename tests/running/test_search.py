"""The search of a claim's scope, on claims whose verdict is a known function of the settings."""

from __future__ import annotations

import errno
import json
import math
import os
import re
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import jsonschema
import numpy as np
import pandas as pd
import planted
import pytest
import scipy.stats
from filelock import FileLock
from hypothesis import given, settings
from hypothesis import strategies as st

import harness.report
from harness.judge import judge
from harness.predict import PairedDifference
from harness.report.rows import plain
from harness.running.at_settings import Blocks
from harness.running.found import joint_p, search, shares_of
from harness.running.scope import scope_of
from harness.running.search import begun, go
from harness.running.trials import Trial, in_words, trial_of
from harness.store import StoreError

SCHEMA = json.loads((Path(harness.report.__file__).parent / "claims.schema.json").read_text(encoding="utf-8"))
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


def run(judged, trials=20, fresh=None, default=None, scope=None):
    at_default = trial_of(default or judged({}), {}, 0.0, "default")
    return search(scope or scope_of(SCOPE, DEFAULTS), judged, at_default, trials, fresh or judged)


def test_a_claim_that_holds_everywhere_is_never_turned():
    asked = []
    found = run(claim(lambda settings: False, asked), trials=12)
    assert len(asked) - 1 == len(found.trials) == 12
    assert found.found is found.confirmed is found.confirmation is None
    assert found.edges == ()
    assert [(share.verdict, share.count, share.of) for share in found.shares] == [("supported", 6, 6), ("refuted", 0, 6)]
    assert "supports it in 54 to 100 % of the scope" in found.reason
    assert "It is refuted in none of 12 settings." in found.reason
    assert "differ over the scope no more than their errors explain" in found.reason


def test_an_edge_along_one_setting_is_found_and_both_sides_are_judged_again():
    again = []
    judged = claim(lambda settings: settings["noise"] > 1.7)
    found = run(judged, trials=40, fresh=lambda settings: again.append(dict(settings)) or judged(settings))
    (edge,) = found.edges
    assert edge.name == "noise"
    assert edge.threshold == pytest.approx(1.7, rel=0.1)
    assert edge.supported <= 1.7 < edge.refuted
    assert set(found.found) == {"noise"}
    assert found.found["noise"] > 1.7
    assert found.confirmed
    assert found.inside.verdict == "supported"
    assert DEFAULTS["noise"] <= {**DEFAULTS, **found.inside.settings}["noise"] <= 1.7, "between the defaults and the edge"
    assert again == [dict(found.found), dict(found.inside.settings)]
    assert "confirmed with 12 units of seeds that had no part in finding it" in found.reason
    assert found.importance[0].name == "noise"
    assert found.importance[0].total > 0.8
    assert found.split.name == "noise"
    assert found.split.right == found.split.of


@pytest.mark.parametrize(("turns", "said"), [
    (lambda noise: noise > 1.7, r"supported up to noise ([\d.]+), refuted from ([\d.]+);"),
    (lambda noise: noise < 0.8, r"supported down to noise ([\d.]+), refuted from ([\d.]+) down;"),
])  # fmt: skip
def test_the_sentence_on_an_edge_says_on_which_side_of_the_default_it_lies(turns, said):
    alone = scope_of({"noise": st.floats(0.5, 2.0)}, {"noise": 1.0})
    reason = run(claim(lambda settings: turns(settings["noise"])), trials=40, scope=alone).reason
    kept, turned = map(float, re.search(said, reason).groups())
    assert turns(turned)
    assert not turns(kept)


@pytest.mark.parametrize("only", [st.just(1), st.integers(1, 1), st.sampled_from([1])])
def test_a_scope_of_the_default_alone_is_searched(only):
    found = run(lambda settings: verdict(1.0), trials=4, scope=scope_of({"depth": only}, {"depth": 1}))
    assert found.trials == ()
    assert found.reason == "The scope has no setting but the defaults, so that there is nothing to try."
    assert [(share.verdict, share.count, share.of) for share in found.shares] == [("supported", 1, 1), ("refuted", 0, 1)]
    assert all(share.exact for share in found.shares)


def test_settings_that_are_drawn_again_are_not_counted_as_others():
    few = scope_of({"depth": st.integers(1, 3)}, {"depth": 1})
    found = run(lambda settings: verdict(1.0), trials=40, scope=few)
    assert len(found.trials) == 2
    assert "Tried were all 3 settings of the scope, so that the shares are exact: 3 supported." in found.reason
    pool = scope_of({"depth": st.one_of(st.just(2), st.just(4), st.just(6))}, {"depth": 2})  # which may stand for more
    found = run(lambda settings: verdict(1.0), trials=40, scope=pool)
    said = "Of 20 settings from values that Hypothesis gave of depth, which need not be even: 20 supported."
    assert said in found.reason
    assert found.pools == ("depth",)


@pytest.mark.parametrize(
    ("first", "second", "trials"),
    [([0], [0], 1), ([-1, 1], [0], 1), ([-1, 1], [0], 4), ([-3, 2, 5], [-2, 1], 4), ([-3, 2, 5], [-2, 1], 24)],
)
def test_shares_of_a_scope_that_was_tried_completely_are_exact_and_others_are_not(first, second, trials):
    axes = {"first": st.sampled_from(first), "second": st.sampled_from(second)}
    holds, fails = verdict(1.0), verdict(-1.0)

    def judged(settings):
        return fails if settings.get("first", first[0]) + settings.get("second", second[0]) > 0 else holds

    found = run(judged, trials=trials, scope=scope_of(axes, {"first": first[0], "second": second[0]}))
    every = len(first) * len(second)
    supported = next(share for share in found.shares if share.verdict == "supported")
    tried = {(each.settings.get("first", first[0]), each.settings.get("second", second[0])) for each in found.trials}
    assert supported.exact == (len(tried | {(first[0], second[0])}) == every)
    if supported.exact:
        holding = sum(one + other <= 0 for one in first for other in second)
        assert (supported.count, supported.of) == (holding, every)
        assert supported.interval == (holding / every,) * 2
        assert "%" not in found.reason.partition(".")[0]


@pytest.mark.parametrize("strategy", [st.floats(0.5, 2.0), st.one_of(st.just(2), st.just(4), st.just(6))])
def test_a_range_without_end_and_a_pool_that_stands_for_more_are_never_tried_completely(strategy):
    scope = scope_of({"noise": strategy}, {"noise": 1.0})
    assert scope.size is None
    assert not any(share.exact for share in run(lambda settings: verdict(1.0), trials=40, scope=scope).shares)


def test_what_broke_is_said_as_what_it_is():
    def judged(settings):
        if settings.get("depth") == 2:
            raise RuntimeError("no such network")
        return verdict(1.0)

    found = run(judged, trials=9, scope=scope_of({"depth": st.integers(1, 3)}, {"depth": 1}))
    assert "2 supported, 1 broke" in found.reason


def test_the_values_of_a_setting_without_order_have_an_edge_too():
    found = run(claim(lambda settings: settings["regime"] == "b"))
    assert found.found == {"regime": "b"}
    assert found.edges[0].threshold is None
    assert "it turns where regime is b" in found.reason


def test_settings_that_turn_it_only_together_are_reduced_to_these():
    found = run(claim(lambda settings: settings["noise"] > 1.5 and settings["regime"] == "b"), trials=40)
    assert set(found.found) == {"noise", "regime"}
    assert found.edges == ()


def test_no_setting_is_tried_twice_and_never_more_than_was_asked_for():
    asked = []
    run(claim(lambda settings: settings["noise"] > 1.2, asked), trials=9, fresh=claim(lambda settings: True),
        default=verdict(1.0))  # fmt: skip
    assert len(asked) == 9
    assert len({repr(sorted(settings.items())) for settings in asked}) == len(asked)
    assert {} not in asked, "the defaults were judged before"
    assert all(value != DEFAULTS[name] for settings in asked for name, value in settings.items())


def test_a_scope_with_fewer_settings_than_the_budget_ends():
    scope = scope_of({"regime": st.sampled_from(["a", "b"]), "deep": st.booleans()}, {"regime": "a", "deep": False})
    found = run(lambda settings: verdict(1.0), trials=50, scope=scope)
    assert len(found.trials) == 3


def test_time_that_is_over_ends_it():
    at_default = trial_of(verdict(1.0), {}, 0.0, "default")
    judged = claim(lambda settings: False)
    found = search(scope_of(SCOPE, DEFAULTS), judged, at_default, 20, judged, minutes=0)
    assert found.trials == ()
    assert found.reason == "No setting was tried: the time was over before."


@settings(max_examples=8)
@given(limit=st.integers(1, 60), cost=st.integers(1, 400), together=st.floats(0, 1))
def test_a_search_with_little_time_makes_no_more_in_one_go_than_it_can_judge(limit, cost, together):
    """A batch that is made in one go costs less for each setting, and nothing of it can be judged before all of it is made."""
    clock, made = [0.0], set()

    def ahead(batch):
        assert clock[0] < 60 * limit
        clock[0] += cost * (1 + (len(batch) - 1) * together)
        made.update(repr(each) for each in batch)
        return True

    def judged(settings):
        clock[0] += 0 if repr(settings) in made else cost
        return verdict(0.6 + 0.3 * settings.get("noise", 1.0))

    at_default = trial_of(verdict(1.0), {}, 0.0, "default")
    with pytest.MonkeyPatch.context() as patch:
        for module in ("search", "explored"):
            patch.setattr(f"harness.running.{module}.time", SimpleNamespace(monotonic=lambda: clock[0]))
        found = search(scope_of(SCOPE, DEFAULTS), judged, at_default, 12, lambda settings: None, minutes=limit, ahead=ahead)
    first = cost * (1 + 2 * together)  # a guess; later ones take no longer than the pace of those before has room for
    assert len(found.trials) >= 3, "what was made is judged, even where it took all of the time"
    assert clock[0] <= max(60 * limit, first) + cost
    assert len(found.trials) == 12 or clock[0] + cost >= 60 * limit


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
    found = run(claim(lambda settings: settings["noise"] < 2.0), trials=40)
    assert found.looked_for == "supported"
    assert found.found["noise"] >= 2.0


def test_settings_that_break_turn_nothing_and_are_told():
    def judged(settings):
        if settings.get("noise", 0) > 2:
            raise RuntimeError("training diverged")
        return verdict(1.0)

    found = run(judged, trials=16)
    assert found.found is None
    broken = [trial for trial in found.trials if trial.verdict == "error"]
    assert broken
    assert all(trial.reason == "RuntimeError: training diverged" and trial.distance is None for trial in broken)
    assert f"{sum(trial.why == 'even' for trial in broken)} broke" in found.reason


def test_everything_may_break():
    def judged(settings):
        raise RuntimeError("no")

    found = run(judged, trials=6, default=verdict(1.0))
    assert {trial.verdict for trial in found.trials} == {"error"}
    assert found.holds is None


def test_inconclusive_settings_turn_nothing():
    found = run(lambda settings: verdict(0.3, spread=1.0), trials=6)
    assert found.found is None
    assert "0 supported, 3 inconclusive" in found.reason


def test_it_draws_the_same_settings_again():
    one, two = [], []
    run(claim(lambda settings: settings["noise"] > 2.5, one))
    run(claim(lambda settings: settings["noise"] > 2.5, two))
    assert one == two


def test_it_is_plain_json():
    found = run(claim(lambda settings: settings["noise"] > 2.0), trials=20)
    said = json.loads(json.dumps(plain(found.to_json()), allow_nan=False))
    jsonschema.validate(said, {**SCHEMA, **SCHEMA["$defs"]["search"]})


def test_no_trials_are_refused():
    with pytest.raises(ValueError, match="1 setting or more"):
        run(claim(lambda settings: False), trials=0)


def test_settings_in_words():
    assert in_words({"noise": 1.23456, "points": 64, "regime": "b"}) == "noise = 1.235, points = 64, regime = b"


def trial(verdict, p=None):
    return Trial({}, verdict, "", None, None, None, 0.0, p=p)


@given(st.lists(st.sampled_from(["supported", "refuted", "inconclusive", "invalid", "error"]), min_size=1, max_size=40))
def test_shares_count_everything_and_their_intervals_hold_them(verdicts):
    shares = shares_of([trial(verdict) for verdict in verdicts])
    assert sum(share.count for share in shares) == len(verdicts)
    for share in shares:
        assert share.interval[0] <= share.count / share.of <= share.interval[1]


@pytest.mark.parametrize("alike", [0.0, 0.9])
def test_the_joint_p_is_valid_however_trials_depend_on_each_other(alike):
    """Below 0.05 in no more than 5 % of 4,000 searches in which there is nothing anywhere, with 3 standard errors."""
    rng = np.random.default_rng(0)
    shared, own = rng.normal(size=(4000, 1)), rng.normal(size=(4000, 20))
    ps = 1 - scipy.stats.norm.cdf(np.sqrt(alike) * shared + np.sqrt(1 - alike) * own)
    below = np.mean([joint_p([trial("inconclusive", p) for p in row]) < 0.05 for row in ps])
    assert below <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 4000)


def test_no_block_of_fresh_seeds_is_used_twice(tmp_path):
    store = SimpleNamespace(store=SimpleNamespace(folder=tmp_path))
    assert [Blocks(store).taken("a/b"), Blocks(store).taken("a/b"), Blocks(store).taken("a/c")] == [1, 2, 1]


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP, None], ids=["ENOLCK", "EOPNOTSUPP", "no flock"])
def test_blocks_are_counted_where_there_are_no_locks(tmp_path, monkeypatch, number):
    def acquire(lock: FileLock, **rest: object) -> None:
        raise NotImplementedError if number is None else OSError(number, os.strerror(number))

    monkeypatch.setattr(FileLock, "acquire", acquire)
    test_no_block_of_fresh_seeds_is_used_twice(tmp_path)


def test_blocks_of_a_store_that_cannot_be_written_are_one_sentence(tmp_path):
    (tmp_path / "file").write_text("in the way")
    store = SimpleNamespace(store=SimpleNamespace(folder=tmp_path / "file" / "store"))
    with pytest.raises(StoreError, match=r"the store cannot write .*; make the folder writable"):
        Blocks(store).taken("a/b")


STEPS = [(dimensions, seed) for dimensions in (1, 2, 5) for seed in range(3)]


@pytest.mark.parametrize(("dimensions", "seed"), STEPS)
def test_a_planted_threshold_is_named(dimensions, seed):
    """Of 100 planted studies each benchmarks/search.py counts how many are; here are a few of them."""
    study = planted.step(dimensions, seed)
    found = study.search(40)
    edge = next(edge for edge in found.edges if edge.name == "noise")
    assert edge.threshold == pytest.approx(study.threshold, rel=0.1)
    assert found.confirmed


@pytest.mark.parametrize("seed", range(3))
def test_an_oblique_boundary_is_mapped(seed):
    study = planted.oblique(seed)
    assert study.right(study.explored(40)) >= 0.9


def test_in_a_scope_of_few_settings_the_defaults_count_too():
    """Half of the scope is the default regime, whatever is tried how often."""
    scope = scope_of({"regime": st.sampled_from(["a", "b"])}, {"regime": "a"})
    found = run(lambda settings: verdict(-1.0 if settings.get("regime") == "b" else 1.0), trials=32, scope=scope)
    assert len(found.trials) == 1
    assert [(share.verdict, share.count, share.of) for share in found.shares] == [("supported", 1, 2), ("refuted", 1, 2)]


def test_values_that_are_no_keys_can_be_searched():
    scope = scope_of({"hidden": st.sampled_from([[8], [16, 16], [32]])}, {"hidden": [8]})
    found = run(lambda settings: verdict(-1.0 if settings.get("hidden") == [32] else 1.0), trials=12, scope=scope)
    assert found.found == {"hidden": [32]}


def foreseen(study, foresight: int, trials: int = 20):
    """The trials of a search, and what was made in one go, batch by batch."""
    made: list[dict] = []
    batches: list[list[dict]] = []

    def ahead(settings):
        new = [dict(each) for each in settings if dict(each) not in made]
        batches.append(new)
        made.extend(new)
        return True

    default = trial_of(study.judged({}), {}, 0.0, "default")
    found = begun(study.scope, study.judged, default, trials, ahead=ahead, foresight=foresight)
    go(found)
    return found.trials, [batch for batch in batches if batch]


@pytest.mark.parametrize("foresight", [1, 2, 3])
@pytest.mark.parametrize("made", [partial(planted.slope, 1), partial(planted.step, 2), planted.oblique])
@pytest.mark.parametrize("seed", [3, 4])
def test_what_is_made_in_one_go_decides_neither_what_is_tried_nor_what_comes_out(made, seed, foresight):
    study = made(seed)
    default = trial_of(study.judged({}), {}, 0.0, "default")
    found, batches = foreseen(made(seed), foresight)
    alone = begun(study.scope, study.judged, default, 20)
    go(alone)
    assert without_time(found) == without_time(alone.trials)
    ready = [settings for batch in batches for settings in batch]
    assert all(dict(trial.settings) in ready for trial in found)  # nothing is tried that was not made before


def without_time(trials):
    return [replace(trial, seconds=0.0) for trial in trials]


@pytest.mark.parametrize("made", [planted.slope, planted.step])
def test_two_steps_of_a_bisection_are_one_batch_where_they_are_foreseen(made):
    (found, one), (_, two) = (foreseen(made(1, 3), steps) for steps in (1, 2))
    halvings = sum(trial.why == "edge" for trial in found) - 1  # the end of the line is no halving
    assert halvings >= 4
    assert len(one) - len(two) == halvings // 2
    assert sum(map(len, two)) - sum(map(len, one)) <= math.ceil(halvings / 2)  # a step's other half is made in vain
