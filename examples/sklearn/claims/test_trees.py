"""A claim on scikit-learn models; the harness judges, and trains nothing."""

from fixtures.trees import accuracies

from harness import Evidence, Factors, PairedDifference, Source, claim

SIZES = {"smoke": (3, 3), "reduced": (20, 25), "full": (60, 100)}  # splits, trees


@claim(
    "trees/bagging-helps",
    statement="A bag of decision trees is more accurate than a single tree.",
    source=Source("trees", "Bagging Predictors", authors="Leo Breiman", year=1996).at(
        "Abstract", "bagging can give substantial gains in accuracy"
    ),
    prediction=PairedDifference(
        value="accuracy",
        factor="model",
        higher="bagged",
        lower="one tree",
        pair="seed",
        margin=0.01,
        margin_reason="one patient in a hundred",
    ),
    population=Factors(random=("seed",), fixed=("model",)),
)
def test_bagging_helps(harness):
    """One pair a split. Splits of one data set overlap: the verdict is about splits of these data, not about new patients."""
    return Evidence(accuracies(range(SIZES[harness.scale][0]), SIZES[harness.scale][1]))
