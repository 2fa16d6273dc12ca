"""Digests of folders of code."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.code import folder_digest


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "inner").mkdir()
    (tmp_path / "a.py").write_text('"""Words."""\nx = 1  # one\n', encoding="utf-8")
    (tmp_path / "inner" / "b.py").write_text("y = 2\n", encoding="utf-8")
    return tmp_path


def test_words_and_layout_do_not_count(folder: Path) -> None:
    before = folder_digest(folder)
    (folder / "a.py").write_text("\n# other words\nx = (1)\n", encoding="utf-8")
    (folder / "notes.md").write_text("words", encoding="utf-8")
    assert folder_digest(folder) == before


@pytest.mark.parametrize("change", [lambda f: (f / "a.py").write_text("x = 2\n"), lambda f: (f / "a.py").rename(f / "c.py"),
                                    lambda f: (f / "inner" / "b.py").unlink()])  # fmt: skip
def test_what_could_change_a_number_does(folder: Path, change) -> None:
    before = folder_digest(folder)
    change(folder)
    assert folder_digest(folder) != before


def test_a_folder_can_be_left_out(folder: Path) -> None:
    before = folder_digest(folder, without=("inner",))
    (folder / "inner" / "b.py").write_text("y = 3\n", encoding="utf-8")
    assert folder_digest(folder, without=("inner",)) == before


def test_a_file_that_cannot_be_read_leaves_it_unknown(folder: Path) -> None:
    (folder / "a.py").write_text("x = (\n", encoding="utf-8")
    assert folder_digest(folder) is None
