"""What a drawing is written with: colours as classes, points as short paths, one shape a mark.

The page's style sheet colours the classes, so that one drawing serves light, dark and print.  A drawing has two units a point,
and whole numbers of them: half a point is less than a reader sees, and a figure of a thousand marks stays small.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from xml.sax.saxutils import escape, quoteattr

from markupsafe import Markup

# Okabe and Ito's colours (2008, "Color universal design"), which readers with any colour vision can tell apart, by class.
SERIES = ("s1", "s2", "s3", "s4", "s5", "s6", "s7")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "p", "h", "*")
DASHES = 4
UNITS = 2  # a point
# Regular polygons: corners, by how many turns they are rotated, and how much larger than a disc they are drawn.
_REGULAR = {"s": (4, 0.125, 1.25), "D": (4, 0.0, 1.2), "^": (3, 0.0, 1.25), "v": (3, 0.5, 1.25), "<": (3, 0.75, 1.25),
            ">": (3, 0.25, 1.25), "p": (5, 0.0, 1.1), "h": (6, 0.0, 1.1)}  # fmt: skip

Point = tuple[float, float]


def element(tag: str, inside: str = "", **attributes: object) -> str:
    """One element; attributes that are None are left out, and names may end in ``_`` and have ``_`` for ``-``."""
    said = "".join(
        f" {name.rstrip('_').replace('_', '-')}={quoteattr(str(value))}"
        for name, value in attributes.items()
        if value is not None
    )
    return f"<{tag}{said}>{inside}</{tag}>" if inside else f"<{tag}{said}/>"


def text(words: str, x: float, y: float, **attributes: object) -> str:
    """Words at a place, literally."""
    return element("text", escape(words), x=round(x), y=round(y), **attributes)


def path(strokes: Sequence[Sequence[Point]], closed: bool = False) -> str:
    """Lines through points as the data of one path: whole units, each relative to the one before.

    Written as shortly as the grammar of paths allows: what follows a move is a line unless something else is said.
    """
    said, at, known = [], (0, 0), ""
    for stroke in strokes:
        places = [(round(x), round(y)) for x, y in stroke]
        for index, (x, y) in enumerate(places):
            across, down = x - at[0], y - at[1]
            letter, step = ("m", f"{across} {down}") if not index else ("h", f"{across}") if not down else (
                ("v", f"{down}") if not across else ("l", f"{across} {down}"))  # fmt: skip
            apart = "" if step[0] == "-" else " "
            said.append((apart if index and letter == known else letter) + step.replace(" -", "-"))
            known, at = "l" if letter == "m" else letter, (x, y)
        if closed and places:
            said.append("z")
            at, known = places[0], ""
    return "".join(said)


def marker(kind: str, size: float) -> str:
    """The outline of a mark around its place, as an element without looks.

    Args:
        kind: one of ``MARKERS``.
        size: diameter of a disc, in units; other shapes have about its area.
    """
    half = size / 2
    if kind == "o":
        return f'<circle r="{half:.3g}"/>'
    return f'<path d="{"".join(_outline(kind, half))}z"/>'


def _outline(kind: str, half: float) -> Iterator[str]:
    if kind in "PX":  # a plus of strokes a third wide, and the same turned
        arm = half / 3
        corners = [(-arm, -half), (arm, -half), (arm, -arm), (half, -arm), (half, arm), (arm, arm), (arm, half), (-arm, half),
                   (-arm, arm), (-half, arm), (-half, -arm), (-arm, -arm)]  # fmt: skip
        turn = math.pi / 4 if kind == "X" else 0.0
        corners = [(x * math.cos(turn) - y * math.sin(turn), x * math.sin(turn) + y * math.cos(turn)) for x, y in corners]
    elif kind == "*":
        corners = [_around(half * (1.25 if point % 2 == 0 else 0.55), point / 10) for point in range(10)]
    else:
        count, turn, larger = _REGULAR[kind]
        corners = [_around(half * larger, turn + point / count) for point in range(count)]
    for index, (x, y) in enumerate(corners):
        yield f"{'L' if index else 'M'}{x:.1f} {y:.1f}"


def _around(radius: float, turns: float) -> Point:
    """A place on a circle, from the top clockwise."""
    return radius * math.sin(2 * math.pi * turns), -radius * math.cos(2 * math.pi * turns)


def width(words: str, size: float) -> float:
    """About how wide words are in a sans-serif of this size: browsers choose the font, so that no more can be known."""
    return size * sum(1.0 if unicodedata.east_asian_width(letter) in "WF" else 0.6 for letter in words)


def whole(inside: str, *, key: str, size: Point, title: str, description: str, more: Mapping[str, object]) -> str:
    """The drawing as an inline ``<svg>`` with a title, a description and role "img".

    Args:
        inside: its elements.
        key: prefix of every id.
        size: width and height, in units.
        title: name of the picture for a screen reader.
        description: what it shows, in words.
        more: further attributes.
    """
    wide, high = (round(side) for side in size)
    named = element("title", escape(title) or " ", id=f"{key}-title") + element("desc", escape(description), id=f"{key}-text")
    looks = {"viewBox": f"0 0 {wide} {high}", "role": "img", "class_": "figure", "aria_labelledby": f"{key}-title {key}-text",
             "style": f"--natural:{wide / UNITS:.0f}px", **more}  # fmt: skip
    return element("svg", named + inside, **looks)


_PARTS = re.compile(r"(<svg[^>]*>)(<title.*?</desc>)((?:<marker.*?</marker>)*)(.*)</svg>", re.DOTALL)


def twice(drawing: str, key: str, title: str, description: str) -> dict[str, Markup]:
    """A drawing that a page shows at two places, written once.

    Its marks have to stand where nothing is ever hidden, since browsers draw no mark that is defined in what is hidden.

    Args:
        drawing: as :func:`whole` writes it.
        key: prefix of its ids.
        title: name of the second showing for a screen reader.
        description: what that shows.

    Returns:
        ``picture``, the drawing without the definitions of its marks; ``marks``, these; ``again``, the second showing.

    Raises:
        ValueError: ``drawing`` is none of :func:`whole`.
    """
    found = _PARTS.fullmatch(drawing)
    if found is None:
        raise ValueError("this is not a drawing that svg.whole wrote")
    head, named, marks, inside = found.groups()
    held = element("g", inside, id=f"{key}-all", class_="figure")  # looks go by this class, in a copy, too
    looks = dict(re.findall(r'(viewBox|style)="([^"]*)"', head))
    shown = element("title", escape(title) or " ") + element("desc", escape(description)) + element("use", href=f"#{key}-all")
    again = element("svg", shown, role="img", class_="figure", **looks)
    return {"picture": Markup(f"{head}{named}{held}</svg>"), "marks": Markup(marks), "again": Markup(again)}
