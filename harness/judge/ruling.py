"""From one prediction and its table to a verdict, and from the verdicts on parts to that on the whole."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from harness.doubts import among
from harness.judge.blocks import estimate_in_blocks
from harness.judge.caution import joint_sides, second_opinion, sides, survives
from harness.judge.rule import Grade, Outcome, conjoin, decide, grade, joint_grade
from harness.judge.units import doubts
from harness.judge.verdict import Verdict
from harness.predict import Conjunction, Estimate, Prediction, Unusable, words

_SAID: dict[Grade, str] = {"at least m": "", "m not excluded": "", "probably below m": ", though not likely"}
_PARTS: dict[Outcome, tuple[str, str]] = {
    Outcome.SUPPORTED: ("holds", "hold"), Outcome.REFUTED: ("fails", "fail"), Outcome.INCONCLUSIVE: ("is open", "are open"),
    Outcome.INVALID: ("cannot be judged", "cannot be judged"),
}  # fmt: skip
_UNCLEAR = ", but not clearly enough for the whole"  # where the levels of :func:`_short_of` make the difference


def single(
    prediction: Prediction,
    table: pd.DataFrame,
    rng: np.random.Generator,
    blocks: Sequence[Collection[int]] | None = None,
) -> Verdict:
    """Verdict on one prediction, INVALID where the evidence cannot be used.

    Args:
        prediction: what was fixed beforehand.
        table: what was seen.
        rng: generator for Monte-Carlo tests.
        blocks: seeds of each block where seeds are added until the claim is decided, or None.
    """
    try:
        estimate = estimate_in_blocks(prediction, table, blocks, rng)
    except Unusable as problem:
        return Verdict(Outcome.INVALID, f"The evidence cannot be used: {problem}.", None, prediction, None)
    outcome, label = decide(prediction.rule, prediction.centre, prediction.margin, estimate.interval)
    outcome, doubt, cautions = second_opinion(outcome, prediction, estimate)
    if outcome is Outcome.SUPPORTED and estimate.objection:
        outcome = Outcome.INCONCLUSIVE
    label = label if outcome is Outcome.REFUTED else None
    reason = prediction.finding(estimate) + prediction.briefly_about()
    if prediction.rule != "exact":
        reason += ": " + words.standing(prediction.rule, prediction.centre, prediction.margin, estimate.interval)
    size = _grade(prediction, estimate) if outcome is Outcome.SUPPORTED else None
    reason += _SAID[size] if size else ""
    said = " ".join(each for each in (f"{reason}.", doubt, estimate.objection) if each)
    notes = (*doubts(prediction, table), *cautions, *estimate.notes)
    return Verdict(outcome, said, label, prediction, estimate, size, sides(prediction, estimate), notes=notes)


def _grade(prediction: Prediction, seen: Estimate, share: float = 1.0) -> Grade | None:
    """How large the effect is, by the interval at alpha times ``share``."""
    interval = seen.interval
    if seen.confidence is not None and (share != 1 or seen.confidence.cautious is not None):
        low, high = (seen.confidence.cautious or seen.confidence).interval(prediction.alpha * share)
        interval = float(low), float(high)
    return grade(prediction.rule, prediction.centre, prediction.margin, seen.effect, interval)


def _firm(part: Verdict, share: float) -> Outcome:
    """The part's outcome at its alpha times ``share``, but never a support that it does not have at its own alpha.

    (A wider interval reaches the smallest effect of interest more easily, and must not turn a negligible effect into support.)
    """
    prediction, seen = part.prediction, part.estimate
    if share == 1 or seen is None or seen.confidence is None:
        return part.outcome
    alpha = prediction.alpha * share
    outcome = decide(prediction.rule, prediction.centre, prediction.margin, seen.confidence.interval(alpha))[0]
    if not survives(outcome, prediction, seen.confidence, alpha):
        return Outcome.INCONCLUSIVE
    objected = seen.objection or (seen.second_p is not None and seen.second_p > alpha)
    if outcome is Outcome.SUPPORTED and (objected or part.outcome is not Outcome.SUPPORTED):
        return Outcome.INCONCLUSIVE
    return outcome


def joint(prediction: Conjunction, parts: tuple[Verdict, ...]) -> Verdict:
    """Verdict on several parts from the verdicts on each.

    One part decides (:func:`_deciding`): reason, estimate, margin, power and the second voice are all that part's.
    """
    supporting = [_firm(part, prediction.support_share) for part in parts]
    refuting = [_firm(part, prediction.refute_share) for part in parts]
    outcome = conjoin(supporting, refuting, prediction.needed)
    counts = {each: sum(part.outcome is each for part in parts) for each in Outcome}
    decides = _deciding(prediction, parts, supporting, refuting)
    decisive = parts[decides]
    labels = {part.label for part in parts if part.outcome is Outcome.REFUTED}
    label = labels.pop() if outcome is Outcome.REFUTED and len(labels) == 1 else None
    at_face = [part.outcome for part in parts]
    unclear = outcome is Outcome.INCONCLUSIVE and conjoin(at_face, at_face, prediction.needed) is not outcome
    reason = f"{_tally(prediction, counts, _UNCLEAR * unclear)}. {decisive.reason}"
    notes = (*_short_of(prediction, outcome, supporting, refuting, counts), *decisive.notes)
    notes = tuple(dict.fromkeys((*among(note for part in parts for note in part.notes), *notes)))
    size = None
    if outcome is Outcome.SUPPORTED:
        pairs = zip(parts, supporting, strict=True)
        counted = [part for part, its in pairs if its is Outcome.SUPPORTED and part.estimate is not None]
        grades = [_grade(part.prediction, part.estimate, prediction.support_share) for part in counted if part.estimate]
        size = joint_grade(grades, prediction.needed)
    estimate = decisive.estimate
    if estimate is not None:
        p = prediction.joint_p([part.estimate.p for part in parts if part.estimate is not None])
        estimate = replace(estimate, p=p, notes=(f"Part {decides + 1} of {len(parts)} decides.", *estimate.notes))
    both = joint_sides(prediction, [part.sides for part in parts])
    firm = (supporting.count(Outcome.SUPPORTED), refuting.count(Outcome.REFUTED), prediction.needed)
    return Verdict(
        outcome, reason, label, prediction, estimate, size, both, parts=parts, decides=decides, counts=firm, notes=notes
    )


def _tally(prediction: Conjunction, counts: dict[Outcome, int], more: str = "") -> str:
    """How the parts came out, and more about that: "2 of 5 parts hold, 1 fails"."""
    parts = sum(counts.values())
    said = [f"{count} {_PARTS[each][count != 1]}" for each, count in counts.items() if count]
    needed = more + (f"; {prediction.needed} are needed" if prediction.needed < parts else "")
    number, came = said[0].split(" ", 1)
    if len(said) == 1:
        return f"{'Both' if parts == 2 else f'All {number}'} parts {came}{needed}"
    told = [each for each in said[1:] if "open" not in each]  # which are the rest
    return f"{number} of {parts} parts {', '.join([came, *told])}{needed}"


def _deciding(prediction: Conjunction, parts: Sequence[Verdict], supporting: list[Outcome], refuting: list[Outcome]) -> int:
    """Place of the part that decides for the whole: the ``needed``-th when parts stand in order of how well they came true.

    Supported parts come first, refuted ones last, all else between; among equals those that are stronger in units of their
    margins.  So it is the weakest support of those that are needed, the refutation that leaves too few, or the open part whose
    support would decide.  A part that cannot be judged decides before all others.
    """
    if (broken := next((i for i, part in enumerate(parts) if part.estimate is None), None)) is not None:
        return broken

    def order(place: int) -> tuple[int, float]:
        part = parts[place]
        assert part.estimate is not None
        standing = 2 if supporting[place] is Outcome.SUPPORTED else 0 if refuting[place] is Outcome.REFUTED else 1
        return standing, part.prediction.strength(part.estimate)

    return sorted(range(len(parts)), key=order, reverse=True)[prediction.needed - 1]


def _short_of(
    prediction: Conjunction, outcome: Outcome, supporting: list[Outcome], refuting: list[Outcome], counts: dict[Outcome, int]
) -> tuple[str, ...]:
    """A note if parts hold or fail, but too few of them at the level at which they count for the whole."""
    parts, needed = len(prediction.parts), prediction.needed
    if needed < parts and outcome is not Outcome.INVALID:
        ours, theirs = supporting.count(Outcome.SUPPORTED), refuting.count(Outcome.REFUTED)
        return (
            f"The whole holds if {needed} parts hold at α/{parts - needed + 1} ({ours} {'does' if ours == 1 else 'do'}), and "
            f"fails if {parts - needed + 1} fail at α/{needed} ({theirs} {'does' if theirs == 1 else 'do'}).",
        )
    if outcome is Outcome.INCONCLUSIVE and counts[Outcome.REFUTED]:
        return (f"Any of {parts} parts that fails at α/{parts} refutes the whole; none does.",)
    return ()
