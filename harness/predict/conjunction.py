"""Several predictions that must all come true, or at least a given number of them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from harness.errors import ClaimError
from harness.factors import Factors
from harness.predict.base import Prediction, Rule
from harness.predict.estimate import Estimate

if TYPE_CHECKING:
    import pandas as pd

Seen = Sequence[tuple[Prediction, Estimate]]
"""Parts with what was seen of each."""


@dataclass(frozen=True, repr=False)
class Conjunction(Prediction):
    """All of several predictions, each judged by its own terms (intersection-union test).

    It is supported only if every part is, which needs no correction of alpha (Berger 1982, Technometrics
    24(4)); its p is the largest of its parts', its headline the weakest part.  One refuted part refutes it if that part is
    refuted at alpha / k too, with k the number of parts: since any part would do, k parts that all lie exactly at their
    margins would otherwise be wrongly refuted with probability up to k alpha.

    Attributes:
        parts: two or more predictions; conjunctions among them are taken apart.
    """

    parts: tuple[Prediction, ...]
    margin: float = field(init=False, default=0.0)
    margin_reason: str = field(init=False, default="each part has its own")
    alpha: float = field(init=False, default=0.05)  # the smallest of its parts', at which it would survive as a whole

    def __post_init__(self) -> None:
        self._read_where()
        if any(isinstance(part, AtLeast) for part in self.parts):
            raise ClaimError("Conjunction has AtLeast among its parts; it joins predictions that decide for themselves")
        flat = tuple(each for part in self.parts for each in (part.parts if isinstance(part, Conjunction) else (part,)))
        object.__setattr__(self, "parts", flat)
        if len(flat) < 2:
            raise ClaimError(f"Conjunction has {len(flat)} part(s); it joins two or more")
        object.__setattr__(self, "alpha", min(part.alpha for part in flat))
        if self.where:
            raise ClaimError("Conjunction has where=…; give it to the parts")

    @property
    def rule(self) -> Rule:
        """Every part by its own rule."""
        return "all"

    @property
    def needed(self) -> int:
        """How many of the parts have to come true."""
        return len(self.parts)

    @property
    def support_share(self) -> float:
        """Factor by which a part's alpha is multiplied before its support counts.

        If the whole is false, at most ``needed`` - 1 parts are true; one wrong support among the others would be enough.
        """
        return 1 / (len(self.parts) - self.needed + 1)

    @property
    def refute_share(self) -> float:
        """Factor by which a part's alpha is multiplied before its refutation counts.

        If the whole is true, at least ``needed`` parts are true; if all others are refuted, one wrong refutation is enough.
        """
        return 1 / self.needed

    @property
    def singles(self) -> tuple[Prediction, ...]:
        """The parts."""
        return self.parts

    @property
    def for_support(self) -> tuple[Prediction, ...]:
        """The parts, each at its alpha times :attr:`support_share`."""
        return tuple(part.stricter(self.support_share) for part in self.parts)

    @property
    def outcomes(self) -> tuple[str, ...]:
        """Those of all parts."""
        return tuple(dict.fromkeys(column for part in self.parts for column in part.outcomes))

    def stricter(self, share: float) -> Prediction:
        """Every part at its alpha times ``share``."""
        return replace(self, parts=tuple(part.stricter(share) for part in self.parts))

    def drawn_from(self, population: Factors | None, elsewhere: Collection[str] = ()) -> Prediction:
        """Every part with what the population says of it."""
        columns = {*elsewhere, *self.own_factors, *self.more_factors}
        return replace(self, parts=tuple(part.drawn_from(population, columns) for part in self.parts))

    @property
    def own_factors(self) -> tuple[str, ...]:
        """Those of all parts."""
        return tuple(dict.fromkeys(column for part in self.parts for column in part.own_factors))

    @property
    def more_factors(self) -> tuple[str, ...]:
        """Those of all parts."""
        return tuple(dict.fromkeys(column for part in self.parts for column in part.more_factors))

    def own_columns(self) -> tuple[str, ...]:
        """Columns of all parts."""
        return tuple(dict.fromkeys(column for part in self.parts for column in part.columns()))

    def sentence(self) -> str:
        """What is tested."""
        once = len({part.generality() for part in self.parts}) == 1
        said = [f"{part.sentence()}{part.about()}{part._terms()}" if once else str(part) for part in self.parts]
        return "All of: " + " ".join(f"({i}) {part}." for i, part in enumerate(said, 1)).rstrip(".")

    def generality(self) -> str:
        """That of the parts, if all have the same; otherwise each part states its own."""
        said = {part.generality() for part in self.parts}
        return said.pop() if len(said) == 1 else ""

    def _terms(self) -> str:
        return ""

    def estimate(self, table: pd.DataFrame, *, rng: np.random.Generator) -> Estimate:
        """Estimate of the weakest part, with the p of the whole; see :meth:`Prediction.estimate`."""
        return self.headline([(part, part.estimate(table, rng=rng)) for part in self.parts])

    def finding(self, estimate: Estimate) -> str:
        """What was seen in the part that decides."""
        return estimate.notes[0]

    def hinge(self, parts: Seen) -> tuple[Prediction, Estimate]:
        """The part on which support depends: the weakest of the ``needed`` strongest, effects in units of their margins."""
        return sorted(parts, key=lambda part: part[0].strength(part[1]), reverse=True)[min(self.needed, len(parts)) - 1]

    def headline(self, parts: Seen) -> Estimate:
        """Estimate of the part on which support depends, with the p of the whole and a note that says so."""
        prediction, estimate = self.hinge(parts)
        p = self.joint_p([each.p for _, each in parts])
        note = f"{self._which(len(parts))}: {prediction.finding(estimate)}{prediction.about()}."
        return replace(estimate, p=p, notes=(note, *estimate.notes))

    def joint_p(self, ps: Sequence[float | None]) -> float | None:
        """P of the whole from those of its parts."""
        known = sorted(p for p in ps if p is not None)
        return min(1.0, known[min(self.needed, len(known)) - 1] / self.support_share) if known else None

    def _which(self, parts: int) -> str:
        """The part on which support depends, in words."""
        return f"Weakest of {parts} parts"


@dataclass(frozen=True, repr=False)
class AtLeast(Conjunction):
    """At least a given number of several predictions, each judged by its own terms ("in most cases").

    With k of m needed it is supported if k parts are, each at alpha / (m - k + 1), and refuted if m - k + 1 parts are,
    each at alpha / k.  Both are Bonferroni's bounds, and hold however the parts depend on each other: where the whole is
    false, m - k + 1 or more parts are false, and one of them has to be supported wrongly; where it is true, k or more are
    true, and one of them has to be refuted wrongly.  p is the partial conjunction's (m - k + 1) p_(k) (Benjamini &
    Heller 2008, Biometrics 64(4), 1215-1222).  With k = m it is the conjunction.

    Attributes:
        count: how many of the parts have to come true, from 1 to all but one.
    """

    count: int = field(kw_only=True)

    def __post_init__(self) -> None:
        if any(isinstance(part, Conjunction) for part in self.parts):
            raise ClaimError("AtLeast has a conjunction among its parts; it counts single predictions")
        super().__post_init__()
        if not 1 <= self.count < len(self.parts):
            raise ClaimError(
                f"AtLeast has count={self.count} of {len(self.parts)} parts; allowed is 1 to {len(self.parts) - 1} "
                "(all of them are a Conjunction)"
            )

    @property
    def needed(self) -> int:
        """How many of the parts have to come true."""
        return self.count

    def sentence(self) -> str:
        """What is tested."""
        return super().sentence().replace("All of:", f"At least {self.count} of {len(self.parts)}:", 1)

    def _which(self, parts: int) -> str:
        return f"Weakest of the {min(self.count, parts)} strongest of {parts} parts"
