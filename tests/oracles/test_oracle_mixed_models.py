"""Random factors against statsmodels' mixed models (REML), on balanced designs, where both have to say the same.

There the estimate is the mean of all units, and its error by REML is that of the analysis of variance, where no variance
component is zero.  The jackknife needs no model; what it gives are the same errors.
"""

import warnings
from itertools import count

import numpy as np
import pandas as pd
import pytest
from scipy import stats as sps
from statsmodels.regression.mixed_linear_model import MixedLM

from harness.factors import Factors
from harness.predict import IndependentDifference, PairedDifference

TERMS = {"margin": 0.5, "margin_reason": "visible"}
ALPHA = 0.05
SEEDS = range(8)


def units(sizes, seeds, of_size, of_seed, seed):
    """One number per unit of a grid: variance 1 from cell to cell, and so much between the levels of either factor."""
    rng = np.random.default_rng(seed)
    values = 0.4 + np.sqrt(of_size) * rng.standard_normal((sizes, 1)) + np.sqrt(of_seed) * rng.standard_normal((1, seeds))
    values = values + rng.standard_normal((sizes, seeds))
    size, number = (each.ravel() for each in np.indices(values.shape))
    return pd.DataFrame({"size": 100 + size, "seed": 100 + number, "y": values.ravel()})


def fitted(table, fixed="1", **random):
    """Estimate, standard error and variance components of a mixed model, by REML."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns of a component near zero, which the tests leave out by themselves
        return MixedLM.from_formula(f"y ~ {fixed}", table, **random).fit(reml=True, method="powell")


def with_variance_between(sizes, seeds, of_size, of_seed, seed):
    """The first such table in which no factor's levels lie closer together than chance alone would place them."""
    tables = (units(sizes, seeds, of_size, of_seed, attempt) for attempt in count(1_000 * seed))
    return next(table for table in tables if _apart(table, of_seed > 0))


def _apart(table, both):
    of_sizes, of_seeds, rest = mean_squares(table)
    if both:
        return min(of_sizes, of_seeds) > rest
    sizes = table["size"].nunique()
    return of_sizes > (of_seeds + (sizes - 1) * rest) / sizes  # all that varies within sizes


def paired(table, random, strata=None):
    """Our estimate of the mean of y, as paired differences whose random factors are declared."""
    pairs = pd.concat([table.assign(llc=table.y, regime="standard"), table.assign(llc=0.0, regime="robust")])
    declared = PairedDifference("llc", "regime", "standard", "robust", ("size", "seed"), strata, **TERMS)
    fixed = tuple(name for name in ("size", "seed") if name not in random)
    return declared.drawn_from(Factors(random, fixed)).estimate(pairs, rng=np.random.default_rng(0))


def mean_squares(table):
    """Between sizes, between seeds, and what is left, of a grid."""
    grid = table.y.to_numpy().reshape(table["size"].nunique(), -1)
    sizes, seeds = grid.shape
    rest = grid - grid.mean(axis=1, keepdims=True) - grid.mean(axis=0) + grid.mean()
    return (seeds * grid.mean(axis=1).var(ddof=1), sizes * grid.mean(axis=0).var(ddof=1),
            (rest**2).sum() / ((sizes - 1) * (seeds - 1)))  # fmt: skip


def components(found):
    """Random factor, levels, standard deviation between them and share of the variance, as the card shows them."""
    return {each.factor: each for each in found.beyond}


def t_interval(expected, name, freedom):
    """Of a fixed effect, on so many degrees of freedom."""
    reach = sps.t.ppf(1 - ALPHA, freedom) * expected.bse[name]
    return expected.fe_params[name] - reach, expected.fe_params[name] + reach


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("sizes", "seeds", "between"), [(5, 8, 1.0), (6, 16, 0.5), (12, 4, 2.0)])
def test_units_within_levels(sizes, seeds, between, seed):
    """The interval of t on levels - 1, tau and ICC are those of a mixed model with a random intercept for sizes."""
    table = with_variance_between(sizes, seeds, between, 0.0, seed)
    table = table.assign(seed=np.arange(len(table)) + 1000)  # every seed stands in one size
    expected, found = fitted(table, groups="size"), paired(table, ("size", "seed"))
    variance = float(expected.cov_re.iloc[0, 0])
    assert found.effect == pytest.approx(expected.fe_params["Intercept"])
    assert found.confidence.error == pytest.approx(expected.bse["Intercept"], rel=1e-3)
    assert found.interval == pytest.approx(t_interval(expected, "Intercept", sizes - 1), rel=1e-3, abs=1e-3)
    shown = components(found)["size"]
    assert shown.deviation**2 == pytest.approx(variance, rel=2e-3)
    assert shown.icc == pytest.approx(variance / (variance + expected.scale), rel=2e-3)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("sizes", "seeds"), [(5, 12), (3, 8)])
