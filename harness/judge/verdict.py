"""What was decided, and how it is written down."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from harness.doubts import among
from harness.judge.caution import Sides
from harness.judge.enough import Enough, enough
from harness.judge.power import plan
from harness.judge.rule import Grade, Label, Outcome
from harness.judge.selection import Rows
from harness.judge.voice import voice
from harness.predict import Conjunction, Estimate, Prediction, Stratum, words
from harness.predict.estimate import Beyond
from harness.showing import Shown


@dataclass(frozen=True)
class GateResult:
    """Whether a gate of the claim was passed, and a sentence with its numbers."""

    name: str
    passed: bool
    detail: str


@dataclass(frozen=True, repr=False)
class Verdict(Shown):
    """What was decided, and why.

    Attributes:
        outcome: the decision.
        reason: the decision in a sentence or two, with its numbers.
        notes: sentences for readers who want to know more; none of them decides.
        label: "reversed" or "negligible" for some refutations, else None.
        prediction: what was judged.
        estimate: what was seen (for a conjunction, of the part that decides); None where nothing could be
            estimated.
        grade: for a supported direction, how large the effect is against the margin; for several parts, that of the
            weakest on which support depends; else None.
        sides: p of a support and of a refutation by the curve that decides; None where nothing could be estimated.
        rows: how many rows were measured and which are not judged; None where there was nothing to judge.
        gates: validity checks on the evidence.
        parts: verdicts on the parts of a conjunction.
        decides: place among them of the one that decides, whose reason, estimate, margin and power are the verdict's; None
            without parts.
        counts: how many parts count as supported, how many as refuted, each at the level at which it counts for the whole,
            and how many have to come true; None without parts.
        companions: verdicts on the claim's companions, which have no say in this one.
        protocols: verdict under each protocol of the claim; this verdict is that of the first.
    """

    outcome: Outcome
    reason: str
    label: Label
    prediction: Prediction
    estimate: Estimate | None
    grade: Grade | None = None
    sides: Sides | None = None
    rows: Rows | None = None
    gates: tuple[GateResult, ...] = ()
    parts: tuple[Verdict, ...] = ()
    decides: int | None = None
    counts: tuple[int, int, int] | None = None
    notes: tuple[str, ...] = ()
    companions: tuple[Verdict, ...] = ()
    protocols: Mapping[str, Verdict] = field(default_factory=dict)

    def _shown(self) -> tuple[str, Mapping[str, Any]]:
        seen, terms = self.estimate, self._terms()
        by_interval = seen is not None and self._decided_by_interval()
        return f"Verdict {self.outcome.value.upper()}{f' ({self.label or self.grade})' if self.label or self.grade else ''}", {
            "effect": float(seen.effect) if seen else None,
            words.level(terms.alpha): words.span(seen.interval) if seen and by_interval else None,
            "margin": float(terms.margin) if by_interval else None,
            "n": seen.n if seen else None,
            "unit": seen.unit if seen else None,
            "parts": len(self.parts) or None,
            "failed gates": tuple(gate.name for gate in self.gates if not gate.passed),
            "prediction": str(self.prediction),
            "reason": self.reason,
            "doubts": tuple(self.doubts),
        }

    @property
    def doubts(self) -> list[str]:
        """Those of its notes that say why its interval may be too narrow."""
        return among(self.notes)

    @property
    def told(self) -> str:
        """Reason and notes."""
        return " ".join((self.reason, *self.notes))

    def to_json(self) -> dict[str, Any]:
        """The verdict's part of a row of the report: JSON without NaN, infinity or numpy scalars."""
        return {
            **self._row(),
            "margin_reason": self._terms().margin_reason if self._decided_by_interval() else None,
            "standardised": self._standardised(),
            "power": self._power(),
            "voice": self._voice(),
            "rows": self.rows.to_json() if self.rows else None,
            "population": self._population(),
            "gates": [asdict(gate) for gate in self.gates],
            "parts": [part._row() for part in self.parts],
            "decides": self.decides,
            "counts": None
            if self.counts is None
            else dict(zip(("supporting", "refuting", "needed"), self.counts, strict=True)),
            "objection": None if self.parts else self._row()["objection"],
            "companions": [companion._row() for companion in self.companions],
            "protocols": [verdict._under(name, primary=i == 0) for i, (name, verdict) in enumerate(self.protocols.items())],
        }

    def _row(self) -> dict[str, Any]:
        terms, seen, by_interval = self._terms(), self.estimate, self._decided_by_interval()
        return {
            "prediction": str(self.prediction),
            "verdict": self.outcome.value,
            "label": self.label,
            "grade": self.grade,
            "reason": self.reason,
            "notes": list(self.notes),
            "rule": self.prediction.rule,
            "estimand": seen.estimand if seen else None,
            "unit": seen.unit if seen else None,
            "effect": _strict(seen.effect) if seen else None,
            "interval": _pair(seen.interval) if seen and by_interval else None,
            "cautious": self._cautious() if by_interval else None,
            "objection": (seen.objection or None) if seen else None,
            "centre": float(terms.centre) if by_interval else None,
            "margin": float(terms.margin) if by_interval else None,
            "alpha": float(terms.alpha) if by_interval else None,
            "p": _strict(seen.p) if seen else None,
            "p_support": _strict(self.sides.support) if self.sides and self._inexact() else None,
            "p_refute": _strict(self.sides.refute) if self.sides and self._inexact() else None,
            "n": int(seen.n) if seen else None,
            "strata": [_stratum(each) for each in (seen.strata if seen else ())],
        }

    def _cautious(self) -> list[float | None] | None:
        """The interval of the second opinion, where there is one."""
        seen = self.estimate.confidence if self.estimate else None
        if seen is None or seen.cautious is None:
            return None
        low, high = seen.cautious.interval(self._terms().alpha)
        return _pair((float(low), float(high)))

    def _under(self, protocol: str, *, primary: bool) -> dict[str, Any]:
        row = self._row()
        shown = {key: row[key] for key in ("verdict", "label", "grade", "effect", "interval", "n", "reason", "notes")}
        gates = [asdict(gate) for gate in self.gates]
        rows = self.rows.to_json() if self.rows else None
        return {"name": protocol, "primary": primary, **shown, "gates": gates, "rows": rows}

    def _terms(self) -> Prediction:
        """The prediction against whose margin the estimate is held: of several parts, the one that decides."""
        part = None if self.decides is None else self.parts[self.decides]
        return self.prediction if part is None or part.estimate is None else part.prediction

    def _decided_by_interval(self) -> bool:
        return self._terms().rule not in ("exact", "all")

    def _inexact(self) -> bool:
        """Whether chance plays a part in it."""
        return any(each.rule != "exact" for each in self.prediction.singles)

    def _power(self) -> dict[str, Any] | None:
        """What this many units can find, and how many the margin needs; for a conjunction, of the part that decides."""
        terms = self._terms()
        if isinstance(self.prediction, Conjunction):
            terms = terms.stricter(self.prediction.support_share)
        found = plan(terms, self.estimate) if self.estimate is not None else None
        if found is None or self.estimate is None:
            return None
        open_still = self._enough(self.estimate) if self.outcome in (Outcome.INCONCLUSIVE, Outcome.INVALID) else None
        return found.to_json() | {"enough": open_still.to_json() if open_still else None}

    def _enough(self, seen: Estimate) -> Enough | None:
        """What would decide it; of a conjunction, the part that decides."""
        whole = self.prediction
        shares = (whole.support_share, whole.refute_share) if isinstance(whole, Conjunction) else (1.0, 1.0)
        return enough(self._terms(), seen, support=shares[0], refute=shares[1])

    def _voice(self) -> dict[str, Any] | None:
        """A second voice; of a conjunction, on the part that decides."""
        found = voice(self._terms(), self.estimate) if self.estimate is not None else None
        return found.to_json() if found else None

    def _population(self) -> dict[str, Any] | None:
        """The population that the estimate speaks about, and what to expect of levels that were not seen."""
        seen = self.estimate
        if seen is None or not seen.population:
            return None
        return {"speaks": seen.population, "beyond": [_beyond(each) for each in seen.beyond]}

    def _standardised(self) -> dict[str, Any] | None:
        if self.estimate is None or self.estimate.standardised is None:
            return None
        effect, low, high = self.estimate.standardised
        return {"effect": _strict(effect), "interval": _pair((low, high))}


def _strict(value: float | None) -> float | None:
    """A number as strict JSON has it: unknown, NaN and infinity are null."""
    return None if value is None or not math.isfinite(value) else float(value)


def _stratum(stratum: Stratum) -> dict[str, Any]:
    return {
        "name": stratum.name,
        "effect": _strict(stratum.effect),
        "interval": _pair(stratum.interval),
        "n": int(stratum.n),
    }


def _beyond(beyond: Beyond) -> dict[str, Any]:
    return {
        "factor": beyond.factor,
        "levels": int(beyond.levels),
        "deviation": _strict(beyond.deviation),
        "icc": _strict(beyond.icc),
        "interval": _pair(beyond.interval),
    }


def _pair(interval: tuple[float, float]) -> list[float | None]:
    return [_strict(interval[0]), _strict(interval[1])]
