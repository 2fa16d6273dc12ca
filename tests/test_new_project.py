"""``python -m harness new``: what it writes works as it stands."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from harness.cli import main
from harness.cli.new import PLACES, write


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_the_new_folder_has_a_claim_that_is_supported_in_seconds(tmp_path):
    folder = tmp_path / "My_paper"
    assert main(["new", str(folder)]) == 0
    assert sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()) == sorted(PLACES.values())
    listed = run(folder, "harness", "list")
    assert listed.stdout.split("  ")[0] == "my-paper/longer-is-better", listed.stderr
    done = run(folder, "pytest", "claims/", "-q", "-p", "no:cacheprovider")
    assert done.returncode == 0, done.stdout
    assert "SUPPORTED" in done.stdout
    assert "my-paper/longer-is-better" in done.stdout
    assert "smaller models" not in done.stdout  # the claim has no scales
    assert (folder / ".harness" / ".gitignore").read_text().splitlines()[-1] == "*"
    subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
    (folder / ".gitignore").unlink()  # the store needs none
    seen = subprocess.run(
        ["git", "status", "--porcelain", "-uall"], cwd=folder, capture_output=True, text=True, check=True
    ).stdout
    assert ".harness" not in seen
    assert "claims/test_first.py" in seen


def test_its_files_name_no_place_and_no_template(tmp_path):
    for path in write(tmp_path / "paper"):
        text = path.read_text(encoding="utf-8")
        assert "DOCUMENT" not in text
        assert "NAME" not in text


@pytest.mark.parametrize("name", ["1st", "my paper", "-x", "ä", "a.b"])
def test_a_name_that_no_claim_can_begin_with_is_refused(tmp_path, name, capsys):
    assert main(["new", "--", str(tmp_path / name)]) == 2
    assert "cannot name a project" in capsys.readouterr().err
    assert not (tmp_path / name).exists()


def test_nothing_is_overwritten(tmp_path, capsys):
    (tmp_path / "paper").mkdir()
    (tmp_path / "paper" / "notes.md").write_text("mine")
    assert main(["new", str(tmp_path / "paper")]) == 2
    assert "nothing in it is to be overwritten" in capsys.readouterr().err
    (tmp_path / "file").write_text("mine")
    assert main(["new", str(tmp_path / "file")]) == 2
    assert (tmp_path / "paper" / "notes.md").read_text() == "mine"
