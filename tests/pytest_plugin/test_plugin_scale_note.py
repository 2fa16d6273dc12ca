"""The note about scales stands where a claim asks for the scale, and nowhere else."""

from __future__ import annotations

import json

import pytest

NOTE = "*note: scale reduced trains smaller models than the documents*"
CLAIM = """
import pandas as pd
from harness import Evidence, PairedDifference, Source, claim, study

HIGHER = PairedDifference("a", "o", "x", "y", "seed", margin=0.01, margin_reason="visible")

def table():
    return pd.DataFrame([(o, s, 0.1 * (o == "x") + 0.01 * s * s) for o in "xy" for s in range(6)], columns=["o", "seed", "a"])

@study
def sized(harness):
    return {"smoke": 1, "reduced": 2, "full": 3}[harness.scale]

@claim("mine/it", statement="It is.", source=Source("mine", "Mine").at("Intro", "it is"), prediction=HIGHER)
def test_it(HARNESS):
    BODY
    return Evidence(table().assign(b=range(12)).assign(a=lambda t: t["a"] + 0.001 * (t["b"] % 5)))
"""


@pytest.mark.parametrize(
    ("harness", "body", "noted", "workers"),
    [
        ("", "pass", False, ()),
        ("harness", "pass", False, ()),
        ("harness", "harness.scale", True, ()),
        ("harness", "sized(harness)", True, ("-n", "1")),
    ],
)
def test_the_note(pytester: pytest.Pytester, harness, body, noted, workers):
    pytester.makepyfile(test_it=CLAIM.replace("HARNESS", harness).replace("BODY", body))
    said = pytester.runpytest_subprocess("-p", "no:cacheprovider", *workers).stdout
    said.fnmatch_lines(["*mine/it*"])
    provenance = json.loads((pytester.path / "reports" / "claims.json").read_text(encoding="utf-8"))["provenance"]
    assert provenance.get("scaled", True) is noted
    (said.fnmatch_lines if noted else lambda lines: said.no_fnmatch_line(lines[0]))([NOTE])
