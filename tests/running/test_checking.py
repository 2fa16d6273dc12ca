"""Which noted settings are judged anew: the few that tell a change soonest, within a share of the time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from planted import Planted, first, step

from harness.running import checking
from harness.running.checking import CHECKING, SHARE, Checks, by_what_they_tell
from harness.running.notes import StaleError
from harness.running.trials import Trial

SCOPE = first(1)
VERDICTS = st.sampled_from(["supported", "refuted", "inconclusive", "invalid"])


def trial(noise: float, verdict: str = "supported", distance: float | None = 1.0, seconds: float = 0.4) -> Trial:
    return Trial({"noise": noise}, verdict, "", distance, None, 8, seconds, distance=distance, error=0.1)


TRIALS = st.lists(
    st.builds(trial, st.floats(0.5, 3.0), VERDICTS, st.none() | st.floats(-3, 3), st.floats(0, 100)),
    max_size=20, unique_by=lambda each: each.settings["noise"],
)  # fmt: skip


@given(TRIALS)
def test_all_are_named_once_and_one_of_each_verdict_first(noted):
    order = list(by_what_they_tell(SCOPE, noted))
    assert sorted(order, key=repr) == sorted(noted, key=repr)
    verdicts = {each.verdict for each in noted}
    assert {each.verdict for each in order[: len(verdicts)]} == verdicts


@given(TRIALS, st.floats(0.6, 2.9))
def test_both_ends_of_an_edge_come_first(noted, edge):
    """Where nothing is undecided: no setting lies between the two."""
    noted = [replace(each, verdict="supported" if each.settings["noise"] < edge else "refuted") for each in noted]
    below, above = ([each for each in noted if (each.settings["noise"] < edge) == side] for side in (True, False))
    if below and above:
        ends = [max(below, key=lambda each: each.settings["noise"]), min(above, key=lambda each: each.settings["noise"])]
        assert sorted(map(repr, list(by_what_they_tell(SCOPE, noted))[:2])) == sorted(map(repr, ends))


def moved(planted: Planted, share: float, trials: list[Trial]) -> list[int]:
    """Places, in the order of checking, of the settings that come to lie on the other side of a threshold that moves."""
    assert planted.threshold is not None
    low, high = sorted((planted.threshold, planted.threshold + 2.5 * share))
    order = by_what_they_tell(planted.scope, trials)
    noise = [each.settings.get("noise", planted.scope.defaults["noise"]) for each in order]
    return [at for at, each in enumerate(noise) if low <= each < high]


@pytest.mark.parametrize("dimensions", [1, 2, 5])
def test_a_step_that_moves_is_seen_by_the_first_five_settings(dimensions):
    """Which fit into two seconds where one takes 0.4; where no setting lies between the two edges there is nothing to see."""
    seen = []
    for seed in range(6):
        planted = step(dimensions, seed)
        trials = list(planted.search(24).trials)
        places = [moved(planted, share, trials) for share in (-0.25, -0.1, -0.05, 0.05, 0.1, 0.25)]
        seen += [found[0] < 5 for found in places if found]
    assert len(seen) > 24
    assert sum(seen) >= 0.9 * len(seen)


# --- what it may take -----------------------------------------------------------------------------------------------------


class Clock:
    """Of which a setting takes so many seconds."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        monkeypatch.setattr(checking, "time", SimpleNamespace(perf_counter=lambda: self.now, monotonic=lambda: self.now))


def checked(
    clock: Clock, noted: list[Trial], takes: float, *, until: float | None = None, now: dict[float, Trial] | None = None
) -> list[Trial]:
    """The settings that are judged anew, of which some may say something else now."""
    judged: list[Trial] = []

    def anew(settings: Any) -> Any:
        clock.now += takes
        judged.append(next(each for each in noted if each.settings == settings))
        return (now or {}).get(settings["noise"], judged[-1])

    class Kept:
        def all(self) -> Iterator[Trial]:
            return iter(noted)

    late = {each.settings["noise"] for each in (now or {}).values() if each.reason == "late"}
    checks = Checks(Kept(), anew, lambda settings: settings["noise"] in late, until)  # type: ignore[arg-type]
    checks.begin(SCOPE)
    for each in noted:  # as a search comes to them
        checks.check(each)
    assert len(judged) == len({repr(each) for each in judged})
    return judged


@pytest.mark.parametrize("takes", [0.01, 0.4, 3.0, 60.0])
@pytest.mark.parametrize("noted_seconds", [0.4, 60.0])
@pytest.mark.parametrize("until", [None, 30.0, 3600.0])
def test_as_many_as_fit_into_the_share_and_one_of_each_verdict_always(monkeypatch, takes, noted_seconds, until):
    noted = [trial(0.5 + at / 20, "supported" if at < 20 else "refuted", seconds=noted_seconds) for at in range(40)]
    judged = checked(Clock(monkeypatch), noted, takes, until=until)
    allowed = max(CHECKING, SHARE * 40 * noted_seconds)
    allowed = allowed if until is None else min(allowed, max(CHECKING, SHARE * until))
    assert {each.verdict for each in judged} == {"supported", "refuted"}
    assert len(judged) == 2 or len(judged) * takes <= allowed + 1e-9
    assert len(judged) == 40 or (len(judged) + 1) * takes > allowed


def test_one_that_says_something_else_ends_it_and_one_that_does_not_return_in_time_does_not(monkeypatch):
    noted = [trial(1.0), trial(2.0, "refuted")]
    changed = replace(noted[1], verdict="supported")
    with pytest.raises(StaleError, match="noise = 2, is supported now and was refuted"):
        checked(Clock(monkeypatch), noted, 0.1, now={2.0: changed})
    assert checked(Clock(monkeypatch), noted, 0.1, now={2.0: replace(changed, reason="late")}) == noted
