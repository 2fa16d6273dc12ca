"""Seeds until decided: a look after each of 60 blocks, and in at most α of the studies is any of them wrong."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from harness.stats import Confidence, anytime_p

from .cells import Bools, Cell, Floats, Rate, Terms, generator
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


def test_every_kind_with_an_interval_is_looked_at() -> None:
    assert set(FIRST) | JOINT == {cell.kind.name for cell in CELLS}
