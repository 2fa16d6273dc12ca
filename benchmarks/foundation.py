"""What a user waits for: cold, warm and smoke runs of the claims, their memory, and the time to import and to collect.

    python benchmarks/foundation.py            # everything, about 15 minutes on two cores
    python benchmarks/foundation.py --quick    # smoke, import and collection only

Every figure is of whole processes, into a store and a report folder that are thrown away.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
CLAIMS = [sys.executable, "-m", "pytest", "claims", "-q", "-n", "auto"]


def timed(command: list[str], runs: int = 1) -> tuple[float, int]:
    """Median wall time in seconds and exit status of a command."""
    seconds, status = [], 0
    for _ in range(runs):
        began = time.perf_counter()
        status = subprocess.run(command, cwd=ROOT, capture_output=True, check=False, env={**os.environ}).returncode
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds), status


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="leave the reduced runs out")
    quick = parser.parse_args().quick
    rows: list[tuple[str, float, str]] = []
    with tempfile.TemporaryDirectory() as folder:
        common = ["--claims-report", f"{folder}/reports"]
        if not quick:
            for name in ("cold", "warm"):
                seconds, status = timed([*CLAIMS, "--claims-store", f"{folder}/reduced", *common])
                rows.append((f"all claims, reduced, {name}", seconds, f"s (exit status {status})"))
        seconds, status = timed([*CLAIMS, "--claims-scale", "smoke", "--claims-store", f"{folder}/smoke", *common])
        rows.append(("all claims, smoke, cold", seconds, f"s (exit status {status})"))
    largest = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
    rows.append(("peak memory of the largest process", largest, "GiB"))
    rows.append(("pytest --collect-only claims/", timed([*CLAIMS[:4], "--collect-only", "-q"], runs=5)[0], "s"))
    python, torch, harness = (
        timed([sys.executable, "-c", code], runs=7)[0] for code in ("pass", "import torch", "import harness")
    )
    rows.append(("import torch, beyond Python", torch - python, "s"))
    rows.append(("import harness, beyond Python", harness - python, "s"))
    for name, value, unit in rows:
        print(f"{name:40} {value:8.2f} {unit}")


if __name__ == "__main__":
    main()
