"""The preregistration of all claims: it is whole, and what has changed since stands in the ledger, with date and reason."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_declarations import CLAIMS

from harness.fixed import declared, differences
from harness.pytest_plugin.ledger import Ledger
from harness.pytest_plugin.registration import of_scale

ROOT = Path(__file__).parents[2]
LEDGER = Ledger.read(ROOT / "fixtures" / "ledger.json")


@pytest.fixture(scope="module")
def kept(pytestconfig: pytest.Config):
    """What this project's runs are compared with."""
    found = of_scale([ROOT / name for name in pytestconfig.getini("claims_preregistrations")], "reduced")
    assert found is not None
    return found


def test_it_has_all_claims_and_says_what_had_been_seen(kept):
    assert set(kept.claims) == {claim.id for claim in CLAIMS}
    assert "after earlier runs" in kept.note


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.id)
def test_what_has_changed_since_stands_in_the_ledger(kept, claim):
    """A run compares the design of every claim with the ledger's; here the ledger's is compared with the registered one."""
    entry = LEDGER.entry("reduced", claim.id)
    assert entry is not None
    now = {"digest": claim.digest(), "declared": declared(claim), "design": entry.design}
    assert not differences(entry.state, now), "update the ledger, with a reason"
    if found := differences(kept.claims[claim.id], now):
        since = [change for change in entry.history if change["date"] >= kept.date and change["because"]]
        assert since, f"{claim.id} differs from what was registered on {kept.date} ({', '.join(found)}), and nothing says why"
