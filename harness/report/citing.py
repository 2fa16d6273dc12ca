"""A run for a paper: BibTeX of its documents and of this software, and all verdicts as a table in LaTeX or Markdown."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from harness.report import text
from harness.report.rows import complete
from harness.report.text import VERDICT_STYLES

Row = Mapping[str, Any]
FORMATS: tuple[str, ...] = ("latex", "markdown")
SOFTWARE = "claims-harness"
_HEADS = ("Claim", "Statement", "Verdict", "Effect", "Interval", "n", "p (Holm)")
_LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
} | {c: f"\\{c}" for c in "&%$#_{}"}


def entries(run: Mapping[str, Any], rows: Sequence[Row]) -> dict[str, str]:
    """BibTeX by document key, and that of this software under :data:`SOFTWARE`."""
    found: dict[str, str] = {}
    for row in rows:
        source = row["source"]
        if source["title"]:
            named = (("author", "authors"), ("year", "year"), ("url", "address"))
            fields = {"title": f"{{{escaped(source['title'])}}}", **{name: source[key] for name, key in named}}
            found.setdefault(str(row["document"]), _entry("misc", str(row["document"]), fields))
    known = run["provenance"].get
    own = {
        "title": "{A property-test harness for scientific hypotheses about trained networks}", "version": known("version"),
        "year": str(known("started") or "")[:4], "note": f"commit {known('commit')}" if known("commit") else None,
    }  # fmt: skip
    return found | {SOFTWARE: _entry("software", SOFTWARE, own)}


def table(run: Mapping[str, Any], form: str) -> str:
    """All verdicts of a run as a table.

    Args:
        run: what ``claims.json`` holds.
        form: "latex" (a ``longtable``, needing that package and booktabs) or "markdown".
    """
    lines = [_cells(complete(row)) for row in run["rows"]]
    if form == "markdown":
        head = [f"| {' | '.join(_HEADS)} |", f"|{'---|' * len(_HEADS)}"]
        return "\n".join([*head, *(f"| {' | '.join(_marked(cell) for cell in line)} |" for line in lines)]) + "\n"
    begun = [r"\begin{longtable}{lp{7cm}lrrrr}", r"\toprule", f"{' & '.join(map(escaped, _HEADS))} \\\\",
             r"\midrule", r"\endhead"]  # fmt: skip
    body = [f"{' & '.join(map(escaped, line))} \\\\" for line in lines]
    return "\n".join([*begun, *body, r"\bottomrule", r"\end{longtable}"]) + "\n"


def escaped(words: str) -> str:
    """Text as LaTeX prints it; with signs that its fonts lack in their commands."""
    said = "".join(_LATEX.get(letter, letter) for letter in words)
    return said.replace("−", r"$-$").replace("∞", r"$\infty$").replace("×", r"$\times$")


def _cells(row: Row) -> list[str]:
    effect, interval = text.measured(row["effect"], row["interval"])
    size = row["label"] or row["grade"]
    verdict = VERDICT_STYLES[row["verdict"]].word.lower() + (f", {size}" if size else "")
    exact = row["rule"] == "exact"
    return [
        str(row["id"]), str(row["statement"] or ""), verdict,
        "" if row["effect"] is None or exact else effect, "" if row["interval"] is None or exact else interval,
        "" if row["n"] is None else str(row["n"]), "" if row["p_adjusted"] is None else text.p_value(row["p_adjusted"]),
    ]  # fmt: skip


def _marked(words: str) -> str:
    return re.sub(r"([\\|*_`<>\[\]])", r"\\\1", words).replace("\n", " ")


def _entry(kind: str, key: str, fields: Mapping[str, Any]) -> str:
    said = (f"  {name} = {{{value}}}" for name, value in fields.items() if value)
    return f"@{kind}{{{key},\n" + ",\n".join(said) + "\n}\n"
