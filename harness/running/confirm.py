"""Which settings are judged once more on fresh seeds: one on each side of the edge, where they are expected to say the same."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.stats

from harness.running.edges import Edge
from harness.running.explored import Explored
from harness.running.scope import Axis, Settings
from harness.running.surface import Surface
from harness.running.trials import EXACT_ERROR, Trial, simplicity

SURE = 0.95  # probability with which a study of fresh seeds is expected to say the same, for a setting to be confirmed
ABOUT = 0.02  # of a probability: no difference for which a less simple setting is taken
_Z = 1.645


def again(explored: Explored, surface: Surface | None, *, holds: bool) -> dict[str, Any] | None:
    """The simplest settings on one side of the edge at which fresh seeds are expected to say so; None where there are none.

    Simplest means fewest settings changed, then nearest to the defaults, then fewest digits; on the defaults' own side it means
    nearest to the edge, along its setting.  Expected means with a probability of 0.95 by the surface; where no settings reach
    it, those with the greatest are taken.  A claim without a sampling error says the same again: what was tried is enough.
    """
    said = "supported" if holds else "refuted"
    candidates = [dict(each.settings) for each in explored.trials if each.verdict == said]
    candidates += [{} for _ in range(explored.default.verdict == said)]
    for edge in explored.edges:
        axis, end = explored.scope.axis(edge.name), edge.supported if holds else edge.refuted
        if end is None:
            continue
        values = _round_values(explored, axis, end, toward=edge) if edge.alone else [end]  # the line may turn again
        candidates += [{edge.name: value} for value in values]
    if not candidates:
        return None
    if all(each.error == EXACT_ERROR for each in explored.all()):  # nothing is left to chance
        tried = [each for each in candidates if explored.known(each)]
        return min(tried, key=lambda settings: simplicity(explored.scope, settings))
    chances = _chances(explored, surface, candidates, holds=holds)
    pairs = list(zip(candidates, chances, strict=True))
    first = next((edge for edge in explored.edges if edge.judged), None)
    if holds == explored.home and first is not None:  # on this side what is nearest to the edge says most
        on_line = [pair for pair in pairs if set(pair[0]) <= {first.name}]
        if on_line:
            return _nearest(explored, first, on_line)
    sure = [each for each, chance in pairs if chance >= SURE]
    if not sure:  # of those that are about as likely as any
        sure = [each for each, chance in pairs if chance >= max(chances) - ABOUT]
    return min(sure, key=lambda settings: simplicity(explored.scope, settings))


def _nearest(explored: Explored, edge: Edge, line: Sequence[tuple[dict[str, Any], float]]) -> dict[str, Any]:
    """Of settings along an edge's line that are expected to say the same, the nearest to it; where none is, the likeliest."""
    axis = explored.scope.axis(edge.name)
    sure = [each for each, chance in line if chance >= SURE]
    if not sure:
        return max(line, key=lambda pair: pair[1])[0]
    return min(sure, key=lambda each: abs(axis.place(each.get(edge.name, axis.default)) - axis.place(edge.inside)))


def _round_values(explored: Explored, axis: Axis, end: Any, toward: Edge) -> list[Any]:
    """Values beyond an edge's end: those that were tried, and round ones in between."""
    if not axis.ordered or axis.values:
        return [end]
    middle = (axis.place(toward.inside) + axis.place(toward.outside)) / 2
    away = np.sign(axis.place(end) - middle) or 1.0
    found = [end]
    for step in np.linspace(axis.place(end), 1.0 if away > 0 else 0.0, 17)[1:]:
        value = axis.value(float(step))
        found += [value, *(() if axis.whole else (float(f"{value:.{digits}g}") for digits in (1, 2, 3)))]
    low, high = sorted((axis.value(0.0), axis.value(1.0)))
    return [
        value for value in dict.fromkeys(found) if low <= value <= high and (axis.place(value) - axis.place(end)) * away >= 0
    ]


def _at_full_size(trial: Trial, default: Trial) -> float:
    """The error that a trial would have with as many units as the claim has at its defaults: a first look has fewer."""
    assert trial.error is not None
    return trial.error if not trial.n or not default.n else trial.error * math.sqrt(min(trial.n / default.n, 1.0))


def _chances(explored: Explored, surface: Surface | None, settings: Sequence[Settings], *, holds: bool) -> np.ndarray[Any, Any]:
    """Probability that a study of fresh seeds decides for a side: the effect has to be its error times z beyond the edge."""
    if surface is None:
        return np.full(len(settings), 0.5)
    mean, deviation = surface.at(settings)
    error = float(np.median([_at_full_size(each, explored.default) for each in explored.all() if each.error is not None]))
    slack = _Z * error
    beyond = mean - slack if holds else -mean - slack
    return np.asarray(scipy.stats.norm.cdf(beyond / np.sqrt(deviation**2 + error**2)))
