"""Analyses that err, held to doing so."""

import numpy as np
import pytest

from .controls import CONTROLS, rm_corr
from .table import printed_controls


@pytest.mark.parametrize("control", CONTROLS, ids=str)
def test_it_errs_and_the_table_says_how_often(control):
    rate = control.rate()
    assert rate.at_least(control.floor), f"{rate.value:.3f} of {rate.studies} studies"
    assert rate.as_in(printed_controls()[control.what], 0.01)


def test_the_page_has_every_control_and_no_other():
    assert list(printed_controls()) == [control.what for control in CONTROLS]


# Bland & Altman 1995, BMJ 310, 446, table 1: intramural pH and PaCO2 of eight subjects.
BLAND = {
    1: "6.68 3.97, 6.53 4.12, 6.43 4.09, 6.33 3.97",
    2: "6.85 5.27, 7.06 5.37, 7.13 5.41, 7.17 5.44",
    3: "7.40 5.67, 7.42 3.64, 7.41 4.32, 7.37 4.73, 7.34 4.96, 7.35 5.04, 7.28 5.22, 7.30 4.82, 7.34 5.07",
    4: "7.36 5.67, 7.33 5.10, 7.29 5.53, 7.30 4.75, 7.35 5.51",
    5: "7.35 4.28, 7.30 4.44, 7.30 4.32, 7.37 3.23, 7.27 4.46, 7.28 4.72, 7.32 4.75, 7.32 4.99",
    6: "7.38 4.78, 7.30 4.73, 7.29 5.12, 7.33 4.93, 7.31 5.03, 7.33 4.93",
    7: "6.86 6.85, 6.94 6.44, 6.92 6.52",
    8: "7.19 5.28, 7.29 4.56, 7.21 4.34, 7.25 4.32, 7.20 4.41, 7.19 3.69, 6.77 6.09, 6.82 5.58",
}


def test_repeated_measures_correlation_of_a_published_example():
    rows = [(unit - 1, *map(float, pair.split())) for unit, pairs in BLAND.items() for pair in pairs.split(", ")]
    unit, ph, paco2 = np.transpose(rows)
    r, freedom, p = rm_corr(ph, paco2, unit.astype(int))
    # Bakdash & Marusich 2017, p. 6: r_rm(38) = -0.51, p < 0.001; Bland & Altman 1995: r = -0.51, p = 0.0008.
    assert (round(float(r), 3), freedom) == (-0.507, 38)
    assert p == pytest.approx(0.0008, abs=5e-5)
