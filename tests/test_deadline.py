"""Limits of time: what is interrupted, what does not count, and what is afterwards as before."""

from __future__ import annotations

import contextlib
import importlib
import signal
import sys
import threading
import time
from pathlib import Path
from types import FrameType

import pytest

from harness import deadline
from harness.deadline import Limit, TimedOut, doing, idle, moved

SHORT = 0.2


def loop() -> None:
    while True:
        pass


def sleep() -> None:
    time.sleep(60)


def lock() -> None:
    held = threading.Lock()
    held.acquire()
    held.acquire()


def in_spite_of_everything() -> None:
    while True:
        try:
            sum(range(1000))
        except Exception:
            continue


def swallowed_once() -> None:
    try:
        sleep()
    except BaseException:
        sleep()


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deadline, "AGAIN", SHORT)


@pytest.mark.parametrize("work", [loop, sleep, lock, in_spite_of_everything, swallowed_once])
def test_work_is_ended_where_it_stands_and_says_what_it_was(work) -> None:
    began = time.monotonic()
    said = r"^did not return within 0\.2 s, while training mlp$"
    with pytest.raises(TimedOut, match=said), Limit(SHORT).running(), doing("training mlp"):
        work()
    assert SHORT <= time.monotonic() - began < 30


@pytest.mark.parametrize("work", [sleep, lambda: None])
def test_afterwards_no_clock_runs(work) -> None:
    before = signal.getsignal(signal.SIGALRM)
    with contextlib.suppress(TimedOut), Limit(SHORT).running():
        work()
    assert signal.getsignal(signal.SIGALRM) is before
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    assert deadline._running is None
    assert deadline._doing == []
    time.sleep(2 * SHORT)


def test_a_clock_that_ran_before_runs_on() -> None:
    def within_it() -> None:
        with Limit(60).running():
            time.sleep(SHORT / 2)
        sleep()

    with pytest.raises(TimedOut, match=r"within 0\.4 s"), Limit(2 * SHORT).running():
        within_it()


def test_of_two_clocks_the_earlier_counts() -> None:
    with pytest.raises(TimedOut, match=r"within 0\.2 s"), Limit(SHORT).running(), Limit(60).running():
        sleep()
    with pytest.raises(TimedOut, match=r"within 0\.2 s"), Limit(60).running(), Limit(SHORT).running():
        sleep()


class Rung(BaseException):
    """Somebody else's alarm."""


@pytest.fixture
def alarm():
    """Set an alarm as other packages do; afterwards none is set."""

    def ring(number: int, frame: object) -> None:
        raise Rung

    before = signal.getsignal(signal.SIGALRM)
    yield lambda seconds: (signal.signal(signal.SIGALRM, ring), signal.setitimer(signal.ITIMER_REAL, seconds))
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def test_an_earlier_alarm_of_somebody_else_rings_within_the_limit_and_not_after_it(alarm) -> None:
    alarm(SHORT)
    with pytest.raises(Rung), Limit(60).running():
        sleep()
    assert signal.getitimer(signal.ITIMER_REAL)[0] == 0  # it has rung


def test_a_later_alarm_of_somebody_else_is_kept(alarm) -> None:
    alarm(60)
    with pytest.raises(TimedOut), Limit(SHORT).running():
        sleep()
    assert 50 < signal.getitimer(signal.ITIMER_REAL)[0] < 60


def test_an_alarm_that_ends_nothing_leaves_the_limit_as_it_was(alarm) -> None:
    heard: list[int] = []
    alarm(SHORT / 2)
    signal.signal(signal.SIGALRM, lambda number, frame: heard.append(number))
    with pytest.raises(TimedOut), Limit(SHORT).running():
        sleep()
    assert heard == [signal.SIGALRM]


def test_several_goes_count_together() -> None:
    limit = Limit(3 * SHORT)
    with limit.running():
        time.sleep(2 * SHORT)
    time.sleep(2 * SHORT)  # between them nothing counts
    with limit.running():
        pass
    with pytest.raises(TimedOut), limit.running():
        time.sleep(2 * SHORT)


