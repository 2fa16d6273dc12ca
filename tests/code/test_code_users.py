"""Code that users bring: in a package, a cell of a notebook, a function; edited, imported again, or not to be found."""

from __future__ import annotations

import importlib
import itertools
import linecache
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from harness.code import CodeError, closure, code_digest

NUMBERS = itertools.count()
Write = Callable[..., Path]


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, Write]]:
    """The name of a package that is nowhere yet, and what writes its files."""
    name = f"users_package_{next(NUMBERS)}"
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # an edit within a second would be taken for none

    def write(**files: str) -> Path:
        for file, text in files.items():
            path = tmp_path / name / f"{file.replace('__dot__', '/')}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(text))
        importlib.invalidate_caches()
        return tmp_path / name

    write(__init__="")
    yield name, write
    for module in [each for each in sys.modules if each.partition(".")[0] == name]:
        del sys.modules[module]


def load(name: str, module: str) -> ModuleType:
    return importlib.import_module(f"{name}.{module}")


WAYS = {
    "absolute": "from {0}.helper import factor",
    "relative": "from .helper import factor",
    "module": "import {0}.helper\nfactor = {0}.helper.factor",
    "renamed": "from {0} import helper as h\nfactor = h.factor",
    "in a function": "def factor():\n    from . import helper\n    return helper.factor()",
    "star": "from .helper import *",
    "by name": "import importlib\nfactor = importlib.import_module('{0}.helper').factor",
    "relative by name": "import importlib\nfactor = importlib.import_module('.helper', __package__).factor",
    "by computed name": "from importlib import import_module\nfactor = import_module(f'{0}.{{\"helper\"}}').factor",
    "through the package": "from {0} import factor",
    "if it is there": "try:\n    from .helper import factor\nexcept ImportError:\n    factor = None",
}


@pytest.mark.parametrize("way", WAYS)
def test_a_helper_counts_however_it_is_imported(package: tuple[str, Write], way: str) -> None:
    name, write = package
    write(
        __init__=f"from {name}.helper import factor" if way == "through the package" else "",
        helper="def factor():\n    return 2\n", unrelated="X = 1\n",
        measure=WAYS[way].format(name) + "\ndef run(x):\n    return factor() * x\n",
    )  # fmt: skip
    before = code_digest(load(name, "measure").run)
    write(helper="def factor():\n    return 2  # a comment\n")
    importlib.reload(load(name, "helper"))
    assert code_digest(importlib.reload(load(name, "measure")).run) == before
    write(helper="def factor():\n    return 3\n")
    importlib.reload(load(name, "helper"))
    importlib.reload(sys.modules[name])
    assert code_digest(importlib.reload(load(name, "measure")).run) != before


def test_what_nothing_imports_does_not_count(package: tuple[str, Write]) -> None:
    name, write = package
    write(measure="import json\n\ndef run(x):\n    return x\n", other="X = 1\n", typed="""
        from typing import TYPE_CHECKING
        if TYPE_CHECKING:
            from .other import X

        def run(): ...
        """)  # fmt: skip
    for module in ("measure", "typed"):
        found = closure([load(name, module).run])
        assert set(found.own) == {name, f"{name}.{module}"}
        assert found.libraries == {}


def test_a_package_runs_when_one_of_its_modules_is_imported(package: tuple[str, Write]) -> None:
    name, write = package
    write(__init__="import numpy\nnumpy.geterr()\n", measure="def run(): ...\n")
    found = closure([load(name, "measure").run])
    assert set(found.own) == {name, f"{name}.measure"}
    assert set(found.libraries) == {"numpy"}


def test_libraries_count_by_version(package: tuple[str, Write]) -> None:
    name, write = package
    write(measure="import scipy.stats\ndef run(): ...\n",
          guarded="try:\n    import no_such_library_at_all\nexcept ImportError:\n    pass\ndef run(): ...\n")  # fmt: skip
    import scipy

    assert closure([load(name, "measure").run]).libraries == {"scipy": scipy.__version__}
    assert closure([load(name, "guarded").run]).libraries == {"no_such_library_at_all": "absent"}


def test_a_library_with_another_name_than_its_package(package: tuple[str, Write]) -> None:
    name, write = package
    write(measure="import dateutil\ndef run(): ...\n")
    (version,) = closure([load(name, "measure").run]).libraries.values()
    assert version.startswith("python-dateutil ")


