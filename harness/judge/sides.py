"""P of both sides of a verdict, read off the curve that decides it: what adjustments for several claims adjust.

The p that is shown beside an effect may be that of an exact test, whose smallest value is set by the number of units (2^-n for
sign flips): a test of eight pairs could never survive an adjustment for thirteen claims, however large the effect.  The verdict
hangs on the interval, and so do these.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.predict import Conjunction, Estimate, Prediction


@dataclass(frozen=True)
class Sides:
    """P of a support and of a refutation; each is at most alpha where the interval says so.

    Attributes:
        support: of "the claim holds" against its null; None where there is none.
        refute: of "the claim does not hold" against the least that it says; None where there is none.
    """

    support: float | None
    refute: float | None


def sides(prediction: Prediction, seen: Estimate) -> Sides:
    """Of one prediction, at the values on which its verdict hangs.

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
    """Of several parts of which so many have to come true, at the levels at which they count for the whole.

    Support: the p of the partial conjunction, the ``needed``-th smallest over the share of alpha at which a part's support
    counts (Benjamini & Heller 2008); of all parts that is the largest.  Refutation: so many parts that too few are left, each
    at its share (Bonferroni).  None where a part could not be judged.
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
