"""What a CUDA card does: LLC, training and attacks per step beside devinterp, Foolbox and two CPU threads; the grid of slt.

    python benchmarks/gpu.py [--device cuda|cpu] [--quick] [--seconds 470] [--only SECTION…] [--out reports/gpu]

Needs a checkout with ``pip install -e .[dev]``, and eight minutes on one card.  Every section runs in a process of its own
under a limit of its own; each row is written as it comes (OUT.json, OUT.md): a section that is cut short leaves what it has.
``--device cpu --quick`` runs the same code at small sizes on any machine, in about two minutes.

- **LLC**: microseconds per model × chain × step, 500 members × 4 chains on 1,000 points; kinetic and SGLD, captured and kernel
  by kernel, beside devinterp 1.3.2 with a loader that slices tensors (one model, one chain: what it does at a time).
- **training**: microseconds per member × step, batch 32, beside a loop of ordinary PyTorch.
- **attack**: microseconds per member × point × step of PGD, beside Foolbox; smallest perturbations per member × point.
- **agreement**: claims of slt at reduced size on both devices: verdicts and effects.
- **grid**: the grid of slt at full size, from nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gpu_sections import RUN, SIZES, Row

SECTIONS = {"LLC": 120, "training": 40, "attack": 40, "agreement": 120, "grid": 300}  # seconds at most


def machine(device: str) -> dict[str, Any]:
    """What it ran on."""
    import platform

    import torch

    found = {"python": platform.python_version(), "torch": torch.__version__, "cores": os.cpu_count(), "device": device}
    if device == "cuda":
        found |= {"card": torch.cuda.get_device_name(), "memory": torch.cuda.get_device_properties(0).total_memory}
    return found


def in_time(section: str, given: argparse.Namespace, limit: float, keep: Callable[[Row], None]) -> str | None:
    """Run a section in a process of its own; what kept it from its end, or None."""
    command = [sys.executable, __file__, "--section", section, "--device", given.device, "--size", given.size]
    with (
        tempfile.TemporaryFile("w+") as said,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=said, text=True) as process,
    ):
        over = threading.Timer(limit, process.kill)
        over.start()
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("{"):
                keep(json.loads(line))
        code, late = process.wait(), not over.is_alive()
        over.cancel()
        said.seek(0)
        last = (said.read().strip().splitlines() or ["nothing"])[-1]
    return None if code == 0 else f"ended after {limit:.0f} s" if late else f"failed: {last}"


def table(found: dict[str, Any]) -> str:
    """The rows as Markdown."""
    about = found["machine"]
    lines = [
        f"{about.get('card', 'CPU')}, {about['cores']} cores, torch {about['torch']}; {found['seconds']:.0f} s in all.",
        "",
    ]
    for section in dict.fromkeys(each["section"] for each in found["rows"]):
        own = [each for each in found["rows"] if each["section"] == section]
        lines += [f"## {section}", "", "| | ours | theirs | ratio |", "|---|---|---|---|"]
        for each in own:
            if "same" in each:
                lines.append(
                    f"| {each['what']} | {each[about['device']]} | {each['cpu']} | {'same' if each['same'] else 'other'} |"
                )
            else:
                other = (
                    (f"{each['beside']:,.3g}", f"{each['ratio']:,.1f}×") if "ratio" in each else (each.get("problem", ""), "")
                )
                lines.append(f"| {each['what']} | {each['ours']:,.3g} | {other[0]} | {other[1]} |")
        lines.append("")
    lines += [f"{section}: {problem}." for section, problem in found["problems"].items()]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--quick", dest="size", action="store_const", const="quick", default="full", help="small sizes")
    parser.add_argument("--size", choices=SIZES, help=argparse.SUPPRESS)
    parser.add_argument("--only", nargs="*", choices=SECTIONS, default=[*SECTIONS], help="these sections only")
    parser.add_argument("--seconds", type=float, default=470.0, help="for everything (default: 470)")
    parser.add_argument("--out", type=Path, default=Path("reports/gpu"), help="without its ending (default: reports/gpu)")
    parser.add_argument("--section", choices=SECTIONS, help=argparse.SUPPRESS)
    given = parser.parse_args()
    from harness.device import DeviceError, resolve

    try:
        resolve(given.device)
    except DeviceError as problem:
        parser.error(str(problem))
    if given.section:
        from harness.device import one_thread, standard_numerics

        one_thread()
        with standard_numerics(given.device):
            for each in RUN[given.section](given.device, SIZES[given.size]):
                print(json.dumps(each), flush=True)
        return
    began = time.perf_counter()
    found: dict[str, Any] = {"machine": machine(given.device), "size": given.size, "seconds": 0.0, "rows": [], "problems": {}}
    given.out.parent.mkdir(parents=True, exist_ok=True)

    def write() -> None:
        found["seconds"] = time.perf_counter() - began
        given.out.with_suffix(".json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        given.out.with_suffix(".md").write_text(table(found), encoding="utf-8")

    def keep(each: Row) -> None:
        found["rows"].append(each)
        write()
        print(json.dumps(each), flush=True)

    for section in given.only:
        limit = min(SECTIONS[section], given.seconds - (time.perf_counter() - began))
        problem = "no time was left" if limit < 1 else in_time(section, given, limit, keep)
        if problem is not None:
            found["problems"][section] = problem
        write()
    print(f"\n{table(found)}\nwritten: {given.out.with_suffix('.json')}, {given.out.with_suffix('.md')}")


if __name__ == "__main__":
    main()
