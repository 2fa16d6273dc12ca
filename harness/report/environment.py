"""The templates' surroundings: what filters and functions they may use, the style and the script that pages carry."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup

from harness.report import forest, standing, text, voices

_HERE = Path(__file__).parent


def template(name: str) -> Template:
    """A template that lies beside this module; every value that it is given is escaped."""
    return _environment().get_template(name)


def style() -> Markup:
    """The style sheet, which is the package's own."""
    return Markup((_HERE / "style.css").read_text(encoding="utf-8"))


def script() -> str:
    """The page's script."""
    return (_HERE / "page.js").read_text(encoding="utf-8")


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {
        "number": text.number, "cell": text.cell, "p_value": text.p_value, "duration": text.duration,
        "ranges": text.ranges, "compact": text.compact, "time": text.moment, "web": _web,
    }  # fmt: skip
    environment.globals |= {
        "measured": text.measured, "place": forest.place, "margin_mark": forest.margin_mark, "level": _level,
        "counted": text.counted, "bayes": voices.bayes, "severity": voices.severity,
        "left_out": standing.left_out,
    }  # fmt: skip
    return environment


def _level(alpha: float | None) -> str:
    """The interval that a test at ``alpha`` reads: 1 − 2 alpha, "90 %"."""
    return "Interval" if alpha is None else f"{100 * (1 - 2 * alpha):.4g} % interval"


def _web(address: Any) -> bool:
    """Whether an address may become a link: a document's own page, never a script."""
    return str(address).lower().startswith(("https://", "http://"))
