"""Which entries of the store an edit makes void, over the whole tree of the harness.

Three looks that know nothing of each other: what each kind of entry is called when one module is edited; which modules'
functions really run while such an entry is made; and which modules an import of its module reaches by the plainest reading of
the sources.
"""

from __future__ import annotations

import importlib
import os
import pkgutil
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from test_floors import imports, name_of

import harness
import harness.measure
import harness.training.train
from harness.code import closure
from harness.code.loaded import SOURCES
from harness.data import ToyImages
from harness.measure.activations import ActivationNorms
from harness.measure.attack.accuracy_curve import Curve
from harness.measure.attack.autoattack import AutoAttack
from harness.measure.attack.robustness import Robustness
from harness.measure.base import Measurement
from harness.measure.gaps import Accuracy, Gaps
from harness.measure.grouped import Grouped
from harness.measure.llc.estimate import LLC, LLCSpec
from harness.measure.llc.sample import SampleLLC
from harness.measure.margins import Margins
from harness.measure.residuals import Residuals
from harness.measure.smoothness import ChangeUnderAttack, GradientNorms
from harness.measure.spectra import OperatorBound, SingularValues
from harness.measure.training_points import TrainingPoints
from harness.measure.views import View, Viewed
from harness.recipe import MLP, SGD, Module, Recipe, Threat
from harness.spec import definitions
from harness.store.names import member_key, table_key

ROOT = Path(harness.__file__).parents[1]
TREE = {name_of(path): str(path) for path in sorted((ROOT / "harness").rglob("*.py"))}
IMAGES = ToyImages(train=48, test=24, amplitude=3.0)
PLAIN = Recipe(IMAGES, MLP((6,)), optimiser=SGD(0.1), epochs=1, batch_size=16, checkpoints=(0,))
NETWORKS = {
    "standard": PLAIN,
    "robust": PLAIN.robust(Threat(epsilon=0.5, steps=2)),
    "patches": replace(PLAIN, architecture=Module(
        "harness.networks.convolution:patch_network", "patches", {"channels": [4], "sizes": [3]})),
}  # fmt: skip
SHORT = LLCSpec(chains=2, burn_in=4, draws=4)
MEASUREMENTS: dict[str, Measurement] = {
    "accuracy": Accuracy(), "gaps": Gaps(), "gradients": GradientNorms(), "singular values": SingularValues(),
    "activations": ActivationNorms(), "margins": Margins(), "operator bound": OperatorBound(), "llc": LLC(SHORT, points=32),
    "robustness": Robustness(), "change": ChangeUnderAttack(threat=Threat(epsilon=0.5, steps=2)),
}  # fmt: skip
"""Measurements that a fully connected network on images takes; the others are named, and not run here."""
OTHERS = (AutoAttack, Curve, Residuals, SampleLLC, Viewed)
VIEWS = (Grouped, TrainingPoints)


def roots() -> dict[str, tuple[Any, ...]]:
    """What each kind of entry is named after, beside the values in its spec."""
    found: dict[str, tuple[Any, ...]] = {
        f"network {name}": (harness.training.train, *definitions(recipe)) for name, recipe in NETWORKS.items()
    }
    found |= {f"table {name}": tuple(definitions(measurement)) for name, measurement in MEASUREMENTS.items()}
    return found | {f"table {kind.__name__}": (kind,) for kind in (*OTHERS, *VIEWS)}


def held() -> dict[str, set[str]]:
    return {kind: set(closure(each).own) for kind, each in roots().items()}


def names() -> dict[str, Any]:
    """What each kind of entry is called; those whose spec is not made here, by their code."""
    found: dict[str, Any] = {f"network {name}": member_key(recipe, 0, "data", None, "cpu") for name, recipe in NETWORKS.items()}
    found |= {f"table {name}": table_key("member", measurement, "cpu") for name, measurement in MEASUREMENTS.items()}
    return found | {f"table {kind.__name__}": closure([kind]).digest for kind in (*OTHERS, *VIEWS)}


def test_every_measurement_is_looked_at() -> None:
    for module in pkgutil.walk_packages(harness.measure.__path__, "harness.measure."):
        importlib.import_module(module.name)
    looked_at = {type(measurement) for measurement in MEASUREMENTS.values()} | set(OTHERS)

    def below(kind: type) -> set[type]:
        return {kind}.union(*(below(each) for each in kind.__subclasses__()))

    ours = {kind for kind in below(Measurement) if kind.__module__.startswith("harness.")}
    assert ours - {Measurement} == looked_at
    assert {kind for kind in below(View) if kind.__module__.startswith("harness.")} - {View} == set(VIEWS)


def test_an_edit_renames_exactly_what_it_is_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    before, holding = names(), held()
    touched = 0
    for module, file in TREE.items():
        with monkeypatch.context() as patch:
            patch.setitem(SOURCES._held, file, SOURCES.of(file) + b"\nEDITED = 1\n")
            patch.setattr(SOURCES, "generation", SOURCES.generation + 1 + touched)
            after = names()
        touched += 1
        assert {kind for kind in after if after[kind] != before[kind]} == {kind for kind in holding if module in holding[kind]}
    assert touched == len(TREE) > 100
    SOURCES.generation += touched + 1


