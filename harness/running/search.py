"""Where a claim holds: a search of its scope (``--claims-search``, :func:`harness.search`).

A claim that holds at one choice of what its document leaves open has not been replicated yet.  Half of the search draws the
declared scope evenly, which says in what share of it the claim holds.  The other half looks for the edge: first along lines
through the defaults, one setting after another, then wherever the surface through all effects is least sure of its side.

Whoever looks at many settings finds one by chance.  So what is said of an edge is judged once more on both sides, on seeds that
had no part in finding it and that no search has used before; only that counts.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from harness.running.edges import judged_state
from harness.running.explored import Ahead, Explored, Judged, nearest, side
from harness.running.halving import find_edges
from harness.running.scope import Scope, Settings
from harness.running.surface import Surface
from harness.running.trials import Trial
from harness.running.values import same

CANDIDATES = 512  # even points among which the surface is least sure somewhere
ROUND = 10  # settings that are chosen from one surface, so that what they need is made in one go


def begun(
    scope: Scope,
    judged: Judged,
    default: Trial,
    trials: int,
    tell: Callable[[Trial], None] = lambda trial: None,
    minutes: float | None = None,
    ahead: Ahead = lambda settings: False,
    foresight: int = 1,
) -> Explored:
    """A search of a scope that has tried nothing yet; :func:`go` lets it.

    Args:
        scope: the axes.
        judged: judges the claim with some settings in place of the defaults.
        default: the claim at its defaults.
        trials: settings to try.
        tell: told of every trial.
        minutes: after which no further setting is tried; None for no limit.
        ahead: told of settings that are about to be tried; see :class:`Explored`.
        foresight: steps of a bisection that it is told of at once; see there.

    Raises:
        ValueError: ``trials`` is below 1.
    """
    if trials < 1:
        raise ValueError(f"trials={trials!r}; a search tries 1 setting or more")
    until = None if minutes is None else time.monotonic() + 60 * minutes
    return Explored(scope, judged, default, trials, until, tell, ahead, foresight)


def go(explored: Explored) -> None:
    """Try settings until the budget is spent: an even half, then edges."""
    even = explored.scope.even(explored.budget - explored.budget // 2)
    while even and explored.left > 0:
        some = explored.fitting(len(even))
        explored.prepare(even[:some])
        for settings in even[:some]:
            made = explored.at(settings, "even")
            explored.drawn += [] if made is None else [made]
        even = even[some:]
    if judged_state(explored.default) is not None:
        find_edges(explored)
    _unsure(explored)


def _unsure(explored: Explored) -> None:
    """Spend what is left where the surface is least sure: the straddle rule of Bryan et al. 2005, 1.96 σ − |μ|.

    A round of settings is chosen from one surface, each as if those before it had come out as expected.  The first setting on
    the other side of a scope that had seemed to have none ends its round, since edges come first.
    """
    pool = explored.scope.even(CANDIDATES, "straddle")
    unturned = explored.home is not None and not any(side(each) not in (None, explored.home) for each in explored.trials)
    while explored.left > 0:
        before, surface = len(explored.trials), explored.surface()
        some_left = _judgeable(explored, pool)
        chosen = some_left if surface is None else _round(explored, surface, some_left)
        some = explored.fitting(min(ROUND, explored.left))
        explored.prepare(chosen[:some])
        for settings in chosen:
            made = explored.at(settings, "surface")
            if unturned and made is not None and side(made) not in (None, explored.home):
                unturned = False
                find_edges(explored)
                break
            if len(explored.trials) - before >= some:
                break
        if len(explored.trials) == before:
            return  # the scope is smaller than the budget


def _judgeable(explored: Explored, pool: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The settings that are not known and whose nearest trial could be judged; all that are not known where that leaves none.

    The surface passes over what cannot be judged, and stays unsure there however often it is tried.
    """
    left = [settings for settings in pool if not explored.known(settings)]
    closest = nearest(explored, left) if left else []
    return [each for each, trial in zip(left, closest, strict=True) if side(trial) is not None] or left


def _round(explored: Explored, surface: Surface, pool: Sequence[Settings]) -> list[Settings]:
    """The settings of a round that are not known yet."""
    chosen: list[Settings] = []
    left = [settings for settings in pool if not explored.known(settings)]
    while left and len(chosen) < min(ROUND, explored.left):
        mean, deviation = surface.at(left)
        best = left[int(np.argmin(np.abs(mean) - 1.96 * deviation))]
        chosen.append(best)
        surface = surface.believing(best)
        left = [settings for settings in left if not same(settings, best)]
    return chosen
