"""The only place that decides: a prediction and its evidence become a verdict.

Read :func:`decide` in ``rule.py`` first: it is the written rule.  ``court.py`` brings evidence before it
(protocols, gates, parts of a conjunction) and seeds the Monte-Carlo tests from the claim's id, so that a
verdict does not flicker; ``verdict.py`` is what comes out and how it is written down.
"""

from __future__ import annotations

from harness._callable import as_its_function
from harness.judge.court import judge
from harness.judge.gates import check
from harness.judge.rule import Label, Outcome, conjoin, decide
from harness.judge.verdict import GateResult, Verdict

__all__ = ["GateResult", "Label", "Outcome", "Verdict", "check", "conjoin", "decide", "judge"]

as_its_function(__name__)
