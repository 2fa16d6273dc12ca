"""What the template draws of one row: its figure, its strata, its past, and the numbers that a page sorts by."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from markupsafe import Markup

from harness import doubts
from harness.report import behind, figures, flips, forest, history, lanes, overview, searches, standing, text
from harness.report.part_names import grid, part_names
from harness.report.rows import Row

_ROW = 3  # panels in a row
Draw = Callable[[Mapping[str, Any], str], str]
_NO_RESULT: Mapping[str, Any] = dict.fromkeys((
    "name", "primary", "rows", "prediction", "verdict", "label", "grade", "reason", "rule", "estimand", "unit", "effect",
    "interval", "centre", "margin", "alpha", "p", "n",
)) | {"strata": [], "gates": [], "flips": []}  # fmt: skip


def card(
    row: Row, position: int, recipes: Mapping[str, dict[str, Any]], past: Sequence[Mapping[str, Any]], draw: Draw = figures.draw
) -> dict[str, Any]:
    """A row with what the template draws of it.

    Args:
        row: the row, complete.
        position: its number on the page.
        recipes: every recipe of the page; see :func:`all_recipes`.
        past: earlier verdicts, the latest first; see :meth:`harness.report.history.History.of`.
        draw: makes an SVG of a figure; see :func:`harness.report.figures.draw`.
    """
    once = text.Once()
    row = {**row, "strata": by_number(row["strata"]), "reason": once(str(row["reason"] or "")),
           "notes": once.each(row["notes"])}  # fmt: skip
    bar = forest.bar(row)
    picture, trouble = _picture(row, f"f{position}", draw, bar)
    figure = row["figure"] if picture else None
    drawn = figure and {**figure, **_judged(row, bar)}
    before = [_past(verdict, row) for verdict in past]
    own = {name: row[name] for name in ("rule", "centre", "margin", "alpha")}
    if row["rule"] == "all":  # the margin is that of the deciding part, and that may differ by protocol
        own["margin"] = None
    protocols = [{**_NO_RESULT, **own, **protocol} for protocol in row["protocols"]]
    parts = [_result(part) | {"primary": part is forest.deciding(row)} for part in row["parts"]]
    companions = [_result(companion) for companion in row["companions"]]
    left_out = once.each(standing.left_out(row["rows"]))
    for told in (*protocols, *parts, *companions):
        told["reason"] = told["reason"] if told["primary"] else once(str(told["reason"] or ""))
        told["left_out"] = [] if told["primary"] else once.each(standing.left_out(told["rows"]))
    whole = _flips(row)
    if whole is not None:
        whole["said"] = once(whole["said"])
    for part in parts:
        found = flips.flips(part)
        part["flips"] = once.each([found["said"]] if found and len(found["pieces"]) > 1 else [])
    return {
        "row": row, "number": position, "bar": bar, "flips": whole,
        "picture": picture, "trouble": trouble, "data": behind.embedded(figure),
        "rows": len(figure["data"][figure["y"]]) if figure else 0,
        "chosen": {stratum["name"]: behind.address(stratum["name"], figure) for stratum in row["strata"]},
        "trained": _trained(row, recipes),
        "reading": figures.reading(drawn) if drawn else None, "caption": _caption(row, figure),
        "shape": _shape(figure),
        "protocols": protocols, "disagree": len({protocol["verdict"] for protocol in protocols}) > 1,
        "parts": parts, "grid": grid(part_names([str(part["prediction"] or "") for part in parts])), "companions": companions,
        "search": searches.searched(row["search"], row), "agrees": searches.agreement(row), "order": _order(row),
        "past": before, "changed": _changed(before, row), "fixed": standing.fixed(row), "registered": standing.registered(row),
        "flags": overview.flags(row), "tracks": overview.tracks(row), "known": standing.known(row),
        "grade": standing.size(row), "holm": standing.survival(row),
        "doubts": doubts.among(row["notes"]), "left_out": left_out, "selected": standing.selected(row),
        "changes": once.each(standing.changes(row)), "instruments": standing.instruments(row),
    }  # fmt: skip


def _result(item: Mapping[str, Any]) -> dict[str, Any]:
    return {**_NO_RESULT, **item, "strata": by_number(item["strata"])}


def by_number(strata: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Strata whose names all hold numbers in the order of these; others, and steps of an order, as they come."""
    names = [str(stratum["name"]) for stratum in strata]
    if not all(any(letter.isdigit() for letter in name) and "→" not in name for name in names):
        return list(strata)
    return [stratum for _, stratum in sorted(zip(names, strata, strict=True), key=lambda each: text.by_number(each[0]))]


def all_recipes(rows: Sequence[Row]) -> dict[str, dict[str, Any]]:
    """Every recipe once, whatever the seeds: many claims share the same populations."""
    found: dict[str, dict[str, Any]] = {}
    for recipe in (recipe for row in rows for recipe in row["recipes"]):
        rest = {key: value for key, value in recipe.items() if key not in ("name", "digest", "seeds")}
        name, digest = str(recipe.get("name") or "unnamed"), recipe.get("digest")
        known = {"name": name, "digest": None if digest is None else str(digest), "rest": rest}
        found.setdefault(_recipe_key(recipe), known | {"place": len(found)})
    return found


