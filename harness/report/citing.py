"""A run for a paper: BibTeX of its documents and of this software, and all verdicts as a table in LaTeX or Markdown."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from itertools import groupby
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
_COMMANDS = {
    "−": "-", "×": r"\times", "·": r"\cdot", "±": r"\pm", "√": r"\surd", "∞": r"\infty", "‖": r"\|", "≤": r"\leq", "≥": r"\geq",
    "≠": r"\neq", "≈": r"\approx", "∼": r"\sim", "∝": r"\propto", "→": r"\to", "←": r"\leftarrow", "∈": r"\in", "∇": r"\nabla",
    "∂": r"\partial", "∑": r"\sum", "∏": r"\prod", "ℓ": r"\ell", "∀": r"\forall", "∃": r"\exists",
    "⊂": r"\subset", "∪": r"\cup", "∩": r"\cap", "ς": r"\varsigma", "ϵ": r"\epsilon", "ϕ": r"\phi", "µ": r"\mu",
}  # fmt: skip
_BACKSLASH = "\\"
_GREEK = re.compile(r"GREEK (SMALL|CAPITAL) LETTER (\w+)")
_LIKE_LATIN = dict(zip(  # Greek letters that LaTeX has no command for, since a Latin one looks the same
    ("ALPHA", "BETA", "EPSILON", "ZETA", "ETA", "IOTA", "KAPPA", "MU", "NU", "OMICRON", "RHO", "TAU", "CHI"), "ABEZHIKMNOPTX",
    strict=True))  # fmt: skip


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
    """Text as LaTeX prints it, with signs that its fonts lack in their commands: Greek, raised and lowered digits, relations.

    Letters of other scripts are left as they are, and need XeLaTeX or LuaLaTeX.
    """
    said = [
        f"${placed}{{{''.join(_sign(_level(letter)) for letter in letters).replace('$', '')}}}$" if placed
        else "".join(map(_sign, letters))
        for placed, letters in groupby(words, _placed)
    ]  # fmt: skip
    return re.sub(r"(?<!\\)\$\$", "", "".join(said))  # what stands side by side is one formula


_PLACES = {"<super>": "^", "<sub>": "_"}


def _placed(letter: str) -> str:
    """Whether a letter is raised ("^"), lowered ("_") or neither."""
    return _PLACES.get(unicodedata.decomposition(letter).partition(" ")[0], "")


def _level(letter: str) -> str:
    """A raised or lowered letter as it is on the line."""
    return unicodedata.normalize("NFKC", letter)


def _sign(letter: str) -> str:
    if letter in _COMMANDS:
        return f"${_COMMANDS[letter]}$"
    if greek := _GREEK.fullmatch(unicodedata.name(letter, "")):
        size, name = greek.groups()
        if size == "CAPITAL":
            return f"${_LIKE_LATIN.get(name) or _BACKSLASH + name.capitalize()}$".replace("Lamda", "Lambda")
        return "o" if name == "OMICRON" else f"${_BACKSLASH}{name.lower()}$".replace("lamda", "lambda")
    return _LATEX.get(letter, letter)


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