def test_some_edits_change_nothing_and_some_a_lot() -> None:
    holding = held()
    behind = {module: {kind for kind in holding if module in holding[kind]} for module in TREE}
    assert behind["harness.networks.layout"] == set(holding)
    assert behind["harness.training.train"] == {kind for kind in holding if kind.startswith("network")}
    assert behind["harness.measure.spectra"] >= {"table operator bound"}
    assert behind["harness.networks.convolution"] == {"network patches"}
    for module, kinds in behind.items():
        if module == "harness.stats.convergence":  # says when there are draws enough
            assert kinds == {"table SampleLLC", "table llc"}
        elif module.startswith(
            ("harness.report", "harness.pytest_plugin", "harness.judge", "harness.predict", "harness.stats")
        ):
            assert not kinds, module
    assert {tuple(sorted(closure(each).libraries)) for each in roots().values()} <= {
        ("torch",), ("numpy", "torch"), ("numpy", "scipy", "torch"), ("devinterp", "numpy", "scipy", "torch"),
    }  # fmt: skip


def ran(work: Callable[[], object]) -> set[str]:
    """Modules of the harness whose functions run while some work is done."""
    seen: set[str] = set()
    by_file = {file: module for module, file in TREE.items()}

    def note(frame: Any, event: str, argument: object) -> None:
        if event == "call":
            seen.add(frame.f_code.co_filename)

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(before)
    return {by_file[file] for file in map(os.path.abspath, seen) if file in by_file}


NOT_BEHIND = re.compile(r"harness\.code|harness\.device|harness\.networks\.memory|harness\.population")
"""What runs everywhere and decides no number: naming, memory, where it runs."""


@pytest.mark.parametrize("name", NETWORKS)
def test_what_trains_a_network_is_in_its_name(name: str) -> None:
    recipe = NETWORKS[name]
    work = ran(lambda: harness.training.train.train(recipe, recipe.data.load(), [0, 1]))
    missed = work - held()[f"network {name}"]
    assert {"harness.training.train", "harness.training.descent"} <= work
    assert not {module for module in missed if not NOT_BEHIND.match(module)}


@dataclass(frozen=True)
class Trained:
    """Two members, for measurements to look at."""

    population: Any
    data: Any


@pytest.fixture(scope="module")
def trained() -> Trained:
    from harness.population import Population

    data = IMAGES.load()
    return Trained(Population(PLAIN, (0, 1), harness.training.train.train(PLAIN, data, (0, 1))), data)


@pytest.mark.parametrize("name", MEASUREMENTS)
def test_what_measures_a_network_is_in_the_names_of_network_and_table(name: str, trained: Trained) -> None:
    """The table's name holds the network's, so that what trained it need not be in the measurement's own."""
    work = ran(lambda: MEASUREMENTS[name].run(trained.population, trained.data, "cpu"))
    missed = work - held()[f"table {name}"] - held()["network standard"]
    assert type(MEASUREMENTS[name]).__module__ in work
    assert not {module for module in missed if not NOT_BEHIND.match(module)}


def reached(module: str) -> set[str]:
    """All modules of the harness that imports lead to from one, however far, every name of a package counted as all of it."""
    found, left = set(), [module]
    while left:
        name = left.pop()
        while name and name not in TREE:
            name = name.rpartition(".")[0]
        if name and name not in found:
            found.add(name)
            left += [each for each in imports(Path(TREE[name])) if each.startswith("harness")]
    return found


def test_no_name_holds_what_no_import_leads_to() -> None:
    for kind, modules in held().items():
        allowed = set().union(*(
            reached(root.__name__ if isinstance(root, ModuleType) else root.__module__)
            for root in roots()[kind]
        ))  # fmt: skip
        assert modules <= allowed, kind


PROBE = """
import sys
sys.path.insert(0, sys.argv[1])
import torch
torch.set_num_threads(1)
import harness
assert harness.__file__.startswith(sys.argv[1])
from harness.data import ToyImages
from harness.measure.attack.robustness import Robustness
from harness.recipe import MLP, Recipe
from harness.store.names import member_key, table_key
from harness.spec import digest
recipe = Recipe(ToyImages(train=48, test=24), MLP((6,)))
print(digest(member_key(recipe, 0, "d", None, "cpu")), digest(table_key("m", Robustness(), "cpu")))
"""


def test_a_factor_in_a_matrix_product_and_a_sign_in_a_walk_are_seen(tmp_path: Path) -> None:
    """The two edits that once changed every number of a fresh store, and no name."""

    def called(edit: tuple[str, str, str] | None) -> list[str]:
        folder = tmp_path / (edit[0].replace("/", "-") if edit else "as it is")
        shutil.copytree(ROOT / "harness", folder / "harness", ignore=shutil.ignore_patterns("__pycache__"))
        if edit:
            path = folder / edit[0]
            assert edit[1] in path.read_text()
            path.write_text(path.read_text().replace(edit[1], edit[2]))
        asked = [sys.executable, "-c", PROBE, str(folder)]
        done = subprocess.run(asked, capture_output=True, text=True, check=True, cwd=tmp_path)
        return done.stdout.split()

    member, table = called(None)
    other_member, other_table = called(("harness/networks/layout.py", "torch.bmm(left, right)", "2 * torch.bmm(left, right)"))
    assert member != other_member
    assert table != other_table
    same_member, third_table = called(("harness/measure/base.py", ".movedim(0, -1)", ".movedim(0, -1).neg()"))
    assert same_member == member
    assert third_table not in (table, other_table)
