"""Bayes factors, as a second voice beside an interval: how much likelier the data are under an effect than under none.

The priors are the usual defaults and are not tuned: a Cauchy distribution of the standardised effect for means (JZS: Jeffreys,
Zellner and Siow; Rouder et al. 2009, doi 10.3758/PBR.16.2.225), a uniform one for correlations (as in the exact factor of Ly
et al. 2016, doi 10.1016/j.jmp.2015.06.004, with kappa = 1) and for shares.  A claim of a direction takes the half of the prior
on its side.
"""

from __future__ import annotations

from functools import singledispatch
from typing import Literal

import numpy as np
import scipy
from numpy.typing import NDArray
from scipy import special

from harness.stats.confidence import Blurred, Confidence, Least, Share, Student
from harness.stats.peaks import Prominence
from harness.stats.ranks import Ranked, Scored
from harness.stats.sequential import Anytime

Floats = NDArray[np.float64]
Side = Literal[-1, 0, 1]
"""Where an effect is looked for: below, on both sides, above."""

SCALE = float(np.sqrt(0.5))
"""Of the Cauchy prior: half of all effects are smaller than 0.707 standard deviations."""
_G = np.arange(-40, 80, 0.05)  # logarithms of the mixing variance; the integrand is smooth, and the sum exact to ten digits
_RHO = (np.arange(4000) + 0.5) / 2000 - 1


def log_jzs(t: float, n: float, freedom: float, side: Side = 0, scale: float = SCALE) -> float:
    """Logarithm of the JZS Bayes factor of an effect against none, from a t statistic.

    With delta ~ Cauchy(0, scale) as a mixture of normals of variance g scale^2, 1 / g ~ chi2(1), and V = 1 + n g scale^2 it is

        integral of V^(-1/2) (1 + t^2 / (V f))^(-(f+1)/2) p(g) dg  /  (1 + t^2 / f)^(-(f+1)/2)

    (Rouder et al. 2009, eq. 1).  Given g, delta lies above 0 with probability T_(f+1)(t sqrt((1 - 1/V) (f+1) / (f + t^2/V))), T
    being Student's distribution, which gives the factor of one side.

    Args:
        t: the statistic.
        n: effective number of units: n of one sample, n1 n2 / (n1 + n2) of two.
        freedom: degrees of freedom f; may be infinite.
        side: 0 for an effect on either side, 1 for one above, -1 for one below.
        scale: of the prior, in standard deviations.
    """
    f = min(float(freedom), 1e12)
    g = np.exp(_G)
    v = 1 + n * g * scale**2
    prior = -0.5 * (_G + 1 / g + np.log(2 * np.pi))  # of log g
    marginal = -0.5 * np.log(v) - 0.5 * (f + 1) * np.log1p(t**2 / (v * f))
    if side:
        marginal += np.log(2) + scipy.stats.t.logcdf(side * t * np.sqrt((1 - 1 / v) * (f + 1) / (f + t**2 / v)), f + 1)
    null = -0.5 * (f + 1) * np.log1p(t**2 / f)
    return float(special.logsumexp(prior + marginal) + np.log(_G[1] - _G[0]) - null)


def log_share(yes: float, n: float, null: float, side: Side = 0) -> float:
    """Logarithm of the Bayes factor of a share, uniform on its side, against the share ``null``.

    Args:
        yes: units with the property.
        n: units.
        null: the share against which it is held, from 0 to 1.
        side: 0 for a share on either side, 1 for a larger, -1 for a smaller one.
    """
    no = n - yes
    posterior = {0: 1.0, 1: scipy.stats.beta.sf(null, yes + 1, no + 1), -1: scipy.stats.beta.cdf(null, yes + 1, no + 1)}[side]
    room = {0: 1.0, 1: 1 - null, -1: null}[side]
    with np.errstate(divide="ignore"):
        alternative = special.betaln(yes + 1, no + 1) + np.log(posterior) - np.log(room)
    return float(alternative - special.xlogy(yes, null) - special.xlog1py(no, -null))


@singledispatch
def log_factor(study: Confidence, null: float, side: Side) -> float | None:
    """Logarithm of the Bayes factor of an effect against ``null``; None for studies that have none.

    Args:
        study: one study.
        null: value of the effect where there is nothing, in natural units.
        side: 0 for an effect on either side of it, 1 for one above, -1 for one below.
    """
    return None


@log_factor.register
def _(study: Student, null: float, side: Side) -> float | None:
    """JZS; units count by how much smaller the error of the mean is than the spread between them."""
    t = float((study.estimate - study.scaled(null)) / study.error)
    freedom = float(study.freedom)
    n = freedom + 1 if study.spread is None else float(study.spread / study.error) ** 2
    return log_jzs(t, n, freedom, side) if np.isfinite([t, n]).all() else None


@log_factor.register
def _(study: Ranked, null: float, side: Side) -> float | None:
    """Uniform prior of the correlation, likelihood of the mean of Fisher's z."""
    law = study.law

    def likelihood(rho: Floats) -> Floats:
        found: Floats = law.logpdf(study.deviation(rho)) - np.log(study.error(rho))
        return found

    return _over_correlations(likelihood(_RHO), _RHO, np.ones_like(_RHO), float(likelihood(np.array(null))), null, side)


@log_factor.register
def _(study: Scored, null: float, side: Side) -> float | None:
    """A difference of two correlations, each with a uniform prior, by the likelihood that the p-value curve implies."""
    at, law = 2 * _RHO[5::20], study.law
    seen = law.logpdf([float(study.deviation(value)) for value in at])
    return _over_correlations(seen, at, 2 - np.abs(at), float(law.logpdf(study.deviation(null))), null, side)


def _over_correlations(seen: Floats, at: Floats, prior: Floats, null_seen: float, null: float, side: Side) -> float | None:
    """Mean of likelihoods under the half of a prior that counts, over that at the null value."""
    weight = np.where(side * (at - null) >= 0, prior, 0.0)
    if not weight.any() or not np.isfinite(null_seen):
        return None
    return float(special.logsumexp(seen, b=weight / weight.sum()) - null_seen)


@log_factor.register
def _(study: Share, null: float, side: Side) -> float | None:
    """Exact; None where one share is impossible beforehand."""
    return log_share(float(study.yes), float(study.n), null, side) if 0 < null < 1 else None


@log_factor.register
def _(study: Least, null: float, side: Side) -> float | None:
    """Of the part with the least."""
    each = [log_factor(part, null, side) for part in study.parts]
    return None if any(one is None for one in each) else min(one for one in each if one is not None)


@log_factor.register
def _(study: Blurred, null: float, side: Side) -> float | None:
    """As read off the grid."""
    return log_factor(study.sharp, null, side)


@log_factor.register
def _(study: Prominence, null: float, side: Side) -> float | None:
    """Of the smaller side of the peak, at the places that other units chose."""
    return log_factor(study.lesser, null, side)


@log_factor.register
def _(study: Anytime, null: float, side: Side) -> float | None:
    """Of all units together: a Bayes factor does not depend on when one stopped."""
    return log_factor(study.whole, null, side)
