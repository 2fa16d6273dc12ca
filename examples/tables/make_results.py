"""Writes results.csv as a training script of somebody's might have: a row for each run and epoch.  It is kept in the folder."""

import csv
import random
from pathlib import Path

random.seed(0)
with (Path(__file__).parent / "results.csv").open("w", newline="", encoding="utf-8") as file:
    lines = csv.writer(file, lineterminator="\n")
    lines.writerow(["optimizer", "seed", "epoch", "val_acc"])
    for seed in range(10):
        luck = random.gauss(0, 0.01)  # shared by both runs of a seed: the same split of the data
        for optimizer, final in (("sgd", 0.86), ("adam", 0.89)):
            for epoch in range(1, 21):
                value = (final + luck) * (1 - 0.6 ** (1 + epoch / 2)) + random.gauss(0, 0.004)
                lines.writerow([optimizer, seed, epoch, round(value, 4)])
