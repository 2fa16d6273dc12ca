"""What predictions of a correlation share: signs, and what known standard errors of the values do to it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import scipy
from numpy.typing import NDArray

from harness import stats
from harness.errors import ClaimError
from harness.predict import words
from harness.predict.base import Prediction, Rule, Unusable
from harness.stats.attenuation import Kept, Noise

if TYPE_CHECKING:
    import pandas as pd


class Signed:
    """A correlation that is predicted to be positive or negative; beside ``Prediction``, for a kind with a ``sign``."""

    sign: Literal[1, -1]
    margin: float

    def _check_sign(self) -> None:
        kind = type(self).__name__
        if self.sign not in (1, -1):
            raise ClaimError(f"{kind} has sign={self.sign!r}; allowed are +1 and -1")
        if self.margin >= 1:
            raise ClaimError(f"{kind} has margin={self.margin}; a correlation lies below 1")

    @property
    def rule(self) -> Rule:
        """Direction: the sign."""
        return "above" if self.sign == 1 else "below"

    @property
    def largest(self) -> float:
        """A correlation's."""
        return 1.0

    def _terms(self) -> str:
        return f"; the smallest correlation of interest is {words.number(self.sign * self.margin)}"


Floats = NDArray[np.float64]
Parts = Sequence[NDArray[np.intp]]
"""Rows of each block within which values are compared."""

_MOST = 0.999
"""Largest share of noise with which an estimate is made anew without some of its units."""


