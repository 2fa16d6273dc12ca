"""Claims on a convolutional network and real digits."""

from fixtures.digits import Digits

from harness import SGD, Evidence, Factors, Gate, Module, PairedDifference, Recipe, Source, Threat, claim, study

PAPER = Source("digits", "An example: digits under attack")
SEEDS = {"smoke": 2, "reduced": 8, "full": 16}
POINTS = {"smoke": 8, "reduced": 128, "full": 400}
EPOCHS = {"smoke": 1, "reduced": 15, "full": 30}
EPSILON = 0.1  # of a range of 1: the digit stays legible


@study
def attacked(harness):
    """Standard and adversarially trained networks, and how many points an attack of that size flips."""
    from harness import Robustness

    network = Module("fixtures.digits:Convolutional", "convolutional", {"channels": 8})
    base = Recipe(Digits(), network, optimiser=SGD(0.05), epochs=EPOCHS[harness.scale])
    recipes = [base, base.robust(Threat("linf", EPSILON, steps=5))]
    populations = harness.store.populations(recipes, range(SEEDS[harness.scale]))
    return harness.store.measure(populations, Robustness(thresholds=(EPSILON,), points=POINTS[harness.scale]))


@claim(
    "digits/hardens",
    statement="Adversarial training lowers the attack success rate of a convolutional network with BatchNorm.",
    source=PAPER.at("Claims", "a small convolutional network is hardened as a fully connected one is"),
    prediction=PairedDifference(
        value="asr_0.1",
        factor="regime",
        higher="standard",
        lower="robust",
        pair="seed",
        margin=0.05,
        margin_reason="one image in twenty; less would not pay for training that takes five times as long",
    ),
    gates=(Gate("models are competent", "accuracy", at_least=0.9),),
    population=Factors(random=("seed",), fixed=("regime", "test points")),
)
def test_hardens(harness):
    """One pair a seed: the same initialisation, trained both ways."""
    return Evidence(attacked(harness))
