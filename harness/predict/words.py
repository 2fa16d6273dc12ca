"""How numbers, columns and rules read in a sentence."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from harness.limits import canonical

_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def number(value: float) -> str:
    """Three significant digits (integers in full), no trailing zeros; powers of ten beyond 1e-4 and 1e6.

    Example:
        >>> number(0.0123456), number(1234.5), number(-0.5), number(1.5e-7)
        ('0.0123', '1,234', '−0.5', '1.5 × 10⁻⁷')
    """
    size = abs(value)
    if size == 0:
        return "0"
    rounded = float(f"{size:.2e}")
    if 1e-4 <= rounded < 1e6:
        text = f"{size:,.{max(0, 2 - math.floor(math.log10(rounded)))}f}"
        text = text.rstrip("0").rstrip(".") if "." in text else text
    else:
        text = power_of_ten(size) if math.isfinite(size) else str(size)
    return f"−{text}" if value < 0 else text


def power_of_ten(size: float, digits: int = 3) -> str:
    """A finite size, 0 or more, as a mantissa of so many significant digits times a power of ten: "1.5 × 10⁻⁷"."""
    mantissa, exponent = f"{size:.{digits - 1}e}".split("e")
    mantissa = mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa
    return f"{mantissa} × 10{str(int(exponent)).translate(_SUPERSCRIPT)}"


def percent(share: float) -> str:
    """A share as a percentage.

    Example:
        >>> percent(0.897), percent(1.0)
        ('89.7 %', '100 %')
    """
    return f"{number(100 * share)} %"


def span(interval: tuple[float, float]) -> str:
    """An interval."""
    return f"{number(interval[0])} to {number(interval[1])}"


def bracket(interval: tuple[float, float]) -> str:
    """An interval in as little space as it can be said in."""
    return f"[{number(interval[0])}, {number(interval[1])}]"


def level(alpha: float) -> str:
    """Name of the interval by which an alpha is judged: two-sided, alpha on each side."""
    return f"{number(100 * (1 - 2 * alpha))} % interval"


def mean(trim: float) -> str:
    """Name of a mean that leaves out so large a share at either end."""
    return f"{percent(trim)} trimmed mean of" if trim else "mean"


def on_average(trim: float) -> str:
    """How a finding about such a mean begins."""
    return f"On average{left_out(trim)}," if trim else "Mean"


def left_out(trim: float) -> str:
    """What such a mean leaves out, as a clause."""
    return f", the highest and the lowest {percent(trim)} left out" if trim else ""


def counted(n: int, noun: str) -> str:
    """A number of things."""
    return f"{n:,} {noun if n == 1 else noun + 's'}"


def came(n: int, verdict: str) -> str:
    """How so many came out: "9 supported", "1 broke"."""
    return f"{n:,} {'broke' if verdict == 'error' else verdict}"


def plural(noun: str) -> str:
    """Several of a thing: of what stands before "of" or a bracket, and of a symbol its values.

    Example:
        >>> plural("seed"), plural("draw of the data"), plural("batch"), plural("the test points"), plural("C₀")
        ('seeds', 'draws of the data', 'batches', 'test points', 'values of C₀')
        >>> plural("pair (seed)")
        'pairs (seed)'
    """
    noun = noun.removeprefix("the ").removeprefix("an ").removeprefix("a ")
    if len(noun) < 3:
        return f"values of {noun}"
    noun, bracket, inside = noun.partition(" (")
    head, of, rest = noun.partition(" of ")
    if not head.split(" a ")[0].endswith(("s", "data")):
        head += "es" if head.endswith(("tch", "sh", "x")) else "s"
    return head + of + rest + bracket + inside


def shared(unit: str) -> str:
    """What the two of a pair share, which is what is counted; any other unit as it is.

    Example:
        >>> shared("pair (seed)"), shared("architecture (of six)")
        ('seed', 'architecture (of six)')
    """
    return unit.removeprefix("pair (").removesuffix(")") if unit.startswith("pair (") else unit


def listed(words: Iterable[str]) -> str:
    """A, B and C."""
    items = list(words)
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"


def plain(value: Any) -> Any:
    """A value as JSON holds it: numpy scalars as numbers, tuples as lists, mappings ordered by key."""
    if hasattr(value, "describe"):
        return value.describe()
    if isinstance(value, Mapping):
        return {str(key): plain(value[key]) for key in sorted(value, key=str)}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    number = canonical(value)  # so that 1, 1.0 and numpy's 1 are declared alike
    return number if number is not None else value.item() if hasattr(value, "item") else value


def standing(rule: str, centre: float, margin: float, interval: tuple[float, float]) -> str:
    """Where an interval lies against the null value and the smallest effect of interest."""
    low, high = interval
    if rule == "within":
        return _standing_within(centre, margin, low, high)
    up = rule == "above"
    target = centre + margin if up else centre - margin
    null, goal = number(centre), f"the {number(target)} that matters"
    near, far = (low, high) if up else (high, low)  # ends on the side of the null and of the prediction
    side, other = ("above", "below") if up else ("below", "above")

    def beyond(end: float, mark: float) -> bool:
        return end > mark if up else end < mark

    if beyond(near, centre):
        if beyond(near, target):
            return f"{side} {goal}"
        if not beyond(target, far):
            return f"{side} {null}, perhaps {goal}"
        return f"{side} {null}, short of {goal}"
    if beyond(centre, far):
        return f"{other} {null}, the reverse of the prediction"
    if beyond(target, far):
        return f"short of {goal}"
    return f"{null} and {goal} are both possible"


def _standing_within(centre: float, margin: float, low: float, high: float) -> str:
    limits = f"{number(centre - margin)} to {number(centre + margin)}"
    if centre - margin < low and high < centre + margin:
        return f"inside {limits}"
    if low >= centre + margin or high <= centre - margin:
        return f"outside {limits}"
    return f"partly outside {limits}"
