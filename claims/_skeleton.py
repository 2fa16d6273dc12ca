"""A complete claim to copy; docs/writing-claims.md goes through it line by line.

``cp claims/_skeleton.py claims/test_mine.py``, then change every line.  The underscore keeps this file out of
``pytest claims/``; to run it, name it: ``pytest claims/_skeleton.py --claims-report reports/mine``.
"""

from __future__ import annotations

from dataclasses import dataclass

from harness import (
    MLP,
    Design,
    Evidence,
    Factors,
    Figure,
    Gate,
    Harness,
    PairedDifference,
    Recipe,
    Source,
    Threat,
    ToyImages,
    claim,
)

# Nothing up to the body imports torch, so that collecting the claims costs nothing.

# --- fixed before anything runs -------------------------------------------------------------------------

SOURCE = Source("mine", "What adversarial training does to toy images", authors=None, year=None, address=None)
THREAT = Threat(norm="linf", epsilon=2.0)

LOWER = PairedDifference(
    value="asr_2", factor="training", higher="standard", lower="PGD", pair="seed", margin=0.05,
    margin_reason="one point in twenty; less would not pay for training that takes several times as long",
    names={"asr_2": "attack success rate at 2"},
)  # fmt: skip
COMPETENT = Gate(
    "models are competent", "accuracy", at_least=0.9,
    reason="the classes barely overlap: the best possible accuracy is above 0.99, chance is 0.33",
)  # fmt: skip
# Gates and proportions hold the thresholds; the table holds what was measured.
ATTACK_SANE = Gate(
    "the attack reaches every point", "censored", at_most=0.01,
    reason="its largest size, 16, can turn any of these images into any other",
)  # fmt: skip


@dataclass(frozen=True)
class Sizes:
    """What one scale trains."""

    seeds: int
    train: int
    epochs: int


SIZES = {"smoke": Sizes(2, 96, 2), "reduced": Sizes(12, 768, 20), "full": Sizes(20, 3072, 100)}

# --- the claim ------------------------------------------------------------------------------------------


@claim(
    "mine/adversarial-training-hardens",
    statement="Adversarial training lowers the attack success rate at its own perturbation size.",
    source=SOURCE.at("Introduction", "adversarial training makes networks harder to attack", reported=None),
    prediction=LOWER,
    gates=(COMPETENT, ATTACK_SANE),
    population=Factors(random="seed", fixed="test points"),  # generalises to other seeds, on these test points
    tags=("robustness",),
)
def test_adversarial_training_hardens(harness: Harness) -> Evidence:
    """Standard and robust members of one seed share initialisation and data order: they are pairs."""
    from harness import Robustness

    sizes = SIZES[harness.scale]
    base = Recipe(ToyImages(train=sizes.train), MLP((16,)), epochs=sizes.epochs)
    design = Design({"standard": base, "PGD": base.robust(THREAT)}, "training")
    populations = harness.store.populations(design, range(sizes.seeds), name="mine")
    table = harness.store.measure(populations, Robustness(thresholds=(2.0,)), name="mine")
    figure = Figure(
        "paired", table, x="training", y="asr_2", pair="seed",
        title="Attack success rate at 2 after standard and after robust training",
        x_label="training", y_label="attack success rate at 2 (share of points)",
    )  # fmt: skip
    settings = {"threat": f"{THREAT}", "data": f"toy images, {sizes.train} training points"}
    return Evidence(table, figure, settings=settings)
