"""Judging a setting with a few of the claim's seeds first, and with all of them where these do not decide.

Two looks at one setting have two chances to err, so they share its α: a tenth for the first look, the rest for the second.
Either verdict is one of the ordinary rule on the units that it names; what a search finds is confirmed on all seeds, and on
fresh ones.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.judge import Verdict

UNITS = 12  # that the first look is to have at least: below, intervals by Student's t are wider than most margins
FIRST = 0.1  # of α for the first look
FEWEST = 2  # seeds of a population, without which nothing is known of its spread


@dataclass(frozen=True)
class Screen:
    """Which seeds the first look takes.

    Attributes:
        share: of the seeds of every population; None where there is no first look.
    """

    share: float | None = None

    def seeds(self, asked: Iterable[int]) -> list[int]:
        """The first of the seeds that a population is asked for."""
        every = list(asked)
        if self.share is None:
            return every
        return every[: max(FEWEST, math.ceil(self.share * len(every) - 1e-9))]

    def judged(self, few: Callable[[float], Verdict], all_of_them: Callable[[float], Verdict]) -> Verdict:
        """The verdict of one or two looks.

        Args:
            few: judges a few seeds at a share of α.
            all_of_them: judges all of them.
        """
        if self.share is None:
            return all_of_them(1.0)
        try:
            first = few(FIRST)
            if first.outcome.value in ("supported", "refuted"):
                return first
        except Exception:  # too few for this kind of prediction, say: all of them will tell
            pass
        return all_of_them(1 - FIRST)


def screen_of(verdict: Verdict, seeds: int) -> Screen:
    """The first look for settings of a claim, by what it has at its defaults.

    Args:
        verdict: at the defaults.
        seeds: different seeds that its evidence has.
    """
    if verdict.estimate is None or not verdict.estimate.n or seeds < 2 * FEWEST or verdict.prediction.rule == "exact":
        return Screen()
    needed = max(FEWEST, math.ceil(UNITS * seeds / verdict.estimate.n))
    return Screen(needed / seeds if 2 * needed <= seeds else None)
