"""Zou's interval of the difference of two correlations that share a variable, as it was published."""

import numpy as np


def zou(z, error, r12, quantile):
    """Zou 2007, Psychological Methods 12(4), 399-413: overlapping correlations.

    Args:
        z: Fisher's z of both correlations.
        error: their standard errors.
        r12: correlation of the two variables that are not shared.
        quantile: normal quantile of the interval.
    """
    r1, r2 = np.tanh(z)
    (low1, high1), (low2, high2) = (np.tanh([each - quantile * se, each + quantile * se])
                                    for each, se in zip(z, error, strict=True))  # fmt: skip
    c = ((r12 - r1 * r2 / 2) * (1 - r1**2 - r2**2 - r12**2) + r12**3) / ((1 - r1**2) * (1 - r2**2))
    below = np.sqrt((r1 - low1) ** 2 + (high2 - r2) ** 2 - 2 * c * (r1 - low1) * (high2 - r2))
    above = np.sqrt((high1 - r1) ** 2 + (r2 - low2) ** 2 - 2 * c * (high1 - r1) * (r2 - low2))
    return r1 - r2 - below, r1 - r2 + above
