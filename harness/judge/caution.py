"""The second opinion that every verdict on a mean has to survive: the same rule on an interval that allows for skewness.

A t interval is exact for normal units.  Where they have a long tail, one of its ends errs more often than it says, and a few
units hardly show that they have one.  So what the interval decides is decided only if the interval of ``harness.stats.Skewed``
decides the same (docs/decisions/0031 has the measured rates).
"""

from __future__ import annotations

from harness.judge.rule import Outcome, decide
from harness.predict import Estimate, Prediction, words
from harness.stats import Confidence

MOST_UNITS = 100_000


def survives(outcome: Outcome, prediction: Prediction, seen: Confidence, alpha: float) -> bool:
    """Whether the second opinion says what the first one said; True where nothing was decided, and where there is no mean."""
    second = seen.cautious
    if second is None or outcome not in (Outcome.SUPPORTED, Outcome.REFUTED):
        return True
    return decide(prediction.rule, prediction.centre, prediction.margin, second.interval(alpha))[0] is outcome


def second_opinion(outcome: Outcome, prediction: Prediction, estimate: Estimate) -> tuple[Outcome, tuple[str, ...]]:
    """The outcome after the second opinion, and what is to be said about it.

    Args:
        outcome: what the interval decided.
        prediction: what was fixed beforehand.
        estimate: what was seen.

    Returns:
        The outcome, INCONCLUSIVE where the second opinion differs, and sentences for the card; none where there is no mean.
    """
    second = estimate.confidence.cautious if estimate.confidence is not None else None
    if estimate.confidence is None or second is None:
        return outcome, ()
    units, n = estimate.counted or ("unit", estimate.n)
    several = words.plural(units)
    limits = _limits(prediction, several, n)
    low, high = second.interval(prediction.alpha)
    allowed = f"Allowing for skewness the interval is {words.span((float(low), float(high)))}"
    if survives(outcome, prediction, estimate.confidence, prediction.alpha):
        same = "" if outcome is Outcome.INCONCLUSIVE else ", the same verdict"
        return outcome, (f"{allowed}{same}.", limits)
    enough = _enough(outcome, prediction, estimate.confidence, n)
    do = f"about {enough:,} {several} would decide it" if enough else "no number of units would decide it"
    return Outcome.INCONCLUSIVE, (
        f"{allowed}, which leaves it open; with the same effect, spread and skewness {do}.",
        limits,
    )


def _limits(prediction: Prediction, several: str, n: int) -> str:
    """What the mean says nothing of."""
    if prediction.trim:
        return (
            f"A trimmed mean is about the middle {words.percent(1 - 2 * prediction.trim)} of {several}: rare ones at either "
            "end do not count, however far out they lie."
        )
    unseen = 1 - prediction.alpha ** (1 / n)
    return (
        f"A mean counts rare {several}, too: what happens in fewer than {words.percent(unseen)} of them may not have shown "
        f"in {n:,}."
    )


def _enough(outcome: Outcome, prediction: Prediction, seen: Confidence, n: int) -> int | None:
    """Fewest units, of powers of 1.1 times those at hand, with which the second opinion would agree; None beyond all bounds."""
    more = float(n)
    while more < MOST_UNITS:
        more = max(more * 1.1, more + 1)
        if survives(outcome, prediction, seen.resized(n, round(more)), prediction.alpha):
            return round(more)
    return None