def test_an_edit_on_disk_changes_no_name_until_it_is_imported(package: tuple[str, Write]) -> None:
    """The name describes what runs: the code in memory."""
    name, write = package
    write(measure="def run():\n    return 1\n")
    module = load(name, "measure")
    write(measure="def run():\n    return -1\n")
    first = code_digest(module.run)
    assert code_digest(importlib.reload(module).run) != first
    write(measure="def run():\n    return 1\n")
    assert code_digest(importlib.reload(module).run) == first


def test_what_was_edited_before_anybody_looked_is_an_error(package: tuple[str, Write]) -> None:
    """In a process where the module is imported before the harness."""
    name, write = package
    folder = write(measure="FACTOR = 1\ndef run():\n    return FACTOR\n").parent
    program = """
        import sys; sys.path.insert(0, sys.argv[1]); sys.dont_write_bytecode = True
        from {0} import measure
        path = measure.__file__
        text = open(path).read()
        {1}
        from harness.code import code_digest
        try:
            print(code_digest(measure.run))
        except Exception as problem:
            print(type(problem).__name__, problem)
        """

    def told(edit: str) -> str:
        text = textwrap.dedent(program).format(name, edit)
        asked = [sys.executable, "-c", text, str(folder)]
        return subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()

    as_it_is = told("pass")
    assert len(as_it_is) == 16
    assert told('open(path, "w").write(text + "# a comment\\n")') == as_it_is
    for edit in ('text.replace("return FACTOR", "return -FACTOR")', 'text.replace("FACTOR = 1", "FACTOR = 2")'):
        said = told(f'open(path, "w").write({edit})')
        write(measure="FACTOR = 1\ndef run():\n    return FACTOR\n")
        assert said.startswith("CodeError ")
        assert "edited after it was imported" in said


def test_what_is_still_held_from_before_is_an_error(package: tuple[str, Write]) -> None:
    name, write = package
    write(helper="def factor():\n    return 1\n", measure="from .helper import factor\ndef run():\n    return factor()\n")
    measure = load(name, "measure")
    old, before = measure.run, code_digest(measure.run)
    write(helper="def factor():\n    return 2\n")
    importlib.reload(load(name, "helper"))
    with pytest.raises(CodeError, match=r"still holds factor of .*\.helper from before"):
        code_digest(measure.run)
    importlib.reload(measure)
    assert code_digest(measure.run) != before
    assert code_digest(old) == code_digest(measure.run)  # the same code, in another object
    write(measure="from .helper import factor\ndef run():\n    return -factor()\n")
    importlib.reload(measure)
    with pytest.raises(CodeError, match="is from before its module"):
        code_digest(old)


def test_definitions_in_a_function_count_with_what_they_took_along(package: tuple[str, Write]) -> None:
    name, write = package
    write(measure="""
        def make(factor, turned=False):
            if turned:
                def run(x):
                    return -factor * x
            else:
                def run(x):
                    return factor * x
            return run

        def made(factor):
            class Thing:
                def run(self, x):
                    return factor * x
            return Thing

        def by_default(factor):
            def run(x, factor=factor):
                return factor * x
            return run

        def by_keyword(factor):
            def run(x, *, factor=factor):
                return factor * x
            return run

        def by_attribute(value):
            class Thing:
                factor = value
                def run(self, x):
                    return self.factor * x
            return Thing

        def below(kind):
            class Thing(kind):
                pass
            return Thing

        def data(value):
            from dataclasses import dataclass
            @dataclass(frozen=True)
            class Thing:
                factor: int = value
            return Thing

        def one(x): return x
        def two(x): return 2 * x
        """)  # fmt: skip
    module = load(name, "measure")
    made = [module.make(1), module.make(2), module.make(1, True), module.made(1), module.made(2.0), module.made([1, 2]),
            module.made(module.one), module.made(module.two), module.by_default(1), module.by_default(2),
            module.by_keyword(1), module.by_keyword(2), module.by_attribute(1), module.by_attribute(2), module.data(1),
            module.data(2), module.below(module.made(1)), module.below(module.made(2))]  # fmt: skip
    digests = [code_digest(each) for each in made]
    assert len(set(digests)) == len(digests)
    assert code_digest(module.make(1)) == digests[0]
    with pytest.raises(CodeError, match=r"uses .*factor, a object, whose state has no name"):
        code_digest(module.make(object()))


