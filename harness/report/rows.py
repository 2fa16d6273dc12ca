"""Rows: what the report knows about each claim, from collection to the adjusted p.

A row is a plain ``dict`` of strict JSON (``null`` if unknown, never NaN): it travels as text between processes, and is what
``claims.json`` holds.  The fields are published in ``claims.schema.json``.
"""

from __future__ import annotations

import copy
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from harness import links
from harness.claim import Claim
from harness.errors import ClaimError
from harness.fixed import declared
from harness.showing import one_line
from harness.stats import benjamini_hochberg, holm

Row = dict[str, Any]
Run = dict[str, Any]

SCHEMA = 1
VERDICTS: tuple[str, ...] = ("supported", "refuted", "inconclusive", "invalid", "error")
INTERVAL_RULES: tuple[str, ...] = ("above", "below", "within")
NOT_RUN = "the claim did not run"
NEVER = "not run: the session ended before its turn"

OTHER_SOURCE = "It cites another document than "
"""How the note of a claim begins that stands under one key with claims of another document."""
OTHER_KEY = "Its document also has claims under "
"""How the note of a claim begins whose document's claims stand under several keys."""
_INSTEAD = "the row holds something that this version cannot show, and claims.json has its numbers"
_NO_SOURCE: Row = dict.fromkeys(("title", "authors", "year", "address", "section", "quote", "reported", "number"))
_BLANK: Row = {
    "id": None, "document": None, "kind": None, "statement": None, "source": _NO_SOURCE, "tags": [],
    "digest": None, "verdict": "error", "label": None, "grade": None, "reason": NOT_RUN, "notes": [],
    "prediction": None, "rule": None,
    "estimand": None, "unit": None, "effect": None, "interval": None, "centre": None, "margin": None,
    "margin_reason": None, "alpha": None, "p": None, "p_support": None, "p_refute": None, "p_adjusted": None,
    "p_adjusted_all": None, "survives": None, "n": None, "standardised": None, "gates": [], "parts": [], "decides": None,
    "counts": None, "objection": None, "cautious": None, "captured": None,
    "strata": [], "companions": [],
    "protocols": [], "figure": None, "images": None, "settings": {}, "recipes": [], "seconds": None,
    "cached": None, "error": None, "expected": None, "power": None, "voice": None, "rows": None, "search": None,
    "declared": None, "design": None, "instruments": [], "changes": None, "registered": None, "population": None,
    "as_of": None, "place": None, "role": "document", "links": {kind: [] for kind in links.KINDS},
    "shaken": {"unmet": [], "conflicts": []}, "passes": ["supported"],
}  # fmt: skip
_WHOLE = 2**63  # whole numbers beyond this are written as what double precision makes of them
_UNREADABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
FIELDS: tuple[str, ...] = tuple(_BLANK)


def unwritable(folder: Path, problem: OSError) -> ReportError:
    """What to say, and what to do, where a report's folder cannot be written to."""
    return ReportError(
        f"cannot write the report into the folder {folder}: {problem.strerror or problem}. "
        "Make that folder writable, or name another one with --claims-report DIR"
    )


class ReportError(ValueError):
    """A report that cannot be made, because of what was given or because of where it was to be written."""


def blank_row() -> Row:
    """A row that knows nothing yet: verdict "error", every other field empty."""
    return copy.deepcopy(_BLANK)


def base_row(claim: Claim | ClaimError, id: str) -> Row:
    """The row that a claim has from its collection on, whatever happens to its run.

    Args:
        claim: the claim as declared, or the error that its declaration raised.
        id: the claim's id, "document/claim".

    Returns:
        A complete row with verdict "error" and the reason that the claim did not run; :func:`with_verdict`
        replaces both once it has run.  A part of the claim that cannot be read (a prediction that does not
        describe itself) is left empty, because the run will say what is wrong with it.
    """
    row = blank_row() | {"id": id, "document": id.split("/")[0]}
    if not isinstance(claim, Claim):
        return row | {"reason": f"the claim is not declared correctly: {claim}", "error": str(claim)}
    cited, prediction = claim.source, claim.prediction
    row |= {"kind": claim.kind, "statement": claim.statement, "tags": list(claim.tags)}
    row["digest"], row["declared"] = _or_none(claim.digest), _or_none(partial(declared, claim))
    row["source"] = {
        **{key: _or_none(partial(getattr, cited.source, key)) for key in ("title", "authors", "year", "address")},
        **{key: _or_none(partial(getattr, cited, key)) for key in ("section", "quote", "reported")},
        "number": plain(_or_none(partial(getattr, cited, "number"))),
    }
    row |= {"role": cited.source.role, "links": links.of(claim), "passes": list(claim.passes)}
    row["prediction"] = _or_none(lambda: str(prediction))
    row["rule"] = plain(_or_none(partial(getattr, prediction, "rule")))
    if row["rule"] in INTERVAL_RULES:  # the others have no margin that an effect could be held against
        for name in ("centre", "margin", "margin_reason", "alpha"):
            row[name] = plain(_or_none(partial(getattr, prediction, name)))
    return row


