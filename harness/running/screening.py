"""Judging a setting with a few of the claim's seeds first, and with all of them where these do not decide.

Two looks at one setting have two chances to err, so they share its α: a tenth for the first look, the rest for the second.
Either verdict is one of the ordinary rule on the units that it names; what a search finds is confirmed on all seeds, and on
fresh ones.  What all seeds would hardly decide, or could not make valid, has one look (:mod:`harness.running.futility`).
"""

from __future__ import annotations

import contextlib
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

    def first(
        self, few: Callable[[float], Verdict], ends: Callable[[Verdict], Verdict | None] = lambda verdict: None
    ) -> Verdict | None:
        """The verdict of the first look; None where there is none, or where all seeds are to be looked at.

        Args:
            few: judges a few seeds at a share of α.
            ends: of a verdict that decides nothing, what is said where all seeds are not worth their price; else None.
        """
        if self.share is None:
            return None
        try:
            verdict = few(FIRST)
        except Exception:  # too few for this kind of prediction, say: all of them will tell
            return None
        return verdict if verdict.outcome.value in ("supported", "refuted") else ends(verdict)

    def judged(self, few: Callable[[float], Verdict], all_of_them: Callable[[float], Verdict]) -> Verdict:
        """The verdict of one or two looks.

        Args:
            few: judges a few seeds at a share of α.
            all_of_them: judges all of them.
        """
        return self.first(few) or all_of_them(self.rest)

    @property
    def rest(self) -> float:
        """The share of α for the look at all seeds."""
        return 1.0 if self.share is None else 1 - FIRST


def screen_of(verdict: Verdict, seeds: int, few: Callable[[Screen], Verdict]) -> Screen:
    """The first look for settings of a claim: the fewest seeds, up to half, with which it can be judged at its defaults.

    Gates may ask for more than an interval does, such as for a sampling error that is small over all networks.

    Args:
        verdict: at the defaults.
        seeds: different seeds that its evidence has.
        few: judges the claim at its defaults with the seeds of a first look.
    """
    if verdict.estimate is None or not verdict.estimate.n or seeds < 2 * FEWEST or verdict.prediction.rule == "exact":
        return Screen()
    needed = max(FEWEST, math.ceil(UNITS * seeds / verdict.estimate.n))
    while 2 * needed <= seeds:
        screen = Screen(needed / seeds)
        with contextlib.suppress(Exception):  # too few for this kind of prediction
            seen = few(screen)
            if seen.estimate is not None and seen.outcome.value not in ("invalid", "error"):
                return screen
        needed = max(needed + 1, math.ceil(1.25 * needed))
    return Screen()