def test_a_class_whose_methods_others_wrote_or_wrapped_is_found(package: tuple[str, Write]) -> None:
    """A dataclass has generated methods, and those of Python's own; a decorator of torch puts a function of torch in front."""
    name, write = package
    write(measure="""
        from dataclasses import dataclass
        import torch
        from .helper import X

        @dataclass(frozen=True)
        class Generated:
            x: int = X

        class Wrapped:
            @torch.no_grad()
            def run(self): ...
            @property
            def name(self): ...
        """, helper="X = 1\n")  # fmt: skip
    module = load(name, "measure")
    for kind in (module.Generated, module.Wrapped):
        assert set(closure([kind]).files) == {name, f"{name}.measure", f"{name}.helper"}


def test_a_computed_import_of_anything_is_an_error(package: tuple[str, Write]) -> None:
    name, write = package
    write(measure="from importlib import import_module\ndef run(name):\n    return import_module(name)\n", other="X = 1\n")
    found = closure([load(name, "measure").run])  # of this package, at the least
    assert f"{name}.other" in found.own


def test_what_was_registered_counts_whoever_registered_it(package: tuple[str, Write]) -> None:
    name, write = package
    write(registry="KINDS = {}\ndef kind(name):\n    return lambda f: KINDS.setdefault(name, f)\n",
          plug="from .registry import kind\n@kind('a')\ndef a():\n    return 1\n",
          measure="from .registry import KINDS\ndef run():\n    return KINDS['a']()\n")  # fmt: skip
    measure = load(name, "measure")
    alone = code_digest(measure.run)
    load(name, "plug")
    with_plug = code_digest(measure.run)
    assert with_plug != alone
    assert f"{name}.plug" in closure([measure.run]).own


def test_constants_that_somebody_sets_count(package: tuple[str, Write]) -> None:
    name, write = package
    write(helper="SCALE = 1\nCOUNT = 0\ndef f():\n    global COUNT\n    COUNT += 1\n    return SCALE\n",
          measure="from . import helper\nclass Thing:\n    factor = 2\n    def run(self):\n        return helper.f()\n",
          )  # fmt: skip
    measure, helper = load(name, "measure"), load(name, "helper")
    before = code_digest(measure.Thing)
    helper.f()
    assert code_digest(measure.Thing) == before  # what code itself counts up is not a setting
    helper.SCALE = 2
    assert code_digest(measure.Thing) != before
    helper.SCALE = 1
    assert code_digest(measure.Thing) == before
    measure.Thing.factor = 3
    assert code_digest(measure.Thing) != before


@pytest.mark.parametrize("loading", [
    "import importlib.util\ndef run():\n    return importlib.util.spec_from_file_location('h', 'h.py')\n",
    "import runpy\ndef run():\n    return runpy.run_path('h.py')\n",
    "from runpy import run_path as go\ndef run():\n    return go('h.py')\n",
])  # fmt: skip
def test_code_that_is_loaded_from_a_file_is_an_error(package: tuple[str, Write], loading: str) -> None:
    name, write = package
    write(measure=loading)
    with pytest.raises(CodeError, match=r"loads code from a file .*: import it as a module"):
        code_digest(load(name, "measure").run)


def test_import_module_by_another_name_is_seen(package: tuple[str, Write]) -> None:
    name, write = package
    write(helper="X = 1\n", measure=f"from importlib import import_module as im\ndef run():\n    return im('{name}.helper')\n")
    assert f"{name}.helper" in closure([load(name, "measure").run]).own


SCRIPT = """
import sys
sys.dont_write_bytecode = True
sys.path.insert(0, {folder!r})
from harness.code import code_digest
{extra}
class Thing:
    def run(self):
        return {value}
print(code_digest(Thing))
"""


def told_by_a_script(folder: Path, text: str) -> list[str]:
    path = folder / "script.py"
    path.write_text(text)
    done = subprocess.run([sys.executable, str(path)], capture_output=True, text=True, check=False, cwd=folder)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_a_script_counts_as_it_was_started(tmp_path: Path) -> None:
    plain = SCRIPT.format(folder=str(tmp_path), extra="", value="1")
    edits_itself = SCRIPT.format(folder=str(tmp_path), extra="open(__file__, 'a').write('EDITED = 1')", value="1")
    later = SCRIPT.format(folder=str(tmp_path), extra="open(__file__, 'a').write('')", value="1")
    assert told_by_a_script(tmp_path, plain) == told_by_a_script(tmp_path, plain)
    assert told_by_a_script(tmp_path, edits_itself) != told_by_a_script(tmp_path, later)
    before = told_by_a_script(tmp_path, edits_itself)
    assert told_by_a_script(tmp_path, edits_itself) == before  # the edit, which came later, is not in it


