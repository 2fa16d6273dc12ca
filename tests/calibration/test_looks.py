"""Seeds until decided: a look after each of 60 blocks, and in at most α of the studies is any of them wrong."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest

from harness import stats
from harness.judge import judge
from harness.stats import Confidence, anytime_p

from .cells import ALPHA, Bools, Cell, Floats, Rate, Terms, generator
from .differences import Independent, independent_cells
from .draws import heavy, left, normal
from .table import CELLS

LOOKS = 60
FEW = 0.13
"""One look at a mean of six units with a long tail errs in 11 %."""
STUDIES = 2_000
JOINT = {"Conjunction", "AtLeast"}
ORDINARY = [cell for cell in CELLS if cell.terms.alpha == 0.05 and cell.kind.name not in JOINT]
"""Predictions of several parts have no looks of their own: their parts have."""
FIRST = {cell.kind.name: cell for cell in reversed(ORDINARY)}
"""One cell a kind: its first, which is the ordinary situation."""
HEAVY = [cell for cell in ORDINARY if "heavy" in cell.situation and cell not in FIRST.values()]
APART = [cell for cell in independent_cells() if cell not in (*FIRST.values(), *HEAVY)]
"""Two independent groups in all their situations: of unequal size and spread, in strata, the fewest admitted."""


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


@pytest.mark.parametrize("cell", [*FIRST.values(), *HEAVY, *APART], ids=str)
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


@pytest.mark.parametrize(("noise", "limit"), [(left, FEW), (normal, 0.06), (heavy, 0.06)])
@pytest.mark.parametrize("sizes", [(8, 8), (18, 6)], ids=str)
def test_forty_looks_at_two_independent_groups_with_their_second_reading(sizes, noise, limit) -> None:
    """The higher group has the tail and three times the spread of the lower one, and in the second case fewer units.

    With the tail that is 8 and 11 % at all looks together, what one look at so few units errs in.
    """
    rng = generator("cumulated groups", sizes, noise.__name__)
    blocks = [np.concatenate([normal(rng, STUDIES, sizes[0]), 3 * noise(rng, STUDIES, sizes[1])], axis=-1) for _ in range(40)]
    parts = [Independent((sizes,)).confidence(each) for each in blocks]
    wrong, rates = np.zeros(STUDIES, dtype=bool), []
    for look in range(1, 41):
        lower, higher = (np.concatenate([block[:, side] for block in blocks[:look]], axis=-1)
                         for side in (slice(sizes[0]), slice(sizes[0], None)))  # fmt: skip
        whole = Independent(((look * sizes[0], look * sizes[1]),)).confidence(np.concatenate([lower, higher], axis=-1))
        wrong |= stats.Anytime(whole, parts[:look]).cautious.above(0) <= ALPHA
        rates.append(float(wrong.mean()))
    assert Rate(rates[-1], STUDIES).at_most(limit)
    assert rates[-1] - rates[11] < 0.02  # it does not go on rising


def looks_to_a_decision(parts: list[Confidence]) -> Floats:
    """Blocks after which "above 0" is shown, for every study; one more than there are where it never is."""
    ps = [part.above(0) for part in parts]
    shown = np.stack([anytime_p(ps[:look]) <= ALPHA for look in range(1, len(ps) + 1)], axis=-1)
    return np.where(shown.any(axis=-1), shown.argmax(axis=-1) + 1, len(ps) + 1)


@pytest.mark.parametrize(("n", "effect"), [(5, 1.0), (8, 1.0), (8, 0.5)])
def test_two_groups_take_no_more_blocks_than_pairs_with_the_noise_of_both(n: int, effect: float) -> None:
    rng = generator("groups and pairs", n, effect)
    apart, paired = [], []
    for _ in range(30):
        values = normal(rng, STUDIES, 2 * n)
        values[:, n:] += effect
        apart.append(Independent(((n, n),)).confidence(values))
        paired.append(stats.stratified_mean(effect + np.sqrt(2) * normal(rng, STUDIES, n)).confidence)
    one, other = looks_to_a_decision(apart), looks_to_a_decision(paired)
    error = np.hypot(one.std(), other.std()) / np.sqrt(STUDIES)
    assert one.mean() <= other.mean() + 3 * error
    assert (one <= 30).mean() > 0.99


def test_a_table_of_two_independent_groups_is_judged_at_every_look_as_the_arrays_are() -> None:
    rng, sizes = generator("groups, linked"), (10, 6)
    cell = Independent((sizes,))
    prediction = cell.prediction(Terms("above", 0.5))
    for study in range(20):
        blocks = [0.1 * study * (cell.cells % 2) + normal(rng, 16) * np.where(cell.cells, 3, 1) for _ in range(3)]
        table = pd.concat([cell.table(values).assign(seed=lambda rows, k=k: rows.seed + 16 * k)
                           for k, values in enumerate(blocks)])  # fmt: skip
        seeds = [range(16 * k, 16 * (k + 1)) for k in range(3)]
        for look in (1, 2, 3):
            seen = judge(prediction, table[table.seed < 16 * look], blocks=seeds[:look]).estimate
            ps = [cell.confidence(values).above(0) for values in blocks[:look]]
            assert seen.p == pytest.approx(float(anytime_p(ps)), rel=1e-9)


def test_every_kind_with_an_interval_is_looked_at() -> None:
    assert set(FIRST) | JOINT == {cell.kind.name for cell in CELLS}
