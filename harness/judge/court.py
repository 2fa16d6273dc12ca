"""From a claim and its evidence to a verdict: protocols, gates, parts, companions."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from harness.claim import SCALES, Claim
from harness.errors import ClaimError
from harness.evidence import Evidence
from harness.judge.gates import check
from harness.judge.rule import Outcome
from harness.judge.ruling import joint, single
from harness.judge.selection import selection
from harness.judge.verdict import GateResult, Verdict
from harness.kept import Account
from harness.predict import Conjunction, Prediction, words


def judge(
    judged: Claim | Prediction,
    evidence: Evidence | pd.DataFrame | Mapping[str, pd.DataFrame],
    *,
    scale: str = "reduced",
    protocol: str | None = None,
    share: float = 1.0,
    blocks: Sequence[Collection[int]] | None = None,
) -> Verdict:
    """Judge a claim, or a prediction alone, on its evidence.

    Args:
        judged: what was fixed beforehand.
        evidence: what the claim's body returned; or its table alone (one per protocol, by name).
        scale: "smoke" decides nothing, whatever was seen; everything else runs as at the other scales.
        protocol: judge under this protocol of the claim only; by default under all, and the first decides.
        share: factor by which every alpha is multiplied (``--claims-family-wise``).
        blocks: seeds of each block where seeds are added until the claim is decided (``--claims-until-decided``); None for
            a number of seeds that was fixed beforehand.

    Raises:
        ClaimError: the evidence is of another type, lacks a protocol or a column, or the scale is unknown.
    """
    if scale not in SCALES:
        raise ClaimError(f"scale {scale!r} is unknown; there are {', '.join(SCALES)}")
    claim = judged if isinstance(judged, Claim) else None
    tables = _tables(claim, evidence, protocol)
    shortfall = (evidence.shortfall or None) if isinstance(evidence, Evidence) else None
    court = _Court(scale == "smoke", shortfall, share, None if blocks is None else tuple(blocks))
    accounts = _accounts(evidence, tables)
    verdicts = {name: _under(judged, name, table, court, accounts.get(name)) for name, table in tables.items()}
    first = next(iter(verdicts.values()))
    named = {name: verdict for name, verdict in verdicts.items() if name is not None}
    return replace(first, protocols=named)


def _tables(claim: Claim | None, evidence: Any, protocol: str | None) -> dict[str | None, pd.DataFrame]:
    """The table to judge under each protocol (None for a claim without protocols)."""
    what = f"claim {claim.id}" if claim else "the prediction"
    table: Any = evidence.table if isinstance(evidence, Evidence) else evidence
    names = claim.protocols if claim else ()
    if protocol is not None:
        if protocol not in names:
            raise ClaimError(f"{what} has no protocol {protocol!r}; it has {', '.join(names) or 'none'}")
        if isinstance(table, pd.DataFrame):
            table = {protocol: table}
    wanted = names if protocol is None else (protocol,)
    if isinstance(evidence, Evidence) and evidence.shortfall:
        return dict.fromkeys(wanted or (None,), pd.DataFrame())  # nothing will be read from it
    if not names:
        if not isinstance(table, pd.DataFrame):
            raise ClaimError(f"{what} is judged on Evidence with one DataFrame as its table; given {_kind(evidence)}")
        return {None: table}
    known = isinstance(table, Mapping) and (protocol in table if protocol else set(table) == set(names))
    if not known or not all(isinstance(each, pd.DataFrame) for each in table.values()):
        raise ClaimError(
            f"{what} is judged on Evidence whose table maps each of its protocols ({', '.join(wanted)}) to a "
            f"DataFrame; given {_kind(evidence)}"
        )
    return {name: table[name] for name in wanted}


def _accounts(evidence: Any, tables: Collection[str | None]) -> Mapping[str | None, Account]:
    """What became of the measured rows, under each protocol for which the evidence says so."""
    rows = evidence.rows if isinstance(evidence, Evidence) else None
    known: Any = dict.fromkeys(tables, rows) if isinstance(rows, Account) else rows or {}
    if not isinstance(known, Mapping) or not all(isinstance(each, Account) for each in known.values()):
        raise ClaimError(f"the rows of Evidence are an Account, or one for each protocol; given {type(rows).__name__}")
    return dict(known)


def _kind(evidence: Any) -> str:
    table = evidence.table if isinstance(evidence, Evidence) else evidence
    of = "Evidence with table " if isinstance(evidence, Evidence) else ""
    if isinstance(table, Mapping):
        return f"{of}{{{', '.join(f'{name!r}: {type(each).__name__}' for name, each in table.items())}}}"
    return f"{of}{type(table).__name__}"


def _under(
    judged: Claim | Prediction, protocol: str | None, table: pd.DataFrame, court: _Court, account: Account | None
) -> Verdict:
    """Verdict under one protocol, with the companions on the same evidence."""
    claim = judged if isinstance(judged, Claim) else None
    prediction = judged.prediction if isinstance(judged, Claim) else judged
    if not isinstance(prediction, Prediction):
        raise ClaimError(f"a prediction is one of harness.predict; given {type(prediction).__name__}")
    court = replace(court, identity=claim.id if claim else repr(prediction.describe()))
    if court.shortfall is None and claim:
        applies = [gate for gate in claim.gates if gate.protocols is None or protocol in gate.protocols]
        court = replace(court, gates=tuple(check(gate, table) for gate in applies))
    beside = claim.companions if claim else ()
    companions = tuple(court.verdict(each, table, f"companion {i}") for i, each in enumerate(beside))
    rows = selection(account, prediction, table) if court.shortfall is None else None
    return replace(court.verdict(prediction, table), gates=court.gates, companions=companions, rows=rows)


@dataclass(frozen=True)
class _Court:
    """What all predictions that are judged on one piece of evidence share.

    Attributes:
        smoke: whether the scale decides nothing.
        shortfall: why nothing can be judged, or None.
        share: factor by which every alpha is multiplied.
        blocks: seeds of each block where seeds are added until the claim is decided, or None.
        identity: text that seeds the Monte-Carlo tests.
        gates: results of the gates.
    """

    smoke: bool
    shortfall: str | None
    share: float
    blocks: tuple[Collection[int], ...] | None
    identity: str = ""
    gates: tuple[GateResult, ...] = ()

    def verdict(self, prediction: Prediction, table: pd.DataFrame, role: str = "") -> Verdict:
        """The prediction's verdict by its rule, unless gates, a shortfall or the scale forbid one."""
        if self.shortfall is not None:
            return self._forbid(Verdict(Outcome.INVALID, self.shortfall, None, prediction, None))
        prediction.check_columns(table)
        prediction.check_units()
        if self.share != 1:
            prediction = prediction.stricter(self.share)
        if not isinstance(prediction, Conjunction):
            return self._forbid(single(prediction, table, self._rng(role), self.blocks))
        parts = [single(part, table, self._rng(f"{role} part {i}"), self.blocks) for i, part in enumerate(prediction.parts)]
        return self._forbid(joint(prediction, tuple(parts)))

    def _rng(self, role: str) -> np.random.Generator:
        digest = hashlib.sha256(f"{self.identity} {role}".encode()).digest()
        return np.random.default_rng(np.frombuffer(digest, dtype=np.uint32))

    def _forbid(self, verdict: Verdict) -> Verdict:
        """The verdict, unless a gate or the scale forbids one; its parts likewise."""
        verdict = replace(verdict, parts=tuple(self._forbid(part) for part in verdict.parts))
        failed = [gate for gate in self.gates if not gate.passed]
        if failed:
            names = words.listed(f"“{gate.name}”" for gate in failed)  # in quotes: what it asks for is not what was seen
            checks = "A validity check failed" if len(failed) == 1 else f"{len(failed)} validity checks failed"
            reason = f"{checks}, so that the numbers say nothing: {names}."
            notes = tuple(f"{gate.name[:1].upper()}{gate.name[1:]}: {gate.detail}." for gate in failed)
            verdict = replace(verdict, outcome=Outcome.INVALID, label=None, grade=None, reason=reason, notes=notes)
        if self.smoke:
            reason = f"Scale smoke decides nothing; what it measured: {verdict.reason}"
            verdict = replace(verdict, outcome=Outcome.INCONCLUSIVE, label=None, grade=None, reason=reason)
        return verdict
