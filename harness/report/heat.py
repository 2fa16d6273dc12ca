"""Maps of two settings as the template draws them: a field for each pair of values, coloured by where the claim holds."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any

from harness.report import text
from harness.report.setting_values import number_of, said

_SIDE, _LEFT, _BELOW, _FAINT = 150.0, 62.0, 34.0, 0.08
_TICK = 58.0  # room for a value at the ends of a side


def drawn(maps: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The maps of a search.

    Args:
        maps: as ``harness.running.maps.Map`` holds them, in JSON.
    """
    return [_drawn(each) for each in maps]


def _drawn(given: Mapping[str, Any]) -> dict[str, Any]:
    rows = given["holds"]
    high, wide = _SIDE / max(len(rows), 1), _SIDE / max(len(rows[0]) if rows else 1, 1)
    fields = [
        {"x": round(_LEFT + wide * column, 2), "y": round(_SIDE - high * (row + 1), 2),
         "verdict": "supported" if chance > 0.5 else "refuted",
         "opacity": round(_FAINT + (1 - _FAINT) * abs(2 * chance - 1), 3)}
        for row, line in enumerate(rows) for column, chance in enumerate(line) if chance is not None
    ]  # fmt: skip
    across, up = (given[name].replace("_", " ") for name in ("across", "up"))
    short = {"across_short": shortened(across, _SIDE), "up_short": shortened(up, _SIDE)}
    points = [{"x": _x(x), "y": _y(y), "verdict": verdict} for x, y, verdict in given["trials"]]
    here = given["default"]
    holding = sum(field["verdict"] == "supported" for field in fields)
    return {
        "across": across, "up": up, **short, "fields": fields, "wide": round(wide, 2), "high": round(high, 2), "points": points,
        "default": None if None in here else {"x": _x(here[0]), "y": _y(here[1])},
        "width": _LEFT + _SIDE + 6, "height": _SIDE + _BELOW, "left": _LEFT, "side": _SIDE,
        "ticks_across": _ticks(given["across_values"]), "ticks_up": _ticks(given["up_values"]),
        "title": f"{up[:1].upper()}{up[1:]} against {across}",
        "told": f"{across} across, {up} upwards, all else at its default: the claim holds in {holding} of {len(fields)} "
                f"fields. {_told(given, rows)}",
    }  # fmt: skip


def _told(given: Mapping[str, Any], rows: Sequence[Sequence[float | None]]) -> str:
    """Line by line where it holds, for those who do not see the map."""
    told = []
    for value, line in zip(given["up_values"], rows, strict=True):
        across = zip(given["across_values"], line, strict=True)
        holding = [said(at) for at, chance in across if (chance or 0) > 0.5]
        where = "nowhere" if not holding else "everywhere" if len(holding) == len(line) else f"at {', '.join(holding)}"
        told.append(f"{said(value)}: {where}")
    return f"By {given['up'].replace('_', ' ')}: " + "; ".join(told) + "."


def _x(place: float) -> float:
    return round(_LEFT + _SIDE * place, 2)


def _y(place: float) -> float:
    return round(_SIDE * (1 - place), 2)


def _ticks(values: Sequence[Any]) -> list[str]:
    """The first and the last value, as far as they fit."""
    ends = [values[0], values[-1]] if len(values) > 1 else list(values)
    return [shortened(short if room_of(short := said(value)) <= _TICK else _rounded(value), _TICK) for value in ends]


def _rounded(value: Any) -> str:
    """A value of which there is not much room to write."""
    number = number_of(value)
    return said(value) if number is None or not math.isfinite(number) else text.number(float(number), 2)


def shortened(name: str, room: float) -> str:
    """A name of a setting, or a value, as words, with an ellipsis where it is wider than there is room for."""
    worded = name.replace("_", " ")
    if room_of(worded) <= room:
        return worded
    ends = accumulate(map(_width, worded))
    return f"{worded[: sum(end + _width('…') <= room for end in ends)].rstrip()}…"


def room_of(words: str) -> float:
    """Room for words in letters of 10 units, in any of the usual fonts: rather too much than too little."""
    return sum(map(_width, words))


def _width(letter: str) -> float:
    if letter in "mwMW@%…—" or unicodedata.east_asian_width(letter) in "WF":
        return 10.5
    return 0.0 if unicodedata.combining(letter) else 6.5 if letter.islower() or letter.isdigit() or letter in " -.,()" else 8.0