@dataclass(frozen=True, repr=False)
class Noisy(Prediction):
    """What kinds have in common whose effect shrinks with measurement noise; not itself a kind.

    Attributes:
        errors: columns with the standard error of a column's values, by that column: ``{"llc": "llc_se"}``.  Noise makes
            correlations and slopes smaller; with the errors known, the effect is that of what was measured, and its interval
            carries how well the noise is known.  Columns without are taken as known exactly.
    """

    errors: Mapping[str, str] = field(default_factory=dict, hash=False, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        kind, allowed = type(self).__name__, self.noisy
        if not isinstance(self.errors, Mapping) or not all(isinstance(name, str) and name for name in self.errors.values()):
            raise ClaimError(f"{kind} has errors={self.errors!r}; give {{column: column of its standard errors}}")
        if own := [column for column, name in self.errors.items() if column == name]:
            raise ClaimError(f"{kind} has {own[0]} as its own standard error; name the column that holds it")
        if other := [str(column) for column in self.errors if column not in allowed]:
            raise ClaimError(f"{kind} has errors of {words.listed(other)}; it takes them of {words.listed(allowed)}")

    @property
    def noisy(self) -> tuple[str, ...]:
        """Columns whose standard errors matter."""
        raise NotImplementedError

    def describe(self) -> dict[str, Any]:
        """See the base; without errors, the form from before the field existed."""
        found = super().describe()
        return found if self.errors else {name: value for name, value in found.items() if name != "errors"}

    @property
    def error_columns(self) -> tuple[str, ...]:
        """Columns of standard errors."""
        return tuple(dict.fromkeys(self.errors.values()))

    def check_errors(self, frame: pd.DataFrame) -> None:
        """Refuse standard errors below 0.

        Raises:
            Unusable: there is one.
        """
        for name in self.error_columns:
            if negative := int((frame[name] < 0).sum()):
                raise Unusable(f"{negative} of {len(frame)} values of {name} are below 0; a standard error is 0 or more")

    def noises(self, frame: pd.DataFrame, parts: Parts, where: str = "") -> dict[str, Noise]:
        """Share of noise in the ranks of each column with errors, within blocks.

        Args:
            frame: rows.
            parts: rows of each block.
            where: on which side of a comparison, for the reader.

        Raises:
            Unusable: the errors of a column explain all that its values differ by.
        """
        found = {}
        for column, name in self.errors.items():
            found[column] = stats.noise(frame[column].to_numpy(), frame[name].to_numpy(), parts)
            if found[column].share >= 1:
                raise Unusable(
                    f"{column} differs by no more{where} than its standard errors ({name}) explain, so that nothing is known "
                    "of what follows it: measure it with more draws, or more different models"
                )
        return found

    def possible(self, seen: stats.Confidence) -> None:
        """Refuse a correlation that is larger than noise would leave of a perfect one.

        Raises:
            Unusable: it is.
        """
        if self.errors and min(float(seen.above(1.0)), float(seen.below(-1.0))) <= self.alpha:
            raise Unusable(
                f"{words.listed(self.noisy)} correlate more closely than their standard errors "
                f"({words.listed(self.error_columns)}) leave possible: these are too large, or both share the noise"
            )

    def reliable(self, noises: Mapping[str, Noise], where: str = "") -> tuple[str, ...]:
        """How reliably each column with errors was measured, in a sentence each."""
        quantile = float(scipy.stats.norm.ppf(1 - self.alpha))
        said = []
        for column, noise in noises.items():
            low, high = noise.reliability(quantile)
            said.append(
                f"{self.word(column)}{where} is measured with a reliability of {words.number(1 - float(noise.share))} "
                f"({words.level(self.alpha)} {words.span((float(low), float(high)))}), by its standard errors."
            )
        return tuple(said)

    def steeper(self, slopes: Floats, spreads: Sequence[tuple[float, float]], strata: NDArray[np.intp] | None = None) -> Floats:
        """Slopes of units, corrected within each stratum for the noise of what they are slopes on; as they are without errors.

        Args:
            slopes: least-squares slope of each unit.
            spreads: of each unit the sum of squares of x about its mean, and what noise adds to it.
            strata: stratum of each unit; None for one.

        Raises:
            Unusable: noise explains all of the spread of x.
        """
        if not self.errors:
            return slopes
        sums, noises = np.transpose(spreads)
        pairs = list(zip(sums.tolist(), noises.tolist(), strict=True))
        if len(set(pairs)) < len(pairs) and noises.any():
            raise Unusable(
                f"units share the measurements of {words.listed(self.errors)}: their noise is one draw for all of them, which "
                "units cannot tell; measure it for each unit, or leave errors out"
            )
        found = np.empty(len(slopes))
        for own in stats.members(np.zeros(len(slopes), dtype=np.intp) if strata is None else strata):
            try:
                found[own] = stats.steeper((slopes * sums)[own], sums[own], noises[own])
            except ValueError as problem:
                raise Unusable(f"{problem}: {words.listed(self.error_columns)} beside {words.listed(self.errors)}") from None
        return found

    def flatter(self, slopes: Floats) -> tuple[str, ...]:
        """The mean slope before it was corrected."""
        return (f"As measured, the mean slope is {words.number(float(np.mean(slopes)))}.",) if self.errors else ()

    def corrected(self) -> str:
        """How an estimand names the correction: ", corrected for the noise of LLC"."""
        return f", corrected for the noise of {words.listed(map(self.word, self.errors))}" if self.errors else ""


def errors_of(prediction: Noisy, frame: pd.DataFrame, columns: Sequence[str]) -> list[Floats | None]:
    """Standard errors of some columns as arrays; None for those that have none."""
    named = [prediction.errors.get(column) for column in columns]
    return [None if name is None else frame[name].to_numpy() for name in named]


def kept_of(noises: Iterable[Noise]) -> Kept | None:
    """What the noise of one or two variables leaves of their correlation; None where no noise is known."""
    found = [noise.kept for noise in noises]
    return reduce(Kept.both, found) if found else None


def kept_again(values: Sequence[Floats], errors: Sequence[Floats | None], parts: Parts) -> Kept | None:
    """The same from some of the units; never None."""
    noises = (stats.noise(each, error, parts) for each, error in zip(values, errors, strict=True) if error is not None)
    return kept_of(replace(noise, share=np.minimum(noise.share, _MOST)) for noise in noises)
