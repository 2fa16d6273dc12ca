"""The notebook runs as a reader runs it, cell by cell, and its kept outputs are those of its code."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import Any

import pytest

from harness import one_thread

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "examples" / "notebook").glob("*.ipynb"))
RICH = ("text/html", "image/png")


def cells(notebook: Path) -> list[dict[str, Any]]:
    return [cell for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == "code"]


def shown(source: str, names: dict[str, Any]) -> Any:
    """Run a cell; its last expression, if that is what it ends with."""
    tree = ast.parse(source)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, "cell", "exec"), names)
    return None if last is None else eval(compile(ast.Expression(last.value), "cell", "eval"), names)


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_cell_runs_and_shows_itself_here_and_in_a_kernel(notebook: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The kernel is the second to run it, from the store that the first has filled."""
    import matplotlib

    matplotlib.use("agg")
    monkeypatch.chdir(tmp_path)
    one_thread()
    names: dict[str, Any] = {"__name__": "cells"}
    for cell in cells(notebook):
        value = shown("".join(line for line in cell["source"] if not line.startswith("%")), names)
        assert value is not None  # each cell ends with what it shows
        if type(value).__module__.startswith("harness."):
            assert value._repr_html_()
    assert names["searched"].verdict.outcome.value == "supported"
    assert names["searched"].search.trials
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    made = nbformat.read(notebook, 4)
    nbclient.NotebookClient(made, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    outputs = [output for cell in made.cells if cell.cell_type == "code" for output in cell.outputs]
    assert not [output for output in outputs if output.output_type == "error"]
    assert sum(any(kind in output.get("data", {}) for kind in RICH) for output in outputs) >= 6


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_what_is_kept_of_a_run_is_whole_and_names_no_machine(notebook: Path):
    for cell in cells(notebook):
        assert cell["outputs"], "run it again before it is kept"
        assert {output["output_type"] for output in cell["outputs"]} <= {"execute_result", "display_data"}
    kinds = [kind for cell in cells(notebook) for output in cell["outputs"] for kind in output["data"]]
    assert "image/png" in kinds
    text = notebook.read_text(encoding="utf-8")
    assert re.findall(r"/(?:tmp|home|root|work)/", text) == []
    assert len(text) < 400_000
