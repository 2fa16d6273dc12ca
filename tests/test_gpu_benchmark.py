"""The benchmark of a card runs: whole, in the smallest sizes, on the CPU; and its sections on a card that is pretended."""

from __future__ import annotations

import argparse
import importlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pretended_card import pretended_card

from harness import device
from harness.cuda import steps
from harness.device import standard_numerics

FILE = Path(__file__).parents[1] / "benchmarks" / "gpu.py"


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(FILE), *arguments], capture_output=True, text=True, check=False, cwd=FILE.parents[1]
    )


def module(monkeypatch: pytest.MonkeyPatch, name: str) -> Any:
    monkeypatch.syspath_prepend(str(FILE.parent))
    return importlib.import_module(name)


def test_it_writes_what_it_has_and_says_what_was_cut_short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "new" / "gpu"
    done = run(
        "--device", "cpu", "--size", "tiny", "--only", "training", "attack", "grid", "--seconds", "600", "--out", str(out)
    )
    assert done.returncode == 0, done.stderr
    found, text = json.loads(out.with_suffix(".json").read_text()), out.with_suffix(".md").read_text()
    assert found["problems"] == {}
    assert {each["section"] for each in found["rows"]} == {"training", "attack", "grid"}
    beside = [each for each in found["rows"] if "ratio" in each]
    assert len(beside) == 3
    assert all(each["what"] in text and each["ours"] > 0 for each in found["rows"])
    short = run("--device", "cpu", "--size", "tiny", "--only", "grid", "training", "--seconds", "0.1", "--out", str(out))
    assert short.returncode == 0
    assert json.loads(out.with_suffix(".json").read_text())["problems"] == dict.fromkeys(
        ("grid", "training"), "no time was left"
    )
    rows: list[object] = []
    given = argparse.Namespace(device="cpu", size="tiny")
    assert module(monkeypatch, "gpu").in_time("grid", given, 1.0, rows.append) == "ended after 1 s"


def test_a_card_that_is_not_there(tmp_path: Path) -> None:
    done = run("--out", str(tmp_path / "gpu"))
    assert done.returncode == 2
    assert "no CUDA device was found" in done.stderr


@pytest.mark.parametrize("section", ["LLC", "training", "attack"])
def test_a_section_on_a_card(section: str, monkeypatch: pytest.MonkeyPatch) -> None:
    sections = module(monkeypatch, "gpu_sections")
    for owner, name in steps.PLACES:
        monkeypatch.setattr(owner, name, getattr(owner, name))
    monkeypatch.setattr(steps, "_FORMS", type(steps._FORMS)())
    monkeypatch.setattr(sections, "devinterp", lambda *given: 1.0)  # which pickles what it is given
    monkeypatch.setattr("torch.set_num_threads", lambda count: None)
    try:
        with pretended_card(monkeypatch) as card, standard_numerics("cuda"):
            seen = []
            for each in sections.RUN[section]("cuda", sections.TINY):
                seen.append((each["what"], card.replayed))
                assert section == "LLC" or each["ours"] > 0  # a difference of two times, which are too short here
    finally:
        device.limit_memory(None)
    for what, replayed in seen:
        assert "kernel by kernel" not in what or replayed == 0
        assert "captured" not in what or replayed > 0
    assert sum("two CPU threads" in what for what, _ in seen) == {"LLC": 6, "training": 2, "attack": 2}[section]
