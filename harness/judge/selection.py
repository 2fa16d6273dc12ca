"""Which of the measured rows are judged, and whether any was left out because of the outcome that the claim is about.

A selection on the outcome decides part of the verdict before the judge sees it: with negative estimates removed, a claim
whose effect lies at the margin can be refuted in most studies.  It is counted and shown, not forbidden: a document may do it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from harness.kept import Account, Drop, is_measured
from harness.predict import Prediction
from harness.rows import NoRow, Where

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class LeftOut:
    """Rows that are not judged.

    Attributes:
        rows: how many.
        because: why, in words.
        columns: the columns whose values decided.
        on_outcome: whether the prediction judges these columns, or something made from them; None if no column was named.
    """

    rows: int
    because: str
    columns: tuple[str, ...]
    on_outcome: bool | None


@dataclass(frozen=True)
class Rows:
    """How many rows were measured and which of them are not judged.

    Attributes:
        measured: rows that were measured; None if nobody counted them.
        judged: rows of the table that is judged, which may each be made from many.
        left_out: rows that were left out.
    """

    measured: int | None
    judged: int
    left_out: tuple[LeftOut, ...]

    def to_json(self) -> dict[str, Any]:
        """Its part of a row of the report."""
        out = [asdict(each) | {"columns": list(each.columns)} for each in self.left_out]
        return {"measured": self.measured, "judged": self.judged, "left_out": out}


def selection(account: Account | None, prediction: Prediction, table: pd.DataFrame) -> Rows:
    """What is judged of what was measured: by the account of the evidence, and by conditions of the prediction."""
    drops = list(account.drops if account else ())
    drops += dict.fromkeys(drop for part in prediction.singles if (drop := _by_condition(part, table)) is not None)
    outcomes = set(prediction.outcomes)
    left_out = tuple(LeftOut(drop.rows, drop.because, drop.columns, _on_outcome(drop, outcomes, table)) for drop in drops)
    return Rows(account.measured if account else None, len(table), left_out)


def _on_outcome(drop: Drop, outcomes: set[str], table: pd.DataFrame) -> bool | None:
    """Whether rows were selected on the outcome; a column that is gone from the table was made into what is judged."""
    if not drop.columns:
        return None
    return bool(outcomes.intersection(drop.columns)) or not set(drop.columns) <= set(map(str, table.columns))


def _by_condition(prediction: Prediction, table: pd.DataFrame) -> Drop | None:
    """What a prediction's own conditions on measured columns leave out."""
    seen = {column: condition for column, condition in prediction.where.items() if is_measured(table, column)}
    if not seen:
        return None
    conditions = Where(seen)
    try:
        kept = len(conditions.select(table))
    except NoRow:
        kept = 0
    said = " and ".join(conditions.worded(column, prediction.word) for column in seen)
    return Drop(len(table) - kept, f"the prediction is about {said}", tuple(seen)) if kept < len(table) else None
