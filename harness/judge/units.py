"""What makes units of replication doubtful: several of one seed without a declared population, and copies under another name.

A verdict counts its units as drawn independently.  Neither of these shows in the interval, which they make too narrow, so that
each is a sentence beside the verdict.  They decide nothing: architectures × seeds may well be units, and two numbers be equal.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import pandas as pd

from harness.doubts import COPIED, SHARED
from harness.errors import ClaimError
from harness.judge.blocks import SEED
from harness.predict import Prediction, Unusable, tables, words

_NAMED = 2  # units, or columns, that a sentence names
_LOOKED_AT = 64  # numbers of copies that are looked at
_DIGITS = 6  # decimal digits of numbers that two units may have by chance
_OF = 10_000  # shares of so many may be equal by chance


def doubts(prediction: Prediction, table: pd.DataFrame) -> tuple[str, ...]:
    """Sentences about the units of a prediction; none where there is nothing to say.

    Args:
        prediction: what is judged, not several that are joined.
        table: its evidence.
    """
    keys = list(prediction.units)
    if prediction.rule == "exact" or not keys:
        return ()
    try:
        rows = tables.selected(table, prediction.where)
        return tuple(said for said in (_shared(prediction, rows, keys), _copied(prediction, rows, keys)) if said)
    except (Unusable, ClaimError, TypeError):  # what cannot be read is said by the verdict itself
        return ()


def _shared(prediction: Prediction, rows: pd.DataFrame, keys: list[str]) -> str | None:
    """That units have a level of a column in common, although each counts as drawn by itself."""
    if prediction.population is not None:
        return None
    factor = getattr(prediction, "factor", None)
    units = rows[keys].drop_duplicates()
    recur = [name for name in keys if units[name].nunique() < len(units)]
    counts = {name: int(units[name].nunique()) for name in keys}
    if len(recur) < len(keys):  # one column tells all units apart
        if SEED in keys or SEED not in rows.columns or SEED in prediction.columns():
            return None
        apart = [factor] if isinstance(factor, str) and factor in rows.columns else []
        seeds = rows[[*dict.fromkeys((*keys, *apart, SEED))]].drop_duplicates()
        if not seeds.duplicated([*apart, SEED]).any() or seeds.duplicated([*keys, *apart]).any():
            return None
        counts = {SEED: int(seeds[SEED].nunique())}
    from_ = words.listed(f"{number:,} {words.plural(prediction.word(name))}" for name, number in counts.items())
    fixed = [name for name in counts if name != SEED]
    how = f"random={(SEED if SEED in counts else fixed.pop(0))!r}" + (f", fixed={_as_argument(fixed)}" if fixed else "")
    return (
        f"{SHARED}{len(units):,} units ({prediction.crossed(tuple(keys))}) count as drawn independently, although they come "
        f"from {from_}: what some of them have in common makes the interval too narrow. Say which levels stand for others, as "
        f"in population=Factors({how})."
    )


def _as_argument(names: Sequence[str]) -> str:
    return repr(names[0]) if len(names) == 1 else repr(tuple(names))


def _copied(prediction: Prediction, rows: pd.DataFrame, keys: list[str]) -> str | None:
    """That units have all numbers of others, where numbers are such that this does not happen by itself."""
    numbers = [
        name for name in rows.columns
        if name not in keys and isinstance(kind := rows[name].dtype, np.dtype) and kind.kind == "f"
    ]  # fmt: skip
    judged = [name for name in numbers if name in prediction.outcomes]
    if not judged or rows[keys].isna().to_numpy().any():
        return None
    others = [name for name in prediction.columns() if name not in (*keys, *numbers)]
    one = pd.util.hash_pandas_object(rows[[*others, *numbers]].astype(dict.fromkeys(others, str)), index=False)
    each = one.groupby([rows[name].to_numpy() for name in keys], sort=False).agg(["sum", "size"])
    again = each.duplicated(keep="first").to_numpy()
    if not again.any():
        return None
    place = rows.groupby(keys, sort=False).ngroup().to_numpy()
    copies = again[place]
    if not any(_never_by_chance(rows.loc[copies, name], rows.loc[~copies, name]) for name in judged):
        return None
    unit = each.index[np.flatnonzero(again)[0]]
    of = each.index[np.flatnonzero((each == each.iloc[np.flatnonzero(again)[0]]).all(axis=1).to_numpy())[0]]
    more = f", and {int(again.sum()) - 1:,} more" if again.sum() > 1 else ""
    return (
        f"{COPIED}{_unit(prediction, keys, unit)} has all numbers of {_unit(prediction, keys, of)}{more}. Rows that were "
        "copied under another name are no new units, and the interval takes them as such."
    )


def _unit(prediction: Prediction, keys: Sequence[str], levels: object) -> str:
    own = levels if isinstance(levels, tuple) else (levels,)
    return ", ".join(f"{prediction.word(name)} {prediction.word(level)}" for name, level in zip(keys, own, strict=True))


def _never_by_chance(copies: pd.Series[float], rest: pd.Series[float]) -> bool:
    """Whether a column's numbers are otherwise all different, and have more digits than counts and shares have."""
    if rest.duplicated().any():
        return False
    return not all(map(_simple, copies.dropna().unique()[:_LOOKED_AT]))


def _simple(value: np.floating) -> bool:
    """Whether a number has few digits, or is a share of few."""
    exact = type(value)
    if not np.isfinite(value) or exact(f"{value:.{_DIGITS}g}") == value:
        return True
    most = _OF if exact is np.float64 else _OF // 10
    nearest = Fraction(float(value)).limit_denominator(most)
    return bool(abs(exact(float(nearest)) - value) <= 2 * np.spacing(np.abs(value)))
