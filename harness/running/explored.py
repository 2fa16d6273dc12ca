"""A search of a scope so far: its trials, what they cost, and what they say of settings that were not tried."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.running.scope import Scope, Settings
from harness.running.surface import Surface
from harness.running.trials import Trial, Why, tried
from harness.running.values import key_of

if TYPE_CHECKING:
    from harness.judge import Verdict
    from harness.running.edges import Edge

FIRST_BATCH = 3  # settings that are made in one go where time is limited and nothing is known of how long one takes
Judged = Callable[[Settings], "Verdict | Trial | None"]
Ahead = Callable[[Sequence[Settings]], bool]


@dataclass
class Explored:
    """The trials of a search so far, and what they say.

    Args:
        scope: the axes.
        judged: judges the claim with some settings in place of the defaults.
        default: the claim at its defaults, which costs nothing more.
        budget: trials that may be made.
        until: time of :func:`time.monotonic` after which none is; None for no limit.
        tell: told of every trial.
        ahead: told of settings that are about to be tried, so that what they need can be made in one go; says whether all of
            it is made, which the time may have cut short.
        foresight: steps of a bisection whose settings it is told of at once, although some of them will not be tried; which
            settings are tried, and in which order, does not depend on it.

    Attributes:
        trials: every setting that was tried, once, in order; not the defaults.
        drawn: the trial of every even draw; in a scope of few settings the same one, and the defaults, come up more than once.
        began: when, by :func:`time.monotonic`.
        edges: what the lines have found.
    """

    scope: Scope
    judged: Judged
    default: Trial
    budget: int
    until: float | None = None
    tell: Callable[[Trial], None] = lambda trial: None
    ahead: Ahead = lambda settings: False
    foresight: int = 1
    trials: list[Trial] = field(default_factory=list)
    drawn: list[Trial] = field(default_factory=list)
    edges: list[Edge] = field(default_factory=list)
    began: float = field(default_factory=lambda: time.monotonic())
    _known: dict[Any, Trial] = field(default_factory=dict)
    _ready: set[Any] = field(default_factory=set)
    _surface: tuple[int, Surface | None] = (-1, None)  # through the first so many trials

    @property
    def left(self) -> int:
        """Trials that may still be made."""
        if self.until is not None and time.monotonic() >= self.until:
            return 0
        return self.budget - len(self.trials)

    @property
    def cut(self) -> bool:
        """Whether the time is over, and there were trials left to make."""
        return len(self.trials) < self.budget and self.until is not None and time.monotonic() >= self.until

    @property
    def home(self) -> bool | None:
        """On which side the claim is at its defaults."""
        return side(self.default)

    def at(self, settings: Settings, why: Why) -> Trial | None:
        """The trial of these settings, made where it is not known; None where the budget is spent."""
        changed = self.scope.changed(settings)
        if not changed:
            return self.default
        key = key_of(changed)
        if key not in self._known:
            if len(self.trials) >= self.budget or (self.left <= 0 and key not in self._ready):
                return None  # what is ready was paid for, and is judged in a moment
            made = tried(self.judged, changed, why)
            assert made is not None
            self._known[key] = made
            self.trials.append(made)
            self.tell(made)
        return self._known[key]

    def known(self, settings: Settings) -> bool:
        """Whether it was tried, or is the default."""
        changed = self.scope.changed(settings)
        return not changed or key_of(changed) in self._known

    def whole(self) -> list[Trial] | None:
        """The trial of every setting of the scope, the defaults among them; None where not all of them were tried."""
        size = self.scope.size
        if size is None or size > len(self.trials) + 1:
            return None
        settings = self.scope.all()
        if not all(map(self.known, settings)):
            return None
        changed = [self.scope.changed(each) for each in settings]
        return [self._known[key_of(each)] if each else self.default for each in changed]

    def prepare(self, settings: Iterable[Settings]) -> None:
        """Say which settings are about to be tried, as far as they are new and the budget reaches."""
        changed = [self.scope.changed(each) for each in settings]
        new = {key_of(each): each for each in changed if each and key_of(each) not in self._known}
        some = dict(list(new.items())[: max(self.left, 0)])
        if some and self.ahead(list(some.values())):
            self._ready |= set(some)

    def foresee(self, settings: Sequence[Settings]) -> None:
        """Say which settings may be tried next, the very next one first; nothing is made where that one is made already."""
        if settings and not self.known(settings[0]) and key_of(self.scope.changed(settings[0])) not in self._ready:
            self.prepare(settings[: self.fitting(len(settings))])

    def fitting(self, count: int) -> int:
        """How many of so many settings to make in one go: all, or those that the time left has room for at the pace so far.

        What is made together is done together: a batch that the time cuts short leaves no setting that can be judged.
        """
        if self.until is None:
            return count
        if not self.trials:
            return min(count, FIRST_BATCH)
        now = time.monotonic()
        pace = (now - self.began) / len(self.trials)
        return max(1, min(count, int((self.until - now) / pace) if pace > 0 else count))

    def all(self) -> list[Trial]:
        """Every trial within the scope that has an effect, that at the defaults first: defaults may lie beside the scope."""
        beside = {axis.name for axis in self.scope.axes if not axis.among(axis.default)}
        return [
            each for each in (self.default, *self.trials)
            if each.distance is not None and each.error is not None and beside <= set(each.settings)
        ]  # fmt: skip

    def surface(self) -> Surface | None:
        """The surface through all effects, fitted once for the trials that there are; None where there are too few."""
        if self._surface[0] != len(self.trials):
            self._surface = len(self.trials), self._fitted()
        return self._surface[1]

    def _fitted(self) -> Surface | None:
        seen = self.all()
        if len(seen) < 4:
            return None
        return Surface(
            self.scope, [each.settings for each in seen], np.array([each.distance for each in seen]),
            np.array([each.error for each in seen]),
        )  # fmt: skip


def side(trial: Trial) -> bool | None:
    """Whether the claim holds: by its verdict, by the side of the margin on which its effect lies where it is not decided.

    An effect that lies a little below the margin may be supported, since the margin is not excluded.
    """
    return trial.verdict == "supported" if trial.verdict in ("supported", "refuted") else trial.holds


def nearest(explored: Explored, settings: Sequence[Settings]) -> list[Trial]:
    """The trial that is nearest to each of some settings, the defaults among them."""
    seen = [explored.default, *explored.trials]
    places, own = (explored.scope.columns(each) for each in ([trial.settings for trial in seen], settings))
    closest = np.argmin(((own[:, None] - places[None]) ** 2).sum(axis=2), axis=1)
    return [seen[at] for at in closest]