def with_verdict(row: Mapping[str, Any], verdict: Mapping[str, Any]) -> Row:
    """The row updated with what ``Verdict.to_json()`` says.

    What the verdict leaves unknown (``null``) keeps the value that the claim's declaration gave it.

    Raises:
        ReportError: the verdict has a field that rows do not have.
    """
    if unknown := sorted(set(verdict) - set(FIELDS)):
        raise ReportError(
            f"a verdict for {row['id']} has the fields {', '.join(unknown)}, which a row does not have; "
            f"its fields are {', '.join(FIELDS)}"
        )
    return {**row, **{name: value for name, value in verdict.items() if value is not None}}


def ran(row: Mapping[str, Any]) -> bool:
    """Whether the row is of the run in which it stands, and not kept from an earlier one, or blank."""
    return row.get("as_of") is None and not (row["verdict"] == "error" and row["reason"] in (NOT_RUN, NEVER))


def undrawable(row: Mapping[str, Any], position: int, problem: Exception) -> Row:
    """In place of a row of which no card can be made: a row that says so, and otherwise knows nothing.

    Args:
        row: the row.
        position: its number on the page.
        problem: what happened.
    """
    said = plain({name: row.get(name) for name in ("id", "document", "verdict", "statement")})
    id = said["id"] if isinstance(said["id"], str) else f"unnamed/{position}"
    return blank_row() | {
        "id": id, "document": said["document"] if isinstance(said["document"], str) else id.partition("/")[0],
        "verdict": said["verdict"] if said["verdict"] in VERDICTS else "error",
        "statement": said["statement"] if isinstance(said["statement"], str) else None,
        "reason": f"The card could not be drawn; {_INSTEAD}.",
        "error": readable(f"{type(problem).__name__}: {problem}"),
    }  # fmt: skip


def complete(row: Mapping[str, Any]) -> Row:
    """A row read from a file, with the fields that it lacks filled in as unknown."""
    return blank_row() | dict(row) | {"source": _NO_SOURCE | dict(row.get("source") or {})}


def assemble(
    rows: Iterable[Mapping[str, Any]],
    *,
    scale: str,
    device: str,
    provenance: Mapping[str, Any],
    stories: Mapping[str, str] | None = None,
) -> Run:
    """The run that ``claims.json`` holds: rows in the order of collection, p-values adjusted.

    Args:
        rows: one row per collected claim.
        scale: "smoke", "reduced" or "full".
        device: where the models were trained and measured.
        provenance: started, seconds, commit, dirty, python, torch, platform, command, workers, llc_engine,
            version.
        stories: what is written about each document, in Markdown, by its key (:mod:`harness.report.prose`).

    Raises:
        ReportError: two rows have the same id.
    """
    gathered = [complete(plain(row)) for row in rows]
    seen: set[str] = set()
    for row in gathered:
        if row["id"] in seen:
            raise ReportError(f"two claims have the id {row['id']!r}; an id names one claim, so rename one of them")
        seen.add(row["id"])
    known = {"schema": SCHEMA, "scale": scale, "device": device, "provenance": plain(provenance)}
    told = {"stories": plain(stories)} if stories else {}
    return {**known, **told, "rows": adjust(gathered)}


def adjust(rows: Iterable[Mapping[str, Any]]) -> list[Row]:
    """The rows with their p-values adjusted: Holm within the document, Benjamini–Hochberg over all.

    What is adjusted is the p of the curve that decides, on the side of the verdict: supports among the p values with which all
    claims could have been supported, refutations among those with which all could have been refuted.  So the probability of any
    wrong support in a document is alpha at most, and so is that of any wrong refutation.

    An invalid claim's p says nothing, so it is neither adjusted nor counted; gates do not look at p, so leaving it out does not
    favour any of the others.  Nor are controls, of which it is known what is true.

    ``survives`` says whether a claim would still be supported, or refuted, at its own alpha after Holm's adjustment; it is
    unknown for every other verdict, since none of those rests on a small p.
    """
    adjusted = [complete(row) for row in rows]
    tested = [row for row in adjusted if row["role"] != "control"]
    _put("p_adjusted_all", tested, benjamini_hochberg)
    for document in dict.fromkeys(row["document"] for row in tested):
        _put("p_adjusted", [row for row in tested if row["document"] == document], holm)
    for row in adjusted:
        p, decided = row["p_adjusted"], row["verdict"] in ("supported", "refuted") and row["alpha"] is not None
        row["survives"] = bool(p <= row["alpha"]) if decided and p is not None else None
    _put_searches(adjusted)
    _put_shaken(adjusted)
    _put_other_sources(adjusted)
    return adjusted


