"""badge.svg: how many claims have which verdict, for a README; it counts, it does not praise."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from harness.report.looks import LOOKS
from harness.report.rows import VERDICTS

_HEIGHT, _SIZE = 20, 11  # pixels
_LETTER, _PAD = 6.0, 7  # mean width of a letter at that size; the text is fitted to what is reserved for it


def badge(run: Mapping[str, Any]) -> str:
    """The run's verdicts as an SVG: its scale, then every verdict that there is, with glyph, number and word."""
    counts = Counter(row["verdict"] for row in run["rows"])
    colours = _colours()
    scale = "" if run["scale"] == "full" else f" ({run['scale']})"
    fields = [(f"claims{scale}", colours["error"])]
    fields += [
        (f"{LOOKS[verdict].glyph} {LOOKS[verdict].counted(counts[verdict])}", colours[verdict])
        for verdict in VERDICTS
        if counts[verdict]
    ]
    if not run["rows"]:
        fields.append(("none", colours["error"]))
    drawn, left = [], 0.0
    for words, colour in fields:
        wide = round(_LETTER * len(words))
        drawn.append(f'<rect x="{left:.0f}" width="{wide + 2 * _PAD}" height="{_HEIGHT}" fill="{colour}"/>'
                     f'<text x="{left + _PAD:.0f}" y="14" textLength="{wide}">{escape(words)}</text>')  # fmt: skip
        left += wide + 2 * _PAD + 1
    said = escape(": ".join((fields[0][0], ", ".join(words for words, _ in fields[1:]))))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left - 1:.0f}" height="{_HEIGHT}" role="img" '
        f'aria-labelledby="t d"><title id="t">{said}</title>'
        '<desc id="d">How many claims of the last run have which verdict.</desc>'
        f'<g fill="#fff" font-family="Verdana, DejaVu Sans, sans-serif" font-size="{_SIZE}">{"".join(drawn)}</g></svg>\n'
    )


def _colours() -> dict[str, str]:
    """The page's colours for a light ground, by name."""
    style = (Path(__file__).parent / "style.css").read_text(encoding="utf-8")
    found = re.findall(r"--([\w-]+): (#[0-9a-f]{6})", style)
    return dict(reversed(found))  # the first of a name is that for a light ground
