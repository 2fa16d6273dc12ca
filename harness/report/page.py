"""The report as one page: a run's rows in, one self-contained HTML file out.

The page needs no network, no server and no script to be read; the script only filters.  Templates, style
and script lie beside this module, and every value is escaped by the template engine.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from harness.report import figures, forest, text
from harness.report.merge import check_run
from harness.report.rows import VERDICTS, Row, complete

_HERE = Path(__file__).parent
SHOWN_ROWS = 200  # of the data behind a figure; claims.json has all


@dataclass(frozen=True)
class Look:
    """How a verdict is shown: always glyph, word and colour together."""

    glyph: str
    word: str
    meaning: str


LOOKS: Mapping[str, Look] = {
    "supported": Look("✓", "Supported", "the interval lies where predicted, and reaches what matters"),
    "refuted": Look("✗", "Refuted", "the interval excludes what was predicted, or any effect that matters"),
    "inconclusive": Look("?", "Inconclusive", "the interval allows both; more units would tell"),
    "invalid": Look("⊘", "Invalid", "a validity check failed; the numbers say nothing about the claim"),
    "error": Look("!", "Error", "it could not be run; this says nothing about the claim"),
}
_BANNERS: Mapping[str, tuple[str, str]] = {
    "smoke": (
        "Smoke scale: decides nothing",
        "This run only tried that every claim can be measured. "
        "Its models are too few and too small to mean anything.",
    ),
    "reduced": (
        "Reduced sizes",
        "The models are smaller than the documents’. A verdict here is about models of these sizes; "
        "run at full scale for the documents’ own.",
    ),
}
_TERMS: Mapping[str, str] = {
    "seconds": "took", "dirty": "uncommitted changes", "llc_engine": "LLC engine",
    "version": "harness version",
}  # fmt: skip


def render(run: Mapping[str, Any]) -> str:
    """The page of a run.

    Args:
        run: what ``claims.json`` holds; see ``claims.schema.json``.

    Returns:
        One HTML document; the same for the same run, byte for byte.

    Raises:
        ReportError: ``run`` is not a run of claims.
    """
    check_run(run)
    rows = [complete(row) for row in run["rows"]]
    recipes = _recipes(rows)
    cards = [_card(row, position, recipes) for position, row in enumerate(rows)]
    style, script = ((_HERE / name).read_text(encoding="utf-8") for name in ("style.css", "page.js"))
    script_hash = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return _environment().get_template("page.html").render(
        run=run, provenance=run["provenance"], terms=_TERMS, documents=_documents(cards), total=_tally(rows),
        looks=LOOKS, count=len(rows), facts=_facts(run, rows), banner=_BANNERS.get(run["scale"]),
        forest_scale=[(forest.place(tick), text.number(tick)) for tick in forest.TICKS],
        kinds=list(dict.fromkeys(row["kind"] for row in rows if row["kind"])), recipes=recipes.values(),
        style=Markup(style), script=Markup(script), script_hash=script_hash,  # the package's own files
    )  # fmt: skip


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "number": text.number, "cell": text.cell, "p_value": text.p_value, "duration": text.duration,
        "ranges": text.ranges, "compact": text.compact, "time": _time, "web": _web,
    }  # fmt: skip
    environment.globals |= {
        "measured": text.measured, "place": forest.place, "margin_mark": forest.margin_mark, "level": _level,
    }  # fmt: skip
    return environment


def _card(row: Row, position: int, recipes: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """A row with what the template draws of it."""
    picture, trouble = _picture(row, f"f{position}")
    own = {name: row[name] for name in ("rule", "centre", "margin", "alpha")}
    if row["rule"] == "all":  # the margin is that of the weakest part, and that may differ by protocol
        own["margin"] = None
    protocols = [{**_NO_RESULT, **own, **protocol} for protocol in row["protocols"]]
    return {
        "row": row, "number": position, "marks": forest.forest_marks(row), "bar": forest.bar(row),
        "picture": picture, "trouble": trouble, "data": _data(row["figure"]),
        "trained": _trained(row, recipes),
        "reading": figures.reading(row["figure"]) if picture else None,
        "wide": bool(row["figure"] and row["figure"]["facet"]),
        "protocols": protocols, "disagree": len({protocol["verdict"] for protocol in protocols}) > 1,
        "parts": [{**_NO_RESULT, **part} for part in row["parts"]],
        "companions": [{**_NO_RESULT, **companion} for companion in row["companions"]],
    }  # fmt: skip


_NO_RESULT: Mapping[str, Any] = dict.fromkeys((
    "name", "primary", "prediction", "verdict", "label", "reason", "rule", "estimand", "unit", "effect",
    "interval", "centre", "margin", "alpha", "p", "n",
)) | {"strata": [], "gates": []}  # fmt: skip


def _picture(row: Row, key: str) -> tuple[Markup | None, str | None]:
    """The row's figure as SVG, or why there is none; a picture that fails must not cost the page."""
    if row["figure"] is None:
        return None, None
    try:
        return Markup(figures.draw(row["figure"], key)), None  # written by an XML serialiser
    except (ValueError, KeyError, TypeError, IndexError) as problem:
        return None, f"The figure could not be drawn: {type(problem).__name__}: {problem}"


