"""Checks what people hand to the harness when they hand it over: a declared claim, and the evidence that its body returns.

What gets past these checks can be judged, written as JSON and drawn; what does not costs that one claim, with a sentence that
says what was found and what to give instead.  Text needs no check here:
:func:`harness.report.rows.plain` makes any text one that JSON, XML and a terminal can hold.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from harness.claim import Claim
from harness.errors import ClaimError
from harness.evidence import Evidence, Figure, Images
from harness.limits import briefly, canonical

_LABELS = ("title", "x_label", "y_label")
_COLUMNS = ("x", "y", "hue", "facet", "pair")
_FLAGS = ("log_x", "log_y", "own_axes")


def check_claim(claim: Claim) -> None:
    """Refuse a declaration with words that are not text, or with single things where several are asked for.

    Raises:
        ClaimError: what was given, and what to give instead.
    """
    owner, cited = f"claim {claim.id}", claim.source
    said = {"statement": claim.statement, "section": cited.section, "quote": cited.quote}
    for name, given in {**said, **({} if cited.reported is None else {"reported": cited.reported})}.items():
        if not isinstance(given, str):
            raise ClaimError(f"{owner} has {name}={briefly(given)}; give it as text")
    if not isinstance(claim.tags, list | tuple) or not all(isinstance(tag, str) for tag in claim.tags):
        raise ClaimError(f"{owner} has tags={briefly(claim.tags)}; give a tuple of texts, as in tags=('llc',)")
    for name, one in (("gates", "Gate(…)"), ("companions", "PairedDifference(…)")):
        given = getattr(claim, name)
        if not isinstance(given, list | tuple) or not all(hasattr(each, "describe") for each in given):
            raise ClaimError(f"{owner} has {name}={briefly(given)}; give a tuple, as in {name}=({one},)")
    if not hasattr(claim.prediction, "describe"):
        raise ClaimError(
            f"{owner} has prediction={briefly(claim.prediction)}; give one of harness.predict, as in "
            "prediction=PairedDifference(…)"
        )
    source = cited.source
    for name in ("key", "title", "authors", "address"):
        value = getattr(source, name)
        if not isinstance(value, str) and (value is not None or name in ("key", "title")):
            raise ClaimError(f"{owner} has a source with {name}={briefly(value)}; give it as text")
    if source.year is not None and canonical(source.year) is None:
        raise ClaimError(f"{owner} has a source with year={briefly(source.year)}; give a number")


def check_evidence(claim: Claim, evidence: Evidence) -> None:
    """Refuse evidence with something in the place of something else; the judge itself checks tables and accounts of rows.

    Raises:
        ClaimError: which field of the evidence, what it holds, and what to give instead.
    """
    owner = f"the evidence of {claim.id}"
    if evidence.shortfall is not None and not isinstance(evidence.shortfall, str):
        raise ClaimError(
            f"{owner} has shortfall={briefly(evidence.shortfall)}; say in a sentence what is missing, or leave it out"
        )
    recipes = evidence.recipes
    if not isinstance(recipes, list | tuple) or not all(isinstance(each, Mapping) for each in recipes):
        raise ClaimError(
            f"{owner} has recipes={briefly(recipes)}; give a tuple of what Population.provenance() returns, or leave it out: "
            "the harness knows what it trained"
        )
    for recipe in recipes:
        _check_recipe(owner, recipe)
    if not isinstance(evidence.settings, Mapping):
        raise ClaimError(f"{owner} has settings={briefly(evidence.settings)}; give a mapping, as in settings={{'chains': 4}}")
    if evidence.figure is not None:
        _check_figure(owner, evidence.figure)
    if evidence.images is not None:
        _check_images(owner, evidence.images)


def _check_recipe(owner: str, recipe: Mapping[str, Any]) -> None:
    seeds = recipe.get("seeds", ())
    if isinstance(seeds, str | bytes | Mapping) or not isinstance(seeds, Iterable):
        raise ClaimError(f"{owner} has a recipe with seeds={briefly(seeds)}; give a list of numbers")


def _check_figure(owner: str, figure: Any) -> None:
    """Refuse what is not a Figure, and fields of one that hold something else than they should."""
    import pandas as pd

    if not isinstance(figure, Figure):
        drawn = " (a drawing: the report makes its own, in its colours)" if hasattr(figure, "savefig") else ""
        raise ClaimError(
            f"{owner} has a figure of type {type(figure).__name__}{drawn}; name the columns to draw: "
            "figure=Figure('scatter', table, x=…, y=…, title=…, x_label=…, y_label=…)"
        )
    if not isinstance(figure.table, pd.DataFrame):
        raise ClaimError(f"{owner} has a figure with table={briefly(figure.table)}; give a DataFrame")
    for name in (*_LABELS, *_COLUMNS):
        value = getattr(figure, name)
        if not isinstance(value, str) and (value is not None or name in (*_LABELS, "x", "y")):
            what = "give it as text" if name in _LABELS else "name a column, as text"
            raise ClaimError(f"{owner} has a figure with {name}={briefly(value)}; {what}")
    for name in _FLAGS:
        if not isinstance(getattr(figure, name), bool):
            raise ClaimError(f"{owner} has a figure with {name}={briefly(getattr(figure, name))}; give True or False")
    if not isinstance(figure.reference, Mapping):
        raise ClaimError(f"{owner} has a figure with reference={briefly(figure.reference)}; give numbers by their labels")
    if not isinstance(figure.ringed, Mapping):
        raise ClaimError(
            f"{owner} has a figure with ringed={briefly(figure.ringed)}; give places by what is written beside them"
        )
    guides = {f"reference {briefly(name)}": value for name, value in figure.reference.items()}
    guides |= {} if figure.slope is None else {"slope": figure.slope}
    for name, value in guides.items():
        number = canonical(value)
        if number is None or not math.isfinite(number):
            raise ClaimError(f"{owner} has a figure with {name} = {briefly(value)}; a guide line is drawn at a finite number")


def _check_images(owner: str, images: Any) -> None:
    import pandas as pd

    if not isinstance(images, Images) or not isinstance(images.table, pd.DataFrame):
        raise ClaimError(f"{owner} has images={briefly(images)}; give Images(table, image=…, x=…, y=…, title=…)")
    for name in ("image", "x", "y", "title", "note"):
        value = getattr(images, name)
        if not isinstance(value, str) and (value is not None or name != "note"):
            raise ClaimError(f"{owner} has images with {name}={briefly(value)}; give it as text")
