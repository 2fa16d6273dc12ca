"""One worker among several: ``python store_worker.py STORE DIARY HOW`` trains the grid, shared with the others.

It waits for the file DIARY/go, appends a line for every member that it begins to train to DIARY/<process>.log, and
prints the lengths of all members.  HOW is "quick", "slow" (each training takes a while) or "stuck" (it never gets
beyond writing its first member).
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

from store_samples import ROBUST, TUNED

import harness.training.train
from harness.store import Store, files
from harness.store.sharing import MEMBERS_AT_A_TIME

RECIPES, SEEDS = (ROBUST, TUNED), range(3)
TRAININGS = len(SEEDS) * 3  # with the parents


def main(folder: Path, diary: Path, how: str) -> None:
    MEMBERS_AT_A_TIME["trained"] = 1
    train = harness.training.train.train

    def noted(recipe, data, seeds, **rest):  # type: ignore[no-untyped-def]
        with (diary / f"{os.getpid()}.log").open("a") as log:
            log.writelines(f"{recipe.regime.name} {seed}\n" for seed in seeds)
        if how == "slow":
            time.sleep(0.1)
        return train(recipe, data, seeds, **rest)

    def stuck(handle: int) -> None:
        (diary / "stuck").touch()
        time.sleep(600)

    harness.training.train.train = noted
    if how == "stuck":
        files.os.fsync = stuck  # type: ignore[attr-defined]
    (diary / f"{os.getpid()}.ready").touch()
    while not (diary / "go").exists():
        time.sleep(0.01)
    populations = Store(folder).populations(RECIPES, SEEDS)
    print(json.dumps([population.final.double().norm(dim=1).tolist() for population in populations]))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
