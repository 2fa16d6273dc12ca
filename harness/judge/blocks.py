"""Estimates that may be looked at after every block of new seeds (``--claims-until-decided``)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from harness.errors import ClaimError
from harness.predict import Estimate, Prediction, Unusable, words
from harness.stats.sequential import Anytime, anytime_p

SEED = "seed"
"""Column of the training seed, which every measured table has."""


def estimate_in_blocks(
    prediction: Prediction,
    table: pd.DataFrame,
    blocks: Sequence[Collection[int]] | None,
    rng: np.random.Generator,
) -> Estimate:
    """The estimate from all rows, with the interval and p that stay valid at every look.

    Args:
        prediction: what is estimated.
        table: all rows so far.
        blocks: seeds of each block, in the order in which the blocks were added; None where the number of seeds was
            fixed beforehand, so that there is one look.
        rng: generator for Monte-Carlo tests.

    Raises:
        ClaimError: the table has no column "seed".
        Unusable: all rows together, or those of one block, cannot be judged.
    """
    whole = prediction.estimate(table, rng=rng)
    if blocks is None or whole.confidence is None:
        return whole
    if SEED not in table.columns:
        raise ClaimError(
            f"seeds are added block by block, and the table has no column {SEED!r} to tell the blocks apart; "
            f"it has {', '.join(map(str, table.columns))}"
        )
    random = [name for name in prediction.random_among(prediction.own_factors) if name != SEED]
    if shared := [name for name in random if _recurs(table, name, blocks)]:
        raise Unusable(
            f"blocks of seeds share their {words.listed(shared)}, whose levels stand for others, so that they are no studies "
            f"of their own; judge a number of seeds that is fixed beforehand, or declare {words.listed(shared)} fixed"
        )
    parts = [_block(prediction, table, number, seeds, rng) for number, seeds in enumerate(blocks, 1)]
    anytime = Anytime(whole.confidence, tuple(part.confidence for part in parts if part.confidence))
    low, high = anytime.interval(prediction.alpha)
    return replace(
        whole,
        interval=(float(low), float(high)),
        p=_p(prediction, anytime),
        standardised=None,  # its interval would be that of a number of seeds fixed beforehand
        confidence=anytime,
        second_p=(second := _second_p(parts)),
        objection=_objection(prediction, whole, second),
        notes=(*whole.notes, _note(prediction, blocks)),
    )


def _recurs(table: pd.DataFrame, name: str, blocks: Sequence[Collection[int]]) -> bool:
    """Whether a level of a factor stands in several blocks."""
    levels = [set(table.loc[table[SEED].isin(list(seeds)), name]) for seeds in blocks]
    return len(set().union(*levels)) < sum(map(len, levels))


def _block(
    prediction: Prediction, table: pd.DataFrame, number: int, seeds: Collection[int], rng: np.random.Generator
) -> Estimate:
    try:
        return prediction.estimate(table[table[SEED].isin(list(seeds))], rng=rng)
    except Unusable as problem:
        raise Unusable(f"in block {number} of the seeds alone: {problem}") from None


def _p(prediction: Prediction, anytime: Anytime) -> float:
    if prediction.rule == "within":
        return float(anytime.within(prediction.centre, prediction.margin))
    return float((anytime.above if prediction.rule == "above" else anytime.below)(prediction.centre))


def _second_p(parts: Sequence[Estimate]) -> float | None:
    """P of the second test of a kind that has one, valid at every look."""
    seconds = [part.second_p for part in parts if part.second_p is not None]
    return float(anytime_p(seconds)) if seconds else None


def _objection(prediction: Prediction, whole: Estimate, p: float | None) -> str | None:
    """Whether the second test of a kind that has one withholds support, by a rule that is valid at every look."""
    if p is None:
        return whole.objection
    if p <= prediction.alpha:
        return None
    return whole.objection or (
        f"The second test that this kind requires does not agree yet (p = {words.number(p)}, valid at every look), so that "
        "support is withheld."
    )


def _note(prediction: Prediction, blocks: Sequence[Collection[int]]) -> str:
    sizes = sorted({len(block) for block in blocks})
    each = words.counted(sizes[0], "seed") if len(sizes) == 1 else f"{sizes[0]} to {sizes[-1]} seeds"
    how = f"; {prediction.in_a_block}" if prediction.in_a_block else ""
    return (
        f"Judged after {words.counted(len(blocks), 'block')} of {each}, by a rule that stays valid however often one looks"
        f"{how}; the intervals of strata are those of one look."
    )