def test_a_loop_of_a_script_makes_different_definitions(tmp_path: Path) -> None:
    text = """
from harness.code import code_digest
for k in (1, 2):
    class ByDefault:
        def run(self, k=k): return k
    class ByAttribute:
        factor = k
        def run(self): return self.factor
    class ByGlobal:
        def run(self): return k
    print(code_digest(ByDefault), code_digest(ByAttribute), code_digest(ByGlobal))
"""
    digests = told_by_a_script(tmp_path, text)
    assert len(set(digests)) == 6


def test_a_module_with_the_name_of_one_of_pythons_counts(tmp_path: Path) -> None:
    (tmp_path / "profile.py").write_text("def f():\n    return 1\n")
    text = SCRIPT.format(folder=str(tmp_path), extra="from profile import f", value="f()")
    before = told_by_a_script(tmp_path, text)
    (tmp_path / "profile.py").write_text("def f():\n    return 2\n")
    assert told_by_a_script(tmp_path, text) != before


# --- cells ----------------------------------------------------------------------------------------------------


class Notebook:
    """Runs cells as IPython does: each compiled by itself, in one namespace without a file, its source kept."""

    def __init__(self) -> None:
        self.names: dict[str, Any] = {"__name__": "__main__", "__builtins__": __builtins__}
        self.count = 0

    def run(self, text: str) -> None:
        self.count += 1
        name, text = f"<cell {id(self)}-{self.count}>", textwrap.dedent(text)
        linecache.cache[name] = (len(text), None, text.splitlines(True), name)
        exec(compile(text, name, "exec"), self.names)

    def digest(self, name: str) -> str:
        return code_digest(self.names[name])


@pytest.fixture
def notebook() -> Notebook:
    book = Notebook()
    book.run("import numpy as np\nfrom harness.measure.walk import summary\nFACTOR = 2\n")
    book.run("def helper(x):\n    return FACTOR * x\n")
    book.run("class Thing:\n    def run(self, x):\n        return helper(np.mean(x))\nprint\n")
    return book


def test_a_cell_counts_with_all_that_it_uses(notebook: Notebook) -> None:
    before = notebook.digest("Thing")
    notebook.run("# the same again\nclass Thing:\n    def run(self, x):\n        return helper(np.mean(x))\n")
    assert notebook.digest("Thing") == before
    notebook.run("UNUSED = 3\ndef other():\n    return UNUSED\n")
    assert notebook.digest("Thing") == before
    digests = {before}
    for cell in ("FACTOR = 3", "def helper(x):\n    return FACTOR + x\n", "import scipy as np",
                 "class Thing:\n    def run(self, x):\n        return -helper(np.mean(x))\n",
                 "FACTOR = [1, 2]"):  # fmt: skip
        notebook.run(cell)
        digests.add(notebook.digest("Thing"))
    assert len(digests) == 6


def test_a_cell_counts_with_the_modules_that_it_uses(notebook: Notebook) -> None:
    notebook.run("def run(x):\n    return summary(np.asarray(x), 'x', ())\n")
    found = closure([notebook.names["run"]])
    assert "harness.measure.walk" in found.own
    assert "numpy" in found.libraries


def test_an_array_of_a_cell_counts_by_its_content(notebook: Notebook) -> None:
    notebook.run("WEIGHTS = np.arange(3.0)\ndef run(x):\n    return WEIGHTS @ x\n")
    before = notebook.digest("run")
    notebook.run("WEIGHTS[1] = 5")
    assert notebook.digest("run") != before


