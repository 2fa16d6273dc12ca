"""The claim of "Theoretical Understanding of Adversarial Examples" on data sets: classes are far apart."""

from __future__ import annotations

from functools import partial

import pandas as pd

from fixtures.sources import DYNAMICS
from harness import DataFact, Evidence, Factors, Figure, Harness, claim
from harness.data import DataShortfall, RawImages, raw_cifar10, raw_mnist
from harness.measure import separation

# Minimum train-train and test-train separation in the document's table, and its attack size: L∞, pixels from 0 to 1.
REPORTED = {"MNIST": ("0.737", "0.812"), "CIFAR-10": ("0.212", "0.220")}
ATTACK_SIZE = {"MNIST": 0.1, "CIFAR-10": 0.031}


@claim(
    "dynamics/data-well-separated",
    statement="The smallest L∞ distance between two differently labelled images of MNIST is 0.737 among training images and "
    "0.812 between test and training images, and of CIFAR-10, where the whole set is there, 0.212 and 0.220: all far above "
    "twice the attack sizes 0.1 and 0.031.",
    # The same table gives SVHN and ResImageNet, which are not covered.
    source=DYNAMICS.at(
        "Key Observation", "Fact Data are far from each other.",
        reported="MNIST 0.737 and 0.812, CIFAR-10 0.212 and 0.220",
    ),
    kind="data",
    prediction=DataFact(value="value", reported="reported", digits="digits", case="case"),
    population=Factors(fixed="the data sets"),
    tags=("mnist", "cifar-10", "separation"),
)  # fmt: skip
def test_data_well_separated(harness: Harness) -> Evidence:
    """Exact minimum over all pairs of each set that is there as a whole; the same at every scale, since it takes seconds."""
    try:
        table = separations(harness, "MNIST", raw_mnist(whole=True))
    except DataShortfall as shortfall:
        return Evidence(pd.DataFrame(columns=["case", "value", "reported", "digits"]), shortfall=str(shortfall))
    settings = {"data": "MNIST, 60,000 training and 10,000 test images", "norm": "L∞"}
    try:
        table = pd.concat([table, separations(harness, "CIFAR-10", raw_cifar10(whole=True))], ignore_index=True)
        settings["data"] += "; CIFAR-10, 50,000 training and 10,000 test images"
    except DataShortfall as shortfall:
        settings["not judged: CIFAR-10"] = str(shortfall)
        table = pd.concat([table, contradicted(harness, settings)], ignore_index=True)
    bars = table.melt("case", ["value", "reported"], var_name="number", value_name="distance")
    bars["number"] = bars["number"].map({"value": "measured here", "reported": "in the document"})
    named = {case.split()[0] for case in table["case"]}
    figure = Figure(
        "bars", bars, x="case", y="distance", hue="number",
        reference={f"2 × attack size {size} ({name})": 2 * size for name, size in ATTACK_SIZE.items() if name in named},
        title="Images of different classes are far apart (the document's table under “Key Observation”)",
        x_label="pairs of images", y_label="smallest L∞ distance (pixels from 0 to 1)",
    )  # fmt: skip
    return Evidence(table, figure, settings=settings)


def contradicted(harness: Harness, settings: dict[str, str]) -> pd.DataFrame:
    """The separations of a part of CIFAR-10 that lie below the printed ones; what they are goes into the settings.

    A minimum over a part is an upper bound of the whole set's.  It cannot confirm a printed value, but it can contradict one.
    """
    try:
        raw = raw_cifar10()
    except DataShortfall:
        return pd.DataFrame()
    table = separations(harness, "CIFAR-10", raw)
    printed = zip(table["value"], REPORTED["CIFAR-10"], strict=True)
    bounds = " and ".join(f"{value:.3f} (printed: {text})" for value, text in printed)
    settings[f"CIFAR-10, upper bounds from {len(raw.train_x):,} training and {len(raw.test_x):,} test images"] = bounds
    return table[table["value"] < table["reported"] - 0.5 * 0.1 ** table["digits"]]


def separations(harness: Harness, name: str, raw: RawImages) -> pd.DataFrame:
    """Both separations of a set beside the printed ones, computed once."""
    reported = REPORTED[name]
    return harness.store.cached(
        "separation", {"data": raw.digest, "reported": reported},
        partial(separation.separation_table, (raw.train_x, raw.train_y), (raw.test_x, raw.test_y), reported, name),
    )  # fmt: skip
