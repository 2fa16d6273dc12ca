"""Judging a setting with a few of the claim's seeds first, then with more, and with all of them where these do not decide.

Several looks at one setting have several chances to err, so they share its α: a tenth for the first look, a fifth for one in
between, the rest for all seeds.  Each verdict is one of the ordinary rule on the units that it names; what a search finds is
confirmed on all seeds, and on fresh ones.  What all seeds would hardly decide, or could not make valid, has no further look
(:mod:`harness.running.futility`).
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.judge import Verdict

UNITS = 6  # that the first look is to have at least: below, an interval at its α is several standard deviations wide
FIRST = 0.1  # of α for the first look
MIDDLE = 0.2  # of α for one between the first and the last
APART = 4  # times as many seeds in the last look as in the first, from which on there is one between them
FEWEST = 2  # seeds of a population, without which nothing is known of its spread

Judged = Callable[[float], "Verdict"]
Ends = Callable[["Verdict"], "Verdict | None"]


@dataclass(frozen=True)
class Look:
    """A look at some of the seeds.

    Attributes:
        share: of the seeds of every population.
        alpha: share of α.
    """

    share: float
    alpha: float

    def seeds(self, asked: Iterable[int]) -> list[int]:
        """The first of the seeds that a population is asked for."""
        every = list(asked)
        return every[: max(FEWEST, math.ceil(self.share * len(every) - 1e-9))]

    def verdict(self, judged: Judged, ends: Ends = lambda verdict: None) -> Verdict | None:
        """The verdict of this look; None where more seeds are to be looked at.

        Args:
            judged: judges these seeds at a share of α.
            ends: of a verdict that decides nothing, what is said where more seeds are not worth their price; else None.
        """
        try:
            verdict = judged(self.alpha)
        except Exception:  # too few for this kind of prediction, say: all of them will tell
            return None
        return verdict if verdict.outcome.value in ("supported", "refuted") else ends(verdict)


@dataclass(frozen=True)
class Screen:
    """The looks at a setting before the one at all seeds.

    Attributes:
        looks: from the fewest seeds to the most; none where all seeds are looked at once.
    """

    looks: tuple[Look, ...] = ()

    @classmethod
    def of(cls, share: float) -> Screen:
        """The looks that begin with a share of the seeds; one between it and all lies at their geometric mean."""
        first = Look(share, FIRST)
        return cls((first,) if share * APART > 1 + 1e-9 else (first, Look(math.sqrt(share), MIDDLE)))

    @property
    def rest(self) -> float:
        """The share of α for the look at all seeds."""
        return 1.0 - sum(look.alpha for look in self.looks)

    def judged(self, early: Callable[[Look], Verdict | None], every: Judged) -> Verdict:
        """The verdict of the first look that has one.

        Args:
            early: the verdict of a look, or None.
            every: judges all seeds at a share of α.
        """
        for look in self.looks:
            if (verdict := early(look)) is not None:
                return verdict
        return every(self.rest)


def screen_of(verdict: Verdict, seeds: int, few: Callable[[Look], Verdict]) -> Screen:
    """The looks at settings of a claim: the first has the fewest seeds, up to half, with which its defaults can be judged.

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
        screen = Screen.of(needed / seeds)
        with contextlib.suppress(Exception):  # too few for this kind of prediction
            seen = few(screen.looks[0])
            if seen.estimate is not None and seen.outcome.value not in ("invalid", "error"):
                return screen
        needed = max(needed + 1, math.ceil(1.25 * needed))
    return Screen()
