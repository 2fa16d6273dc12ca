"""Seeds until decided: a look after each of 60 blocks, and in at most α of the studies is any of them wrong."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from harness import stats
from harness.stats import Confidence, anytime_p

from .cells import ALPHA, Bools, Cell, Floats, Rate, Terms, generator
from .draws import heavy, left, normal
from .table import CELLS

LOOKS = 60
STUDIES = 2_000
JOINT = {"Conjunction", "AtLeast"}
ORDINARY = [cell for cell in CELLS if cell.terms.alpha == 0.05 and cell.kind.name not in JOINT]
"""Predictions of several parts have no looks of their own: their parts have."""
FIRST = {cell.kind.name: cell for cell in reversed(ORDINARY)}
"""One cell a kind: its first, which is the ordinary situation."""
HEAVY = [cell for cell in ORDINARY if "heavy" in cell.situation and cell not in FIRST.values()]


def looked_at(cell: Cell) -> Iterator[tuple[str, float, bool]]:
    """What may go wrong in a cell: its name, the true effect, and whether "above" is the tail that errs."""
    terms: Terms = cell.terms
    if terms.rule == "within":
        for effect, above in zip(terms.nulls, (True, False), strict=True):
            yield "false support", effect, above
            yield "false refutation", effect, not above
    else:
        up = terms.rule == "above"
        yield "false support", terms.nulls[0], up
        yield "false refutation", terms.edges[0], not up


def tail(confidence: Confidence, effect: float, above: bool) -> Floats:
    """The block's p against the true effect, on the side that errs."""
    return np.asarray(confidence.above(effect) if above else confidence.below(effect), dtype=float)


def ever(cell: Cell, effect: float, above: bool) -> Bools:
    """Whether any of the looks errs, for every study."""
    rng = generator("looks", cell, effect, above)
    ps = [tail(cell.kind.confidence(cell.draw(effect, STUDIES, rng)), effect, above) for _ in range(LOOKS)]
    wrong = np.zeros(STUDIES, dtype=bool)
    for look in range(1, LOOKS + 1):
        wrong |= anytime_p(ps[:look]) <= cell.terms.alpha
    return wrong


@pytest.mark.parametrize("cell", [*FIRST.values(), *HEAVY], ids=str)
def test_sixty_looks(cell: Cell) -> None:
    for what, effect, above in looked_at(cell):
        if what in cell.asked:
            rate = Rate(float(ever(cell, effect, above).mean()), STUDIES)
            assert rate.at_most(1.5 * cell.terms.alpha), f"{what} in {rate.value:.3f} of {STUDIES:,} studies"


@pytest.mark.parametrize(("noise", "limit"), [(left, 0.09), (normal, 0.06), (heavy, 0.06)])
def test_forty_looks_at_a_mean_with_its_second_reading(noise, limit) -> None:
    """Blocks of eight at no effect: supported at no look, however long the tail, in more than few of the studies."""
    rng = generator("cumulated", noise.__name__)
    data = noise(rng, STUDIES, 40 * 8)
    parts = [stats.stratified_mean(each).confidence for each in np.split(data, 40, axis=-1)]
    alone = both = np.zeros(STUDIES, dtype=bool)
    rates = {}
    for look in range(1, 41):
        seen = stats.Anytime(stats.stratified_mean(data[:, : 8 * look]).confidence, parts[:look])
        alone = alone | (seen.above(0) <= ALPHA)
        both = both | (seen.cautious.above(0) <= ALPHA)
        rates[look] = float(both.mean())
    assert Rate(rates[40], STUDIES).at_most(limit)
    assert rates[40] - rates[12] < 0.02  # it does not go on rising
    assert noise is not left or alone.mean() > 0.5


def test_every_kind_with_an_interval_is_looked_at() -> None:
    assert set(FIRST) | JOINT == {cell.kind.name for cell in CELLS}
