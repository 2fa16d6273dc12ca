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
    "helpers.py": """
LIMIT = 3
def table(size):
    return size * LIMIT
def used(x):
    return x + 1
def unused(x):
    return x
""",
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
        folder.mkdir(exist_ok=True)
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


def follows(project: Callable[..., str], files: dict[str, str]) -> bool:
    """Whether the digest tells FAR = 1 from FAR = 2, and not NEAR = 1 from NEAR = 2."""
    assert project(files, "NEAR = 1", "NEAR = 2") == project(files)
    return project(files, "FAR = 1", "FAR = 2") != project(files)


BASES = {
    "told": "class Base:\n    def __init_subclass__(cls):\n        FOUND.append(cls)\nFOUND = []\nclass Plain:\n    pass\n",
    "made": "FOUND = []\nclass Meta(type):\n    def __init__(cls, *given):\n        FOUND.append(cls)\n"
            "class Base(metaclass=Meta):\n    pass\nclass Plain:\n    pass\n",
    "asked": "class Base:\n    pass\nclass Plain:\n    pass\n",
}  # fmt: skip
ASKS = {"told": "FOUND", "made": "FOUND", "asked": "Base.__subclasses__()"}
PLACES = {
    "its own module": ("", "{classes}", ""),
    "a module that it imports": ("import reached_more\n", "", "from reached_base import Base, Plain\n{classes}"),
    "a module that it imports from": ("from reached_more import NOTHING\n", "",
                                      "import reached_base as b\nfrom reached_base import *\nNOTHING = 0\n{classes}"),
    "a module that another imports": ("import reached_between\n", "", "from reached_base import *\n{classes}"),
}  # fmt: skip


@pytest.mark.parametrize("way", BASES)
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("between", ["", "class Between(Base):\n    pass\n"], ids=["below", "far below"])
def test_classes_below_one_that_is_told_of_them_or_asked_for_them_count(
    project: Callable[..., str], way: str, place: str, between: str
) -> None:
    first, here, there = PLACES[place]
    classes = f"{between}class Far({'Between' if between else 'Base'}):\n    FAR = 1\nclass Near(Plain):\n    NEAR = 1\n"
    assert follows(project, {
        "reached_study": f"from reached_base import *\n{first}{here.format(classes=classes)}"
                         f"def fixture():\n    return {ASKS[way]}\n",
        "reached_base": BASES[way], "reached_more": there.format(classes=classes), "reached_between": "import reached_more\n",
    })  # fmt: skip


@pytest.mark.parametrize("way", ["import reached_more", "from reached_more import NOTHING"])
def test_what_a_module_does_when_it_is_imported_counts_whether_or_not_its_names_are_used(
    project: Callable[..., str], way: str
) -> None:
    for study in (f"{way}\ndef fixture():\n    return TABLE\n", f"def fixture():\n    {way}\n    return TABLE\n"):
        assert follows(project, {
            "reached_study": f"from reached_table import TABLE\n{study}", "reached_table": "TABLE = {}\n",
            "reached_more": "from reached_table import TABLE\nNEAR = 1\nNOTHING = 0\nTABLE['x'] = dict(FAR = 1)\n",
        })  # fmt: skip


def test_classes_below_one_that_nobody_asks_do_not_count(project: Callable[..., str]) -> None:
    files = {"reached_study": "class Base:\n    pass\nclass Other(Base):\n    FAR = 1\nclass Near:\n    NEAR = 1\n"
                              "def fixture():\n    return Base()\n"}  # fmt: skip
    assert not follows(project, files)


BY_TEXT = {
    "globals()": "def fixture(name='FAR'):\n    return globals()[name]\n",
    "vars()": "def fixture(name='FAR'):\n    return inner(name)\ndef inner(name, here=None):\n    return eval(name)\n",
    "sys.modules of its own": "import sys\ndef fixture(name='FAR'):\n    return getattr(sys.modules[__name__], name)\n",
}


@pytest.mark.parametrize("way", BY_TEXT)
def test_of_a_module_whose_names_are_looked_up_by_texts_all_counts(project: Callable[..., str], way: str) -> None:
    assert follows(project, {"reached_study": BY_TEXT[way] + "FAR = 1\n", "reached_other": "NEAR = 1\n"})


OF_ANOTHER = [
    "getattr(reached_other, name)", "vars(reached_other)[name]", "reached_other.__dict__[name]",
    "sys.modules['reached_other'].FAR",
    "reached_other.__getattribute__(name)", "importlib.import_module('reached_other').FAR",
]  # fmt: skip


@pytest.mark.parametrize("way", OF_ANOTHER)
def test_of_another_module_whose_names_are_looked_up_by_texts_all_counts(project: Callable[..., str], way: str) -> None:
    study = f"import importlib, sys, reached_other, reached_beside\ndef fixture(name='FAR'):\n    return {way}\n"
    assert follows(project, {"reached_study": study, "reached_other": "FAR = 1\n", "reached_beside": "NEAR = 1\n"})


