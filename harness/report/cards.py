"""What the template draws of one row: its figure, its strata, its past, and the numbers that a page sorts by."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from markupsafe import Markup

from harness.report import behind, figures, forest, history, overview, searches, standing, text
from harness.report.rows import Row

Draw = Callable[[Mapping[str, Any], str], str]
_NO_RESULT: Mapping[str, Any] = dict.fromkeys((
    "name", "primary", "rows", "prediction", "verdict", "label", "grade", "reason", "rule", "estimand", "unit", "effect",
    "interval", "centre", "margin", "alpha", "p", "n",
)) | {"strata": [], "gates": []}  # fmt: skip


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
    row = {**row, "strata": by_number(row["strata"])}
    picture, trouble = _picture(row, f"f{position}", draw)
    figure = row["figure"] if picture else None
    before = [_past(verdict, row) for verdict in past]
    own = {name: row[name] for name in ("rule", "centre", "margin", "alpha")}
    if row["rule"] == "all":  # the margin is that of the deciding part, and that may differ by protocol
        own["margin"] = None
    protocols = [{**_NO_RESULT, **own, **protocol} for protocol in row["protocols"]]
    return {
        "row": row, "number": position, "bar": forest.bar(row),
        "picture": picture, "trouble": trouble, "data": behind.embedded(figure),
        "rows": len(figure["data"][figure["y"]]) if figure else 0,
        "chosen": {stratum["name"]: behind.address(stratum["name"], figure) for stratum in row["strata"]},
        "trained": _trained(row, recipes),
        "reading": figures.reading(figure) if figure else None, "caption": _caption(row, figure),
        "wide": bool(figure and figure["facet"]),
        "protocols": protocols, "disagree": len({protocol["verdict"] for protocol in protocols}) > 1,
        "parts": [_result(part) | {"primary": part is forest.deciding(row)} for part in row["parts"]],
        "companions": [_result(companion) for companion in row["companions"]],
        "search": searches.searched(row["search"], row), "agrees": searches.agreement(row), "order": _order(row),
        "past": before, "changed": _changed(before, row), "fixed": standing.fixed(row), "registered": standing.registered(row),
        "flags": overview.flags(row), "tracks": overview.tracks(row),
        "grade": standing.size(row), "holm": standing.survival(row),
        "left_out": standing.left_out(row["rows"]), "selected": standing.selected(row),
        "changes": standing.changes(row), "instruments": standing.instruments(row),
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


def _picture(row: Row, key: str, draw: Draw) -> tuple[Markup | None, str | None]:
    """The row's figure as SVG, or why there is none; a picture that fails must not cost the page."""
    if row["figure"] is None:
        return None, None
    try:
        return Markup(draw(row["figure"], key)), None  # written by an XML serialiser
    except Exception as problem:  # of the drawing library or of the data, whatever it is
        return None, f"The figure could not be drawn: {type(problem).__name__}: {problem}"


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


def _order(row: Row) -> dict[str, float | None]:
    """What a page can be sorted by besides words: effect in margins (for a conjunction, the deciding part's), p, seconds."""
    scaled = forest.in_margins(forest.deciding(row) or row)
    return {"effect": round(scaled[0], 6) if scaled else None, "p": row["p"], "seconds": row["seconds"]}


def _past(verdict: Mapping[str, Any], row: Row) -> dict[str, Any]:
    """An earlier verdict, and how the question then differed."""
    terms = {name: row[name] for name in ("rule", "centre", "margin")}
    return {**_NO_RESULT, **terms, "commit": None, "started": None, "dirty": None, **verdict,
            "otherwise": history.differs(verdict, row)}  # fmt: skip


def _changed(past: Sequence[dict[str, Any]], row: Row) -> dict[str, Any] | None:
    """The latest verdict of a run that did not break, if it was a different one."""
    last = next((verdict for verdict in past if verdict["verdict"] != "error"), None)
    return last if last is not None and last["verdict"] != row["verdict"] else None