def test_waiting_for_others_does_not_count_while_they_get_on() -> None:
    with Limit(2 * SHORT).running():
        for _ in range(8):
            idle(SHORT / 2)
            moved()


def test_waiting_for_others_that_do_nothing_ends() -> None:
    def wait() -> None:
        while True:
            idle(SHORT / 4)

    with pytest.raises(TimedOut, match="it waited for another process, which finished nothing"), Limit(SHORT).running():
        wait()


def test_a_wait_of_which_somebody_else_takes_care_has_no_end() -> None:
    with Limit(SHORT).running():
        for _ in range(10):
            idle(SHORT / 4, endless=True)


def test_without_a_limit_waiting_is_sleeping() -> None:
    idle(0.0)
    moved()
    deadline.stop()


def test_a_clock_that_is_stopped_lets_the_rest_go_on() -> None:
    with Limit(SHORT).running():
        try:
            sleep()
        except TimedOut:
            deadline.stop()
        time.sleep(2 * SHORT)


def test_an_import_is_not_left_half_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "slow_to_import.py").write_text(f"import time\nbefore = 1\ntime.sleep({2 * SHORT})\nafter = 1\n")
    monkeypatch.syspath_prepend(tmp_path)

    def work() -> None:
        importlib.import_module("slow_to_import")
        sleep()

    with pytest.raises(TimedOut), Limit(SHORT).running():
        work()
    assert sys.modules.pop("slow_to_import").after == 1


def test_a_ring_that_nobody_hears_is_not_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    """A signal between Python's last instruction and a sleep is answered when the sleep is over."""
    ring, lost = Limit._ring, []

    def hard_of_hearing(limit: Limit, number: int, frame: FrameType | None) -> None:
        if len(lost) < 2:
            lost.append(number)
        else:
            ring(limit, number, frame)

    monkeypatch.setattr(Limit, "_ring", hard_of_hearing)
    began = time.monotonic()
    with pytest.raises(TimedOut), Limit(SHORT).running():
        sleep()
    assert len(lost) == 2
    assert time.monotonic() - began < 30


class Recorder:
    def __init__(self) -> None:
        self.armed: list[float] = []
        self.disarmed = 0

    def arm(self, seconds: float) -> None:
        self.armed.append(seconds)

    def disarm(self) -> None:
        self.disarmed += 1


def test_a_hard_stop_is_set_beyond_the_limit_and_taken_back() -> None:
    stop = Recorder()
    with Limit(5, stop).running():
        pass
    assert stop.armed == [pytest.approx(5 + deadline.GRACE, abs=0.1)]
    assert stop.disarmed


def test_a_hard_stop_waits_as_long_as_the_work_does(monkeypatch: pytest.MonkeyPatch) -> None:
    stop, now = Recorder(), [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(time, "sleep", lambda seconds: now.__setitem__(0, now[0] + seconds))
    with Limit(5, stop).running():
        idle(2.0)
    assert stop.armed == [5 + deadline.GRACE] * 2


def test_without_a_timer_the_hard_stop_is_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deadline, "CAN_INTERRUPT", False)
    stop = Recorder()
    with Limit(SHORT, stop).running():
        time.sleep(2 * SHORT)
    assert stop.armed == [pytest.approx(SHORT, abs=0.1)]


def test_a_wait_for_another_process_counts_for_no_limit_around_it():
    outer, inner = Limit(0.6), Limit(0.5)
    with outer.running():
        assert deadline.seconds() == 0.6
        with inner.running():
            assert deadline.seconds() == 0.5
            for _ in range(5):
                idle(0.2)
                moved()
        time.sleep(0.2)  # more than what would be left of the outer one


@pytest.mark.parametrize("which", ["inner", "outer"])
def test_it_says_whose_time_is_over(which):
    outer, inner = (Limit(60), Limit(SHORT)) if which == "inner" else (Limit(SHORT), Limit(60))
    with pytest.raises(TimedOut) as caught, outer.running(), inner.running():
        sleep()
    assert caught.value.limit is (inner if which == "inner" else outer)
    assert deadline.seconds() is None
