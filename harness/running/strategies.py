"""The axis of a setting, read off the Hypothesis strategy of its values.

Strategies are made to find counterexamples: they draw ends, zeros and round numbers far more often than others, while a share
of the scope has to be counted on even draws.  So a range (``floats``, ``integers`` with both ends) and a list
(``sampled_from``, ``booleans``, ``just``) are read as they are declared, and what ``.filter`` and ``.map`` make of one by going
through it evenly.  Of any other strategy Hypothesis draws different values, and the axis says that they need not be even.
"""

from __future__ import annotations

import contextlib
import itertools
import math
import warnings
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import hypothesis
import numpy as np
from hypothesis import strategies as st

from harness.errors import ClaimError
from harness.measure.falsify import seed_of
from harness.running.axis import Axis
from harness.running.values import distinct, identity, in_order, is_number

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

POOL = 64
"""Values, at most, that stand for a strategy that is no range and no list; names that stand for a range."""
ENOUGH = 256  # values of a range that pass its conditions, below which a finer grid is gone through
GRIDS = (512, 4096, 32768)  # values of a range that are tried, from coarse to fine
EXACT = GRIDS[-1]  # whole numbers of a range, up to which all of them are tried

Step = tuple[str, Callable[[Any], Any]]


def axis_of(name: str, strategy: SearchStrategy[Any], default: Any) -> Axis:
    """The axis of a setting; what its strategy raises is told with the setting's name.

    Raises:
        ClaimError: the strategy hardly ever gives a value, or raises.
    """
    try:
        return _axis(name, strategy, default)
    except ClaimError:
        raise
    except Exception as problem:  # whatever a project's own strategy does
        raise ClaimError(
            f"the scope's strategy for {name} raised {type(problem).__name__} ({problem}); declare one that gives values"
        ) from problem


def _axis(name: str, strategy: SearchStrategy[Any], default: Any) -> Axis:
    base, steps = _taken_apart(strategy)
    declared = _declared(name, base, default)
    if declared is not None and steps:
        declared = _through(declared, steps)
    if declared is not None:
        return declared
    return Axis(name, default, values=distinct(_pool(name, strategy)), pool=True, uneven=True)


def _declared(name: str, base: Any, default: Any) -> Axis | None:
    """The axis of a range or a list.

    These are attributes of Hypothesis's own classes; where a version names them otherwise there is none, and a pool takes its
    place.
    """
    kind = type(base).__name__
    if kind == "FloatStrategy" and _finite(low := getattr(base, "min_value", None), high := getattr(base, "max_value", None)):
        return Axis(name, default, float(low), float(high))  # type: ignore[arg-type]
    if kind == "IntegersStrategy" and _finite(low := getattr(base, "start", None), high := getattr(base, "end", None)):
        return Axis(name, default, low, high, whole=True)
    if kind == "BooleansStrategy":
        return Axis(name, default, values=(False, True))
    listed = getattr(base, "elements", None) if kind in ("SampledFromStrategy", "JustStrategy") else None
    return None if listed is None or not hasattr(base, "_transformations") else Axis(name, default, values=distinct(listed))


def _taken_apart(strategy: SearchStrategy[Any]) -> tuple[Any, tuple[Step, ...]]:
    """What a strategy was made of, and the conditions and mappings that its values pass, in order."""
    inner = getattr(strategy, "wrapped_strategy", strategy)
    kind = type(inner).__name__
    if kind == "FilteredStrategy" and hasattr(inner, "filtered_strategy") and hasattr(inner, "flat_conditions"):
        base, steps = _taken_apart(inner.filtered_strategy)
        return base, (*steps, *(("filter", condition) for condition in inner.flat_conditions))
    if kind == "MappedStrategy" and hasattr(inner, "mapped_strategy") and hasattr(inner, "pack"):
        base, steps = _taken_apart(inner.mapped_strategy)
        return base, (*steps, ("map", inner.pack))
    return inner, tuple((each[0], each[1]) for each in getattr(inner, "_transformations", ()))


