"""Rules that reduce the points of one metric of one run to one number; the user names which, none is a default."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Literal

from harness.errors import ClaimError
from harness.limits import briefly
from harness.runs.points import Point

Points = Sequence[Point]
Window = tuple[float | None, float | None] | None
Repeats = Literal["first", "last", "mean", "equal"]
REPEATS: tuple[Repeats, ...] = ("first", "last", "mean", "equal")
NANS = ("skip", "keep")
Step = float | None
Steps = Sequence[Step]
Taken = Literal["same", "own"]
SAME: Taken = "same"
OWN: Taken = "own"


class NothingLogged(Exception):  # noqa: N818 - a state of a run, which its caller counts
    """A run has no point that a rule could take, or none at a step that the rule takes of all runs.

    Attributes:
        step: the one that it lacks and others have; None where the run logged nothing that the rule looks at.
    """

    def __init__(self, step: Step = None) -> None:
        super().__init__(step)
        self.step = step


@dataclass(frozen=True)
class Rule:
    """What becomes of the points of a metric.

    Attributes:
        said: the rule in words, as it follows a metric's name: "at step 10".
        choose: takes points, one a step and in the order of their steps, none of them absent; returns a number.
        within: first and last step of those that are looked at; None for all.
        takes: of the steps that are looked at, in their order, those that the number depends on; by default all.
    """

    said: str
    choose: Callable[[Points], float]
    within: Window = None
    takes: Callable[[Steps], Steps] = tuple

    def of(self, points: Points, where: str, everywhere: Steps | None = None) -> float:
        """The number.

        Args:
            points: of one metric, in the order in which they were logged.
            where: they stand, for messages.
            everywhere: steps at which any run logged the metric, in their order: the rule takes the same of them for all
                runs; None for those of the run itself.

        Raises:
            NothingLogged: none of the points is looked at, or one is missing at a step that the rule takes.
            ClaimError: a step was logged twice, or the rule cannot be applied.
        """
        looked = inside(in_order(points, where), self.within, where)
        if not looked:
            raise NothingLogged
        own = {point.step: point for point in looked}
        steps = self.takes(tuple(own) if everywhere is None else steps_inside(everywhere, self.within))
        for step in steps:
            if step not in own:
                raise NothingLogged(step)
        try:
            return float(self.choose([own[step] for step in steps]))
        except ClaimError as problem:
            raise ClaimError(f"{where} {problem}") from None


def steps_of(curves: Iterable[Points]) -> Steps:
    """The steps at which any of the curves has a point, in their order."""
    return sorted({point.step for points in curves for point in points}, key=_place)


def steps_inside(steps: Steps, within: Window) -> Steps:
    """The steps that lie in a window, its ends included; all where there is none."""
    low, high = within or (None, None)
    return [
        step
        for step in steps
        if within is None or (step is not None and (low is None or step >= low) and (high is None or step <= high))
    ]


def _place(step: Step) -> float:
    return -math.inf if step is None else step


def in_order(points: Points, where: str) -> list[Point]:
    """The points by step, of which none was logged twice.

    Raises:
        ClaimError: one was, or several have no step.
    """
    seen: set[float | None] = set()
    for point in points:
        if point.step in seen:
            at = "without a step" if point.step is None else f"at step {point.step:g}"
            raise ClaimError(
                f"{where} was logged more than once {at}; name the column of the steps with step=, or say what counts of "
                "repeated points: runs.deduplicated('last'), 'first', 'mean', or 'equal', which takes only those that agree"
            )
        seen.add(point.step)
    return sorted(points, key=lambda point: _place(point.step))


def deduplicated(points: Points, by: Repeats, where: str) -> tuple[Point, ...]:
    """The points with one a step.

    Raises:
        ClaimError: by is "equal", and two of a step differ.
    """
    held: dict[float | None, list[float]] = {}
    for point in points:
        held.setdefault(point.step, []).append(point.value)
    found = []
    for step, values in held.items():
        if by == "equal" and any(value != values[0] and not (math.isnan(value) and math.isnan(values[0])) for value in values):
            raise ClaimError(f"{where} was logged at step {step} as {', '.join(map(str, values[:4]))}, which differ")
        found.append(Point(step, fmean(values) if by == "mean" else values[-1 if by == "last" else 0]))
    return tuple(found)


def inside(points: Points, within: Window, where: str) -> Points:
    """The points whose step lies in a window, its ends included."""
    if within is None:
        return points
    if any(point.step is None for point in points):
        raise ClaimError(f"{where} was logged without steps, so that over={within} says nothing; name their column with step=")
    steps = set(steps_inside([point.step for point in points], within))
    return [point for point in points if point.step in steps]


def window(over: object) -> Window:
    """A window of steps as it was given.

    Raises:
        ClaimError: it is none.
    """
    if over is None:
        return None
    if isinstance(over, tuple | list) and len(over) == 2:
        low, high = over
        if all(end is None or (isinstance(end, int | float) and math.isfinite(end)) for end in over) and not (
            low is not None and high is not None and low > high
        ):
            return low, high
    raise ClaimError(f"over={briefly(over)}; give the first and the last step, (10, 20), or None for an open end")


def last() -> Rule:
    """The value at the greatest step."""
    return Rule("at the last step", lambda points: points[-1].value, takes=lambda steps: steps[-1:])


def first() -> Rule:
    """The value at the smallest step."""
    return Rule("at the first step", lambda points: points[0].value, takes=lambda steps: steps[:1])


def at(step: float) -> Rule:
    """The value at one step."""
    if isinstance(step, bool) or not isinstance(step, int | float) or not math.isfinite(step):
        raise ClaimError(f"step={briefly(step)}; give the number of a step")
    return Rule(f"at step {step:g}", lambda points: points[-1].value, (step, step))


def best(of: str, over: object = None, nan: str | None = None) -> Rule:
    """The smallest or the greatest value."""
    if of not in ("min", "max"):
        raise ClaimError(f"of={briefly(of)}; say whether the best is the smallest, of='min', or the greatest, of='max'")
    if nan is not None and nan not in NANS:
        raise ClaimError(
            f"nan={briefly(nan)}; allowed are 'skip' (NaN is no candidate) and 'keep' (a run that logged NaN has NaN)"
        )

    def choose(points: Points) -> float:
        values = [point.value for point in points]
        numbers = [value for value in values if not math.isnan(value)]
        if len(numbers) < len(values) and nan is None:
            raise ClaimError(
                f"was logged as NaN at {len(values) - len(numbers)} of {len(values)} steps; say what that means for the best: "
                "nan='skip' (NaN is no candidate) or nan='keep' (the run has NaN)"
            )
        if not numbers or (len(numbers) < len(values) and nan == "keep"):
            return math.nan
        return min(numbers) if of == "min" else max(numbers)

    return Rule(_over("smallest" if of == "min" else "greatest", over), choose, window(over))


def mean(over: object = None, points: int | None = None) -> Rule:
    """The mean over a window of steps, or over the last points; NaN if one of them is."""
    if (over is None) == (points is None):
        raise ClaimError("mean takes over=(first step, last step) or points=, the number of last ones; give one of them")
    if points is None:
        return Rule(_over("mean", over), lambda found: fmean(point.value for point in found), window(over))
    if isinstance(points, bool) or not isinstance(points, int) or points < 1:
        raise ClaimError(f"points={briefly(points)}; give how many of the last points are averaged, 1 or more")
    count = points

    def choose(found: Points) -> float:
        if len(found) < count:
            raise ClaimError(f"was logged at {len(found)} steps, fewer than points={count}")
        return fmean(point.value for point in found)

    return Rule(f"mean of the last {count}", choose, takes=lambda steps: steps[-count:])


def _over(word: str, over: object) -> str:
    return f"{word} over all steps" if over is None else f"{word} over steps {over}"
