"""Which noted settings a search judges anew before it believes any note: those that would tell a change soonest.

What a body depends on may change in a way that nothing shows (:mod:`harness.running.notes`).  Where the effect bends, any
setting tells that; where it jumps, only those between the old edge and the new one do.  So the settings on both sides of an
edge come first: those next to a setting of another verdict, and in turn with them those whose effect is nearest to the margin.
One of each verdict is judged anew whatever it takes, then as many as fit into a tenth of what the notes took, or into two
seconds.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.running.notes import Notes, StaleError, agree
from harness.running.scope import Scope, Settings
from harness.running.trials import Trial, in_words, tried
from harness.running.values import key_of

if TYPE_CHECKING:
    from harness.judge import Verdict

CHECKING = 2.0
"""Seconds in which noted settings are judged anew, where a share of what they took is less."""
SHARE = 0.1
"""Share of what the noted settings took, in which some are judged anew; of the time that is left, too, where it is limited."""


class Checks:
    """Judges noted settings anew, within a share of the time.

    Args:
        notes: of the claim.
        anew: judges a setting.
        late: whether a setting has not returned within its time, which a busy machine may cause.
        until: time of :func:`time.monotonic` at which the search ends; None for no limit.
    """

    def __init__(
        self, notes: Notes, anew: Callable[[Settings], Verdict], late: Callable[[Settings], bool], until: float | None
    ) -> None:
        self._notes, self._anew, self._late, self._until = notes, anew, late, until
        self._agreed: set[str] = set()  # verdicts of notes that were found to be true
        self._checked: set[Any] = set()
        self._spent, self._allowed = 0.0, CHECKING

    def begin(self, scope: Scope) -> None:
        """Judge settings anew, those first that tell a change soonest.

        Args:
            scope: the claim's.

        Raises:
            StaleError: one of them says something else than its note.
        """
        noted = list(self._notes.all())
        self._allowed = max(CHECKING, SHARE * sum(each.seconds for each in noted))
        if self._until is not None:
            self._allowed = min(self._allowed, max(CHECKING, SHARE * (self._until - time.monotonic())))
        for each in by_what_they_tell(scope, noted):
            self.check(each)

    def check(self, noted: Trial) -> None:
        """Judge a setting anew, where none of its verdict has been yet, or where there is time for it.

        Raises:
            StaleError: it says something else than its note.
        """
        key = key_of(noted.settings)
        pace = self._spent / len(self._checked) if self._checked else 0.0
        if key in self._checked or (noted.verdict in self._agreed and self._spent + pace > self._allowed):
            return
        began = time.perf_counter()
        seen = tried(self._anew, noted.settings, noted.why)
        self._spent += time.perf_counter() - began
        self._checked.add(key)
        if self._late(noted.settings) or seen is None:
            return
        if not agree(noted, seen):
            raise StaleError(
                f"a setting that was judged before, {in_words(noted.settings)}, is {seen.verdict} now and was "
                f"{noted.verdict}, or its numbers differ: what the body depends on has changed in a way that its code does not "
                "show; so all notes of its search are dropped, and the search begins again"
            )
        self._agreed.add(noted.verdict)


def by_what_they_tell(scope: Scope, noted: Sequence[Trial]) -> Iterable[Trial]:
    """Noted settings, those first that would tell a change soonest.

    Args:
        scope: the claim's.
        noted: their trials.

    Returns:
        First the one of each verdict that is nearest to a setting of another; then, in turn, those that are, and those whose
        effect is nearest to the margin.
    """
    if not noted:
        return []
    places = scope.columns([each.settings for each in noted])
    verdicts = np.array([each.verdict for each in noted])
    apart = ((places[:, None] - places[None]) ** 2).sum(axis=2)
    to_another = np.where(verdicts[:, None] != verdicts[None], apart, np.inf).min(axis=1)
    to_margin = np.array([np.inf if each.distance is None else abs(each.distance) for each in noted])
    by_edge, by_margin = (np.argsort(each, kind="stable") for each in (to_another, to_margin))
    first = [next(at for at in by_edge if verdicts[at] == each) for each in dict.fromkeys(verdicts[by_edge])]
    return [noted[at] for at in dict.fromkeys([*first, *chain.from_iterable(zip(by_edge, by_margin, strict=True))])]
