"""A developmental claim: the learning coefficient over the training of a transformer that groks."""

from fixtures.addition import Addition

from harness import (
    LLC,
    AdamW,
    Evidence,
    Factors,
    Gate,
    LLCSpec,
    Module,
    PairedDifference,
    Recipe,
    Source,
    claim,
    quantity,
    study,
)

PAPER = Source("grokking", "An example: what falls when a network groks")
SEEDS = {"smoke": 2, "reduced": 8, "full": 20}
EPOCHS = {"smoke": 8, "reduced": 800, "full": 800}
SHARE = 0.7  # of the pairs: memorised by epoch 100, generalised by 800, in pilot members (seeds 1000 to 1002)
# At γ = 100 chains of the pilot members agree after 2000 gradients (R̂ at most 1.03); at γ = 10 they did not after 3000.
SAMPLER = {scale: LLCSpec(localization=100.0, budget=40 if scale == "smoke" else 2000) for scale in SEEDS}


@quantity("relative_llc")
def relative_llc(table):
    """LLC in units of its mean when the training pairs are memorised."""
    return table["llc"] / table.loc[table["phase"] == "memorised", "llc"].mean()


@study
def trained(harness):
    """Accuracies and LLCs when the training pairs are memorised, and at the end."""
    from harness import Accuracy

    data, epochs = Addition(share=SHARE), EPOCHS[harness.scale]
    points = len(data.load().train_x)
    recipe = Recipe(
        data, Module("fixtures.addition:Transformer", "transformer", {}), optimiser=AdamW(1e-2, weight_decay=1.0),
        epochs=epochs, batch_size=points, checkpoints=(epochs // 8,),
    )  # fmt: skip
    members = harness.store.populations([recipe], range(SEEDS[harness.scale]))
    table = harness.store.measure(members, LLC(SAMPLER[harness.scale], points=points, epochs="all"))
    for split, column in (("train", "accuracy"), ("test", "held_out")):
        seen = harness.store.measure(members, Accuracy(split)).rename(columns={"accuracy": column})
        table = table.merge(seen[["seed", "epoch", column]], on=["seed", "epoch"])
    table["phase"] = table["epoch"].map({epochs // 8: "memorised", epochs: "generalised"})
    table = table[table["phase"].notna()]
    table[relative_llc] = relative_llc.of(table)
    return table


@claim(
    "grokking/llc-falls",
    statement="From memorising to generalising, the local learning coefficient falls.",
    source=PAPER.at("Claims", "a network that has found the rule is simpler than one that has learnt its pairs by heart"),
    prediction=PairedDifference(
        value=relative_llc,
        factor="phase",
        higher="memorised",
        lower="generalised",
        pair="seed",
        margin=0.1,
        margin_reason="a tenth of the LLC of a network that has memorised, twice the error of a good estimate",
    ),
    gates=(
        Gate("the training pairs are memorised", "accuracy", at_least=0.95),
        Gate("it has not generalised yet", "held_out", at_most=0.5, where={"phase": "memorised"}),
        Gate("it has generalised", "held_out", at_least=0.8, where={"phase": "generalised"}),
        Gate("chains agree", "rhat", at_most=1.1),
    ),
    population=Factors(random=("seed",), fixed=("phase", "training pairs")),
)
def test_llc_falls(harness):
    """One pair a seed: the same network, early and late."""
    return Evidence(trained(harness))
