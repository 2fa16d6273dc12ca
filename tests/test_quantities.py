"""Columns that know the code that makes them."""

from __future__ import annotations

import copy
import json

import pandas as pd
import pytest

from harness import Claim, Gate, PairedDifference, Source, quantity
from harness.code.loaded import SOURCES
from harness.errors import ClaimError
from harness.quantities import Quantity, made_by

SOURCE = Source("t", "T")


@quantity("ratio")
def ratio(table):
    """One over the other."""
    return table["a"] / table["b"]


def claim(column):
    difference = PairedDifference(value=column, factor="f", higher="x", lower="y", pair="seed", margin=1, margin_reason="…")
    return Claim("t/c", "s", SOURCE.at("S", "q"), difference, gates=(Gate("g", column, at_least=0),))


def test_it_is_its_column():
    table = pd.DataFrame({"a": [1.0, 4.0], "b": [2.0, 2.0]})
    table[ratio] = ratio.of(table)
    assert table["ratio"].tolist() == table[ratio].tolist() == [0.5, 2.0]
    assert table.columns.tolist() == ["a", "b", "ratio"]
    assert pd.DataFrame({"a": [1.0], "b": [2.0]}).assign(**{ratio: ratio.of})["ratio"].tolist() == [0.5]
    assert json.loads(json.dumps({ratio: ratio})) == {"ratio": "ratio"}
    assert ratio.__doc__ == "One over the other."
    assert copy.deepcopy(ratio).describe() == ratio.describe()


def test_its_code_is_in_the_digest_and_its_name_in_the_sentence(monkeypatch):
    plain, derived = claim("ratio"), claim(ratio)
    assert str(plain.prediction) == str(derived.prediction)
    assert str(plain.gates[0]) == str(derived.gates[0])
    assert plain.digest() != derived.digest()
    before = derived.digest()
    assert before == claim(ratio).digest()
    monkeypatch.setattr("harness.quantities.made_by", lambda function: "another")
    assert derived.digest() != before
    assert plain.digest() == claim("ratio").digest()


def test_another_function_is_another_quantity():
    @quantity("ratio")
    def inverse(table):
        return table["b"] / table["a"]

    assert inverse == ratio
    assert inverse.describe() != ratio.describe()


def test_a_limit_may_be_one():
    assert Gate("g", "v", at_most=ratio).describe()["at_most"] == ratio.describe()


def test_code_that_cannot_be_read_is_said():
    scope: dict = {}
    exec("def made(table):\n    return table['a']", scope)
    scope["made"].__module__ = "no.such.module"
    lost: Quantity = quantity("a")(scope["made"])
    with pytest.raises(ClaimError, match="the code of made cannot be read, so it has no digest"):
        claim(lost).digest()
    assert made_by(ratio.make) == ratio.describe()["code"]


def test_a_module_that_is_imported_again_leaves_the_quantities_of_others_current(monkeypatch):
    before = ratio.describe()
    monkeypatch.setattr(SOURCES, "again", {"elsewhere.py"})
    monkeypatch.setattr(SOURCES, "generation", SOURCES.generation + 1)  # nothing is taken from what was found before
    assert ratio.describe() == before


def test_a_quantity_from_before_its_own_module_was_imported_again_is_told(monkeypatch):
    @quantity("ratio")
    def later(table):
        return table["b"] / table["a"]

    later.make.__qualname__ = "ratio"  # as the function of a module that another now stands for
    monkeypatch.setattr(SOURCES, "again", {__file__})
    with pytest.raises(ClaimError, match=r"ratio is from before its module .* was imported again"):
        later.describe()