def _through(base: Axis, steps: Sequence[Step]) -> Axis | None:
    """The axis of what becomes of a range or a list; None where nothing does, or where something raises."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what a mapping warns of is told where Hypothesis draws
            if base.size is not None and (base.values or base.size <= EXACT):
                return _listed(base, _passed(_stretches(base), steps), exact=True)
            passed: list[tuple[Any, float]] = []
            for count in GRIDS:
                passed = _passed(_grid(base, count), steps)
                if len(passed) >= ENOUGH:
                    break
            return _listed(base, passed, exact=False)
    except Exception:  # the pool raises it again, and says in which strategy
        return None


def _grid(base: Axis, count: int) -> Iterable[tuple[Any, float]]:
    """Values of a range, one from every stretch of equal length, at a random place of it: no condition keeps step with that."""
    places = (np.arange(count) + np.random.default_rng(count).random(count)) / count
    return ((base.value(float(place)), 1.0) for place in places)


def _stretches(base: Axis) -> Iterable[tuple[Any, float]]:
    """Every value, and how much of the axis is its own."""
    if not base.logarithmic:
        return ((value, 1.0) for value in base.all())
    return ((value, math.log((value + 0.5) / (value - 0.5))) for value in base.all())  # whole numbers from 1 on


def _passed(values: Iterable[tuple[Any, float]], steps: Sequence[Step]) -> list[tuple[Any, float]]:
    """What becomes of values that pass all conditions."""
    found = []
    for value, share in values:
        made = value
        with contextlib.suppress(hypothesis.errors.UnsatisfiedAssumption):
            for kind, function in steps:
                if kind == "map":
                    made = function(made)
                elif not function(made):
                    break
            else:
                found.append((made, share))
    return found


def _listed(base: Axis, passed: Sequence[tuple[Any, float]], *, exact: bool) -> Axis | None:
    """The axis of values with shares; values of a list that have become the same one count once."""
    if not passed:
        return None
    shares: dict[Any, float] = {}
    firsts: dict[Any, Any] = {}
    for value, share in passed:
        key = identity(value)
        firsts.setdefault(key, value)
        shares[key] = share if base.values else shares.get(key, 0.0) + share
    found = [(value, shares[key]) for key, value in firsts.items()]
    if all(is_number(value) for value, _ in found):
        found = sorted(found, key=lambda each: in_order(each[0]))
    elif not base.values and len(found) > POOL:  # names, each of which is a dimension of its own
        ends = _ends(found)
        some = dict.fromkeys(bisect_right(ends, (at + 0.5) / POOL) for at in range(POOL))
        found, exact = [(found[at][0], 1.0) for at in some], False
    values, each = tuple(value for value, _ in found), {share for _, share in found}
    cuts = () if len(each) == 1 else tuple(_ends(found))
    return replace(base, low=None, high=None, whole=False, values=values, pool=not exact, cuts=cuts)


def _ends(shares: Sequence[tuple[Any, float]]) -> list[float]:
    """Where the stretches of values end, from 0 to 1."""
    sums = list(itertools.accumulate(share for _, share in shares))
    return [each / sums[-1] for each in sums]


def _finite(low: Any, high: Any) -> bool:
    return is_number(low) and is_number(high) and math.isfinite(low) and math.isfinite(high)


def _pool(name: str, strategy: SearchStrategy[Any]) -> list[Any]:
    """Different values of a strategy, drawn by Hypothesis."""
    found: dict[Any, Any] = {}

    def drawn(value: Any) -> None:
        if len(found) < POOL:
            found.setdefault(identity(value), value)

    quiet = hypothesis.settings(
        max_examples=4 * POOL, database=None, deadline=None, phases=[hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
    )  # fmt: skip
    with contextlib.suppress(hypothesis.errors.Unsatisfiable):
        hypothesis.seed(seed_of(f"pool of {name}"))(quiet(hypothesis.given(st.just(None).flatmap(lambda _: strategy))(drawn)))()
    if not found:
        raise ClaimError(
            f"the scope's strategy for {name}, {strategy!r}, gave no value in {4 * POOL} draws; declare one that draws what is "
            "wanted instead of rejecting the rest"
        )
    return list(found.values())
