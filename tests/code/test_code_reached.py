"""Code that a function reaches: every definition of the project that it uses changes the digest, and nothing else does."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

from harness.code import CodeError, ReachedCode

FILES = {
    "__init__.py": "from {package}.deep import shown as shown_again\n",
    "study.py": '''
"""Fixtures."""
import numpy
from {package} import helpers, shown_again
from {package}.helpers import table as of_table
SIZES = {{"reduced": 8}}
OTHER = 1

def fixture(harness):
    """Populations."""
    from {package}.late import Late
    return of_table(SIZES[harness.scale]), helpers.used(2), shown_again(), Late, numpy.pi

def beside():
    return OTHER
''',
    "helpers.py": '''
LIMIT = 3
def table(size):
    return size * LIMIT
def used(x):
    return x + 1
def unused(x):
    return x
''',
    "deep.py": "def shown():\n    return [each for each in (1, 2)]\n",
    "late.py": "class Base:\n    rate = 0.1\n\nclass Late(Base):\n    pass\n",
}


@pytest.fixture
def edited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., str]]:
    """The digest of the fixture in a project of which some text was replaced."""
    number = 0
    monkeypatch.syspath_prepend(tmp_path)

    def digest(file: str = "study.py", old: str = "", new: str = "", *, imported: bool = False, name: str = "fixture") -> str:
        nonlocal number
        number += 1
        package = "pack"
        folder = tmp_path / str(number) / package
        folder.mkdir(parents=True)
        for each, text in FILES.items():
            text = text.format(package=package)
            assert each != file or old in text
            (folder / each).write_text(text.replace(old, new) if each == file and old else text, encoding="utf-8")
        for module in [each for each in sys.modules if each.split(".")[0] == package]:
            del sys.modules[module]
        monkeypatch.syspath_prepend(folder.parent)
        importlib.invalidate_caches()
        study: ModuleType = importlib.import_module(f"{package}.study")
        if imported:
            importlib.import_module(f"{package}.late")
        return ReachedCode().digest([getattr(study, name)])

    yield digest
    for module in [each for each in sys.modules if each.split(".")[0] == "pack"]:
        del sys.modules[module]


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("study.py", '"reduced": 8', '"reduced": 30'),
        ("study.py", "helpers.used(2)", "helpers.used(3)"),
        ("helpers.py", "LIMIT = 3", "LIMIT = 4"),
        ("helpers.py", "x + 1", "x + 2"),
        ("deep.py", "(1, 2)", "(1, 3)"),
        ("late.py", "rate = 0.1", "rate = 0.2"),
    ],
)
def test_what_it_reaches_counts(edited: Callable[..., str], file: str, old: str, new: str) -> None:
    assert edited(file, old, new) != edited()


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("study.py", '"""Populations."""', '"""Populations of another word."""'),
        ("study.py", '"""Fixtures."""', ""),
        ("study.py", "OTHER = 1", "OTHER = 2  # of a sister alone"),
        ("study.py", "return OTHER", "return 2 * OTHER"),
        ("helpers.py", "return x\n", "return 2 * x\n"),
        ("deep.py", "return [each", "# a comment\n    return [ each"),
    ],
)
def test_what_it_does_not_reach_does_not(edited: Callable[..., str], file: str, old: str, new: str) -> None:
    assert edited(file, old, new) == edited()


def test_it_is_the_same_before_and_after_the_imports_of_a_body(edited: Callable[..., str]) -> None:
    assert edited() == edited(imported=True)


def test_two_functions_of_a_module_are_two(edited: Callable[..., str]) -> None:
    assert edited(name="beside") != edited()
    assert edited("study.py", "OTHER = 1", "OTHER = 2", name="beside") != edited(name="beside")


def test_a_function_without_source_says_so(tmp_path: Path) -> None:
    made: dict[str, Callable[[], None]] = {}
    exec("def made(): pass", made)
    with pytest.raises(CodeError, match=r"the code of .*made cannot be read .*define it in a file"):
        ReachedCode().digest([made["made"]])


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., str]]:
    """The digest of the fixture ``fixture`` of a module ``study`` in a project of these files."""
    number, names = 0, set[str]()

    def digest(files: dict[str, str], old: str = "", new: str = "") -> str:
        nonlocal number
        number += 1
        folder = tmp_path / f"project{number}"
        folder.mkdir()
        for name, text in files.items():
            (folder / f"{name}.py").write_text(text.replace(old, new) if old else text, encoding="utf-8")
        names.update(files)
        for name in names:
            sys.modules.pop(name, None)
        monkeypatch.syspath_prepend(folder)
        importlib.invalidate_caches()
        return ReachedCode().digest([importlib.import_module("reached_study").fixture])

    yield digest
    for name in names:
        sys.modules.pop(name, None)


STARS = {
    "reached_study": "from reached_one import *\nfrom reached_two import *\ndef fixture():\n    return one() + two()\n",
    "reached_one": "def one():\n    return 1\n", "reached_two": "def two():\n    return 22\n",
}  # fmt: skip


@pytest.mark.parametrize(("old", "new"), [("return 1", "return 11"), ("return 22", "return 2")])
def test_names_of_every_star_import_count(project: Callable[..., str], old: str, new: str) -> None:
    assert project(STARS, old, new) != project(STARS)


@pytest.mark.parametrize(
    "call",
    [
        "importlib.import_module('reached_late')", "import_module('reached_late')", "import_module(name='reached_late')",
        "__import__('reached_late')",
    ],
)  # fmt: skip
def test_a_module_that_is_imported_by_its_name_as_text_counts(project: Callable[..., str], call: str) -> None:
    files = {
        "reached_study": f"import importlib\nfrom importlib import import_module\ndef fixture():\n    return {call}.RATE\n",
        "reached_late": "RATE = 1\n",
    }
    assert project(files, "RATE = 1", "RATE = 2") != project(files)


REGISTERED = {
    "reached_study": "from reached_table import TABLE, register\n@register('up')\ndef up():\n    return 1\n"
                     "def beside():\n    return 5\ndef fixture():\n    return TABLE['up']()\n",
    "reached_table": "TABLE = {}\ndef register(name):\n    return lambda made: TABLE.setdefault(name, made)\n",
}  # fmt: skip


def test_what_a_decorator_of_the_project_registers_counts(project: Callable[..., str]) -> None:
    assert project(REGISTERED, "return 1", "return 2") != project(REGISTERED)
    assert project(REGISTERED, "return 5", "return 6") == project(REGISTERED)


def test_code_beside_the_project_counts_and_installed_code_does_not(
    project: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {"reached_study": "from reached_beside import rate\ndef fixture():\n    return rate()\n"}

    def digest(folder: Path, value: int) -> str:
        folder.mkdir(parents=True)
        (folder / "reached_beside.py").write_text(f"def rate():\n    return {value}\n", encoding="utf-8")
        sys.modules.pop("reached_beside", None)
        monkeypatch.syspath_prepend(folder)
        return project(files)

    assert digest(tmp_path / "beside1", 1) != digest(tmp_path / "beside2", 2)
    assert digest(tmp_path / "1" / "site-packages", 1) == digest(tmp_path / "2" / "site-packages", 2)
    del sys.modules["reached_beside"]
