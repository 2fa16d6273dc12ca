"""Numbers that change although nothing known was changed are said to have done so; they fail nothing."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.doubts import MOVED
from harness.pytest_plugin.moved import seen, sentence

CLAIM = """
import os
import numpy as np, pandas as pd
from harness import Evidence, Factors, PairedDifference, Source, claim
from {helper} import shift

PAPER = Source("p", "P").at("s", "q")

@claim("p/c", statement="S.", source=PAPER, population=Factors(random="seed"),
       prediction=PairedDifference("v", "arm", "a", "b", "seed", margin={margin}, margin_reason="half"))
def test_c():
    rng = np.random.default_rng(0)
    return Evidence(pd.DataFrame({{"seed": [*range(10)] * 2, "arm": ["a"] * 10 + ["b"] * 10,
        "v": [*rng.normal(shift(), 0.3, 10), *rng.normal(0, 0.3, 10)]}}))
"""
BY_ENVIRONMENT = 'import os\ndef shift(): return float(os.environ.get("SHIFT_OF_A_TEST", "1"))\n'
BY_FILE = 'from pathlib import Path\ndef shift(): return float((Path(__file__).parent / ("sh" + "ift.txt")).read_text())\n'
BY_PATCH = "def shift(): return 1.0\n"
PATCH = "import sys; sys.path.insert(0, '.')\nimport helper_by_patch\nhelper_by_patch.shift = lambda: 1.3\n"


def begin(pytester: pytest.Pytester, how: str, code: str) -> None:
    pytester.makepyfile(**{f"helper_by_{how}": code, "test_c": CLAIM.format(helper=f"helper_by_{how}", margin=0.5)})
    pytester.path.joinpath("shift.txt").write_text("1")
    pytester.makeini("[pytest]\nclaims_ledger = ledger.json\npythonpath = .\n")


def ran(pytester: pytest.Pytester, *options: str) -> tuple[str, dict]:
    done = pytester.runpytest_subprocess("-p", "no:cacheprovider", *options)
    assert done.ret == 0, done.stdout.str()
    return done.stdout.str(), json.loads(pytester.path.joinpath("reports", "claims.json").read_text())["rows"][0]


@pytest.mark.parametrize(("how", "code"), [("environment", BY_ENVIRONMENT), ("file", BY_FILE), ("patch", BY_PATCH)],
                         ids=["environment", "file", "patch"])  # fmt: skip
def test_what_nothing_follows_shows_in_the_numbers(pytester, monkeypatch, how, code):
    begin(pytester, how, code)
    ran(pytester, "--claims-update-ledger")
    said, row = ran(pytester)
    assert not [note for note in row["notes"] if note.startswith(MOVED)]
    assert "nothing known was changed" not in said
    if how == "environment":
        monkeypatch.setenv("SHIFT_OF_A_TEST", "1.3")
    elif how == "file":
        pytester.path.joinpath("shift.txt").write_text("1.3")
    else:
        pytester.makeconftest(PATCH)
    said, row = ran(pytester)
    assert row["notes"][0].startswith(f"{MOVED}effect 1.16071488 → 1.46071488. The claim may read a file")
    assert "nothing known was changed: p/c" in said
    page = pytester.path.joinpath("reports", "claims.html").read_text()
    assert "claim whose numbers changed for no known reason" in page
    ran(pytester, "--claims-update-ledger")
    said, row = ran(pytester)
    assert not [note for note in row["notes"] if note.startswith(MOVED)]


ROW = {
    "digest": "a", "design": {"digest": "b", "code": "c"}, "recipes": [{"digest": "d", "seeds": [0, 1]}], "instruments": [],
    "cached": True, "effect": 1.0, "interval": [0.5, 1.5], "n": 8,
}  # fmt: skip
EXPLAINS = [
    {"digest": "x"}, {"design": {"digest": "x", "code": "c"}}, {"recipes": [{"digest": "x", "seeds": [0, 1]}]},
    {"recipes": [{"digest": "d", "seeds": [0, 1, 2]}]}, {"design": {"digest": "b", "code": None}}, {"cached": False},
]  # fmt: skip


@pytest.mark.parametrize("change", EXPLAINS)
def test_what_is_known_to_have_changed_explains_other_numbers(change):
    assert sentence(seen(ROW, "here"), seen(ROW | {"effect": 2.0}, "here"))
    assert sentence(seen(ROW, "here"), seen(ROW | {"effect": 2.0} | change, "here")) is None
    assert sentence(seen(ROW, "here"), seen(ROW | {"effect": 2.0}, "elsewhere")) is None


@given(st.floats(2, 1e6), st.floats(-1e-3, 1e-3), st.integers(5, 99))
def test_only_the_last_digits_may_differ(effect, off, n):
    before = seen(ROW | {"effect": effect}, "here")
    assert sentence(before, seen(ROW | {"effect": effect * (1 + off)}, "here")) is None or abs(off) > 1e-9
    if abs(off) > 1e-7:
        assert sentence(before, seen(ROW | {"effect": effect * (1 + off)}, "here"))
    assert (sentence(before, seen(ROW | {"effect": effect, "n": n}, "here")) is None) == (n == 8)
    assert sentence(None, before) is None