HELPERS = {
    "cached function": ("import functools\n@functools.lru_cache\ndef h():\n    return {}\n", "h()"),
    "partial": ("import functools\nh = functools.partial(int, {})\n", "h()"),
    "namespace": ("import types\nh = types.SimpleNamespace(k={})\n", "h.k"),
    "name of a builtin": ("sum = {}\n", "sum"),
    "function with the name of a builtin": ("def max(x):\n    return {}\n", "max(1)"),
    "attribute of a class": ("class C:\n    k = 1\n    def m(self): ...\nC.k = {}\n", "C.k"),
    "class of numbers": ("class C:\n    k = {}\n", "C.k"),
    "dataclass": ("from dataclasses import dataclass\n@dataclass\nclass C:\n    k: int\nh = C({})\n", "h.k"),
    "table of functions": ("def a():\n    return {}\nh = {{'a': a}}\n", "h['a']()"),
    "path": ("from pathlib import Path\nh = Path('{}')\n", "h"),
    "type of torch": ("import torch\nh = [torch.float32, torch.float64, torch.int32][{}]\n", "h"),
}


@pytest.mark.parametrize("kind", HELPERS)
def test_whatever_a_cell_uses_counts(kind: str) -> None:
    helper, use = HELPERS[kind]
    digests = []
    for value in (1, 2, 1):
        book = Notebook()
        book.run(helper.format(value))
        book.run(f"def run(x):\n    return {use}\n")
        digests.append(book.digest("run"))
    assert digests[0] == digests[2] != digests[1]


def test_the_value_that_a_class_took_counts_and_not_what_the_name_stands_for_since() -> None:
    book, digests = Notebook(), []
    for value in (1, 2):
        book.run(f"K = {value}\n")
        book.run("class M:\n    F = K\n    def run(self):\n        return self.F\n")
        book.run("K = 7\n")
        digests.append(book.digest("M"))
    assert digests[0] != digests[1]


def test_local_names_of_a_cell_are_not_those_around_it() -> None:
    """A population that stands in a cell before, and an argument of that name, as the documentation writes it."""
    book = Notebook()
    book.run("class State:\n    pass\npopulation = State()\ndata = State()\n")
    book.run("""
        class Distance:
            def run(self, population, data):
                table = [p for p in population]
                return table
        """)
    before = book.digest("Distance")
    book.run("data = 5\np = 3\n")
    assert book.digest("Distance") == before


def test_a_class_of_a_cell_may_only_inherit() -> None:
    book = Notebook()
    book.run("class Base:\n    def run(self):\n        return 1\n")
    book.run("class M(Base):\n    pass\n")
    before = book.digest("M")
    book.run("class Base:\n    def run(self):\n        return 2\n")
    book.run("class M(Base):\n    pass\n")
    assert book.digest("M") != before


@pytest.mark.parametrize("started", ["import {name}", "import runpy\nrunpy.run_path({path!r}, run_name='__main__')",
                                     "import sys\nexec(compile(open({path!r}).read(), {path!r}, 'exec'), "
                                     "{{'__name__': '__main__', '__file__': {path!r}}})"])  # fmt: skip
@pytest.mark.parametrize("whose", ["timeit", "pytest"])
def test_a_class_without_methods_counts_whoever_was_started(tmp_path: Path, started: str, whose: str) -> None:
    """``python -m`` of a profiler, a debugger or pytest leaves that in ``__main__`` while it runs the user's text."""
    digests = []
    for value in (1, 2, 1):
        path = tmp_path / "users.py"
        path.write_text(f"from harness.code import code_digest\nclass C:\n    k = {value}\nprint(code_digest(C))\n")
        begin = f"import sys, importlib.util\nsys.modules['__main__'].__spec__ = importlib.util.find_spec({whose!r})\n"
        text = begin + started.format(name="users", path=str(path))
        done = subprocess.run([sys.executable, "-B", "-c", text], capture_output=True, text=True, check=False, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        digests.append(done.stdout)
    assert digests[0] == digests[2] != digests[1]


def test_what_has_no_name_in_a_cell_is_an_error(notebook: Notebook) -> None:
    notebook.run("class State:\n    pass\nstate = State()\ndef run(x):\n    return state.value * x\n")
    with pytest.raises(CodeError, match="run uses state, a State, whose state has no name that would change with it: give it"):
        notebook.digest("run")


def test_a_definition_without_a_source_is_an_error() -> None:
    names: dict[str, Any] = {"__name__": "__main__"}
    exec("def run(x):\n    return x\nclass Thing:\n    def run(self): ...\n", names)
    for name in ("run", "Thing"):
        with pytest.raises(CodeError, match=rf"the source of {name} cannot be found \(it was defined in <string>\)"):
            code_digest(names[name])
