import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.judge import Outcome, decide
from harness.predict import words


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (0.0123456, "0.0123"),
        (0.5, "0.5"),
        (-0.5, "−0.5"),
        (0.99999, "1"),
        (9.999, "10"),
        (99.96, "100"),
        (12.34, "12.3"),
        (1234.5, "1,234"),
        (0.00012345, "0.000123"),
        (1.5e-7, "1.5 × 10⁻⁷"),
        (2.5e9, "2.5 × 10⁹"),
        (100.0, "100"),
        (math.inf, "inf"),
    ],
)
def test_numbers(value, text):
    assert words.number(value) == text


@given(st.floats(-1e8, 1e8, allow_subnormal=False))
def test_a_number_keeps_three_digits(value):
    plain = words.number(value).translate(str.maketrans("−⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "--0123456789")).replace(",", "")
    shown = float(plain.replace(" × 10", "e"))
    assert shown == pytest.approx(value, rel=5.1e-3)


def test_lists_and_counts():
    assert words.listed(["a"]) == "a"
    assert words.listed(["a", "b", "c"]) == "a, b and c"
    assert (words.counted(1, "pair"), words.counted(1200, "pair")) == ("1 pair", "1,200 pairs")


@pytest.mark.parametrize(("alpha", "text"), [(0.05, "90 % interval"), (0.005, "99 % interval"), (0.025, "95 % interval")])
def test_levels(alpha, text):
    assert words.level(alpha) == text


def test_plain_values_are_those_of_json():
    given_ = {"b": np.float64(0.5), "a": (np.int64(3), "x", None, True)}
    assert repr(words.plain(given_)) == repr({"a": [3, "x", None, True], "b": 0.5})


@pytest.mark.parametrize(
    ("rule", "interval", "text"),
    [
        ("above", (0.6, 0.9), "above the 0.5 that matters"),
        ("above", (0.1, 0.9), "above 0, perhaps the 0.5 that matters"),
        ("above", (0.1, 0.4), "above 0, short of the 0.5 that matters"),
        ("below", (-0.9, -0.6), "below the −0.5 that matters"),
        ("below", (-0.9, -0.1), "below 0, perhaps the −0.5 that matters"),
        ("below", (0.1, 0.4), "above 0, the reverse of the prediction"),
        ("above", (-0.1, 0.4), "short of the 0.5 that matters"),
        ("above", (-0.1, 0.6), "0 and the 0.5 that matters are both possible"),
    ],
)
def test_where_an_interval_stands(rule, interval, text):
    assert words.standing(rule, 0.0, 0.5, interval) == text


ends = st.floats(-2, 2)
SAID = {
    r"inside [^ ]+ to [^ ]+": (Outcome.SUPPORTED, None),
    r"outside [^ ]+ to [^ ]+": (Outcome.REFUTED, None),
    r"partly outside .*": (Outcome.INCONCLUSIVE, None),
    r"(above|below) .*, short of .*": (Outcome.REFUTED, "negligible"),
    r".*, the reverse of the prediction": (Outcome.REFUTED, "reversed"),
    r".* are both possible": (Outcome.INCONCLUSIVE, None),
    r"short of the .*": (Outcome.REFUTED, None),
    r"(above|below) .*, perhaps .*": (Outcome.SUPPORTED, None),
    r"(above|below) the [^ ]+ that matters": (Outcome.SUPPORTED, None),
}


@given(st.sampled_from(["above", "below", "within"]), st.floats(-1, 1), st.floats(0.01, 1), ends, ends)
def test_the_words_say_what_the_rule_decides(rule, centre, margin, one, other):
    interval = (min(one, other), max(one, other))
    text = words.standing(rule, centre, margin, interval)
    said = [decision for phrase, decision in SAID.items() if re.fullmatch(phrase, text)]
    assert said == [decide(rule, centre, margin, interval)]
