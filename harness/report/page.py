"""The report as one page: a run's rows in, one self-contained HTML file out.

The page needs no network and no server; its script only filters, sorts and lists data.  Templates, style sheet and script lie
beside this module, which also gives the templates their filters and functions; the template engine escapes every value.
"""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup

from harness.report import behind, citing, figures, forest, overview, standing, story, svg, text
from harness.report import text as voices
from harness.report.cards import Draw, all_recipes, card
from harness.report.history import SHOWN, History
from harness.report.merge import check_run
from harness.report.rows import VERDICTS, Row, complete, undrawable
from harness.report.text import VERDICT_STYLES

_HERE = Path(__file__).parent


def template(name: str) -> Template:
    """A template that lies beside this module; every value that it is given is escaped."""
    return _environment().get_template(name)


def style() -> Markup:
    """The style sheet, which is the package's own."""
    return Markup((_HERE / "style.css").read_text(encoding="utf-8"))


def script() -> str:
    """The page's script."""
    return (_HERE / "page.js").read_text(encoding="utf-8")


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {
        "number": text.number, "cell": text.cell, "p_value": text.p_value, "duration": text.duration,
        "ranges": text.ranges, "compact": text.compact, "sized": text.sized, "time": text.moment, "web": _web,
    }  # fmt: skip
    environment.globals |= {
        "measured": text.measured, "place": forest.place, "margin_mark": forest.margin_mark, "level": _level,
        "counted": text.counted, "bayes": voices.bayes, "severity": voices.severity,
    }  # fmt: skip
    return environment


def _level(alpha: float | None) -> str:
    """The interval that a test at ``alpha`` reads: 1 − 2 alpha, "90 %"."""
    return "Interval" if alpha is None else f"{100 * (1 - 2 * alpha):.4g} % interval"


def _web(address: Any) -> bool:
    """Whether an address may become a link: a document's own page, never a script."""
    return str(address).lower().startswith(("https://", "http://"))


_BEHIND = {"question": 1, "control": 2}  # by role: these come behind what documents claim
_BANNERS: Mapping[str, tuple[str, str]] = {
    "smoke": (
        "Smoke scale: decides nothing",
        "This run only tried that every claim can be measured. Its models are too few and too small to mean anything.",
    ),
    "reduced": (
        "Reduced sizes",
        "The models are smaller than the documents’. A verdict here is about models of these sizes; "
        "run at full scale for the documents’ own.",
    ),
}
_SORTS: Mapping[str, str] = {
    "": "By document", "verdict": "By verdict", "effect": "By effect", "p": "By p", "seconds": "By time taken",
    "name": "By name",
}  # fmt: skip
_TERMS: Mapping[str, str] = {
    "seconds": "took", "dirty": "uncommitted changes", "llc_engine": "LLC engine",
    "version": "harness version",
}  # fmt: skip


def render(run: Mapping[str, Any], past: History | None = None, draw: Draw = figures.draw) -> str:
    """The page of a run.

    Args:
        run: what ``claims.json`` holds; see ``claims.schema.json``.
        past: earlier runs, whose verdicts of the same scale stand on the cards.
        draw: makes an SVG of a figure; see :func:`harness.report.figures.draw`.

    Returns:
        One HTML document; the same for the same run and past, byte for byte.

    Raises:
        ReportError: ``run`` is not a run of claims.
    """
    own_script = script()
    script_hash = base64.b64encode(hashlib.sha256(own_script.encode()).digest()).decode()
    whole = _context(run, past or History(), draw, told=True)
    return template("page.html").render(**whole, script=Markup(own_script), script_hash=script_hash)


def render_alone(run: Mapping[str, Any]) -> str:
    """The cards of a run without the rest of a report, as one HTML document without script.

    Raises:
        ReportError: ``run`` is not a run of claims.
    """
    return template("alone.html").render(**_context(run, History(), figures.draw, told=False))


def _context(run: Mapping[str, Any], past: History, draw: Draw, *, told: bool) -> dict[str, Any]:
    """What the templates read; ``told`` says whether the documents have chapters on the page."""
    check_run(run)
    rows, cards, recipes = _drawn(run, past, draw, told=told)
    return {
        "run": run, "provenance": run["provenance"], "terms": _TERMS, "looks": VERDICT_STYLES,
        "banner": _BANNERS.get(_stamp(run)), "stamp": _stamp(run),
        "forest_scale": [(forest.place(tick), text.number(tick)) for tick in forest.TICKS],
        "lent": [one["marks"] for one in cards if one.get("marks")],
        "bibtex": behind.scripted(citing.entries(run, rows)), "recipes": recipes.values(),
        "sorts": _SORTS, "past": past, "shown_past": SHOWN, "style": style(),
        **_overview(run, rows, cards, told=told),
    }  # fmt: skip


def _overview(run: Mapping[str, Any], rows: Sequence[Row], cards: Sequence[dict[str, Any]], *, told: bool) -> dict[str, Any]:
    """What the page says about all claims together."""
    stories = run.get("stories") or {}
    return {
        "documents": _documents(cards, stories if told else None), "total": _tally(rows), "count": len(rows),
        "found": _tally([row for row in rows if row["role"] == "document"]), "mixed": len({row["role"] for row in rows}) > 1,
        "facts": _facts(run, rows), "claimed": standing.claimed(rows),
        "kinds": list(dict.fromkeys(row["kind"] for row in rows if row["kind"])),
        "tags": sorted({str(tag) for row in rows for tag in row["tags"]}),
        "lede": standing.lede([row for row in rows if row["role"] == "document"] or rows),
        "surviving": standing.surviving(rows), "lists": overview.lists(rows),
        "choices": [each for each in (overview.choice(rows), *standing.choices(rows)) if each],
    }  # fmt: skip