def _put_other_sources(rows: list[Row]) -> None:
    """Write among the notes of a claim that it cites another document than most claims whose ids begin as its own does.

    They are told, and their p-values adjusted, as claims of one document, which may be what the author wants or a slip.  So may
    be claims of one document under several keys, which are told and adjusted apart: those under the key with fewer say so.
    """
    cited = ("title", "authors", "year", "address")
    cites: dict[str, tuple[Any, ...] | None] = {}
    for document in dict.fromkeys(row["document"] for row in rows):
        own = [row for row in rows if row["document"] == document]
        counts = Counter(tuple(row["source"][name] for name in cited) for row in own if row["source"]["title"])
        cites[document] = most = max(counts, key=lambda each: counts[each], default=None)
        for row in own:
            row["notes"] = [note for note in row["notes"] if not note.startswith((OTHER_SOURCE, OTHER_KEY))]
            source = tuple(row["source"][name] for name in cited)
            if most is None or not row["source"]["title"] or source == most:
                continue
            both = zip(cited, source, most, strict=True)
            said = "; ".join(f"{name} {here!r}, there {there!r}" for name, here, there in both if here != there)
            row["notes"].append(
                f"{OTHER_SOURCE}most claims of {document} ({said}), and is told and adjusted with them as one: give both the "
                "same Source, or this claim an id that begins with a key of its own."
            )
    _put_other_keys(rows, {document: most[0] for document, most in cites.items() if most is not None})


def _put_other_keys(rows: list[Row], titles: Mapping[str, str]) -> None:
    """Write among the notes of claims that their document, by its title, has more claims under another key."""
    sizes = Counter(row["document"] for row in rows)
    for title in dict.fromkeys(map(_folded, titles.values())):
        keys = sorted((key for key, own in titles.items() if _folded(own) == title), key=lambda key: -sizes[key])
        for row in rows:
            if row["document"] in keys[1:] and _folded(str(row["source"]["title"] or "")) == title:
                row["notes"].append(
                    f"{OTHER_KEY}{keys[0]}, and is told and adjusted apart from them: let the ids of both begin with one key."
                )


def _folded(title: str) -> str:
    return one_line(title).casefold()


def _put_shaken(rows: list[Row]) -> None:
    """Write what the verdicts of linked claims say against each claim, in words among its notes, too."""
    undecided = {row["id"] for row in rows if row["verdict"] == "error" and row["reason"] in (NOT_RUN, NEVER)}
    found = links.shaken(rows, undecided)
    verdicts = {row["id"]: row["verdict"] for row in rows}
    known = {*verdicts, *(other for row in rows for kind in row["shaken"] for other in row["shaken"][kind])}
    for row in rows:
        row["shaken"] = found[row["id"]]
        notes = links.without_sentences(row["notes"], known)
        row["notes"] = [*notes, *links.sentences(row["shaken"], verdicts)]


def _put_searches(rows: list[Row]) -> None:
    """Adjust what fresh seeds say of turned verdicts, over all searches of the report: any wrong one has probability alpha.

    Which claims have such a test does not depend on its p, so that those without one need not be counted.
    """
    found = [row for row in rows if row["search"] is not None]
    for row, p in zip(found, holm([row["search"].get("p") for row in found]), strict=True):
        confirmed = row["search"].get("confirmed") and p is not None and row["alpha"] is not None
        stands = bool(p <= row["alpha"]) if confirmed else None
        row["search"] = {**row["search"], "p_adjusted": p, "survives": stands}


def _put(field: str, family: list[Row], adjust: Callable[[list[float | None]], list[float | None]]) -> None:
    """Write the adjusted p of each claim's own side."""
    judged = [row["verdict"] in ("supported", "refuted", "inconclusive") for row in family]
    supports = adjust([_support_p(row) if known else None for row, known in zip(family, judged, strict=True)])
    refutes = adjust([row["p_refute"] if known else None for row, known in zip(family, judged, strict=True)])
    for row, support, refute in zip(family, supports, refutes, strict=True):
        row[field] = refute if row["verdict"] == "refuted" else support


def _support_p(row: Row) -> float | None:
    """The p with which a claim could be supported; for a run that did not record it, the p of its test."""
    p: float | None = row["p"] if row["p_support"] is None else row["p_support"]
    return p


def plain(value: Any) -> Any:
    """``value`` as strict JSON: NaN and infinity become ``None``, arrays become lists, and what JSON lacks becomes text."""
    if type(value) is float:  # most of what there is
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return readable(str(value))
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, Mapping):
        return {readable(str(key)): plain(item) for key, item in value.items()}
    if isinstance(value, set | frozenset):
        return sorted((plain(item) for item in value), key=repr)
    if hasattr(value, "tolist"):  # numpy arrays and scalars, pandas columns
        return plain(value.tolist())
    if isinstance(value, int):
        return int(value) if abs(value) < _WHOLE else plain(_rounded(value))
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    return readable(_said(value))


def readable(text: str) -> str:
    """Text that JSON, XML and a terminal can hold: control characters and halves of surrogate pairs as escapes."""
    return _UNREADABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _rounded(value: int) -> float | None:
    try:
        return float(value)
    except OverflowError:
        return None


def _said(value: object) -> str:
    try:
        return str(value)
    except Exception:  # a user's own class; what it is called says enough
        return f"a {type(value).__name__}"


def _or_none(read: Callable[[], Any]) -> Any:
    """What ``read`` returns, or None if the user's object fails: a row must exist all the same."""
    try:
        return read()
    except Exception:  # any fault of a user's own class; running the claim reports it
        return None