def _shape(figure: Mapping[str, Any] | None) -> str:
    """How a card divides its width, as classes: "plain" beside one panel, "broad" beside a row, "tall" beside several rows."""
    if not figure or not figure["facet"]:
        return "plain"
    rows = -(-len(lanes.levels(figure["data"][figure["facet"]])) // _ROW)
    return ("broad", "broad tall", "broad tall tower")[min(rows, 3) - 1] if rows else "broad"


def _flips(row: Row) -> dict[str, Any] | None:
    """At which margins the verdict flips, its numbers for the page's script apart."""
    found = flips.flips(row)
    if found is None or not found["pieces"]:
        return found
    return found | {"data": {name: found[name] for name in ("pieces", "margin", "far", "times") if name in found}}


def _picture(row: Row, key: str, draw: Draw, bar: forest.Bar | None) -> tuple[Markup | None, str | None]:
    """The row's figure as SVG, with what is judged in it, or why there is none; one that fails must not cost the page."""
    if row["figure"] is None:
        return None, None
    try:
        return Markup(draw({**row["figure"], **_judged(row, bar)}, key)), None  # every word in it is escaped
    except figures.UndrawableError as problem:
        return None, f"There is no figure: {problem}."
    except Exception as problem:  # of the drawing library or of the data, whatever it is
        return None, f"The figure could not be drawn: {type(problem).__name__}: {problem}"


def _judged(row: Row, bar: forest.Bar | None) -> dict[str, Any]:
    """What its figure says of the judged quantity: words, its interval against the margin, the panel of the deciding part."""
    found: dict[str, Any] = {}
    if bar is not None:
        whole = bar.marks[0]
        effect, interval = text.measured(row["effect"], row["interval"])
        words = f"{row['estimand'] or 'effect'}: {effect} [{interval}]"
        places = {name: getattr(whole, name) for name in ("effect", "low", "high", "outside")}
        found["judged"] = {"words": words, "verdict": row["verdict"], "zone": bar.zone, "centre": bar.centre, **places}
    part, figure = forest.deciding(row), row["figure"]
    if bar is not None and _on_the_axis(row, figure):
        found["margin"] = abs(row["margin"])
    if part is not None and figure["facet"]:
        said = f"{part['prediction']} {part['estimand']}"
        levels = [str(level) for level in lanes.levels(figure["data"][figure["facet"]])]
        named = [
            level for level in levels if all(re.search(rf"(?<!\w){re.escape(each)}(?!\w)", said) for each in level.split(", "))
        ]
        if len(named) == 1:
            found["decides"] = named[0]
    return found


_DIFFERENCE = re.compile(r"(mean |paired |trimmed |height )*difference of ")


def _on_the_axis(row: Row, figure: Mapping[str, Any]) -> bool:
    """Whether what decides is a difference of the very column on a figure's vertical axis: its margin is a length there."""
    declared = (row["declared"] or {}).get("prediction") or {}
    parts = declared.get("parts") or []
    if row["parts"]:
        declared = parts[row["decides"]] if row["decides"] is not None and row["decides"] < len(parts) else {}
    column = declared.get("value") or declared.get("y")
    return column == figure["y"] and not figure["log_y"] and bool(_DIFFERENCE.match(str(row["estimand"])))


def _caption(row: Row, figure: Mapping[str, Any] | None) -> str:
    """The figure's title; that of a default figure, which repeats the prediction, only says so."""
    if figure is None:
        return ""
    title = str(figure["title"])
    said = str(row["prediction"] or "").rstrip(".")
    own = title.startswith("What is judged: ") and any(
        title[16:].partition(" (the first")[0].lower() == str(each or "").rstrip(".").lower()
        for each in (said, *(part["prediction"] for part in row["parts"]))
    )
    return "What is judged." if own else title


def _trained(row: Row, recipes: Mapping[str, dict[str, Any]]) -> list[tuple[str, list[dict[str, Any]]]]:
    """The recipes of a row by the seeds with which they were trained for it."""
    by_seeds: dict[str, list[dict[str, Any]]] = {}
    for recipe in row["recipes"]:
        by_seeds.setdefault(text.ranges(recipe.get("seeds") or ()), []).append(recipes[_recipe_key(recipe)])
    return list(by_seeds.items())


def _recipe_key(recipe: Mapping[str, Any]) -> str:
    return json.dumps({key: value for key, value in recipe.items() if key != "seeds"}, sort_keys=True)


def _order(row: Row) -> str:
    """What a page can be sorted by besides words: effect in margins (for a conjunction, the deciding part's), p, seconds.

    Separated by spaces, to six digits; a hyphen for what is unknown.
    """
    scaled = forest.in_margins(forest.deciding(row) or row)
    known = (scaled[0] if scaled else None, row["p"], row["seconds"])
    return " ".join("-" if each is None else f"{each:.6g}" for each in known)


def _past(verdict: Mapping[str, Any], row: Row) -> dict[str, Any]:
    """An earlier verdict, and how the question then differed."""
    terms = {name: row[name] for name in ("rule", "centre", "margin")}
    return {**_NO_RESULT, **terms, "commit": None, "started": None, "dirty": None, **verdict,
            "otherwise": history.differs(verdict, row)}  # fmt: skip


def _changed(past: Sequence[dict[str, Any]], row: Row) -> dict[str, Any] | None:
    """The latest verdict of a run that did not break, if it was a different one."""
    last = next((verdict for verdict in past if verdict["verdict"] != "error"), None)
    return last if last is not None and last["verdict"] != row["verdict"] else None
