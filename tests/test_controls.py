"""Controls of the whole chain: evidence that must come out invalid, through the real claim, gates and judge."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from claims.test_slt_regimes import test_robust_llc_below_standard as body
from fixtures.slt.grid import grid_table
from fixtures.slt.open import EPSILON, THRESHOLDS
from harness.claim import Claim
from harness.data import ToyImages
from harness.evidence import Evidence
from harness.judge import Outcome, Verdict, judge
from harness.measure.attack.robustness import Robustness
from harness.measure.llc.estimate import LLC, LLCSpec, document_spec
from harness.recipe import MLP, Recipe, Threat
from harness.store import Store

CLAIM: Claim = body.__claim__
SOUND = LLCSpec(localization=10.0, sampler="sgld", step_size=1e-3, chains=2, burn_in=20, draws=20)


def verdict(folder: Path, *, epochs: int = 15, spec: LLCSpec = SOUND) -> Verdict:
    """The claim's verdict on eight small pairs of networks, trained and measured for real."""
    store = Store(folder)
    base = Recipe(ToyImages(train=384), MLP((8,)), epochs=epochs, batch_size=16)
    populations = store.populations([base, base.robust(Threat(epsilon=EPSILON))], range(8))
    robustness = store.measure(populations, Robustness(thresholds=THRESHOLDS))
    tables: dict[str, pd.DataFrame] = {
        protocol: grid_table(store.measure(populations, LLC(each, points=128)), robustness)
        for protocol, each in {"sound": spec, "document": document_spec(32)}.items()
    }
    return judge(CLAIM, Evidence(tables))


def failed(found: Verdict) -> set[str]:
    return {gate.name for gate in found.gates if not gate.passed}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("store")


def test_a_diverging_sampler_makes_the_claim_invalid_and_only_under_its_protocol(folder: Path) -> None:
    found = verdict(folder, spec=LLCSpec(localization=10.0, sampler="sgld", step_size=1e6, chains=2, burn_in=20, draws=20))
    assert found.outcome is Outcome.INVALID
    assert "chains stay finite" in failed(found)
    assert "chains stay finite" not in failed(found.protocols["document"])


def test_steps_that_are_too_large_make_the_claim_invalid(folder: Path) -> None:
    found = verdict(folder, spec=LLCSpec(localization=10.0, sampler="sgld", step_size=0.05, chains=2, burn_in=20, draws=20))
    assert found.outcome is Outcome.INVALID
    assert "chains move" in failed(found)


def test_untrained_models_make_the_claim_invalid(folder: Path) -> None:
    found = verdict(folder, epochs=0)
    assert found.outcome is Outcome.INVALID
    assert {"models are competent", "adversarial training lowered the attack success rate at 2"} <= failed(found)


def test_the_same_models_pass_those_gates_when_trained_and_sampled_well(folder: Path) -> None:
    found = verdict(folder, spec=LLCSpec(localization=10.0))
    assert failed(found) <= {"the sampler has converged at its γ"}  # eight small networks: its own chance error
