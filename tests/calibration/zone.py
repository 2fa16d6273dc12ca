"""What is said where an effect is real and too small: half of the smallest effect of interest, and just that effect.

Between no effect and the smallest of interest neither verdict is an error.  The grade tells them apart: "at least m" is said
of an effect that is smaller than m with probability alpha at most.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from harness.judge.rule import clears

from .cells import ALPHA, Cell, Rate, decided, generator, taken
from .conjunctions import Joint
from .table import CELLS, PAGE, line, named, percent

START = "<!-- simulated grades: written by python -m tests.calibration -->"
END = "<!-- end of simulated grades -->"
HEAD = ("kind", "situation", "n", "at least m", "m not excluded", "probably below m", "refuted", "at m: at least m", "studies")
STUDIES = 4_000


def _effect(cell: Cell, share: float) -> float:
    return cell.terms.centre + (-1 if cell.terms.rule == "below" else 1) * share * cell.terms.margin


def _drawn_anywhere(cell: Cell) -> bool:
    """Whether a situation can have half of m as its truth; some were built for a few truths alone."""
    try:
        cell.draw(_effect(cell, 0.5), 1, generator(cell))
    except KeyError:
        return False
    return True


ZONE: list[Cell] = [
    replace(cell, studies=min(cell.studies, STUDIES)) for cell in CELLS
    if cell.terms.rule != "within" and cell.terms.alpha == ALPHA and cell.limit is None and not isinstance(cell.kind, Joint)
    and {"false support", "false refutation"} <= set(cell.asked) and _drawn_anywhere(cell)
]  # fmt: skip
"""Situations in which a direction is judged by one interval."""


@dataclass(frozen=True)
class Said:
    """Shares of the studies of one effect, by what is said of it; what is left is inconclusive."""

    at_least: Rate
    not_excluded: Rate
    below: Rate
    refuted: Rate


def said(cell: Cell, share: float) -> Said:
    """What is said where the effect is ``share`` of the smallest of interest; the numbers depend on the cell's name alone."""
    terms, effect = cell.terms, _effect(cell, share)
    sign = -1 if terms.rule == "below" else 1
    rng = generator(cell, "grades", share)
    data = cell.draw(effect, cell.studies, rng)
    study = cell.kind.confidence(data)
    supported, refuted = decided(study, terms, terms.alpha)
    supported[supported] &= cell.kind.agrees(taken(data, supported), terms, rng)
    cleared = supported & clears(terms.rule, terms.centre, terms.margin, *(study.cautious or study).interval(terms.alpha))
    reached = supported & ~cleared & (sign * (study.effect - terms.centre) >= terms.margin)
    each = (cleared, reached, supported & ~cleared & ~reached, refuted)
    return Said(*(Rate(float(np.mean(one)), cell.studies) for one in each))


def row(cell: Cell) -> tuple[str, ...]:
    """A cell's row without the name of its kind: its rates at half of m, and that of "at least m" at m."""
    half, edge = said(cell, 0.5), said(cell, 1.0)
    rates = (half.at_least, half.not_excluded, half.below, half.refuted, edge.at_least)
    return (cell.situation, cell.n, *(percent(rate, 1) for rate in rates), f"{cell.studies:,}")


def written() -> str:
    """The whole block, simulated anew."""
    lines, before = [line(HEAD), line(("---",) * len(HEAD))], ""
    for cell in ZONE:
        lines.append(line((f"`{cell.kind.name}`" if cell.kind.name != before else "", *row(cell))))
        before = cell.kind.name
    return "\n".join([START, "", *lines, "", END])


def rewrite() -> None:
    """Put the table into the page."""
    before, _, rest = PAGE.read_text().partition(START)
    _, _, after = rest.partition(END)
    PAGE.write_text(before + written() + after)


def printed() -> dict[tuple[str, str, str], tuple[float, ...]]:
    """Rates of the cells as the page prints them, by kind, situation and n."""
    found: dict[tuple[str, str, str], tuple[float, ...]] = {}
    kind = ""
    for text in PAGE.read_text().partition(START)[2].partition(END)[0].splitlines():
        texts = [each.strip() for each in text.removeprefix("|").removesuffix("|").split("|")]
        if not text.startswith("|") or texts[0].startswith("---") or texts[-1] == "studies":
            continue
        kind = texts[0].strip("`") or kind
        found[(kind, texts[1], texts[2])] = tuple(float(each.removesuffix(" %")) / 100 for each in texts[3:8])
    return found


def key(cell: Cell) -> tuple[str, str, str]:
    """What tells a row."""
    return named(cell)[1:4]
