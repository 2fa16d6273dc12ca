"""Claims on results that lie in a file: nothing is trained, and torch is not needed."""

from pathlib import Path

from harness import Evidence, Factors, PairedDifference, Runs, Source, claim

PAPER = Source("tables", "An example: results of somebody else's runs")
RESULTS = Path(__file__).parents[1] / "results.csv"
ACROSS_SEEDS = Factors(random=("seed",), fixed=("optimizer",))


def runs():
    """Every run, known by its optimizer and its seed."""
    return Runs.from_csv(RESULTS, run=("optimizer", "seed"), step="epoch", metrics="val_acc")


@claim(
    "tables/adam-ends-higher",
    statement="After 20 epochs runs with Adam have a higher validation accuracy than runs with SGD.",
    source=PAPER.at("Results", "Adam generalises better at our budget"),
    prediction=PairedDifference(
        value="val_acc",
        factor="optimizer",
        higher="adam",
        lower="sgd",
        pair="seed",
        margin=0.01,
        margin_reason="one point in a hundred is what a reader would notice",
    ),
    population=ACROSS_SEEDS,
)
def test_adam_ends_higher():
    """At the last epoch, which all runs have reached: a rule that is named, not chosen silently."""
    return Evidence(runs().at("val_acc", step=20))
