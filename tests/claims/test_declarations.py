"""The declarations of all claims: checked without training or judging anything."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from fixtures.slt.gates import BATCH_PROTOCOLS, COURSE_PROTOCOLS, PROTOCOLS
from fixtures.sources import SOURCES
from harness.claim import Claim
from harness.predict import Conjunction

ROOT = Path(__file__).parents[2]
REGISTER = json.loads((ROOT / "fixtures" / "register.json").read_text())
KINDS = {id_: kind for claims in REGISTER.values() for id_, kind in claims.items()}


def declared() -> list[Claim]:
    """The declarations of all claims, in the order of the files."""
    found = []
    for path in sorted(ROOT.glob("claims/test_*.py")):
        spec = importlib.util.spec_from_file_location(f"declared_{path.stem}", path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module
        spec.loader.exec_module(module)
        tests = [value for name, value in vars(module).items() if name.startswith("test_")]
        assert all(hasattr(test, "__claim__") for test in tests), f"{path.name} has a test that is no claim"
        found += [test.__claim__ for test in tests]
    return found


CLAIMS = declared()
DOCUMENT_DECIDES = {"slt/sample-llc-perturbation-selection"}
"""Claims after training that are about what the document's own procedure does."""


def parts(prediction: Any) -> list[Any]:
    """A prediction, or those that it is a conjunction of."""
    return list(prediction.parts) if isinstance(prediction, Conjunction) else [prediction]


def test_the_claims_are_those_of_the_register():
    assert all(isinstance(claim, Claim) for claim in CLAIMS), [claim for claim in CLAIMS if not isinstance(claim, Claim)]
    ids = [claim.id for claim in CLAIMS]
    assert len(ids) == len(set(ids))
    assert set(ids) == set(KINDS)


def test_every_claim_of_the_register_has_a_known_verdict():
    known = json.loads((ROOT / "fixtures" / "ledger.json").read_text())
    assert {claim.id for claim in CLAIMS} == set(known["reduced"])


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: getattr(claim, "id", "broken"))
class TestEveryClaim:
    def test_says_what_who_and_where(self, claim):
        assert claim.statement.endswith(".")
        assert claim.source.source is SOURCES[claim.document]
        assert claim.source.section
        assert len(claim.source.quote) > 20
        assert claim.kind == KINDS[claim.id]
        assert claim.tags

    def test_has_a_margin_with_a_reason(self, claim):
        for part in [part for prediction in (claim.prediction, *claim.companions) for part in parts(prediction)]:
            if claim.kind == "empirical":
                assert part.margin > 0
                assert len(part.margin_reason) > 20, f"{part} has no reason for its margin"
                assert 0 < part.alpha <= 0.05
            assert part.columns()
            assert str(part)

    def test_has_gates_with_reasons(self, claim):
        assert claim.gates or claim.kind != "empirical"
        assert all(gate.reason for gate in claim.gates)
        assert len({gate.name for gate in claim.gates}) == len(claim.gates)
        assert all(set(gate.protocols or ()) <= set(claim.protocols) for gate in claim.gates)

    def test_has_both_protocols_where_the_sampler_can_be_doubted(self, claim):
        """Claims on a learning coefficient; of its course through training the document's protocol decides."""
        if "llc" not in claim.tags or claim.document != "slt":
            assert claim.protocols == ()
        elif "batch size" in claim.tags:
            assert claim.protocols == BATCH_PROTOCOLS
        elif claim.id in DOCUMENT_DECIDES or {"training", "long training"} & set(claim.tags):
            assert claim.protocols == COURSE_PROTOCOLS
        else:
            assert claim.protocols == PROTOCOLS

    def test_slt_claims_have_a_scope_that_a_search_may_draw_from(self, claim):
        assert claim.scope or claim.document != "slt"

    def test_what_reads_a_learning_coefficient_says_so(self, claim):
        everything = [part for prediction in (claim.prediction, *claim.companions) for part in parts(prediction)]
        columns = " ".join(column for part in everything for column in part.columns())
        assert ("llc" in columns) <= ("llc" in claim.tags)

    def test_is_described_by_plain_json(self, claim):
        described = claim.prediction.describe()
        assert json.loads(json.dumps(described, allow_nan=False)) == described


PRINT_DIGESTS = """
import sys
sys.path[:0] = {paths!r}
from test_declarations import CLAIMS
import json
print(json.dumps({{claim.id: claim.digest() for claim in CLAIMS}}))
"""


def test_digests_do_not_depend_on_the_process():
    digests = {claim.id: claim.digest() for claim in CLAIMS}
    assert len(set(digests.values())) == len(digests)
    code = PRINT_DIGESTS.format(paths=[str(ROOT), str(ROOT / "tests" / "claims")])
    for seed in ("1", "2"):
        environment = os.environ | {"PYTHONHASHSEED": seed}
        said = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True).stdout
        assert json.loads(said) == digests


def test_declaring_claims_costs_no_torch():
    files = [str(path) for path in sorted(ROOT.glob("claims/*.py"))]
    run = f"import runpy, sys; sys.path[:0] = [{str(ROOT)!r}]; [runpy.run_path(path) for path in {files!r}]"
    code = f"{run}; print('torch' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.strip() == "False"
