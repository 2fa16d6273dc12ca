"""How far long work is: what is told, by whom, and who sees it."""

from __future__ import annotations

import io
import os
import pty
import subprocess
import sys
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from harness import progress
from harness.code import code_digest
from harness.data import ToyImages
from harness.measure.attack.attack import smallest_perturbation
from harness.measure.llc.estimate import ENGINES, LLC, LLCSpec, llc
from harness.measure.llc.profile import llc_profile
from harness.progress import listening, parts, tell, under_way
from harness.recipe import MLP, Recipe
from harness.store import Store


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """A terminal that is not pytest's, where every line is shown at once (pytest sets stderr again after fixtures)."""
    shown = Terminal()
    monkeypatch.setattr("sys.stderr", shown)
    monkeypatch.setattr(progress, "_seen", shown.isatty)
    for name in ("DELAY", "SECONDS"):
        monkeypatch.setattr(progress, name, 0.0)
    return shown


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """All that is told."""
    monkeypatch.setattr(progress, "SECONDS", 0.0)
    heard: list[float] = []
    with listening(heard.append):
        yield heard


def models(count: int) -> list[torch.nn.Module]:
    return [torch.nn.Linear(2, 3) for _ in range(count)]


X, Y = torch.randn(16, 2), torch.arange(16) % 3
SPECS = {
    "kinetic": LLCSpec(budget=150, descent=5),
    "given": LLCSpec(step_size=0.01, burn_in=20, draws=30, descent=5),
    "sgld": LLCSpec(sampler="sgld", burn_in=20, draws=30, sensitivity_chains=1),
}


def test_parts_of_parts_are_told_as_shares_of_all_of_it(told: list[float]) -> None:
    for _ in parts("ab"):
        for _ in parts("cde"):
            tell(0.5)
    assert told == pytest.approx([k / 12 for k in range(1, 13)])


def test_a_part_that_is_left_by_an_exception_leaves_nothing_behind(told: list[float]) -> None:
    kept = []
    for number in parts(range(4)):
        try:
            for inner in parts(range(10)):
                kept.append(inner)
                if number == 1 and inner == 3:
                    raise ValueError
        except ValueError:
            continue
    assert told == sorted(told)
    assert told[-1] == 1
    assert any(share == pytest.approx(0.5 + 0.25 / 10) for share in told)
    tell(0.2)
    assert told[-1] == 1


def test_without_anybody_who_listens_nothing_is_told_and_parts_are_the_items() -> None:
    assert list(parts([3, 1, 2])) == [3, 1, 2]
    tell(0.5)
    with under_way("work", 3, "things") as hear:
        hear(0.5)


def test_a_listener_is_told_a_few_times_a_second_and_always_of_the_end() -> None:
    heard: list[float] = []
    with listening(heard.append):
        for step in range(10_001):
            tell(step / 10_000)
    assert len(heard) < 20
    assert heard[-1] == 1


@pytest.mark.parametrize("name", SPECS)
@pytest.mark.parametrize("engine", ENGINES)
def test_every_sampler_tells_where_it_is_and_is_not_disturbed(name: str, engine: str, told: list[float]) -> None:
    if engine not in LLC(SPECS[name]).engines:
        pytest.skip("devinterp has SGLD alone")
    some = models(3)
    heard = llc(some, X, Y, spec=SPECS[name], engine=engine)  # type: ignore[arg-type]
    assert told == sorted(told)
    assert told[-1] == 1
    assert len(told) >= 6
    with listening(lambda share: None):
        assert llc(some, X, Y, spec=SPECS[name], engine=engine).equals(heard)  # type: ignore[arg-type]


def test_the_profile_is_one_piece_of_work(told: list[float]) -> None:
    llc_profile(models(2), X, Y, gammas=(1.0, 10.0, 100.0), spec=SPECS["given"])
    assert told == sorted(told)
    assert all(any(share == pytest.approx(k / 3) for share in told) for k in (1, 2, 3))


