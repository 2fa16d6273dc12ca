"""Numbers in what people write about claims: which of them are those of a run.

A text may give three kinds of numbers that a run can be asked for: intervals, "(0.1 to 0.3" or "0.2, 0.1 to 0.3"; the estimate
that stands before an interval; and other numbers with a decimal point, or in percent.  Numbers that no run holds, of pilot
networks or of the document, stand with their origin in a line that Markdown does not show::

    [numbers of robust-overfitting]: # (1.65, 3.0: the course of the loss, which the figure does not draw)
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

Row = Mapping[str, Any]
Item = tuple[float | None, tuple[float, float]]
"""An estimate and the ends of its interval."""
_NUMBER = r"[−-]?\d[\d,]*(?:\.\d+)?"
_BETWEEN = re.compile(rf"\((?P<low>{_NUMBER})\s+to\s+(?P<high>{_NUMBER})(?=[;,) ])")
_INTERVAL = re.compile(rf"(?:\(|, (?:from )?)(?P<low>{_NUMBER}) to (?P<high>{_NUMBER})(?=[;:,.) ]|$)")
_ANY = re.compile(rf"(?<![\w.,])(?:{_NUMBER})")
_DECIMAL = re.compile(r"(?<![\w.,])[−-]?\d[\d,]*(?:\.\d+(?P<percent> %)?|(?P<whole> %))")  # 0.31, 1.9 %, 31 %
_COUNT = re.compile(r"(?<![\w.,])(?P<some>\d[\d,]*) of (?P<all>\d[\d,]*)(?![.\d]\d)")
_SHARE = 5e-4  # how near to a number of the run a count as a share has to be: shares are told to three digits
_ELSEWHERE = re.compile(r"^\[numbers of [^\]]+\]: # \((?P<numbers>[^:()]+): [^()]+\)$", re.M)
_FEW = 12  # cells of a figure whose extremes a reader would read off; among those of many any number would be found
_TOLD = (
    "effect", "interval", "margin", "centre", "notes", "reason", "parts", "companions", "protocols", "strata", "gates",
    "source",
)  # fmt: skip
_SEARCHED = ("default", "found", "confirmation", "trials", "shares", "split", "importance")
"""What is told of a search: not its maps, in which any number would be found."""


def foreign(prose: str, rows: Iterable[Row]) -> list[str]:
    """The intervals in a text, "(0.1 to 0.3", that are none of these rows, to the digits with which they are written.

    A number may be given with the other sign, as a fall instead of a rise.
    """
    known = [ends for row in rows for _, ends in _items(row)]
    return [
        found[0]
        for found in _BETWEEN.finditer(unbroken(prose))
        if not any(_covers(found["low"], found["high"], ends) for ends in known)
    ]


def unbroken(prose: str) -> str:
    """The text with each interval on one line, wherever its writer broke lines."""
    return _BETWEEN.sub(lambda found: " ".join(found[0].split()), prose)


def strange(prose: str, rows: Iterable[Row], *, decimals: bool = True) -> list[str]:
    """What a text gives of intervals, estimates and other numbers, and these rows do not: a clause for each.

    Args:
        prose: Markdown, with its lines on numbers from elsewhere.
        rows: of the claim of which the text tells, of one run or of several.
        decimals: whether numbers that stand without an interval are asked for, too.

    Returns:
        Clauses such as "0.5 is not the estimate of the interval 0.1 to 0.3", in the order of the text, and then the numbers
        said to be from elsewhere that the text does not give.
    """
    held = list(rows)
    own = [number.strip() for found in _ELSEWHERE.finditer(prose) for number in found["numbers"].split(",")]
    text = " ".join(_ELSEWHERE.sub("", prose).replace("^", " ").split())
    said, told = _intervals(text, [item for row in held for item in _items(row)], own)
    if decimals:
        said += [f"the number {number} is none of the run’s" for number in _singles(text, held, told) if number not in own]
    gone = [number for number in own if number not in text]
    return said + [f"the number {number}, said to be from elsewhere, is not in the text" for number in gone]


def _intervals(text: str, items: Sequence[Item], own: Collection[str]) -> tuple[list[str], list[tuple[int, int]]]:
    """Clauses on intervals and estimates of which there are none, and where intervals and estimates stand."""
    said, told = [], []
    for found in _INTERVAL.finditer(text):
        told.append(found.span())
        low, high = found["low"], found["high"]
        alike = [estimate for estimate, ends in items if _covers(low, high, ends)]
        before = _estimate(text[: found.start()])
        if before:
            told.append(before.span())
        if f"{low} to {high}" in own:
            continue
        if not alike:
            said.append(f"the interval {low} to {high} is none of the run’s")
        elif before and not any(value is not None and _near(before[0], value) for value in alike):
            said.append(f"{before[0]} is not the estimate of the interval {low} to {high}")
    return said, told


def _singles(text: str, rows: Sequence[Row], told: Sequence[tuple[int, int]]) -> Iterator[str]:
    """Numbers without an interval, and counts such as "11 of 16", that these rows do not have."""
    parts = [{name: row.get(name) for name in _TOLD} for row in rows]
    searched = [(row.get("search") or {}).get(name) for row in rows for name in _SEARCHED]
    words = " ".join(each for part in (parts, searched) for each in _texts(part))
    values = {abs(value) for part in (parts, searched) for value in _floats(part)}
    values |= {abs(value) for row in rows for value in summaries(row.get("figure"))}
    for found in _DECIMAL.finditer(text):
        inside = any(first <= found.start() < last for first, last in told)
        if not inside and not _is_one_of(found, values):
            yield found[0]
    for found in _COUNT.finditer(text):
        some, all_of = (int(_plain(found[each])) for each in ("some", "all"))
        share = some / all_of if all_of else -1.0
        if found[0] not in words and not any(abs(share - value) < _SHARE for value in values):
            yield found[0]


def summaries(figure: Mapping[str, Any] | None) -> Iterator[float]:
    """What can be read off a figure: the means that it draws, and the extremes, of each colour and panel at each place."""
    if not figure or not figure.get("data"):
        return
    data = pd.DataFrame(figure["data"])
    y, by = figure.get("y"), [figure[part] for part in ("x", "hue", "facet") if figure.get(part) in data]
    if y is None or y not in data or not by or not pd.api.types.is_numeric_dtype(data[y]):
        return
    cells = data.groupby(by)[y].agg(["mean", "median", "min", "max"])
    drawn = cells if len(cells) <= _FEW else cells[["mean", "median"]]
    yield from drawn.to_numpy().ravel().tolist()
    yield from (float(data[y].min()), float(data[y].max()))


def _items(row: Row) -> Iterator[Item]:
    """Estimates with an interval: of a row and its parts, companions, protocols and strata, and of its search."""
    search = row.get("search") or {}
    below = [*row["parts"], *row["companions"], *row["protocols"], *(search.get("trials") or ())]
    for item in (row, *below, *([search["confirmation"]] if search.get("confirmation") else [])):
        for each in (item, *(item.get("strata") or ()), *(item.get("parts") or ())):
            ends = each.get("interval")
            if ends and all(end is not None for end in ends):
                yield each.get("effect"), (ends[0], ends[1])
    for index in search.get("importance") or ():
        low, high = index["interval"]
        yield 100 * index["total"], (100 * low, 100 * high)  # written in percent


def _estimate(before: str) -> re.Match[str] | None:
    """The last number of the sentence before an interval, which has to be its estimate; None where there is none."""
    begin = max(before.rfind(mark) + len(mark) for mark in (". ", "; ", "! ", ": ", ")"))
    if re.search(r"\)\s*$", before):  # as in m^(−0.526) (−0.72 to −0.33)
        begin = before.rfind("(")
    found = list(_ANY.finditer(before, max(begin, 0)))
    return found[-1] if found else None


def _is_one_of(found: re.Match[str], values: Iterable[float]) -> bool:
    number = found[0].removesuffix(" %")
    scale = 100 if found["percent"] or found["whole"] else 1
    return any(_near(number, value * each) for value in values for each in {1, scale})


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, (Mapping, list, tuple)):
        for each in value.values() if isinstance(value, Mapping) else value:
            yield from _texts(each)


def _floats(value: Any) -> Iterator[float]:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        yield float(value)
    elif isinstance(value, str):
        yield from (float(_plain(found[0])) for found in _ANY.finditer(value))
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _floats(each)
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from _floats(each)


def _covers(low: str, high: str, ends: tuple[float, float]) -> bool:
    """Whether an interval is written there, as it is or with the other sign."""
    return any(_signed(low, sign * a) and _signed(high, sign * b) for sign, a, b in ((1, *ends), (-1, ends[1], ends[0])))


def _near(written: str, value: float) -> bool:
    """Whether a number, of either sign, is written there to its digits."""
    return _signed(written, value) or _signed(written, -value)


def _signed(written: str, value: float) -> bool:
    plain = _plain(written)
    digits = len(plain.partition(".")[2])
    return abs(float(plain) - value) <= 0.5 * 10.0**-digits + 1e-9


def _plain(written: str) -> str:
    return written.replace("−", "-").replace(",", "")
