"""A run for a spreadsheet (claims.csv) and for a README (badge.svg)."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from harness.report import standing
from harness.report.rows import VERDICTS, complete, undrawable
from harness.report.text import VERDICT_STYLES

_AS_IT_IS = (
    "id", "document", "kind", "statement", "verdict", "label", "grade", "reason", "expected", "prediction", "rule",
    "estimand", "unit", "effect",
)  # fmt: skip
_AND = (
    "centre", "margin", "margin_reason", "alpha", "p", "p_support", "p_refute", "p_adjusted", "p_adjusted_all", "survives", "n",
)  # fmt: skip
_LAST = ("digest", "seconds", "cached", "error", "as_of")
_FIXED = ("design", "instruments", "changes", "registered")
COLUMNS: tuple[str, ...] = (
    *_AS_IT_IS, "low", "high", *_AND, "standardised_effect", "standardised_low", "standardised_high", "bayes_factor",
    "severity_margin", "rows_measured", "rows_left_out",
    "gates_failed", "protocols", "search", "reported", "section", "quote", "title", "address", "tags", *_LAST, *_FIXED, "scale",
    "device", "commit",
)  # fmt: skip


def to_csv(run: Mapping[str, Any]) -> str:
    """The run as CSV (RFC 4180): a header, then one row per claim; unknown is an empty cell.

    Lists are joined with "; ": the names of the gates that failed, and "name verdict" for every protocol.  A search appears as
    its sentence, each change after a first run as one, and a design as its digest.
    """
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, COLUMNS)
    writer.writeheader()
    commit = run["provenance"].get("commit")
    for position, row in enumerate(run["rows"]):
        try:
            cells = _flat(complete(row))
        except Exception as problem:  # a row of another version, or of another program; the others stand
            cells = _flat(undrawable(row, position, problem))
        writer.writerow({**cells, "scale": run["scale"], "device": run["device"], "commit": commit})
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
    """As registered, not registered, or how it differs."""
    if found is None:
        return None
    return f"differs: {', '.join(found['differs'])}" if found["differs"] else str(found["state"])


_HEIGHT, _SIZE = 20, 11  # pixels
_LETTER, _PAD = 6.0, 7  # mean width of a letter at that size; the text is fitted to what is reserved for it


def badge(run: Mapping[str, Any]) -> str:
    """The run's verdicts as an SVG: its scale, then every verdict that occurs, with glyph, number and word."""
    counts = Counter(row["verdict"] for row in run["rows"] if row.get("role") != "control")
    colours = _colours()
    scale = "" if run["scale"] == "full" else f" ({run['scale']})"
    fields = [(f"claims{scale}", colours["error"])]
    fields += [
        (f"{VERDICT_STYLES[verdict].glyph} {VERDICT_STYLES[verdict].counted(counts[verdict])}", colours[verdict])
        for verdict in VERDICTS
        if counts[verdict]
    ]
    if not counts:
        fields.append(("none", colours["error"]))
    drawn, left = [], 0.0
    for words, colour in fields:
        wide = round(_LETTER * len(words))
        drawn.append(f'<rect x="{left:.0f}" width="{wide + 2 * _PAD}" height="{_HEIGHT}" fill="{colour}"/>'
                     f'<text x="{left + _PAD:.0f}" y="14" textLength="{wide}">{escape(words)}</text>')  # fmt: skip
        left += wide + 2 * _PAD + 1
    said = escape(": ".join((fields[0][0], ", ".join(words for words, _ in fields[1:]))))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left - 1:.0f}" height="{_HEIGHT}" role="img" '
        f'aria-labelledby="t d"><title id="t">{said}</title>'
        '<desc id="d">How many claims of the last run have which verdict.</desc>'
        f'<g fill="#fff" font-family="Verdana, DejaVu Sans, sans-serif" font-size="{_SIZE}">{"".join(drawn)}</g></svg>\n'
    )


def _colours() -> dict[str, str]:
    """The page's colours for a light ground, by name."""
    style = (Path(__file__).parent / "style.css").read_text(encoding="utf-8")
    found = re.findall(r"--([\w-]+): (#[0-9a-f]{6})", style)
    return dict(reversed(found))  # the first of a name is that for a light ground
