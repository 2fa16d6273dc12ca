"""Parts of a conjunction as a grid, where they are all combinations of settings."""

from __future__ import annotations

import itertools
import re
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from harness.report import render
from harness.report.part_names import grid, part_names

WORDS = st.lists(st.text("abc", min_size=1, max_size=4), min_size=1, max_size=4, unique=True)


@given(WORDS, WORDS, WORDS, st.randoms(use_true_random=False), st.booleans())
def test_all_combinations_in_any_order_are_a_grid_and_nothing_less_is(
    first: list[str], second: list[str], third: list[str], random: Any, several: bool
) -> None:
    sides = [first, second, third] if several else [first, second]
    settings = list(itertools.product(*sides))
    random.shuffle(settings)
    names = [", ".join(f"{key} = {value}" for key, value in zip("pqr", each, strict=False)) for each in settings]
    found = grid(names)
    possible = any(len(side) >= 2 and len(settings) // len(side) >= 2 for side in sides)
    assert (found is not None) == possible
    if found is not None:
        assert sorted(place for row in found.cells for place in row) == list(range(len(names)))
        for row, cells in zip(found.rows, found.cells, strict=True):
            for column, place in zip(found.columns, cells, strict=True):
                assert sorted(names[place].split(", ")) == sorted([*row.split(", "), column])
        assert all((len(names) - 1) % len(side) or grid(names[:-1]) is None for side in (found.rows, found.columns))


def test_settings_joined_by_and_are_settings() -> None:
    names = [f"data set = {data} and layer = {layer}" for data in ("A", "B") for layer in (1, 2, 3)]
    found = grid(names)
    assert found is not None
    assert {found.rows, found.columns} == {("data set = A", "data set = B"), ("layer = 1", "layer = 2", "layer = 3")}


def test_parts_that_are_no_combinations_are_a_list() -> None:
    assert grid([]) is None
    assert grid(["a = 1", "a = 2"]) is None
    assert grid(["a = 1, b = 1", "a = 2, b = 2"]) is None
    assert grid(["a = 1, b = 1", "a = 1, b = 2", "a = 2, b = 1", "the fourth"]) is None


def parts_of(part: dict[str, Any]) -> list[dict[str, Any]]:
    """Four parts: two regimes at two thresholds."""
    verdicts = iter(("supported", "refuted", "inconclusive", "supported"))
    return [
        part | {"prediction": f"the rate of attacks is higher, where regime = {regime} and threshold = {threshold}",
                "verdict": next(verdicts), "reason": f"So for {regime} at {threshold}."}
        for regime in ("robust", "finetuned") for threshold in (2, 3)
    ]  # fmt: skip


def test_a_card_shows_the_grid_and_each_part_in_full(bare: dict[str, Any]) -> None:
    row = next(row for row in bare["rows"] if row["parts"])
    parts = parts_of(row["parts"][0])
    assert grid(part_names([part["prediction"] for part in parts])) is not None
    page = render(bare | {"rows": [row | {"parts": parts, "decides": 1}]})
    table = page.partition('<table class="parts">')[2].partition("</table>")[0]
    words = re.sub(r"\s+", " ", re.sub("<[^>]+>", " ", table))
    order = [words.index(each) for each in ("threshold = 2", "threshold = 3", "regime = robust", "regime = finetuned")]
    assert order == sorted(order)
    assert re.findall("Supported|Refuted|Inconclusive", words) == ["Supported", "Refuted", "Inconclusive", "Supported"]
    assert words.count("(decides)") == 1
    assert words.index("(decides)") > words.index("Refuted")
    assert "With this interval, up to a margin of" in page.partition("Each part in full")[2].partition("</details>")[0]
    for part in parts:
        assert part["prediction"] in page.partition("</table>")[2]
    assert '<table class="parts">' not in render(bare | {"rows": [row | {"parts": parts[:3]}]})