def _drawn(
    run: Mapping[str, Any], past: History, draw: Draw, *, told: bool
) -> tuple[list[Row], list[dict[str, Any]], dict[str, dict[str, Any]]]:
    """Rows, cards and recipes; a row of which no card can be made becomes one that says so, and costs no other."""
    shared = {"run": run, "looks": VERDICT_STYLES, "shown_past": SHOWN, "told": told, "stamp": _stamp(run)}
    whole, line = template("card.html"), template("line.html")
    rows: list[Row] = []
    cards: list[dict[str, Any]] = []
    recipes: dict[str, dict[str, Any]] = {}
    twice = story.key_figures(run.get("stories") or {}) if told else set()
    for position, given in enumerate(run["rows"]):
        try:
            row = complete(given)
            own = all_recipes([row])
            known = recipes | {
                key: recipe | {"place": len(recipes) + recipe["place"]} for key, recipe in own.items() if key not in recipes
            }
            one = card(row, position, known, past.of(row["id"], run["scale"]), draw)
            if row["id"] in twice and one["picture"]:
                one |= svg.twice(one["picture"], f"f{position}", str(row["figure"]["title"]), f"As on the card of {row['id']}.")
            one |= _pieces(one, whole, line, shared)
            # whatever cannot be counted with the others is found here
            _overview({**run, "stories": {}}, [row], [one], told=told)
            recipes = known
        except Exception as problem:  # a row of another version, or of another program
            row = undrawable(given, position, problem)
            one = card(row, position, {}, (), draw)
            one |= _pieces(one, whole, line, shared)
        rows.append(row)
        cards.append(one)
    return rows, cards, recipes


def _pieces(one: Mapping[str, Any], whole: Template, line: Template, shared: Mapping[str, Any]) -> dict[str, Markup]:
    """A row's card and its lines in the forest."""
    row = one["row"]
    parts = forest.lines(row) if forest.in_margins(row) is None else ()
    drawn = {"whole": forest.whole(row), "parts": parts}
    return {
        "html": Markup(whole.render(card=one, **shared)),
        "line": Markup(line.render(card=one, lines=drawn, **shared)),
    }


def _documents(cards: Sequence[dict[str, Any]], stories: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """Cards by document, with the document's particulars, its tally of verdicts and its chapter.

    In order of appearance; questions and controls of one's own come behind what documents claim.
    """
    found: dict[str, list[dict[str, Any]]] = {}
    for one in sorted(cards, key=lambda one: _BEHIND.get(one["row"]["role"], 0)):
        found.setdefault(str(one["row"]["document"]), []).append(one)
    known = {str(one["row"]["id"]): one["row"] for one in cards}
    return [
        {
            "key": key, "cards": members, "tally": _tally([each["row"] for each in members]),
            "sizes": standing.sizes([each["row"] for each in members]),
            "known": standing.passed([each["row"] for each in members]),
            "highlights": overview.highlights([each["row"] for each in members if each["row"]["role"] != "control"]),
            "chapter": None if stories is None else story.chapter(key, members, stories.get(key), known),
            "source": next((c["row"]["source"] for c in members if c["row"]["source"]["title"]), None),
        }
        for key, members in found.items()
    ]  # fmt: skip


def _stamp(run: Mapping[str, Any]) -> str:
    """The scale as everything that can be taken out of the page has to say it; empty where it is full, or changes nothing."""
    scale = str(run["scale"])
    return "" if scale == "full" or (scale == "reduced" and run["provenance"].get("scaled") is False) else scale


def _tally(rows: Sequence[Row]) -> list[tuple[str, int]]:
    counts = Counter(row["verdict"] for row in rows)
    return [(verdict, counts[verdict]) for verdict in VERDICTS if counts[verdict]]


def _facts(run: Mapping[str, Any], rows: Sequence[Row]) -> list[tuple[str, str]]:
    """What was run, as (term, text); what is unknown is left out."""
    known = run["provenance"].get
    recipes = [recipe for row in rows for recipe in row["recipes"]]
    members = {(recipe.get("digest") or recipe.get("name"), seed) for recipe in recipes for seed in recipe.get("seeds", ())}
    seeds = {seed for _, seed in members}
    commit = str(known("commit"))[:12] if known("commit") else None
    chosen = known("selected")
    facts = [
        ("Scale", str(run["scale"])),
        ("Networks", f"{len(members):,} from {len(seeds)} training seeds" if members else None),
        ("Selected", _selected(chosen) if chosen else None),
        ("Device", str(run["device"])),
        ("Started", text.moment(known("started")) if known("started") else None),
        ("Took", text.duration(known("seconds")) if known("seconds") is not None else None),
        ("Commit", f"{commit}, with uncommitted changes" if commit and known("dirty") else commit),
    ]
    return [(term, words) for term, words in facts if words]


def _selected(chosen: Mapping[str, Any]) -> str:
    """How many of all claims were selected; the total is unknown if the others were not even collected."""
    return f"{chosen['claims']} of {chosen['of']} claims" if chosen["of"] else f"{chosen['claims']} claims, not all"
