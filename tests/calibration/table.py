"""The rates as tables of docs/method/error-rates.md: written by ``python -m tests.calibration``, read by the tests."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from . import (
    conjunctions,
    correlations,
    curves,
    differences,
    noise,
    populations,
    robust,
    scaling,
    shapes,
    shares,
    tails,
    within,
)
from .cells import ALPHA, Cell, Rate, Rates, measure
from .controls import CONTROLS

DOCS = Path(__file__).parents[2] / "docs"
PAGE = DOCS / "method" / "error-rates.md"
SUMMARY = DOCS / "method.md"
WORST = ("<!-- worst rates: written by python -m tests.calibration -->", "<!-- end of worst rates -->")
WORST_HEAD = ("kind", "situations", "false support, at most", "false refutation, at most", "with a long tail, either at most")
TAILS = ("lognormal tail", "one in 20", "t with 2 degrees")  # situations of which no interval of a mean is
START = "<!-- simulated rates: written by python -m tests.calibration -->"
END = "<!-- end of simulated rates -->"
HEAD = ("kind", "situation", "n", "false support", "false refutation", "power", "coverage", "studies")
LEVEL = "At α = "
CELLS: list[Cell] = [
    cell
    for family in (
        differences,
        correlations,
        within,
        curves,
        shares,
        scaling,
        noise,
        populations,
        tails,
        robust,
        shapes,
        conjunctions,
    )
    for cell in family.CELLS
]


def percent(rate: Rate | None, digits: int) -> str:
    """A rate as it is printed."""
    return "–" if rate is None else f"{100 * rate.value:.{digits}f} %"


def row(cell: Cell, rates: Rates) -> tuple[str, ...]:
    """A cell's row."""
    digits = 1 if cell.terms.alpha == ALPHA else 2
    shown = (rates.false_support, rates.false_refutation, rates.power, rates.covered)
    return (cell.situation, cell.n, *(percent(rate, digits) for rate in shown), f"{cell.studies:,}")


def line(texts: tuple[str, ...]) -> str:
    """A line of a Markdown table."""
    return f"| {' | '.join(texts)} |"


def kinds(cells: list[Cell]) -> dict[str, list[Cell]]:
    """Cells by kind, in their order."""
    found: dict[str, list[Cell]] = {}
    for cell in cells:
        found.setdefault(cell.kind.name, []).append(cell)
    return found


def written() -> str:
    """The whole block, simulated anew."""
    lines = []
    for alpha in dict.fromkeys(cell.terms.alpha for cell in CELLS):
        lines += [f"{LEVEL}{alpha:g}:", "", line(HEAD), line(("---",) * len(HEAD))]
        for kind, group in kinds([cell for cell in CELLS if cell.terms.alpha == alpha]).items():
            lines += [line((f"`{kind}`" if i == 0 else "", *row(cell, measure(cell)))) for i, cell in enumerate(group)]
        lines.append("")
    lines += ["Other analyses, at a nominal 5 % (10 % for the interval that misses):", ""]
    lines += [line(("analysis", "errs in", "instead", "studies")), line(("---",) * 4)]
    lines += [line((control.what, percent(control.rate(), 0), control.instead, f"{control.studies:,}")) for control in CONTROLS]
    return "\n".join([START, "", *lines, "", END])


def worst() -> str:
    """Of every kind the situations with the highest rates at the usual level, as the page prints them."""
    found: dict[str, list[tuple[str, str, tuple[float | None, ...]]]] = {}
    for (alpha, kind, situation, n, _), rates in _block()[0].items():
        if alpha == ALPHA:
            found.setdefault(kind, []).append((situation, n, rates))
    lines = [line(WORST_HEAD), line(("---",) * len(WORST_HEAD))]
    for kind, cells in found.items():
        tails = [cell for cell in cells if cell[0].startswith(TAILS)]
        rest = [cell for cell in cells if cell not in tails]
        lines.append(line((f"`{kind}`", str(len(cells)), _most(rest, (0,)), _most(rest, (1,)), _most(tails, (0, 1)))))
    return "\n".join([WORST[0], "", *lines, "", WORST[1]])


def _most(cells: list[tuple[str, str, tuple[float | None, ...]]], sides: tuple[int, ...]) -> str:
    """The highest of some rates, and where."""
    asked = [(rates[side] or 0.0, situation, n) for situation, n, rates in cells for side in sides if rates[side] is not None]
    if not asked:
        return "–"
    rate, situation, n = max(asked, key=lambda each: each[0])
    return f"{100 * rate:.1f} % ({situation}; {n})"


def rewrite() -> None:
    """Put the tables into the page, and the worst rates into its summary."""
    _put(PAGE, (START, END), written())
    _block.cache_clear()
    _put(SUMMARY, WORST, worst())


def _put(page: Path, marks: tuple[str, str], block: str) -> None:
    before, _, rest = page.read_text().partition(marks[0])
    _, _, after = rest.partition(marks[1])
    page.write_text(before + block + after)


Name = tuple[float, str, str, str, str]


def named(cell: Cell) -> Name:
    """What tells a row: alpha, kind, situation, n, studies."""
    return (cell.terms.alpha, cell.kind.name, cell.situation, cell.n, f"{cell.studies:,}")


@cache
def _block() -> tuple[dict[Name, tuple[float | None, ...]], dict[str, float]]:
    """Rates of the cells, and of the controls, as the page prints them."""
    cells: dict[Name, tuple[float | None, ...]] = {}
    controls: dict[str, float] = {}
    alpha, kind = 0.0, ""
    for text in PAGE.read_text().partition(START)[2].partition(END)[0].splitlines():
        if text.startswith(LEVEL):
            alpha = float(text.removeprefix(LEVEL).rstrip(":"))
        texts = [each.strip() for each in text.removeprefix("|").removesuffix("|").split("|")]
        if not text.startswith("|") or texts[0].startswith("---") or texts[-1] == "studies":
            continue
        if len(texts) == len(HEAD):
            kind = texts[0].strip("`") or kind
            cells[(alpha, kind, texts[1], texts[2], texts[-1])] = tuple(map(_number, texts[3:7]))
        else:
            controls[texts[0]] = float(texts[1].removesuffix(" %")) / 100
    return cells, controls


def _number(text: str) -> float | None:
    return None if text == "–" else float(text.removesuffix(" %")) / 100


def printed() -> list[Name]:
    """The rows that the page has."""
    return list(_block()[0])


def printed_rates(cell: Cell) -> tuple[float | None, ...]:
    """A cell's rates on the page: false support, false refutation, power, coverage."""
    return _block()[0][named(cell)]


def printed_controls() -> dict[str, float]:
    """The controls' rates on the page."""
    return _block()[1]