def test_seeds_that_recur_in_fixed_sizes(sizes, seeds, seed):
    """A mixed model with fixed effects of sizes and a random intercept for seeds."""
    table = with_variance_between(sizes, seeds, 0.5, 1.0, seed)
    expected, found = fitted(table, "C(size, Sum)", groups="seed"), paired(table, ("seed",), "size")
    variance = float(expected.cov_re.iloc[0, 0])
    assert found.effect == pytest.approx(expected.fe_params["Intercept"])
    assert found.confidence.error == pytest.approx(expected.bse["Intercept"], rel=1e-3)
    assert found.interval == pytest.approx(t_interval(expected, "Intercept", seeds - 1), rel=1e-3, abs=1e-3)
    assert components(found)["seed"].deviation ** 2 == pytest.approx(variance, rel=2e-3)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("sizes", "seeds", "of_size", "of_seed"), [(6, 16, 1.0, 1.0), (8, 8, 2.0, 0.7), (5, 10, 0.7, 2.0)])
def test_factors_that_cross(sizes, seeds, of_size, of_seed, seed):
    """A mixed model with variance components of sizes and of seeds, where none of them is zero.

    The error of the jackknife reads what varies from cell to cell off the error of single units, which is as good as that of
    the model, and no number of its own: 2 % is allowed.
    """
    table = with_variance_between(sizes, seeds, of_size, of_seed, seed)
    of_sizes, of_seeds, rest = mean_squares(table)
    formula = {"size": "0 + C(size)", "seed": "0 + C(seed)"}
    expected = fitted(table.assign(all=1), groups="all", re_formula="0", vc_formula=formula)
    found = paired(table, ("size", "seed"))
    assert found.effect == pytest.approx(expected.fe_params["Intercept"])
    assert expected.bse["Intercept"] ** 2 == pytest.approx((of_sizes + of_seeds - rest) / len(table), rel=1e-2)
    assert found.confidence.error == pytest.approx(expected.bse["Intercept"], rel=2e-2)
    by_name = dict(zip(expected.model.exog_vc.names, expected.vcomp, strict=True))
    single = sum(by_name.values()) + expected.scale
    for name, shown in components(found).items():
        assert shown.deviation**2 == pytest.approx(by_name[name], rel=2e-2)
        assert shown.icc == pytest.approx(by_name[name] / single, rel=0.1)


@pytest.mark.parametrize("seed", SEEDS)
def test_two_groups_in_random_levels(seed):
    """Groups in every size, which differ in what the group gains: a random intercept and a random slope of the group."""
    rng = np.random.default_rng(100 + seed)
    size, unit = (each.ravel() for each in np.indices((8, 12)))
    higher = unit % 2
    gain = 0.4 + rng.standard_normal((8, 1))
    values = (rng.standard_normal((8, 1)) + gain * (np.arange(12) % 2) + rng.standard_normal((8, 12))).ravel()
    table = pd.DataFrame({"size": size, "y": values, "higher": higher - 0.5})
    expected = fitted(table, "higher", groups="size", re_formula="~higher")
    declared = IndependentDifference("llc", "regime", "standard", "robust", ("size", "seed"), **TERMS)
    frame = table.assign(llc=table.y, seed=np.arange(96), regime=np.where(higher, "standard", "robust"))
    found = declared.drawn_from(Factors(("size", "seed"), ("regime",))).estimate(frame, rng=np.random.default_rng(0))
    assert found.effect == pytest.approx(expected.fe_params["higher"], rel=1e-4, abs=1e-6)
    assert found.confidence.error == pytest.approx(expected.bse["higher"], rel=1e-2)  # as near as its optimiser comes
    assert found.confidence.freedom == pytest.approx(7)
