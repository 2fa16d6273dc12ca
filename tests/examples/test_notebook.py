"""The notebook runs as a reader runs it, cell by cell, and its kept outputs are those of its code."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import nbclient
import nbformat
import pytest

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "examples" / "notebook").glob("*.ipynb"))
RICH = ("text/html", "image/png")
SHOWN = {"execute_result", "display_data"}  # each cell ends with what it shows


def cells(notebook: Path) -> list[dict[str, Any]]:
    return [cell for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == "code"]


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_cell_runs_in_a_kernel_and_shows_itself(notebook: Path, tmp_path: Path):
    made = nbformat.read(notebook, 4)
    checks = nbformat.v4.new_code_cell(
        "assert searched.verdict.outcome.value == 'supported' and searched.search.trials; 'as expected'"
    )
    made.cells.append(checks)
    nbclient.NotebookClient(made, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    code = [cell for cell in made.cells if cell.cell_type == "code"]
    outputs = [output for cell in code for output in cell.outputs]
    assert not [output for output in outputs if output.output_type == "error"]
    assert all(any(output.output_type in SHOWN for output in cell.outputs) for cell in code)
    assert sum(any(kind in output.get("data", {}) for kind in RICH) for output in outputs) >= 6


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_what_is_kept_of_a_run_is_whole_and_names_no_machine(notebook: Path):
    for cell in cells(notebook):
        assert cell["outputs"], "run it again before it is kept"
        assert {output["output_type"] for output in cell["outputs"]} <= SHOWN
    kinds = [kind for cell in cells(notebook) for output in cell["outputs"] for kind in output["data"]]
    assert "image/png" in kinds
    text = notebook.read_text(encoding="utf-8")
    assert re.findall(r"/(?:tmp|home|root|work)/", text) == []
    assert len(text) < 400_000
