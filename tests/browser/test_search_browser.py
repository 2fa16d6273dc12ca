"""The search of a scope as it is drawn: names and values of any length and script are inside of their drawing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from browsing import Browser
from report_samples import PROVENANCE, rows

from harness.report import assemble, render

ONE = next(row for row in rows() if row["id"] == "slt/robust-below")
NAMES = ["noise", "learning_rate_of_the_second_half_of_training", "W" * 40, "幅" * 40, "x", "Überparametrisierungsgrad" * 2]
VALUES: list[Any] = [1.25e-17, 1.668e-5, -0.05995, 123456789, "a regime with a long name", {"float": "-inf"}, "1"]


def searched(name: str, other: str, value: Any) -> dict[str, Any]:
    default = {name: value, other: 1.0}
    trials = [
        {"settings": {name: value, other: float(at)}, "verdict": "supported", "reason": "So.", "effect": at / 10,
         "interval": [at / 10 - 1, at / 10 + 1], "n": 8, "seconds": 0.1, "why": "even"}
        for at in range(5)
    ]  # fmt: skip
    drawn = {
        "across": name, "up": other, "across_values": [value, value], "up_values": [value, value], "holds": [[0.9, 0.1]] * 2,
        "default": [0.5, 0.5], "trials": [],
    }  # fmt: skip
    return {"looked_for": "refuted", "trials": trials, "found": None, "confirmed": None, "confirmation": None, "reason": "So.",
            "default": default, "maps": [drawn]}  # fmt: skip


OUTSIDE = """
document.querySelectorAll('details').forEach((fold) => { fold.open = true; });
return [...document.querySelectorAll('.spec svg')].flatMap((drawing) => {
  const frame = drawing.getBoundingClientRect();
  return [...drawing.querySelectorAll('text')].filter((text) => {
    const box = text.getBoundingClientRect();
    return box.left < frame.left - 0.5 || box.right > frame.right + 0.5;
  }).map((text) => text.firstChild.textContent);
});
"""


@pytest.mark.parametrize("width", [390, 1280])
def test_names_and_values_of_settings_are_not_clipped(browser: Browser, tmp_path: Path, width: int) -> None:
    made = [
        ONE | {"id": f"slt/odd-{number}", "search": searched(NAMES[number % len(NAMES)], NAMES[number % len(NAMES) - 1], value)}
        for number, value in enumerate(VALUES)
    ]
    page = tmp_path / "claims.html"
    page.write_text(render(assemble(made, scale="full", device="cpu", provenance=PROVENANCE)), encoding="utf-8")
    browser.look(width=width)
    browser.open(page)
    browser.run(
        "document.head.append(Object.assign(document.createElement('style'),"
        "{textContent: '* { content-visibility: visible !important }'}))"
    )
    assert browser.run("return document.querySelectorAll('.spec svg').length") == 2 * len(VALUES)
    assert browser.run(OUTSIDE) == []
    assert browser.run("return document.documentElement.scrollWidth") <= width
    titled = browser.run("return [...document.querySelectorAll('.spec text title')].map((title) => title.textContent)")
    assert {name.replace("_", " ") for name in NAMES if len(name) > 30} <= set(titled)
