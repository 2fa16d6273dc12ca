"""Recipes of every scale, and the declarations of all claims: checked without training or judging anything."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from itertools import product
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from fixtures import lazy, slt, slt_samples
from fixtures.slt_gates import PROTOCOLS
from fixtures.sources import SOURCES
from harness.claim import SCALES, Claim
from harness.data import ToyImages
from harness.measure.llc_spec import LLCSpec
from harness.recipe import MLP, Recipe

ROOT = Path(__file__).parent.parent


class Planned(Exception):  # noqa: N818 - ends a fixture before anything is trained
    """A fixture has said what it would train."""


class Planner:
    """A store that writes down what it is asked for, and trains nothing."""

    def __init__(self, *, ends: bool) -> None:
        self.ends = ends
        self.asked: list[tuple[Recipe, tuple[int, ...]]] = []

    def populations(self, recipes: list[Recipe], seeds: range, **rest: object) -> None:
        self.asked += [(recipe, tuple(seeds)) for recipe in recipes]
        if self.ends:
            raise Planned

    def population(self, recipe: Recipe, seeds: range, **rest: object) -> SimpleNamespace:
        self.asked.append((recipe, tuple(seeds)))
        return SimpleNamespace(provenance=dict, seeds=tuple(seeds))

    def measure(self, populations: list[Any], measurement: object, **rest: object) -> pd.DataFrame:
        (population,) = populations
        return pd.DataFrame({"seed": population.seeds, "accuracy": 1.0, "flipped": 1.0})


def planned(fixture: Any, scale: str, *, ends: bool = True) -> list[tuple[Recipe, tuple[int, ...]]]:
    """What a fixture would train at that scale."""
    planner = Planner(ends=ends)
    harness = SimpleNamespace(scale=scale, store=planner, llc_engine="stacked", device="cpu")
    if ends:
        with pytest.raises(Planned):
            fixture.__wrapped__(harness)
    else:
        fixture.__wrapped__(harness)
    return planner.asked


GRIDS = {"slt grid": (slt.slt_grid, True), "slt samples": (slt_samples.slt_samples, True),
         "lazy steps": (lazy.lazy_steps, False), "lazy scaling": (lazy.lazy_scaling, False)}  # fmt: skip


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("grid", GRIDS)
def test_every_scale_has_recipes_that_can_be_built(grid, scale):
    fixture, ends = GRIDS[grid]
    asked = planned(fixture, scale, ends=ends)
    recipes = [recipe for recipe, _ in asked]
    assert recipes
    assert len({recipe.key for recipe in recipes}) == len(recipes)
    assert len({seeds for _, seeds in asked}) == 1
    assert asked[0][1] == tuple(range(len(asked[0][1])))
    for recipe in recipes:
        assert recipe.name
        if grid.startswith("slt") or scale != "full":  # the widest lazy network has 13 million weights
            program = recipe.program()
            assert program.classes == recipe.data.classes
            assert program.layout.total > 0
    if grid.startswith("slt"):
        assert len({recipe.name for recipe in recipes}) == len(recipes)


def test_every_fixture_knows_every_scale():
    for sizes in (slt.GRID, slt_samples.SIZES, lazy.SIZES):
        assert tuple(sizes) == SCALES


def test_the_full_slt_grid_is_the_documents():
    """Widths 8 to 128 × depths 1 to 3, 100 epochs and 50 of finetuning, learning rate 0.01, batch 32, L∞ size 2."""
    asked = planned(slt.slt_grid, "full")
    recipes = {recipe.name: recipe for recipe, _ in asked}
    architectures = [(width,) * depth for width, depth in product((8, 16, 32, 64, 128), (1, 2, 3))]
    regimes = ("standard", "robust", "finetuned")
    assert {(recipe.architecture, recipe.regime.name) for recipe in recipes.values()} == {
        (MLP(hidden), regime) for hidden, regime in product(architectures, regimes)
    }
    for recipe in recipes.values():
        assert (recipe.optimiser.learning_rate, recipe.optimiser.momentum, recipe.batch_size) == (0.01, 0.0, 32)
        assert recipe.epochs == (50 if recipe.regime.name == "finetuned" else 100)
        assert recipe.data == ToyImages(train=3072, test=256, amplitude=6.0, noise=1.0)
        if recipe.regime.threat is not None:
            assert (recipe.regime.threat.norm, recipe.regime.threat.epsilon) == ("linf", 2.0)
    for hidden in architectures:
        standard, robust, finetuned = (recipes[f"{MLP(hidden).name} {regime}"] for regime in regimes)
        assert finetuned.parent == standard
        assert robust.parent is standard.parent is None
        assert [r.regime.adversarial_share for r in (standard, robust, finetuned)] == [0.0, 0.5, 1.0]


def test_the_full_sample_study_is_the_documents():
    """Three hidden layers of 16, 32 samples, 10 epochs."""
    asked = planned(slt_samples.slt_samples, "full")
    assert slt_samples.SIZES["full"].samples == 32
    assert [recipe.regime.name for recipe, _ in asked] == ["standard", "robust"]
    for recipe, _ in asked:
        assert recipe.architecture == MLP((16, 16, 16))
        assert recipe.epochs == 10
        assert set(recipe.kept) >= set(range(1, 11))
        assert (recipe.optimiser.learning_rate, recipe.batch_size) == (0.01, 32)


@pytest.mark.parametrize("scale", SCALES)
def test_lazy_networks_stay_in_their_ball_and_random_points_lie_on_it(scale):
    asked = planned(lazy.lazy_steps, scale, ends=False)
    sizes = lazy.SIZES[scale]
    cells = set(product(sizes.widths, sizes.deviations, (sizes.epochs, 0)))
    found = set()
    for recipe, _ in asked:
        width = recipe.architecture.arguments["width"]
        found.add((width, round(recipe.optimiser.row_radius * width**0.5, 6), recipe.epochs))
        assert recipe.data.classes == 2
    assert found == cells
    scaling = planned(lazy.lazy_scaling, scale, ends=False)
    assert [recipe.data.side for recipe, _ in scaling] == list(sizes.sides)
    assert len({recipe.architecture.arguments["width"] for recipe, _ in scaling}) == 1


@pytest.mark.parametrize("scale", ["reduced", "full"])
def test_scales_that_decide_have_enough_members(scale):
    for grid, (fixture, ends) in GRIDS.items():
        _, seeds = planned(fixture, scale, ends=ends)[0]
        assert len(seeds) >= 8, grid
        assert not set(seeds) & set(range(1000, 1008)), "pilot members chose the settings and may not decide"


def test_samplers_of_every_scale_are_specs():
    for sizes in [*slt.GRID.values(), *slt_samples.SIZES.values()]:
        specs = [value for value in vars(sizes).values() if isinstance(value, LLCSpec)]
        assert specs
        assert all(spec.batch_size is None for spec in specs), "the sound protocol samples on the full batch"


# --- claims -----------------------------------------------------------------------------------------------------------

IDS = {
    "dynamics/data-well-separated", "dynamics/distance-classifier", "lazy/perturbation-scales", "lazy/single-step-flips",
    "slt/finetuned-llc-lowest", "slt/hidden-no-correlation", "slt/input-output-correlation", "slt/robust-llc-below-standard",
    "slt/sample-llc-perturbation-negative",
}  # fmt: skip
KINDS = {"dynamics/data-well-separated": "data", "dynamics/distance-classifier": "theorem"}


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


def parts(prediction: Any) -> list[Any]:
    """A prediction, or those that it is a conjunction of."""
    return list(getattr(prediction, "parts", None) or [prediction])


def test_the_claims_are_those_of_the_register():
    assert all(isinstance(claim, Claim) for claim in CLAIMS), [claim for claim in CLAIMS if not isinstance(claim, Claim)]
    assert sorted(claim.id for claim in CLAIMS) == sorted(IDS)


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: getattr(claim, "id", "broken"))
class TestEveryClaim:
    def test_says_what_who_and_where(self, claim):
        assert claim.statement.endswith(".")
        assert claim.source.source is SOURCES[claim.document]
        assert claim.source.section
        assert len(claim.source.quote) > 20
        assert claim.kind == KINDS.get(claim.id, "empirical")
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

    def test_has_two_protocols_where_the_sampler_can_be_doubted(self, claim):
        assert claim.protocols == (PROTOCOLS if claim.document == "slt" else ())

    def test_is_described_by_plain_json(self, claim):
        described = claim.prediction.describe()
        assert json.loads(json.dumps(described, allow_nan=False)) == described


PRINT_DIGESTS = """
import sys
sys.path[:0] = {paths!r}
from test_fixtures import CLAIMS
import json
print(json.dumps({{claim.id: claim.digest() for claim in CLAIMS}}))
"""


def test_digests_do_not_depend_on_the_process():
    digests = {claim.id: claim.digest() for claim in CLAIMS}
    assert len(set(digests.values())) == len(digests)
    code = PRINT_DIGESTS.format(paths=[str(ROOT), str(ROOT / "tests")])
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
