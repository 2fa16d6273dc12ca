"""The data behind a figure, as a page carries them: all rows, compact, for a table and for one seed drawn over the figure.

The page's script builds the table when a reader opens it: 77 tables of a thousand rows in the page itself would cost a second
and megabytes, and ``claims.json`` has the same numbers for those who read without a script.
"""

from __future__ import annotations

import json
import math
import string
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from markupsafe import Markup

from harness.report import figures
from harness.report import lanes as tidy

_DIGITS = 4  # significant; as many as the table shows and the drawing needs
_CODED = 40  # a column with at most so many values is written as places in a list of them
_PLACES = string.digits + string.ascii_letters  # a letter for each place; and the digits of numbers to the base of 62
_NONE = "-"  # as often as a number has digits: it is unknown
_EXACT = 2**53  # whole numbers beyond this are not exact in a script
_ESCAPED = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"})  # nothing in a script block may end it


def embedded(figure: Mapping[str, Any] | None) -> Markup | None:
    """A figure's data, and how it is drawn, as JSON for a script block; None where there is no figure.

    ``columns`` are [name, values] with the columns in front that say which model a row is.  Values are numbers and texts;
    ``{"of": levels, "at": places}`` with a letter (0 to 9, a to z, A to Z) a row; ``{"of": levels, "run": r, "count": n}`` for
    n rows in which each level stands r times and all come again and again, as in a crossed design; or
    ``{"ten": t, "least": l, "wide": w, "at": digits}`` with w digits to the base of 62 a row (0 to 9, a to z, A to Z; hyphens
    where a number is unknown), to which l is added before they are multiplied by 10^t.  ``pick`` names the columns that single
    out one model, ``drawn`` holds what the script needs to find a row's place in the drawing; what is not there does not apply.
    """
    if figure is None:
        return None
    who = [name for name in figures.IDENTITY if name in figure["data"]]
    names = [*who, *(name for name in figure["data"] if name not in who)]
    said = {
        "columns": [[name, _column(figure["data"][name])] for name in names],
        "pick": who,
    }  # fmt: skip
    drawn = {**{key: figure[key] for key in ("kind", "x", "y", "hue", "facet", "log_x", "log_y")}, **figures.lanes(figure)}
    if not any(drawn["lanes"]):
        del drawn["lanes"]
    return scripted(said | {"drawn": {key: held for key, held in drawn.items() if held}})


def scripted(said: Any) -> Markup:
    """A value as JSON for a script block."""
    return Markup(json.dumps(said, ensure_ascii=False, allow_nan=False, separators=(",", ":")).translate(_ESCAPED))


def address(stratum: str, figure: Mapping[str, Any] | None) -> str | None:
    """The part of an address that selects a stratum's rows, or None if the data do not show which those are.

    A stratum is named by its levels, joined with ", "; each must be a level of one column of its own.
    """
    if figure is None:
        return None
    columns = {name: set(map(str, tidy.levels(figure["data"][name]))) for name in figures.IDENTITY if name in figure["data"]}
    chosen: dict[str, str] = {}
    for level in stratum.split(", "):
        fits = [name for name, levels in columns.items() if level in levels and name not in chosen]
        if len(fits) != 1:
            return None
        chosen[fits[0]] = level
    return urlencode(chosen)


def _column(values: Sequence[Any]) -> Any:
    """A column in as few letters as is simple: places in a list of its levels, numbers by their digits, or plain."""
    short = [_short(value) for value in values]
    found = list(dict.fromkeys(short))
    if len(found) <= _CODED and 2 * len(found) <= len(short):
        run = next((row for row, value in enumerate(short) if value != short[0]), len(short))
        if all(value == found[row // run % len(found)] for row, value in enumerate(short)):
            return {"of": found, "run": run, "count": len(short)}
        place = {value: _PLACES[index] for index, value in enumerate(found)}
        coded = {"of": found, "at": "".join(place[value] for value in short)}
        return min(coded, _digits(short) or coded, key=_length)
    return min(short, _digits(short) or short, key=_length)


def _length(said: Any) -> int:
    return len(json.dumps(said, ensure_ascii=False, separators=(",", ":")))


def _digits(short: Sequence[Any]) -> dict[str, Any] | None:
    """Numbers as digits to the base of 62, as many for each: of how far it lies above the least, in units of a power of ten.

    None where a value is no number, or where the script could not count so far.
    """
    known = [Decimal(str(value)).normalize() for value in short if tidy.is_number(value)]
    if not known or len(known) + short.count(None) < len(short):
        return None
    ten = min(int(value.as_tuple().exponent) for value in known)
    least, most = (int(each(known).scaleb(-ten)) for each in (min, max))
    if max(most, -least, most - least) >= _EXACT:
        return None
    wide = len(_to_base(most - least))
    at = (_NONE * wide if one is None else _to_base(int(Decimal(str(one)).scaleb(-ten)) - least, wide) for one in short)
    return {"ten": ten, "least": least, "wide": wide, "at": "".join(at)}


def _to_base(number: int, wide: int = 1) -> str:
    """A whole number, 0 or more, to the base of 62, with leading zeros."""
    said = ""
    while number or len(said) < wide:
        number, digit = divmod(number, len(_PLACES))
        said = _PLACES[digit] + said
    return said


def _short(value: Any) -> Any:
    if not isinstance(value, float):
        return value
    if not math.isfinite(value):
        return None
    if value.is_integer() and abs(value) < 1e15:
        return int(value)
    rounded = float(f"{value:.{_DIGITS}g}")
    return rounded if math.isfinite(rounded) else value  # the largest numbers of all are rounded to infinity
