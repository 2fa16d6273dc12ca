"""The second voice beside a verdict, in words: a Bayes factor, and severities at the values on which the verdict hangs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.report import text

_MOST = 1e6  # where the judge cuts a factor off


def bayes(factor: float) -> str:
    """A Bayes factor with its direction: "34 for the prediction", "1/12, against the prediction"."""
    against = factor < 1
    size = 1 / factor if against else factor
    words = "more than 1,000,000" if size >= _MOST * (1 - 1e-6) else text.number(size, 2 if size < 100 else 3)
    return f"{words} against the prediction" if against else f"{words} for the prediction"


def severity(row: Mapping[str, Any]) -> str:
    """How severely the data have tested that there is an effect, and that it is as large as matters."""
    voice, centre, margin = row["voice"], row["centre"] or 0.0, row["margin"] or 0.0
    at_margin = _share(voice["severity_margin"])
    if voice["rule"] == "within":
        return f"Severity {at_margin} for within {text.number(margin)} of {text.number(centre)}."
    more = "more" if voice["rule"] == "above" else "less"
    target = centre + margin if more == "more" else centre - margin
    at_null = _share(voice["severity_null"])
    return f"Severity {at_null} for {more} than {text.number(centre)}, {at_margin} for {more} than {text.number(target)}."


def _share(value: float | None) -> str:
    if value is None:
        return text.UNKNOWN
    return "above 0.999" if value > 0.999 else "below 0.001" if value < 0.001 else text.number(value, 3 if value > 0.99 else 2)
