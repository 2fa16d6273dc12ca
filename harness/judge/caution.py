"""Two safeguards on verdicts: a second opinion that allows for skewness, and the p values that adjustments for many claims use.

Every verdict on a mean has to survive the second opinion, the same rule on another interval.  A t interval is exact for normal
units.  If units have a long tail, one end of it errs more often than it claims to, and a few units hardly show such a tail.
What the t interval decides counts only if the interval of ``harness.stats.Skewed`` decides the same (docs/decisions/0031 has
the measured rates).

The p values of support and refutation (:func:`sides`) are read off the curve that decides the verdict.  The p shown beside an
effect may instead come from an exact test, whose smallest value is set by the number of units (2^-n for sign flips): a test of
eight pairs could never survive an adjustment for thirteen claims, however large the effect.  The verdict depends on the
interval, and so do these p values.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.judge.rule import Outcome, decide
from harness.predict import Conjunction, Estimate, Prediction, words
from harness.stats import Confidence

MOST_UNITS = 100_000


def survives(outcome: Outcome, prediction: Prediction, seen: Confidence, alpha: float) -> bool:
    """Whether the second opinion agrees with the first; True if nothing was decided, or if there is no mean."""
    second = seen.cautious
    if second is None or outcome not in (Outcome.SUPPORTED, Outcome.REFUTED):
        return True
    return decide(prediction.rule, prediction.centre, prediction.margin, second.interval(alpha))[0] is outcome


def second_opinion(outcome: Outcome, prediction: Prediction, estimate: Estimate) -> tuple[Outcome, str, tuple[str, ...]]:
    """The outcome after the second opinion, and sentences about it.

    Args:
        outcome: what the interval decided.
        prediction: what was fixed beforehand.
        estimate: what was seen.

    Returns:
        The outcome, INCONCLUSIVE where the second opinion differs; a sentence on that for the reason, else empty; and notes for
        the card, none where there is no mean.
    """
    second = estimate.confidence.cautious if estimate.confidence is not None else None
    if estimate.confidence is None or second is None:
        return outcome, "", ()
    units, n = estimate.counted or ("unit", estimate.n)
    several = words.plural(units)
    limits = _limits(prediction, several, n)
    low, high = second.interval(prediction.alpha)
    ends = (float(low), float(high))
    if survives(outcome, prediction, estimate.confidence, prediction.alpha):
        same = "" if outcome is Outcome.INCONCLUSIVE else ", the same verdict"
        return outcome, "", (f"Allowing for skewness the interval is {words.span(ends)}{same}.", limits)
    enough = _enough(outcome, prediction, estimate.confidence, n)
    do = f"about {enough:,} {several} would decide it" if enough else "no number of units would decide it"
    said = f"Allowing for skewness {words.bracket(ends)} it is open."
    return Outcome.INCONCLUSIVE, said, (f"With the same effect, spread and skewness {do}.", limits)


def _limits(prediction: Prediction, several: str, n: int) -> str:
    """What the mean says nothing about."""
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
    """Fewest units, as powers of 1.1 times those at hand, with which the second opinion would agree; None beyond all bounds."""
    more = float(n)
    while more < MOST_UNITS:
        more = max(more * 1.1, more + 1)
        if survives(outcome, prediction, seen.resized(n, round(more)), prediction.alpha):
            return round(more)
    return None


@dataclass(frozen=True)
class Sides:
    """P of a support and of a refutation; each is at most alpha where the interval says so.

    Attributes:
        support: p of "the claim holds" against its null; None if there is none.
        refute: p of "the claim does not hold" against the least that it claims; None if there is none.
    """

    support: float | None
    refute: float | None

    def at(self, share: float) -> Sides:
        """The same, to be compared with all of α by who has spent only a share of it: each divided by that share."""
        return Sides(*(None if p is None else min(1.0, p / share) for p in (self.support, self.refute)))


def sides(prediction: Prediction, seen: Estimate) -> Sides:
    """The p values of one prediction, at the values on which its verdict depends.

    A direction is supported against its centre c and refuted against c + m; an absence is supported against both limits (TOST)
    and refuted against the nearer one.  The curve is that of the second opinion, where there is one.  A second test that a
    kind requires must agree with a support.  An exact kind, which does not err, has 0 and 1.
    """
    rule, centre, margin, curve = prediction.rule, prediction.centre, prediction.margin, seen.confidence
    curve = (curve.cautious or curve) if curve is not None else None
    if rule == "exact":
        holds = seen.effect == centre
        return Sides(float(not holds), float(holds))
    if curve is None:
        return Sides(seen.p, None)
    if rule == "within":
        support = curve.within(centre, margin)
        refute = min(float(curve.above(centre + margin)), float(curve.below(centre - margin)))
    elif rule == "above":
        support, refute = curve.above(centre), curve.below(centre + margin)
    else:
        support, refute = curve.below(centre), curve.above(centre - margin)
    return Sides(max(float(support), seen.second_p or 0.0), float(refute))


def joint_sides(prediction: Conjunction, parts: Sequence[Sides | None]) -> Sides | None:
    """The p values of several parts of which a given number have to come true, at the levels at which parts count.

    Support: the p of the partial conjunction, the ``needed``-th smallest over the share of alpha at which a part's support
    counts (Benjamini & Heller 2008); if all parts are needed, that is the largest.  Refutation: enough parts that too few are
    left, each at its share (Bonferroni).  None if a part could not be judged.
    """
    known = [part for part in parts if part is not None]
    if len(known) < len(parts) or prediction.needed > len(parts):
        return None
    support = _ranked([part.support for part in known], prediction.needed, prediction.support_share)
    refute = _ranked([part.refute for part in known], len(parts) - prediction.needed + 1, prediction.refute_share)
    return Sides(support, refute)


def _ranked(ps: Sequence[float | None], rank: int, share: float) -> float | None:
    known = sorted(1.0 if p is None else p for p in ps)
    return None if all(p is None for p in ps) else min(1.0, known[rank - 1] / share)
