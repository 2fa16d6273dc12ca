"""The house as docs/architecture.md draws it: no circle of imports, pytest known to the plugin alone, rooms look down only."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def name_of(path: Path) -> str:
    """The module of a file."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {name_of(path): path for path in sorted((ROOT / "harness").rglob("*.py"))}


def statements(body: list[ast.stmt], *, inside: bool) -> Iterator[ast.stmt]:
    """Import statements that run; of functions, too, where asked for."""
    for each in body:
        if isinstance(each, ast.If) and "TYPE_CHECKING" in ast.dump(each.test):
            yield from statements(each.orelse, inside=inside)
        elif isinstance(each, ast.Import | ast.ImportFrom):
            yield each
        elif inside or not isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            for field in ("body", "orelse", "finalbody"):
                yield from statements(getattr(each, field, []), inside=inside)
        elif isinstance(each, ast.ClassDef):
            yield from statements([one for one in each.body if not isinstance(one, ast.FunctionDef)], inside=inside)


@cache
def imported(module: str, *, inside: bool = False) -> frozenset[str]:
    """Modules that a module imports: while it is imported itself, or ever."""
    found: set[str] = set()
    for each in statements(ast.parse(FILES[module].read_text(encoding="utf-8")).body, inside=inside):
        if isinstance(each, ast.Import):
            found |= {alias.name for alias in each.names}
        elif each.module:
            found |= {f"{each.module}.{alias.name}" if f"{each.module}.{alias.name}" in FILES else each.module
                      for alias in each.names}  # fmt: skip
    return frozenset(found - {module})


def test_importing_goes_round_in_no_circle():
    waiting, done, above = dict.fromkeys(FILES), set[str](), list[str]()

    def visit(module: str) -> None:
        assert module not in above, " → ".join([*above[above.index(module) :], module])
        if module in done:
            return
        above.append(module)
        for each in sorted(imported(module) & FILES.keys()):
            if not module.startswith(f"{each}."):  # a package is there before its modules
                visit(each)
        above.pop()
        done.add(module)

    for module in waiting:
        visit(module)
    assert len(done) == len(FILES)


def test_pytest_is_known_to_the_plugin_alone():
    knowing = {
        module for module in FILES
        if any(name.split(".")[0] in ("pytest", "_pytest") for name in imported(module, inside=True))
    }  # fmt: skip
    assert {module for module in knowing if not module.startswith("harness.plugin")} <= {"harness.cli", "harness.cli_fixed"}


@pytest.mark.parametrize(("room", "above"), [
    ("stats", ("predict", "judge", "measure", "models", "store", "report", "plugin", "claim")),
    ("models", ("measure", "predict", "judge", "store", "report", "plugin", "claim", "train")),
    ("measure", ("predict", "judge", "report", "plugin", "claim", "store", "study")),
    ("predict", ("judge", "measure", "models", "store", "report", "plugin", "train")),
    ("store", ("predict", "judge", "report", "plugin", "claim")),
    ("judge", ("report", "plugin", "store", "measure", "models")),
    ("report", ("plugin", "measure", "models")),
    ("data", ("models", "measure", "predict", "judge", "store", "report", "plugin")),
])  # fmt: skip
def test_rooms_look_down_only(room: str, above: tuple[str, ...]):
    looks = {
        (module, each)
        for module in FILES if re.match(rf"harness\.{room}(\.|$)", module)
        for each in imported(module) if any(re.match(rf"harness\.{other}(\.|$)", each) for other in above)
    }  # fmt: skip
    assert not looks
