"""How well a search maps a scope: planted claims whose truth is known everywhere.

    python benchmarks/search.py [studies] [trials] [kind …]

Each line is a kind of planted claim (step-1, slope-1, …, step-5, slope-5, oblique-2, at-the-margin, true-everywhere): the
share of studies in which the threshold is named within 10 %, in which the map puts 90 % of a fresh even sample of the scope on
the right side, and in which fresh seeds confirm the counterexample.  The last two are of claims that are the same everywhere:
searches with a confirmed counterexample have to be at most α of all, and no setting may be said to matter in more than
5 %.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[1] / "tests" / "running")]

import planted  # noqa: E402 - beside the tests


def edges(name: str, made: Callable[[int], planted.Planted], studies: int, trials: int) -> None:
    named, mapped, confirmed, seconds = [], [], [], []
    for seed in range(studies):
        study, began = made(seed), time.perf_counter()
        found = study.search(trials)
        seconds.append(time.perf_counter() - began)
        if study.threshold is not None:
            edge = next((edge for edge in found.edges if edge.name == "noise"), None)
            named.append(edge is not None and abs(edge.threshold - study.threshold) <= 0.1 * study.threshold)
        mapped.append(study.right(study.map_of(found)) >= 0.9)
        confirmed.append(bool(found.confirmed))
    said = f"{np.mean(named):.0%}" if named else "-"
    print(f"{name:<24} named {said:>5}  mapped {np.mean(mapped):.0%}  confirmed {np.mean(confirmed):.0%}  "
          f"{np.median(seconds):.1f} s a search", flush=True)  # fmt: skip


def nothing(name: str, effect: float, studies: int, trials: int) -> None:
    found = [planted.everywhere(2, seed, effect).search(trials) for seed in range(studies)]
    wrong = np.mean([each.looked_for == "refuted" and bool(each.confirmed) for each in found])
    favoured = np.mean([bool(each.importance) for each in found])
    print(f"{name:<24} refuted and confirmed {wrong:.1%}  matters {favoured:.1%}", flush=True)


def main() -> None:
    given = [int(each) for each in sys.argv[1:3]]
    studies, trials = (*given, *(100, 40)[len(given) :])
    kinds: dict[str, Callable[[str], None]] = {}
    for settings in (1, 2, 5):
        for made in (planted.step, planted.slope):
            kinds[f"{made.__name__}-{settings}"] = partial(edges, made=partial(made, settings), studies=studies, trials=trials)
    kinds["oblique-2"] = partial(edges, made=planted.oblique, studies=studies, trials=trials)
    kinds["at-the-margin"] = partial(nothing, effect=1.0, studies=studies, trials=trials)
    kinds["true-everywhere"] = partial(nothing, effect=2.0, studies=studies, trials=trials)
    for name in sys.argv[3:] or kinds:
        kinds[name](name)


if __name__ == "__main__":
    main()
