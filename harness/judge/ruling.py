"""From one prediction and its table to a verdict, and from the verdicts on parts to that on the whole."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import pandas as pd

from harness.judge.blocks import estimate_in_blocks
from harness.judge.rule import Outcome, conjoin, decide
from harness.judge.verdict import Verdict
from harness.predict import Conjunction, Prediction, Unusable, words
from harness.predict.conjunction import headline, weakest


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
    if outcome is Outcome.SUPPORTED and estimate.objection:
        outcome = Outcome.INCONCLUSIVE
    reason = prediction.finding(estimate) + prediction.about()
    if prediction.rule != "exact":
        reason += ": " + words.standing(
            prediction.rule, prediction.centre, prediction.margin, estimate.interval
        )
    said = [f"{reason}.", *([estimate.objection] if estimate.objection else []), *estimate.notes]
    return Verdict(outcome, " ".join(said), label, prediction, estimate)


def _firm(part: Verdict, parts: int) -> Outcome:
    """What the part says at its alpha divided by the number of parts."""
    prediction, seen = part.prediction, part.estimate
    if seen is None or seen.confidence is None:
        return part.outcome
    return decide(
        prediction.rule, prediction.centre, prediction.margin, seen.confidence.interval(prediction.alpha / parts)
    )[0]


def joint(prediction: Conjunction, parts: tuple[Verdict, ...]) -> Verdict:
    """Verdict on a conjunction from those on its parts; its headline is the weakest part."""
    firm = [_firm(part, len(parts)) for part in parts]
    outcome = conjoin([part.outcome for part in parts], firm)
    counts = {each: sum(part.outcome is each for part in parts) for each in Outcome}
    said = words.listed(f"{count} {each.value}" for each, count in counts.items() if count)
    seen = [(part.prediction, part.estimate) for part in parts if part.estimate is not None]
    estimate = headline(seen) if seen else None
    said_by = firm if outcome is Outcome.REFUTED else [part.outcome for part in parts]
    decisive = next((part for part, said in zip(parts, said_by, strict=True) if said is outcome), parts[0])
    if outcome is Outcome.SUPPORTED and seen:
        decisive = next(part for part in parts if part.prediction is weakest(seen)[0])
    labels = {part.label for part in parts if part.outcome is Outcome.REFUTED}
    label = labels.pop() if outcome is Outcome.REFUTED and len(labels) == 1 else None
    reason = f"Of {len(parts)} parts {said}. {decisive.reason}"
    if outcome is Outcome.INCONCLUSIVE and counts[Outcome.REFUTED]:
        share = f"α/{len(parts)}, as any of {len(parts)} parts refutes the whole"
        reason = f"Of {len(parts)} parts {said}, but none is refuted at {share}. {decisive.reason}"
    return Verdict(outcome, reason, label, prediction, estimate, parts=parts)
