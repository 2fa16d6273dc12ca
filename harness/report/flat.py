"""claims.csv: one row per claim, one value per cell, for a spreadsheet or a data frame."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from typing import Any

from harness.report import standing
from harness.report.rows import complete

_AS_IT_IS = (
    "id", "document", "kind", "statement", "verdict", "label", "grade", "reason", "expected", "prediction", "rule",
    "estimand", "unit", "effect",
)  # fmt: skip
_AND = (
    "centre", "margin", "margin_reason", "alpha", "p", "p_support", "p_refute", "p_adjusted", "p_adjusted_all", "survives", "n",
)  # fmt: skip
_LAST = ("digest", "seconds", "cached", "error")
_FIXED = ("design", "instruments", "changes", "registered")
COLUMNS: tuple[str, ...] = (
    *_AS_IT_IS, "low", "high", *_AND, "standardised_effect", "standardised_low", "standardised_high", "bayes_factor",
    "severity_margin", "rows_measured", "rows_left_out",
    "gates_failed", "protocols", "search", "reported", "section", "quote", "title", "address", "tags", *_LAST, *_FIXED, "scale",
    "device", "commit",
)  # fmt: skip


def to_csv(run: Mapping[str, Any]) -> str:
    """The run as CSV (RFC 4180): a header, then one row per claim; unknown is an empty cell.

    Lists are joined with "; ": the names of the gates that failed, and "name verdict" of every protocol; of a search it has the
    sentence, of the changes after a first run one each, and of a design its digest.
    """
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, COLUMNS)
    writer.writeheader()
    commit = run["provenance"].get("commit")
    for row in run["rows"]:
        writer.writerow({**_flat(complete(row)), "scale": run["scale"], "device": run["device"], "commit": commit})
    return out.getvalue()


def _flat(row: Mapping[str, Any]) -> dict[str, Any]:
    low, high = row["interval"] or (None, None)
    size = row["standardised"] or {"effect": None, "interval": None}
    size_low, size_high = size["interval"] or (None, None)
    cited = row["source"]
    return {
        **{name: row[name] for name in (*_AS_IT_IS, *_AND, *_LAST)},
        "low": low, "high": high,
        "standardised_effect": size["effect"], "standardised_low": size_low, "standardised_high": size_high,
        **{name: (row["voice"] or {}).get(name) for name in ("bayes_factor", "severity_margin")},
        "rows_measured": (row["rows"] or {}).get("measured"), "rows_left_out": " ".join(standing.left_out(row["rows"])),
        "gates_failed": "; ".join(gate["name"] for gate in row["gates"] if not gate["passed"]),
        "protocols": "; ".join(f"{protocol['name']} {protocol['verdict']}" for protocol in row["protocols"]),
        "search": (row["search"] or {}).get("reason"),
        **{name: cited[name] for name in ("reported", "section", "quote", "title", "address")},
        "tags": "; ".join(row["tags"]),
        "design": (row["design"] or {}).get("digest"), "instruments": standing.instruments(row),
        "changes": " ".join(standing.changes(row)), "registered": _registered(row["registered"]),
    }  # fmt: skip


def _registered(found: Mapping[str, Any] | None) -> str | None:
    """As registered, not registered, or in what it differs."""
    if found is None:
        return None
    return f"differs: {', '.join(found['differs'])}" if found["differs"] else str(found["state"])
