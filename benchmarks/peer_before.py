"""The search for settings of commit 6760b34, LLCSpec.auto, run on a checkout of it: see benchmarks/samplers.py.

    PYTHONPATH=CHECKOUT python benchmarks/peer_before.py PROBLEM

Prints JSON: the estimates, the gradients of a network and the seconds of search and estimate, and what the search falls short
of.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import torch

from harness.measure.llc.estimate import LLCSpec, llc
from harness.networks import MLPProgram


def main() -> None:
    """Find settings and estimate with them."""
    torch.set_num_threads(1)
    given = torch.load(sys.argv[1])
    program = MLPProgram(tuple(given["sizes"]))
    models = [program.module(theta) for theta in given["theta"]]
    x, y = given["x"], given["y"]
    earlier: Any = LLCSpec  # of the checkout, not of this tree
    began = time.perf_counter()
    spec = earlier.auto(models, x, y, localization=given["gamma"])
    between = time.perf_counter()
    table = llc(models, x, y, spec=spec)
    ended = time.perf_counter()
    gradients = (spec.chains + 2 * spec.sensitivity_chains) * (spec.burn_in + spec.draws)
    print(json.dumps({
        "llc": table["llc"].tolist(), "search": sum(trial.evaluations for trial in spec.search.trials), "estimate": gradients,
        "search_seconds": between - began, "estimate_seconds": ended - between, "shortfall": spec.search.shortfall,
    }))  # fmt: skip


if __name__ == "__main__":
    main()
