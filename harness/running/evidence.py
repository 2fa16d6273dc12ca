"""Completes a claim's evidence with what its body has left out: what was trained, which rows are not judged."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from harness.claim import Claim
from harness.errors import ClaimError, Shortfall
from harness.evidence import Evidence, Figure
from harness.kept import Account, Drop, lost_networks, noting
from harness.population import provenance
from harness.rows import Where
from harness.running.degenerate import shortfall_of, undefined_is_no_error
from harness.runs.read import reading
from harness.store.copies import Doubled

if TYPE_CHECKING:
    import pandas as pd

    from harness.predict import Prediction
    from harness.recipe import Recipe
    from harness.running.growth import Body
    from harness.running.session import Harness

PAIR = "pair"
Trained = Sequence[tuple["Recipe", tuple[int, ...]]]


def completed(claim: Claim, body: Callable[..., Any]) -> Body:
    """A claim's body whose evidence has recipes, an account of its rows and a figure, even if the body gives none.

    Where it breaks on networks that cannot be measured, the evidence says so (:mod:`harness.running.degenerate`).
    """

    def asked(harness: Harness | None) -> Evidence:
        begun = 0 if harness is None else len(harness.store.trained)
        with noting() as drops, reading() as read, undefined_is_no_error():
            try:
                evidence: Evidence = body(harness)
            except (ClaimError, Shortfall) as problem:  # these say what is wrong
                if not _of_networks(problem):
                    raise
                return Evidence({}, shortfall=f"{str(problem)[:1].upper()}{str(problem)[1:]}.")
            except Exception as problem:
                said = None if harness is None else shortfall_of(problem, harness.store, harness.store.trained[begun:])
                if said is None:
                    raise
                return Evidence({}, shortfall=said)
        if not isinstance(evidence, Evidence) or evidence.shortfall is not None or not _are_tables(evidence.table):
            return evidence  # the judge says what is wrong with it
        if claim.prediction.rule != "exact" and (doubled := [each.said for each in read if isinstance(each, Doubled)]):
            return replace(evidence, shortfall=f"{'; '.join(doubled)}.")
        trained = () if harness is None else harness.store.trained[begun:]
        recipes = evidence.recipes or tuple(provenance(recipe, seeds) for recipe, seeds in dict.fromkeys(trained))
        rows = evidence.rows if evidence.rows is not None else _account(claim, evidence, trained, drops)
        figure = evidence.figure or _figure(claim.prediction, evidence.table)
        settings = {**{each.what: each.said for each in read}, **evidence.settings}
        return replace(evidence, recipes=recipes, rows=rows, figure=figure, settings=settings)

    return asked


def _of_networks(problem: Exception) -> bool:
    """Whether it says that nothing can be measured on the networks of these settings, which is a result as divergence is."""
    from harness.networks.finite import NotFinite

    return isinstance(problem, NotFinite)


def _are_tables(table: Any) -> bool:
    import pandas as pd

    return all(isinstance(each, pd.DataFrame) for each in (table.values() if isinstance(table, Mapping) else (table,)))


def _account(claim: Claim, evidence: Evidence, trained: Trained, drops: list[Drop]) -> Account | None:
    """The rows of a claim with one table: those that it has, those that were noted as left out, and networks that are missing.

    It is not known which protocol something was left out of, so a claim with several has to say it itself; a claim that no
    interval judges is not about rows.
    """
    table = evidence.table
    if claim.prediction.rule == "exact" or isinstance(table, Mapping):
        return None
    lost = lost_networks(_networks(trained), table) if "recipe" in table.columns else 0  # else none can be told from another
    rows = len(table) + sum(drop.rows for drop in drops)
    if lost and drops:  # which networks the notes are about is not known
        drops = [*drops, Drop(lost, "networks of which nothing is judged; what is said before may be about them")]
    elif lost:
        networks = len(table[["recipe", "seed"]].drop_duplicates())
        missing = round(lost * len(table) / networks)
        drops, rows = [Drop(missing, f"{lost} networks of which nothing is judged, and nobody said why")], rows + missing
    return Account(rows, tuple(drops))


def _networks(trained: Trained) -> pd.DataFrame:
    """What was trained, as a measured table names it."""
    import pandas as pd

    return pd.DataFrame([(recipe.key, seed) for recipe, seeds in trained for seed in seeds], columns=["recipe", "seed"])


def _figure(prediction: Prediction, tables: pd.DataFrame | Mapping[str, pd.DataFrame]) -> Figure | None:
    """A figure of the evidence, for the first prediction that has one that can be drawn; no claim fails for lack of one."""
    from harness.report.figures import MAX_ROWS, figure_from_evidence

    table: Any = next(iter(tables.values()), None) if isinstance(tables, Mapping) else tables  # the first protocol decides
    for each in prediction.singles:
        try:
            picture: dict[str, Any] = dict(each.picture() or {})
            if not picture:
                continue
            rows = Where(each.where, owner="the figure").select(table, "the figure")
            pair = picture.get("pair")
            if pair is not None:
                rows = rows.assign(**{PAIR: rows[list(pair)].astype(str).agg(", ".join, axis=1)})
                picture["pair"] = PAIR
            columns = [picture[name] for name in ("x", "y", "hue", "facet", "pair") if picture.get(name)]
            rows = rows[list(dict.fromkeys([*columns, *(["seed"] if "seed" in rows else [])]))]
            labels: dict[str, Any] = {"x_label": each.word(picture["x"]), "y_label": each.word(picture["y"])}
            figure = Figure(table=rows.head(MAX_ROWS), title=_titled(each, len(rows), MAX_ROWS), **labels, **picture)
            figure_from_evidence(figure)
        except (ClaimError, KeyError, TypeError, ValueError):
            continue
        return figure
    return None


def _titled(prediction: Prediction, rows: int, most: int) -> str:
    """What is shown, and if that is only a part, that it is."""
    shown = f" (the first {most:,} of {rows:,} rows)" if rows > most else ""
    return f"What is judged: {str(prediction)[0].lower()}{str(prediction)[1:].rstrip('.')}{shown}"
