"""Progress: what is said of the work, and that saying it leaves no trace on pytest's terminal."""

from __future__ import annotations

import io
import re
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.pytest_plugin import progress
from harness.pytest_plugin.progress import Board, Heartbeat, Progress, Reader, spoken
from harness.pytest_plugin.screen import Screen


def beat(done, seconds, *, total=80, share=None, population="slt-grid", what="trained"):
    share = done / total if share is None else share
    return {"population": population, "done": done, "total": total, "share": share, "what": what, "seconds": seconds}


def test_a_line_says_what_is_done_and_how_long_it_takes():
    board = Board()
    board.take(beat(0, 0.0))
    assert board.line() == "population slt-grid: 0/80 trained"
    board.take(beat(40, 100.0))
    assert board.line() == "population slt-grid: 40/80 trained, about 2 min left"


def test_the_pace_is_that_since_the_first_heartbeat():
    board = Board()
    board.take(beat(70, 1.0))  # 70 were there already
    board.take(beat(75, 101.0))
    assert board.line() == "population slt-grid: 75/80 trained, about 2 min left"  # 5 at 20 s each


def test_what_is_left_goes_by_work_and_not_by_members():
    """The widest networks come first: few members are most of the work."""
    board = Board()
    board.take(beat(0, 0.0, share=0.0))
    board.take(beat(8, 90.0, share=0.9))
    assert board.line() == "population slt-grid: 8/80 trained, a few seconds left"


def test_of_workers_that_share_a_population_the_furthest_counts():
    board = Board()
    for done in (3, 9, 5):
        board.take(beat(done, 10.0))
    assert board.line().startswith("population slt-grid: 9/80")


def test_what_is_finished_is_gone_and_the_newest_stands_first():
    board = Board()
    board.take(beat(1, 1.0))
    board.take(beat(2, 1.0, population="other", what="measured", total=4))
    assert board.line().startswith("population other: 2/4 measured, a few seconds left; population slt-grid: 1/80")
    assert board.line(width=20) == "population other: 2…"
    board.take(beat(4, 2.0, population="other", what="measured", total=4))
    board.take(beat(80, 2.0))
    assert board.line() == ""


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.2, "a few seconds"),
        (11, "about 20 s"),
        (90, "about 90 s"),
        (91, "about 2 min"),
        (5400, "about 90 min"),
        (9000, "about 2.5 h"),
        (10801, "about 3.5 h"),
    ],
)
def test_times_are_rounded_up(seconds, said):
    assert spoken(seconds) == said


def test_heartbeats_travel_by_files_and_half_a_line_waits(tmp_path):
    one, two = Heartbeat(tmp_path / "heartbeat-gw0.jsonl"), Heartbeat(tmp_path / "heartbeat-gw1.jsonl")
    reader = Reader(tmp_path)
    assert reader.fresh() == []
    one(beat(1, 1.0))
    two(beat(2, 1.0))
    assert [found["done"] for found in reader.fresh()] == [1, 2]
    with (tmp_path / "heartbeat-gw0.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"done": ')
        file.flush()
        assert reader.fresh() == []
        file.write("3}\n")
    assert reader.fresh() == [{"done": 3}]


def test_heartbeats_of_a_run_that_has_ended_are_nobodys(tmp_path):
    Heartbeat(tmp_path / "gone" / "heartbeat-gw0.jsonl")(beat(1, 1.0))


@pytest.mark.parametrize("redraws", [True, False])
def test_a_terminal_redraws_and_a_file_gets_a_line_now_and_then(tmp_path, monkeypatch, redraws):
    monkeypatch.setattr(progress, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(progress, "PLAIN_SECONDS", 0.02)
    Heartbeat(tmp_path / "heartbeat-main.jsonl")(beat(1, 1.0))
    shown, came = [], threading.Event()

    def show(text):
        shown.append(text)
        came.set()

    refuse = pytest.fail
    thread = Progress(tmp_path, show if redraws else None, refuse if redraws else show)
    thread.start()
    assert came.wait(30.0)
    thread.stop()
    thread.stop()
    assert not thread.is_alive()
    assert shown[0].startswith("population slt-grid: 1/80")
    assert (shown[-1] == "") is redraws


def test_a_heartbeat_that_nobody_can_read_ends_the_progress_and_not_the_run(tmp_path, monkeypatch):
    monkeypatch.setattr(progress, "POLL_SECONDS", 0.01)
    (tmp_path / "heartbeat-main.jsonl").write_text("[]\n{\n", encoding="utf-8")
    thread = Progress(tmp_path, None, lambda line: None)
    thread.start()
    thread.join(30.0)
    assert not thread.is_alive()
    thread.stop()


def terminal(text: str) -> list[str]:
    """What a terminal shows after ``text``: its lines without the empty ones at the end."""
    lines, row, column = [""], 0, 0
    for part in re.findall(r"\x1b\[\d*[A-Z]|.|\n", text, flags=re.DOTALL):
        if part == "\n":
            row, column = row + 1, 0
            lines += [""] * (row + 1 - len(lines))
        elif part == "\r":
            column = 0
        elif part == "\x1b[2K":
            lines[row] = ""
        elif part == "\x1b[A":
            row -= 1
        elif part.startswith("\x1b["):
            column += int(part[2:-1])
        else:
            lines[row] = lines[row].ljust(column)[:column] + part + lines[row][column + 1 :]
            column += 1
    while lines and not lines[-1]:
        lines.pop()
    return lines


written = st.tuples(st.just("write"), st.sampled_from([".", "F", "test_a.py ", "\n", "\rcollected 3", "a\nb", " [ 50%]\n"]))
shown = st.tuples(st.just("redraw"), st.sampled_from(["", "population grid: 3/6 trained", "short"]))


@given(st.lists(written | shown, max_size=30))
def test_whatever_was_shown_pytest_finds_its_terminal_as_it_left_it(steps):
    file = io.StringIO()
    screen = Screen(file)
    for how, text in steps:
        getattr(screen, how)(text)
    screen.close()
    alone = "".join(text for how, text in steps if how == "write")
    assert terminal(file.getvalue()) == terminal(alone)


def test_the_line_stands_below_what_pytest_wrote_last():
    file = io.StringIO()
    screen = Screen(file)
    screen.write("claims/test_a.py .")
    screen.redraw("population grid: 3/6 trained")
    assert terminal(file.getvalue()) == ["claims/test_a.py .", "population grid: 3/6 trained"]
    screen.write("F")
    assert terminal(file.getvalue()) == ["claims/test_a.py .F"]


def test_a_line_that_stays_begins_on_a_line_of_its_own():
    file = io.StringIO()
    screen = Screen(file, column=3)
    screen.say("one")
    screen.say("two")
    assert file.getvalue() == "\none\ntwo\n"


def test_a_file_with_a_descriptor_is_written_through_a_duplicate(tmp_path):
    with (tmp_path / "terminal").open("w", encoding="utf-8") as file:
        screen = Screen(file)
        assert screen.encoding == "utf-8"
        screen.write("dots ")
        screen.redraw("shown")
        screen.close()
        file.write("after")
    assert terminal((tmp_path / "terminal").read_bytes().decode()) == ["dots after"]