IN_PACKAGE = {
    "import of a module": "import pack.a\ndef fixture():\n    return pack.a.RATE\n",
    "renamed": "import pack.a as other\ndef fixture():\n    return other.RATE\n",
    "inside": "def fixture():\n    import pack.a\n    return pack.a.RATE\n",
    "the package": "import pack, pack.a\ndef fixture():\n    return (lambda package: package.a.RATE)(pack)\n",
    "by name": "import importlib\ndef fixture():\n    return importlib.import_module('pack.a').RATE\n",
    "relative, to a package": "import importlib\ndef fixture():\n"
                              "    return importlib.import_module('.a', package='pack').RATE\n",
    "relative, by place": "import importlib\ndef fixture():\n    return importlib.import_module('.a', 'pack').RATE\n",
    "relative, from below": "from importlib import import_module as load\ndef fixture():\n"
                            "    return load(package='pack.deep', name='..a').RATE\n",
    "by __import__": "def fixture():\n    return __import__('pack.a').a.RATE\n",
    "computed": "import importlib\ndef fixture(name='a'):\n    return importlib.import_module(f'pack.{name}').RATE\n",
    "computed, relative": "import importlib\ndef fixture(name='a'):\n"
                          "    return importlib.import_module('.' + name, package='pack').RATE\n",
}  # fmt: skip
COARSE = {"computed", "computed, relative"}  # of a package of which one module is taken, all


@pytest.mark.parametrize("way", IN_PACKAGE)
def test_a_module_of_a_package_counts_however_it_is_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    def digest(number: int, rate: int, beside: int) -> str:
        folder = tmp_path / str(number)
        (folder / "pack" / "deep").mkdir(parents=True)
        (folder / "reached_study.py").write_text(IN_PACKAGE[way], encoding="utf-8")
        (folder / "pack" / "__init__.py").write_text("", encoding="utf-8")
        (folder / "pack" / "deep" / "__init__.py").write_text("", encoding="utf-8")
        (folder / "pack" / "a.py").write_text(f"RATE = {rate}\n", encoding="utf-8")
        (folder / "pack" / "b.py").write_text(f"RATE = {beside}\n", encoding="utf-8")
        monkeypatch.setattr(sys, "path", [str(folder), *sys.path])
        for name in [each for each in sys.modules if each.partition(".")[0] in ("pack", "reached_study")]:
            del sys.modules[name]
        importlib.invalidate_caches()
        fixture = importlib.import_module("reached_study").fixture
        assert fixture() == rate
        return ReachedCode().digest([fixture])

    first = digest(0, 1, 1)
    assert digest(1, 2, 1) != first
    if way not in COARSE:
        assert digest(2, 1, 2) == first
    for name in [each for each in sys.modules if each.partition(".")[0] in ("pack", "reached_study")]:
        del sys.modules[name]


@pytest.mark.parametrize(
    "loading",
    [
        "import importlib\ndef fixture(name='x'):\n    return importlib.import_module(name)\n",
        "def fixture(names=('x',)):\n    return __import__(*names)\n",
        "import importlib\ndef fixture(at='x'):\n    return importlib.import_module('.x', package=at)\n",
        "import runpy\ndef fixture():\n    return runpy.run_path('x.py')\n",
        "from importlib.util import spec_from_file_location as at\ndef fixture():\n    return at('x', 'x.py')\n",
    ],
)  # fmt: skip
def test_code_that_nobody_can_follow_is_an_error(project: Callable[..., str], loading: str) -> None:
    with pytest.raises(CodeError, match="so that what it does cannot be told: import it"):
        project({"reached_study": loading})


READING = {
    "open": "open('{0}').read()",
    "beside the module": "(Path(__file__).parent / '{0}').read_text()",
    "in parts": "Path(__file__).parent.joinpath(*'{0}'.split('/')).read_text()",
    "os.path": "open(os.path.join(os.path.dirname(__file__), '{0}')).read()",
    "with_name": "Path(__file__).with_name('{0}').read_text()",
    "a constant": "(Path(__file__).parent / DATA).read_text()",
    "numpy": "np.load(Path(__file__).parent / '{0}')",
}


@pytest.mark.parametrize("way", READING)
@pytest.mark.parametrize("name", ["numbers.csv", "data/numbers.csv"])
def test_files_that_it_names_count_by_their_content(project: Callable[..., str], tmp_path: Path, way: str, name: str) -> None:
    study = (f"import os\nimport numpy as np\nfrom pathlib import Path\nDATA = '{name}'\n"
             f"def fixture():\n    return {READING[way].format(name)}\n")  # fmt: skip
    digests = []
    for number, (told, beside) in enumerate([("1,2", "3"), ("1,2", "4"), ("1,3", "3")], 1):
        folder = (tmp_path / f"project{number}" / name).parent
        folder.mkdir(parents=True)
        (folder / "numbers.csv").write_text(told, encoding="utf-8")
        (folder / "others.csv").write_text(beside, encoding="utf-8")
        digests.append(project({"reached_study": study}))
    assert digests[0] == digests[1] != digests[2]


def test_files_of_the_project_count_from_any_folder_of_it_and_no_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def digest(number: int, name: str, content: str, *, place: str = "project") -> str:
        root = tmp_path / str(number) / "project"
        (root / "claims").mkdir(parents=True)
        (root / "claims" / "reached_study.py").write_text(f"def fixture():\n    return open('{name}')\n", encoding="utf-8")
        file = tmp_path / str(number) / place / "data" / "x.csv"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content, encoding="utf-8")
        sys.modules.pop("reached_study", None)
        monkeypatch.setattr(sys, "path", [str(root / "claims"), *sys.path])
        importlib.invalidate_caches()
        return ReachedCode(root).digest([importlib.import_module("reached_study").fixture])

    assert digest(1, "data/x.csv", "1") != digest(2, "data/x.csv", "2")
    assert digest(3, "data/x.csv", "1", place=".") == digest(4, "data/x.csv", "2", place=".")
    assert digest(5, "/etc/hostname", "1") == digest(6, "/etc/hostname", "2")
    del sys.modules["reached_study"]