def _data(figure: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """The first rows behind the figure, the columns that say which model it is in front."""
    if figure is None:
        return None
    columns = sorted(figure["data"], key=lambda name: name not in figures.IDENTITY)
    rows = list(zip(*(figure["data"][name] for name in columns), strict=False))
    return {
        "columns": columns, "rows": rows[:SHOWN_ROWS], "total": len(rows),
        "left_out": max(0, len(rows) - SHOWN_ROWS),
        "pick": [name for name in figures.IDENTITY if name in columns],
    }  # fmt: skip


def _recipes(rows: Sequence[Row]) -> dict[str, dict[str, Any]]:
    """Every recipe once, whatever the seeds: many claims share the same populations."""
    found: dict[str, dict[str, Any]] = {}
    for recipe in (recipe for row in rows for recipe in row["recipes"]):
        rest = {key: value for key, value in recipe.items() if key not in ("name", "digest", "seeds")}
        name, digest = str(recipe.get("name") or "unnamed"), recipe.get("digest")
        known = {"name": name, "digest": None if digest is None else str(digest), "rest": rest}
        found.setdefault(_recipe_key(recipe), known | {"place": len(found)})
    return found


def _recipe_key(recipe: Mapping[str, Any]) -> str:
    return json.dumps({key: value for key, value in recipe.items() if key != "seeds"}, sort_keys=True)


def _trained(row: Row, recipes: Mapping[str, dict[str, Any]]) -> list[tuple[str, list[dict[str, Any]]]]:
    """The recipes of a row by the seeds with which they were trained for it."""
    by_seeds: dict[str, list[dict[str, Any]]] = {}
    for recipe in row["recipes"]:
        by_seeds.setdefault(text.ranges(recipe.get("seeds") or ()), []).append(recipes[_recipe_key(recipe)])
    return list(by_seeds.items())


def _documents(cards: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Cards by document in order of appearance, with the document's particulars and its tally of verdicts."""
    found: dict[str, list[dict[str, Any]]] = {}
    for card in cards:
        found.setdefault(str(card["row"]["document"]), []).append(card)
    return [
        {
            "key": key, "cards": members, "tally": _tally([card["row"] for card in members]),
            "source": next((c["row"]["source"] for c in members if c["row"]["source"]["title"]), None),
        }
        for key, members in found.items()
    ]  # fmt: skip


def _tally(rows: Sequence[Row]) -> list[tuple[str, int]]:
    counts = Counter(row["verdict"] for row in rows)
    return [(verdict, counts[verdict]) for verdict in VERDICTS if counts[verdict]]


def _facts(run: Mapping[str, Any], rows: Sequence[Row]) -> list[tuple[str, str]]:
    """What was run, as (term, text); what is unknown is left out."""
    known = run["provenance"].get
    recipes = [recipe for row in rows for recipe in row["recipes"]]
    members = {
        (recipe.get("digest") or recipe.get("name"), seed)
        for recipe in recipes
        for seed in recipe.get("seeds", ())
    }
    seeds = {seed for _, seed in members}
    commit = str(known("commit"))[:12] if known("commit") else None
    chosen = known("selected")
    facts = [
        ("Scale", str(run["scale"])),
        ("Networks", f"{len(members):,} from {len(seeds)} training seeds" if members else None),
        ("Selected", f"{chosen['claims']} of {chosen['of']} claims" if chosen else None),
        ("Device", str(run["device"])),
        ("Started", _time(known("started")) if known("started") else None),
        ("Took", text.duration(known("seconds")) if known("seconds") is not None else None),
        ("Commit", f"{commit}, with uncommitted changes" if commit and known("dirty") else commit),
    ]
    return [(term, words) for term, words in facts if words]


def _level(alpha: float | None) -> str:
    """The interval that a test at ``alpha`` reads: 1 − 2 alpha, "90 %"."""
    return "Interval" if alpha is None else f"{100 * (1 - 2 * alpha):.4g} % interval"


def _time(started: Any) -> str:
    try:
        when = datetime.fromisoformat(str(started))
    except ValueError:
        return str(started)
    return f"{when:%Y-%m-%d %H:%M} {when:%Z}".rstrip()


def _web(address: Any) -> bool:
    """Whether an address may become a link: a document's own page, never a script."""
    return str(address).lower().startswith(("https://", "http://"))
