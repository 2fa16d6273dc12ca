"""A store that lives long holds no more memory for it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "soak.py"
SLACK = 8.0  # MiB; the networks below take 28


def test_memory_does_not_grow_with_the_number_of_networks(tmp_path: Path) -> None:
    code = (
        "import importlib.util, json, pathlib\n"
        f"spec = importlib.util.spec_from_file_location('soak', {str(BENCHMARK)!r})\n"
        "soak = importlib.util.module_from_spec(spec)\n"
        "spec.loader.exec_module(soak)\n"
        f"told = soak.networks(120, 6, pathlib.Path({str(tmp_path)!r}), hidden=(256, 256), epochs=0)\n"
        "print(json.dumps([memory for _, memory in told]))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    memory = json.loads(done.stdout)
    assert len(memory) == 6
    assert memory[-1] - memory[1] < SLACK, memory
