"""The architecture, held by a walk over all imports: a file imports only from floors below, or from its own package."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FLOORS = {
    "harness._callable": 0, "harness.claim": 0, "harness.code": 0, "harness.data": 0, "harness.declaring": 0,
    "harness.design": 0, "harness.device": 0, "harness.doubts": 0,
    "harness.drawn": 0, "harness.errors": 0, "harness.evidence": 0,
    "harness.factors": 0, "harness.fixed": 0, "harness.gate": 0, "harness.kept": 0,
    "harness.kinds": 0, "harness.limits": 0, "harness.links": 0, "harness.networks": 0, "harness.optimiser": 0,
    "harness.own": 0, "harness.parsing": 0, "harness.population": 0,
    "harness.progress": 0, "harness.quantities": 0, "harness.recipe": 0, "harness.regime": 0, "harness.registry": 0,
    "harness.rows": 0, "harness.runs": 0, "harness.showing": 0, "harness.source": 0,
    "harness.spec": 0, "harness.stats": 0, "harness.streams": 0,
    "harness.deadline": 0, "harness.strict": 0,
    "harness.training": 1, "harness.measure": 1, "harness.predict": 1,
    "harness.cuda": 1.5, "harness.store": 2, "harness.judge": 2,
    "harness.report": 3, "harness.engines": 3,
    "harness.study": 4, "harness.running": 4,
    "harness.pytest_plugin": 5, "harness.cli": 5, "harness.__main__": 5,
    "claims": 6, "fixtures": 6,
}  # fmt: skip
TORCH_FREE = ("harness.claim", "harness.predict", "harness.stats", "harness.judge", "harness.report", "harness.runs")
ONLY_THE_PLUGIN = ("pytest", "xdist", "_pytest", "argparse")


def room(module: str) -> str | None:
    """The entry of FLOORS that a module belongs to."""
    parts = module.split(".")
    return next((".".join(parts[:n]) for n in range(len(parts), 0, -1) if ".".join(parts[:n]) in FLOORS), None)


def imports(path: Path) -> set[str]:
    """Modules that a file imports anywhere in it, ``from package import module`` resolved."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


FILES = [path for folder in ("harness", "claims", "fixtures") for path in sorted((ROOT / folder).rglob("*.py"))]


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def test_every_file_stands_on_a_floor() -> None:
    homeless = [str(path) for path in FILES if room(name_of(path)) is None and name_of(path) != "harness"]
    assert homeless == []
    assert len(FILES) > 30


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_imports_come_from_below(path: Path) -> None:
    own = room(name_of(path))
    if own in (None, "harness.kinds"):  # the package's own __init__, which loads by name, and a list of names for type checkers
        return
    wrong = set()
    for module in imports(path):
        other = room(module)
        if other is None or other == own:
            continue
        if FLOORS[other] > FLOORS[own] or (FLOORS[other] == FLOORS[own] and FLOORS[own] in (1, 2, 3)):
            wrong.add(module)
    assert wrong == set(), f"{own} (floor {FLOORS[own]}) must not import {wrong}"


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_who_may_know_what(path: Path) -> None:
    own, seen = name_of(path), {module.split(".")[0] for module in imports(path)}
    if own.startswith(TORCH_FREE):
        assert "torch" not in seen
    if own.startswith("harness") and not own.startswith(("harness.pytest_plugin", "harness.cli", "harness.__main__")):
        assert seen.isdisjoint(ONLY_THE_PLUGIN)
    if own.startswith("harness.measure"):
        assert {"harness.claim", "harness.judge"}.isdisjoint(imports(path))


def test_claims_are_collected_without_torch() -> None:
    """Whoever only collects them does not wait for it: studies import their instruments where they use them."""
    modules = ", ".join(name_of(path) for path in FILES if name_of(path).startswith("claims."))
    code = f"import sys, {modules}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


MODULES = {name_of(path): path for path in FILES if name_of(path).startswith("harness")}


def running(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The import statements that run while a module is imported."""
    for each in body:
        if isinstance(each, ast.If) and "TYPE_CHECKING" in ast.dump(each.test):
            yield from running(each.orelse)
        elif isinstance(each, ast.Import | ast.ImportFrom):
            yield each
        elif not isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef):
            for field in ("body", "orelse", "finalbody"):
                yield from running(getattr(each, field, []))


@cache
def imported(module: str) -> frozenset[str]:
    """Modules that a module imports while it is imported itself."""
    found: set[str] = set()
    for each in running(ast.parse(MODULES[module].read_text(encoding="utf-8")).body):
        if isinstance(each, ast.Import):
            found |= {alias.name for alias in each.names}
        elif each.module:
            found |= {f"{each.module}.{alias.name}" if f"{each.module}.{alias.name}" in MODULES else each.module
                      for alias in each.names}  # fmt: skip
    return frozenset(found - {module})


def test_importing_goes_round_in_no_circle():
    waiting, done, above = dict.fromkeys(MODULES), set[str](), list[str]()

    def visit(module: str) -> None:
        assert module not in above, " → ".join([*above[above.index(module) :], module])
        if module in done:
            return
        above.append(module)
        for each in sorted(imported(module) & MODULES.keys()):
            if not module.startswith(f"{each}."):  # a package is there before its modules
                visit(each)
        above.pop()
        done.add(module)

    for module in waiting:
        visit(module)
    assert len(done) == len(MODULES)


def test_no_two_files_of_tests_have_one_name():
    """Pytest imports files outside of packages by their names alone: two of one name cannot be collected together."""
    names = Counter(path.name for path in (ROOT / "tests").rglob("test_*.py") if not (path.parent / "__init__.py").exists())
    assert [name for name, n in names.items() if n > 1] == []
