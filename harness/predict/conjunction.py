"""Several predictions that must all come true."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from harness.claim import ClaimError
from harness.predict.base import Estimate, Prediction, Rule

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, repr=False)
class Conjunction(Prediction):
    """All of several predictions, each judged by its own terms (intersection-union test).

    It is supported only if every part is, which needs no correction of alpha (Berger 1982, Technometrics
    24(4)); its p is the largest of its parts', its headline the weakest part.  One refuted part refutes it if
    it is refuted at alpha / k too, k the number of parts: any of them would do, so that k parts which all lie
    exactly at their margins would else be wrongly refuted with probability up to k alpha.

    Attributes:
        parts: two or more predictions; conjunctions among them are taken apart.
    """

    parts: tuple[Prediction, ...]
    margin: float = field(init=False, default=0.0)
    margin_reason: str = field(init=False, default="each part has its own")
    alpha: float = field(init=False, default=0.05)

    def __post_init__(self) -> None:
        flat = tuple(
            each for part in self.parts for each in (part.parts if isinstance(part, Conjunction) else (part,))
        )
        object.__setattr__(self, "parts", flat)
        if len(flat) < 2:
            raise ClaimError(f"Conjunction has {len(flat)} part(s); it joins two or more")
        if self.where:
            raise ClaimError("Conjunction has where=…; give it to the parts")

    @property
    def rule(self) -> Rule:
        """Every part by its own rule."""
        return "all"

    def stricter(self, share: float) -> Prediction:
        """Every part at its alpha times ``share``."""
        return replace(self, parts=tuple(part.stricter(share) for part in self.parts))

    def own_columns(self) -> tuple[str, ...]:
        """Columns of all parts."""
        return tuple(dict.fromkeys(column for part in self.parts for column in part.columns()))

    def sentence(self) -> str:
        """What is tested."""
        return "All of: " + " ".join(f"({i}) {part}." for i, part in enumerate(self.parts, 1)).rstrip(".")

    def _terms(self) -> str:
        return ""

    def estimate(self, table: pd.DataFrame, *, rng: np.random.Generator) -> Estimate:
        """Estimate of the weakest part, with the p of the whole; see :meth:`Prediction.estimate`."""
        return headline([(part, part.estimate(table, rng=rng)) for part in self.parts])

    def finding(self, estimate: Estimate) -> str:
        """What was seen in the weakest part."""
        return estimate.notes[0]


def weakest(parts: Sequence[tuple[Prediction, Estimate]]) -> tuple[Prediction, Estimate]:
    """The part whose effect, in units of its margin and signed towards its prediction, is smallest."""
    return min(parts, key=lambda part: part[0].strength(part[1]))


def headline(parts: Sequence[tuple[Prediction, Estimate]]) -> Estimate:
    """Estimate of the weakest part, with the largest p of all parts and a note that says so."""
    prediction, estimate = weakest(parts)
    ps = [each.p for _, each in parts if each.p is not None]
    note = f"Weakest of {len(parts)} parts: {prediction.finding(estimate)}{prediction.about()}."
    return replace(estimate, p=max(ps) if ps else None, notes=(note, *estimate.notes))