@pytest.mark.parametrize(
    ("work", "begins", "ends"),
    [
        (lambda: llc(models(3), X, Y, spec=SPECS["given"]), "LLC, 0/3 models", "LLC, 3/3 models"),
        (lambda: llc_profile(models(3), X, Y, gammas=(1, 10), spec=SPECS["given"]), "0/6 models × γ", "6/6 models × γ"),
        (lambda: smallest_perturbation(models(3), X, Y), "0%", "3/3 models"),
    ],
)  # fmt: skip
def test_a_terminal_sees_a_line_that_goes_when_the_work_is_done(monkeypatch, work, begins, ends) -> None:  # type: ignore[no-untyped-def]
    shown_there = terminal(monkeypatch)
    work()
    lines = shown_there.getvalue().split("\r")
    shown = [line for line in lines if line.strip()]
    assert any(begins in line for line in shown)
    assert any(ends in line for line in shown)
    assert "<" in shown[1]  # time left
    assert not lines[-1].strip()  # nothing is left of it


def test_a_store_without_a_heartbeat_shows_its_work_in_a_terminal(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    shown = terminal(monkeypatch)
    store = Store(tmp_path)
    population = store.population(Recipe(ToyImages(train=60, test=9), MLP((4,)), epochs=2), range(3), name="grid")
    store.measure([population], LLC(SPECS["given"], ("all", "output"), points=30), name="grid")
    for line in ("grid trained, 3/3 members", "grid, LLC measured, 1/3 members", "grid, LLC measured, 3/3 members"):
        assert line in shown.getvalue()


def test_heartbeats_move_within_one_measurement_and_end_when_it_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "SECONDS", 0.0)
    beats: list[dict[str, object]] = []
    store = Store(tmp_path, heartbeat=beats.append)
    population = store.population(Recipe(ToyImages(train=60, test=9), MLP((4,)), epochs=2), range(4))
    beats.clear()
    store.measure([population], LLC(SPECS["given"], ("all", "output"), points=30))
    shares = [beat["share"] for beat in beats]
    assert len(set(shares)) > 20
    assert [beat["done"] for beat in beats].count(4) == 1  # type: ignore[comparison-overlap]
    assert {1, 2, 3} <= {beat["done"] for beat in beats}


def test_who_listens_names_no_number() -> None:
    before = code_digest(LLC, llc)
    with listening(lambda share: None):
        assert code_digest(LLC, llc) == before


SCRIPT = """
import time
from harness.progress import parts, under_way
with under_way("work", 4, "things"):
    for _ in parts(range(4)):
        time.sleep({seconds})
"""


@pytest.mark.parametrize(
    ("seconds", "settings", "seen"),
    [(0.8, {}, True), (0.1, {}, False), (0.8, {"TQDM_DISABLE": "1"}, False), (0.8, {"PYTEST_VERSION": "9"}, False)],
)
@pytest.mark.parametrize("lines", [0, 40])  # 0: it does not know its size
def test_a_real_terminal_sees_it_after_two_seconds(seconds: float, settings: dict[str, str], seen: bool, lines: int) -> None:
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (lines, 3 * lines))
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "TQDM"))}
    done = subprocess.run([sys.executable, "-c", SCRIPT.format(seconds=seconds)], env=plain | settings, stderr=theirs,
                          stdout=subprocess.PIPE, check=False)  # fmt: skip
    os.write(theirs, b"end\n")
    text = b""
    while not text.endswith(b"end\r\n"):
        text += os.read(ours, 4096)
    os.close(ours)
    os.close(theirs)
    assert done.returncode == 0
    assert done.stdout == b""
    assert (b"work, 3/4 things" in text) == seen
    assert seen or text == b"end\r\n"


def test_what_is_no_terminal_sees_nothing() -> None:
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "TQDM"))}
    done = subprocess.run([sys.executable, "-c", SCRIPT.format(seconds=0.7)], env=plain, capture_output=True, check=True)
    assert done.stderr == b""


def test_a_notebook_sees_it(monkeypatch: pytest.MonkeyPatch) -> None:
    class Shell:
        kernel = None

    class IPython:
        shell: object = Shell()

        @classmethod
        def get_ipython(cls) -> object:
            return cls.shell

    monkeypatch.delenv("PYTEST_VERSION", raising=False)
    monkeypatch.setattr("sys.stderr", io.StringIO())
    assert not progress._seen()
    monkeypatch.setitem(sys.modules, "IPython", IPython)  # type: ignore[arg-type]
    assert progress._seen()
    IPython.shell = object()  # IPython in a terminal, whose stderr is redirected
    assert not progress._seen()
