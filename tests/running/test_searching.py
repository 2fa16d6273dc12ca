"""Searching the scope of a claim that trains networks: what is made in one go, noted, shared, and what may break."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import settings as profile
from hypothesis import strategies as st

from harness import LLC, MLP, ClaimError, Evidence, Harness, LLCSpec, PairedDifference, Recipe, Source, Threat, ToyImages, claim
from harness.engines.local import LocalEngine
from harness.running.at_settings import AtSettings
from harness.running.evidence import completed
from harness.running.growth import SeededStore
from harness.running.preparing import prepared
from harness.running.run import Judging, judged_row
from harness.running.screening import FIRST, Look, Screen, screen_of
from harness.running.searching import check_scope
from harness.running.session import open_harness

REGIMES = ("standard", "robust")
SPEC = LLCSpec(localization=10.0, chains=2, burn_in=20, draws=40)


def recipes(noise: float, steps: int) -> list[Recipe]:
    base = Recipe(ToyImages(train=96, test=30, noise=noise), MLP((8,)), epochs=2)
    return [base, base.robust(Threat(steps=steps)), base.finetuned(Threat(steps=steps), epochs=1)]


@claim(
    "mine/lower", statement="Robust networks have the lower LLC.", source=Source("A", "B", 2020).at("C", "D"),
    prediction=PairedDifference(
        value="llc", factor="regime", higher="standard", lower="robust", pair="seed", margin=0.01, margin_reason="small",
    ),
    scope={"noise": st.floats(0.5, 1.5), "steps": st.integers(1, 5)},
)  # fmt: skip
def lower(harness: Harness) -> Evidence:
    populations = harness.store.populations(
        recipes(harness.setting("noise", 1.0), harness.setting("steps", 2)), range(8), name="mine"
    )
    table = harness.store.measure(populations, LLC(SPEC, ("all", "output"), 96))
    return Evidence(table[table["scope"] == "all"].reset_index(drop=True))


def opened(folder: Path) -> Harness:
    return open_harness(folder, scale="reduced", heartbeat=lambda beat: None)


def searched(harness: Harness, function=lower, trials: int = 6, **how):
    declared = function.__claim__
    body = completed(declared, lambda harness: function(harness=harness))
    design = {"digest": "of this test", "code": "known"}
    row = {"design": design}
    from harness.report.rows import base_row

    return judged_row(
        base_row(declared, declared.id) | row, declared, body(harness), Judging("reduced", search=trials, **how), body, harness
    )


BATCH = [{"noise": 0.7}, {"noise": 1.3, "steps": 4}, {"steps": 5}]
EVERY = [(settings, list) for settings in BATCH]  # with all seeds


def alone(folder: Path, settings):
    return lower(replace(opened(folder), settings=settings)).table


def test_what_is_made_in_one_go_is_what_is_made_alone(tmp_path):
    harness = opened(tmp_path / "together")
    prepared(lower, harness, EVERY)
    made = harness.store.made
    for number, settings in enumerate(BATCH):
        together = lower(replace(harness, settings=settings)).table
        assert together.equals(alone(tmp_path / str(number), settings))
    assert harness.store.made == made  # nothing was left to be made


def trained(harness: Harness, settings) -> list[int]:
    """How many seeds of every recipe of a setting are trained."""
    return [
        len(harness.store.trained_of(recipe, range(8)))
        for recipe in recipes(settings.get("noise", 1.0), settings.get("steps", 2))
    ]


@pytest.mark.parametrize(("settings", "seeds"), [(1, 8), (60, 2)])
def test_seeds_of_later_looks_are_trained_along_where_a_stack_of_their_own_has_more_calls_than_members(
    tmp_path, settings, seeds
):
    harness, looks = opened(tmp_path), [Look(share, 0.1).seeds for share in (0.25, 0.5, 1.0)]
    batch = [{"noise": 0.5 + number / 64} for number in range(settings)]
    prepared(lower, harness, [(each, looks[0]) for each in batch], later=looks[1:])
    assert all(trained(harness, each) == [seeds] * 3 for each in batch)
    made = harness.store.made
    few = lower(replace(harness, store=SeededStore(harness.store, looks[0]), settings=batch[0])).table
    assert harness.store.made == made  # all that the first look needs was made, and of its seeds alone
    every = harness.store.measured_of(recipes(0.5, 2)[0], range(8), LLC(SPEC, ("all", "output"), 96))
    assert sorted(few["seed"].unique()) == [*every] == [0, 1]


def test_a_search_says_the_same_whatever_was_made_in_one_go(tmp_path, monkeypatch):
    """Of the same seeds: with looks ahead, seeds along and two processes, and with every network where it is asked for."""
    together = searched(opened(tmp_path / "together"), searchers=2).search
    monkeypatch.setattr("harness.running.at_settings.prepared", lambda *given, **named: False)
    apart = searched(opened(tmp_path / "apart")).search
    for mine, others in ((together.trials, apart.trials), ([together.confirmation], [apart.confirmation])):
        assert [each and replace(each, seconds=0.0) for each in mine] == [
            each and replace(each, seconds=0.0) for each in others
        ]


def test_it_takes_a_stack_a_kind_and_not_a_stack_a_setting(tmp_path):
    harness = opened(tmp_path)
    prepared(lower, harness, EVERY)
    assert harness.store.made == 4  # standard and robust, finetuned, and the chains of all 72 in two


@pytest.mark.parametrize("rounds", [0, 1, 2, 100])
def test_it_says_whether_the_time_was_enough_to_make_all(tmp_path, rounds):
    harness, asked = opened(tmp_path), []

    def going():
        asked.append(harness.store.made)
        return len(asked) <= rounds

    whole = prepared(lower, harness, EVERY, going=going)
    made = harness.store.made
    tables = [lower(replace(harness, settings=settings)).table for settings in BATCH]
    assert whole == (harness.store.made == made)
    assert {0: False, 100: True}.get(rounds, whole) == whole
    assert len(tables) == len(BATCH)
    assert prepared(lower, harness, EVERY, going=lambda: False), "nothing is left to be made"


def test_processes_make_the_same(tmp_path):
    harness = opened(tmp_path / "there")
    engine = harness.store.engine = LocalEngine(workers=2)
    try:
        prepared(lower, harness, EVERY)
    finally:
        engine.close()
        harness.store.engine = None
    made = harness.store.made
    assert lower(replace(harness, settings=BATCH[1])).table.equals(alone(tmp_path / "here", BATCH[1]))
    assert harness.store.made == made


def test_a_setting_that_diverges_leaves_the_others_alone(tmp_path):
    harness = opened(tmp_path)
    prepared(lower, harness, [({"noise": noise}, list) for noise in (1e30, 0.9, 1.1)])
    made = harness.store.made
    assert len(lower(replace(harness, settings={"noise": 0.9})).table)
    assert harness.store.made == made


def test_a_body_that_raises_is_left_to_the_call_that_judges(tmp_path):
    def body(harness):
        raise RuntimeError("no")

    prepared(body, opened(tmp_path), EVERY)


def test_a_search_judges_with_few_seeds_first_and_confirms_with_all(tmp_path):
    found = searched(opened(tmp_path)).search
    assert found.broke is None
    assert len(found.trials) == 6
    decided = [trial for trial in found.trials if trial.verdict in ("supported", "refuted")]
    assert all(trial.n in (4, 8) for trial in found.trials)
    assert all(trial.n == 8 for trial in found.trials if trial not in decided)


def test_a_setting_that_was_judged_is_not_judged_again(tmp_path, monkeypatch):
    """But once of each verdict, so that a note which is not true any more is found out."""
    monkeypatch.setattr("harness.running.checking.CHECKING", 0.0)
    monkeypatch.setattr("harness.running.checking.SHARE", 0.0)
    first = searched(opened(tmp_path)).search
    anew, original = [], AtSettings._anew
    monkeypatch.setattr(AtSettings, "_anew", lambda self, settings: anew.append(settings) or original(self, settings))
    harness = opened(tmp_path)
    again = searched(harness).search
    assert [trial.settings for trial in again.trials] == [trial.settings for trial in first.trials]
    assert [(trial.verdict, trial.effect, trial.interval) for trial in again.trials] == [
        (trial.verdict, trial.effect, trial.interval) for trial in first.trials
    ]
    verdicts = {str(trial.settings): trial.verdict for trial in first.trials}
    assert sorted(verdicts[str(settings)] for settings in anew) == sorted(set(verdicts.values()))
    assert harness.store.made <= 2  # confirmations, on seeds of their own


def test_what_a_first_look_has_decided_is_kept_when_the_next_is_interrupted(tmp_path, monkeypatch):
    """Although no setting of the batch was told yet."""

    def body(harness):
        recipe = Recipe(ToyImages(train=24, noise=harness.setting("noise", 1.0)), MLP((2,)), epochs=1)
        seeds = harness.store.population(recipe, range(16)).seeds
        rows = [(seed, regime, (regime == "standard") * (1 + 0.01 * (seed % 3))) for seed in seeds for regime in REGIMES]
        return Evidence(pd.DataFrame(rows, columns=["seed", "regime", "llc"]))

    claimed, original = broken({"noise": st.floats(0.5, 1.5)}, body), AtSettings._make

    def made(self, batch, look, *more):
        if look is None:
            raise KeyboardInterrupt
        return original(self, batch, look, *more)

    monkeypatch.setattr(AtSettings, "_make", made)
    with pytest.raises(KeyboardInterrupt):
        searched(opened(tmp_path), claimed)
    noted = {each.name for each in (tmp_path / "searches").rglob("*.json")}
    assert len(noted) == 3  # the even half
    monkeypatch.setattr(AtSettings, "_make", original)
    assert {trial.n for trial in searched(opened(tmp_path), claimed).search.trials} == {6}
    assert noted < {each.name for each in (tmp_path / "searches").rglob("*.json")}


def test_a_damaged_note_is_none(tmp_path):
    first = searched(opened(tmp_path)).search
    for path in (tmp_path / "searches").rglob("*.json"):
        path.write_text("{")
    again = searched(opened(tmp_path)).search
    assert [trial.verdict for trial in again.trials] == [trial.verdict for trial in first.trials]


def test_it_says_how_far_it_is(tmp_path):
    beats = []
    harness = open_harness(tmp_path, scale="reduced", heartbeat=lambda beat: beats.append(beat))
    searched(harness)
    told = [beat for beat in beats if beat["population"] == "settings of mine/lower"]
    assert [beat["done"] for beat in told] == [1, 2, 3, 4, 5, 6]
    assert told[-1]["share"] == 1.0
    json.dumps(told)


# --- whatever breaks is said in its own place --------------------------------------------------------------------------


def broken(scope, body=None):
    """The claim with another scope, and a body that may break."""
    function = body or lower
    declared = replace(lower.__claim__, scope=scope)

    def run(harness):
        return function(harness)

    run.__claim__ = declared
    return run


def raising(message):
    def draw(value):
        raise RuntimeError(message)

    return draw


SCOPES = {
    "a filter that rejects nearly all": {"steps": st.integers(0, 10_000).filter(lambda value: value == 3)},
    "a filter that rejects all": {"steps": st.integers(1, 5).filter(lambda value: False)},
    "a strategy that raises": {"steps": st.integers(1, 5).map(raising("no such value"))},
    "a single value": {"steps": st.just(2)},
    "a range of one value": {"noise": st.floats(1.0, 1.0)},
    "an endless range": {"noise": st.floats(min_value=0.5)},
    "any number": {"noise": st.floats()},
    "any whole number": {"noise": st.integers()},
    "an empty list": {"steps": st.nothing()},
    "values that a study refuses": {"steps": st.sampled_from([2, 0, -1])},
    "values of another type": {"steps": st.sampled_from([2, "many", None])},
    "one default beside it": {"noise": st.floats(5.0, 6.0)},
}


@pytest.mark.parametrize("name", SCOPES)
def test_a_scope_never_changes_the_verdict_of_its_claim(name, tmp_path):
    harness = opened(tmp_path)
    expected = searched(harness, trials=0)
    done = searched(harness, broken(SCOPES[name]), trials=4)
    assert done.row["verdict"] == expected.row["verdict"] != "error"
    assert done.row["effect"] == expected.row["effect"]
    found = done.search
    assert found is not None
    assert found.reason
    for trial in found.trials:
        assert trial.verdict != "error" or (trial.reason and trial.settings)


def test_what_breaks_a_search_names_the_setting(tmp_path):
    for name in ("a filter that rejects all", "a strategy that raises", "an empty list"):
        found = searched(opened(tmp_path), broken(SCOPES[name]), trials=4).search
        assert found.broke is not None
        assert "steps" in found.broke, name


def test_a_body_that_breaks_somewhere_is_told_with_its_setting(tmp_path):
    def body(harness):
        if harness.setting("noise", 1.0) != 1.0:
            raise KeyError("no such column")
        harness.setting("steps", 2)
        return lower(harness)

    found = searched(opened(tmp_path), broken(lower.__claim__.scope, body), trials=4).search
    bad = [trial for trial in found.trials if trial.verdict == "error"]
    assert bad
    assert all(trial.reason == "KeyError: 'no such column'" and "noise" in trial.settings for trial in bad)


# --- screening ------------------------------------------------------------------------------------------------------------


class Seen:
    def __init__(self, outcome, n=16, rule="above"):
        self.outcome = type("O", (), {"value": outcome})()
        self.estimate = type("E", (), {"n": n})()
        self.prediction = type("P", (), {"rule": rule})()


def counts(screen: Screen, seeds: int) -> list[int]:
    return [len(look.seeds(range(seeds))) for look in screen.looks]


@pytest.mark.parametrize(
    ("n", "seeds", "kept"),
    [(96, 16, [2, 6]), (32, 16, [3, 7]), (16, 16, [6]), (12, 12, [6]), (8, 8, []), (6, 3, []), (1000, 4, [2])],
)
def test_a_first_look_has_units_enough_and_one_between_comes_where_there_is_room(n, seeds, kept):
    assert counts(screen_of(Seen("supported", n), seeds, lambda look: Seen("supported")), seeds) == kept


@pytest.mark.parametrize("looks", [1, 2])
def test_looks_share_alpha_and_what_is_undecided_is_looked_at_again(looks):
    shares = []

    def judged(outcome):
        def at(share):
            shares.append(share)
            return Seen(outcome)

        return at

    def early(*outcomes):
        left = list(outcomes)
        return lambda look: look.verdict(judged(left.pop(0)))

    screen = Screen.of({1: 0.5, 2: 0.125}[looks])
    assert len(screen.looks) == looks
    parts = [*(look.alpha for look in screen.looks), screen.rest]
    assert sum(parts) == pytest.approx(1.0)
    assert min(parts) > 0
    open_looks = ["inconclusive"] * looks
    assert screen.judged(early(*open_looks), judged("refuted")).outcome.value == "refuted"
    assert shares == parts
    for decided in range(looks):
        del shares[:]
        seen = early(*open_looks[:decided], "supported")
        assert screen.judged(seen, judged("refuted")).outcome.value == "supported"
        assert shares == parts[: decided + 1]
    assert Screen().judged(early(), judged("refuted")).outcome.value == "refuted"
    assert shares[-1] == 1.0


def test_a_claim_without_sampling_error_has_one_look():
    assert not screen_of(Seen("supported", 96, "exact"), 16, lambda look: Seen("supported")).looks


@pytest.mark.parametrize(("fewest", "kept"), [(1, [2, 6]), (3, [3, 7]), (5, [5]), (9, [])])
def test_a_first_look_has_seeds_enough_for_the_gates(fewest, kept):
    """With fewer a gate fails, or the prediction cannot be estimated."""

    def few(look):
        count = len(look.seeds(range(16)))
        if count < fewest - 1:
            raise ValueError("too few")
        return Seen("inconclusive" if count >= fewest else "invalid")

    assert counts(screen_of(Seen("supported", 96), 16, few), 16) == kept


def test_the_p_of_one_of_two_looks_may_be_compared_with_all_of_alpha():
    """Of 20,000 settings in which there is nothing: below x in no more than a share x of them, with 3 standard errors."""
    import numpy as np
    import scipy.stats

    from harness.judge.caution import Sides

    rng = np.random.default_rng(3)
    few, more = rng.normal(size=(2, 20_000))
    first = scipy.stats.norm.sf(few)
    second = scipy.stats.norm.sf(0.5 * few + np.sqrt(0.75) * more)  # the same units, and three times as many besides
    decided = (first <= 0.05 * FIRST) | (first >= 1 - 0.05 * FIRST)
    ps = np.array([
        Sides(float(one), None).at(FIRST).support if done else Sides(float(two), None).at(1 - FIRST).support
        for one, two, done in zip(first, second, decided, strict=True)
    ])  # fmt: skip
    for level in (0.001, 0.01, 0.05, 0.2):
        assert np.mean(ps <= level) <= level + 3 * np.sqrt(level / 20_000)


# --- what a scope may name --------------------------------------------------------------------------------------------------


@profile(max_examples=50)
@given(st.sets(st.sampled_from("abcdef"), min_size=1), st.sets(st.sampled_from("abcdef")))
def test_a_scope_may_name_what_was_asked_for_at_the_defaults_and_nothing_else(named, asked):
    declared = replace(lower.__claim__, scope={name: st.integers(0, 3) for name in named})
    if named <= asked:
        check_scope(declared, dict.fromkeys(asked, 1))
        return
    with pytest.raises(ClaimError) as caught:
        check_scope(declared, dict.fromkeys(asked, 1))
    said = str(caught.value)
    assert f"names {', '.join(sorted(named - asked))}, which no study asks for at the defaults" in said
    assert "also where only some choices use it" in said
