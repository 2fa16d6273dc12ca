"""Numbers as readers see them."""

from __future__ import annotations

from typing import Any

import pytest

from harness.report import text


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "—"),
        (True, "yes"),
        (0, "0"),
        (0.0, "0"),
        (0.005, "0.005"),
        (0.12345, "0.123"),
        (-1.5, "−1.5"),
        (1234, "1,234"),
        (12345.6, "12,346"),
        (1e-7, "1 × 10⁻⁷"),
        (-2.34e8, "−2.34 × 10⁸"),
        (float("nan"), "—"),
        ("as it is", "as it is"),
    ],
)
def test_number(value: Any, shown: str) -> None:
    assert text.number(value) == shown


@pytest.mark.parametrize(
    ("effect", "interval", "shown"),
    [
        (0.011834, (0.008132, 0.016149), ("0.0118", "0.0081 to 0.0161")),
        (-0.5, (-0.9, -0.1), ("−0.50", "−0.90 to −0.10")),
        (123.4, (100.0, 150.0), ("123", "100 to 150")),
        (12345.0, (10000.0, 15000.0), ("12,345", "10,000 to 15,000")),
        (1e-9, (5e-10, 2e-9), ("1 × 10⁻⁹", "5 × 10⁻¹⁰ to 2 × 10⁻⁹")),
        (0.5, (0.5, 0.5), ("0.5", "0.5 to 0.5")),
        (0.5, None, ("0.5", "—")),
        (0.5, (None, None), ("0.5", "—")),
        (0.5, (0.25, None), ("0.5", "0.25 to ∞")),
        (0.5, (None, 1.0), ("0.5", "−∞ to 1")),
        (None, (0.0, 1.0), ("—", "—")),
    ],
)
def test_measured_has_the_decimals_that_the_width_justifies(effect: Any, interval: Any, shown: Any) -> None:
    assert text.measured(effect, interval) == shown


@pytest.mark.parametrize(
    ("p", "shown"),
    [(None, "—"), (0.0, "< 0.0001"), (0.00012, "0.00012"), (0.0314, "0.031"), (0.5, "0.50"), (1.0, "1.00")],
)
def test_p_value_is_never_zero(p: float | None, shown: str) -> None:
    assert text.p_value(p) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(None, "—"), (0.42, "0.4 s"), (41.2, "41 s"), (200.0, "3 min 20 s"), (7500.0, "2 h 05 min")],
)
def test_duration(seconds: float | None, shown: str) -> None:
    assert text.duration(seconds) == shown


@pytest.mark.parametrize(
    ("values", "shown"),
    [([0, 1, 2, 5], "0–2, 5"), ([3], "3"), ([], "—"), (["a", "b"], "a, b"), ([2, 1], "1–2")],
)
def test_ranges(values: list[Any], shown: str) -> None:
    assert text.ranges(values) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ({"chains": 4, "step": 0.0001}, "chains 4; step 0.0001"),
        ([0, 1, 2, 3], "0–3"),
        ([64, 32, 16, 8], "64, 32, 16, 8"),
        ([True, False], "yes, no"),
        ({}, "—"),
        (3072, "3072"),
    ],
)
def test_compact(value: Any, shown: str) -> None:
    assert text.compact(value) == shown


@pytest.mark.parametrize(("value", "shown"), [(7.0, "7"), (2024, "2024"), (-0.123456, "−0.1235"), (None, "—"), ("x", "x"),
                                              ([16], "(16)"), ((64, 0.5), "(64, 0.5)"), ({"a": [1]}, "a (1)")])  # fmt: skip
def test_cell(value: Any, shown: str) -> None:
    assert text.cell(value) == shown
