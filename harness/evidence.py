"""What a claim's evidence says of itself where its body has left that out: what was trained, which rows are not judged."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from harness.claim import Claim, Evidence
from harness.kept import Account, Drop, noting
from harness.population import provenance

if TYPE_CHECKING:
    import pandas as pd

    from harness.growth import Body
    from harness.recipe import Recipe
    from harness.session import Harness

Trained = Sequence[tuple["Recipe", tuple[int, ...]]]


def completed(claim: Claim, body: Callable[..., Any]) -> Body:
    """A claim's body whose evidence has recipes, an account of its rows and a figure, also where the body gives none."""

    def asked(harness: Harness | None) -> Evidence:
        begun = 0 if harness is None else len(harness.store.trained)
        with noting() as drops:
            evidence: Evidence = body(harness)
        if not isinstance(evidence, Evidence) or evidence.shortfall is not None:
            return evidence
        trained = () if harness is None else harness.store.trained[begun:]
        recipes = evidence.recipes or tuple(provenance(recipe, seeds) for recipe, seeds in dict.fromkeys(trained))
        rows = evidence.rows if evidence.rows is not None else _account(claim, evidence, trained, drops)
        return replace(evidence, recipes=recipes, rows=rows)

    return asked


def _account(claim: Claim, evidence: Evidence, trained: Trained, drops: list[Drop]) -> Account | None:
    """The rows of a claim with one table: those that it has, those that were noted as left out, and networks that are missing.

    Which protocol something was left out of is not known, so that a claim with several says it itself; a claim that no interval
    judges is not about rows.
    """
    table = evidence.table
    if claim.prediction.rule == "exact" or isinstance(table, Mapping):
        return None
    lost = _lost(table, trained)
    drops = [*drops, Drop(lost, "networks of which nothing is judged, and nobody said why")] if lost else drops
    return Account(len(table) + sum(drop.rows for drop in drops), tuple(drops))


def _lost(table: pd.DataFrame, trained: Trained) -> int:
    """Networks of judged recipes that the table has no row of."""
    if not {"recipe", "seed"} <= set(table.columns):
        return 0
    judged = set(zip(table["recipe"], table["seed"], strict=True))
    recipes = set(table["recipe"])
    asked = {(recipe.key, seed) for recipe, seeds in trained for seed in seeds if recipe.key in recipes}
    return len(asked - judged)
