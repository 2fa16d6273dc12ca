"""Between no effect and the smallest of interest: how often which grade is said; "at least m" errs in alpha at most."""

import pytest

from .cells import ALPHA
from .zone import ZONE, key, printed, said


@pytest.mark.parametrize("cell", ZONE, ids=str)
def test_grades(cell):
    half, edge = said(cell, 0.5), said(cell, 1.0)
    assert edge.at_least.at_most(1.5 * ALPHA)  # the largest effect of which it must not be said
    assert half.at_least.at_most(1.5 * ALPHA)
    seen = (half.at_least, half.not_excluded, half.below, half.refuted, edge.at_least)
    for rate, figure in zip(seen, printed()[key(cell)], strict=True):
        assert rate.as_in(figure, 0.001), f"the page prints {figure}, simulated was {rate.value}"


def test_the_page_has_a_row_for_every_cell_and_no_other():
    assert list(printed()) == list(map(key, ZONE))
