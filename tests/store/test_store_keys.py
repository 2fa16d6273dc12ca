"""What makes another entry, and what does not."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from store_samples import DATA, STANDARD, TUNED, Lengths, State, measured, state

from harness.code import CodeError
from harness.code.loaded import SOURCES
from harness.device import standard_numerics
from harness.population import Population
from harness.recipe import SGD, Module, RecipeError, digest
from harness.spec import describe
from harness.store import Store
from harness.store.names import member_key, surroundings
from harness.training.train import train


def name(**changed: Any) -> str:
    given = {"recipe": STANDARD, "seed": 3, "data_digest": "d", "parent": None, "device": "cpu"} | changed
    return digest(member_key(**given))


def test_everything_that_decides_a_member_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    names = [
        name(), name(seed=4), name(data_digest="e"), name(parent="p"), name(device="cuda"),
        name(recipe=replace(STANDARD, epochs=3)), name(recipe=replace(STANDARD, data=replace(DATA, seed=1))),
    ]  # fmt: skip
    assert name() == names[0]
    for attribute, value in (("torch.__version__", "1.0"), ("torch.get_num_threads", lambda: 7)):
        with monkeypatch.context() as patch:
            patch.setattr(attribute, value)
            names.append(name())
    assert len(set(names)) == len(names) == 9


def test_a_build_of_the_same_torch_is_the_same_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    version = surroundings("cpu")["torch"]
    monkeypatch.setattr("torch.__version__", f"{version}+cu999")
    assert surroundings("cpu")["torch"] == version


NETWORK = """
import torch
from {0}_layers import SCALE


class Net(torch.nn.Module):
    def __init__(self, inputs, classes):
        super().__init__()
        self.only = torch.nn.Linear(inputs, classes)

    def forward(self, x):
        return self.only(x.flatten(1)) * SCALE


def net(shape, classes):
    return Net(shape[0] * shape[1], classes)
"""
MEASURE = """
from dataclasses import dataclass
import pandas as pd
from harness.measure.base import Measurement
from {0}_layers import SCALE

@dataclass(frozen=True)
class Scaled(Measurement):
    name = "scaled"

    def run(self, population, data, device):
        lengths = population.final.norm(dim=1).double().tolist()
        return pd.DataFrame({{"seed": population.seeds, "epoch": 0, "value": [SCALE * each for each in lengths]}})
"""


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with a user's network, measurement, and a constant that both use."""
    folder = tmp_path / "users"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    (folder / "mine_layers.py").write_text("SCALE = 1.0\n")
    (folder / "mine_net.py").write_text(NETWORK.format("mine"))
    (folder / "mine_measure.py").write_text(MEASURE.format("mine"))
    importlib.invalidate_caches()
    yield folder
    for module in ("mine_layers", "mine_net", "mine_measure"):
        sys.modules.pop(module, None)


def again(*names: str) -> None:
    for each in names:
        importlib.reload(sys.modules[each])


def test_an_edited_network_is_another_network_even_outside_of_its_builder(modules: Path) -> None:
    recipe = replace(STANDARD, architecture=Module("mine_net:net", "net"))
    recipe.program()
    names = [name(recipe=recipe)]
    for text in ("SCALE = 1.0  # as before\n", "SCALE = 2.0\n"):
        (modules / "mine_layers.py").write_text(text)
        again("mine_layers", "mine_net")
        names.append(name(recipe=recipe))
    assert names[0] == names[1] != names[2]


def test_a_network_that_was_imported_again_is_run_as_it_is_now(modules: Path, store: Store) -> None:
    recipe = replace(STANDARD, architecture=Module("mine_net:net", "net"), optimiser=SGD(0.01))
    read, one = store.population(recipe, [0]), store.population(recipe, [0])
    before = read.final[0]
    first = read.program.module(before)(torch.ones(1, 3, 3))
    text = (modules / "mine_net.py").read_text()
    (modules / "mine_net.py").write_text(text.replace("* SCALE", "* SCALE * -1"))
    again("mine_net")
    two = store.population(recipe, [0])
    assert store.made == 2
    x = torch.ones(1, 3, 3)
    torch.testing.assert_close(two.program.module(before)(x), -first)
    with pytest.raises(CodeError, match="run it again"):
        one.final  # noqa: B018 - asked for before the edit, never read, and other weights now


def test_streams_do_not_depend_on_code(modules: Path) -> None:
    """An edit that changes no number leaves the initialisation what it was."""
    recipe = replace(STANDARD, architecture=Module("mine_net:net", "net"), epochs=0)
    before = train(recipe, DATA.load(), [0])[0]
    (modules / "mine_net.py").write_text((modules / "mine_net.py").read_text() + "\n\ndef unused():\n    return 1\n")
    again("mine_net")
    torch.testing.assert_close(train(recipe, DATA.load(), [0])[0], before, rtol=0, atol=0)


def tables(store: Store) -> int:
    return len([entry for entry in store.entries() if entry.kind == "table"])


def test_measurements_are_named_by_member_spec_and_code(store: Store, modules: Path) -> None:
    populations = store.populations([STANDARD, replace(STANDARD, epochs=1)], range(2))
    for spec in (Lengths(), Lengths(2.0)):
        store.measure(populations, spec)
    assert tables(store) == 8
    before = store.measure(populations, importlib.import_module("mine_measure").Scaled())
    assert tables(store) == 12
    (modules / "mine_layers.py").write_text("SCALE = 3.0\n")
    again("mine_layers", "mine_measure")
    after = store.measure(populations, importlib.import_module("mine_measure").Scaled())
    assert tables(store) == 16
    np.testing.assert_allclose(after["value"], 3 * before["value"])


def test_a_measurement_edited_while_it_waits_is_stored_under_the_code_that_ran(store: Store, modules: Path) -> None:
    """A first run that imported the old code, and a second one that starts after the edit."""
    population = store.population(STANDARD, range(2))
    Scaled = importlib.import_module("mine_measure").Scaled  # noqa: N806
    text = (modules / "mine_measure.py").read_text()
    (modules / "mine_measure.py").write_text(text.replace("SCALE * each", "-SCALE * each"))
    first = store.measure([population], Scaled())
    assert (first["value"] > 0).all()
    again("mine_measure")
    second = store.measure([population], importlib.import_module("mine_measure").Scaled())
    assert (second["value"] < 0).all()


def test_code_that_changes_during_the_work_is_an_error_and_stores_nothing(
    store: Store, modules: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    population = store.population(STANDARD, range(2))
    module = importlib.import_module("mine_measure")
    run = module.Scaled.run

    def meanwhile(self: Any, *rest: Any) -> pd.DataFrame:
        (modules / "mine_layers.py").write_text("SCALE = 7.0\n")
        again("mine_layers")
        return run(self, *rest)

    meanwhile.__module__ = "elsewhere"  # not one of the class's own functions
    monkeypatch.setattr(module.Scaled, "run", meanwhile)
    with pytest.raises(CodeError, match="imported again"):
        store.measure([population], module.Scaled())
    assert tables(store) == 0


def test_specs_of_one_name_from_two_modules_are_two(modules: Path) -> None:
    source = MEASURE.format("mine")
    (modules / "mine_net.py").write_text(source)
    one = importlib.import_module("mine_measure").Scaled()
    other = importlib.import_module("mine_net").Scaled()
    assert digest(one) != digest(other)


def test_what_a_spec_may_hold() -> None:
    assert digest({"a": np.ones(2)}) != digest({"a": np.zeros(2)})
    assert digest({"a": torch.ones(2)}) == digest({"a": np.ones(2, np.float32)})
    assert digest({"b", "a"}) == digest({"a", "b"}) != digest(["b"])
    assert describe(describe) == "harness.spec:describe"
    with pytest.raises(RecipeError, match="a lambda has no name"):
        digest({"f": lambda x: x})
    with pytest.raises(RecipeError, match="cannot be told from others by what it is"):
        digest({"f": object()})


# --- networks that no store has trained ---------------------------------------------------------------------------


def by_hand(population: Population, factor: float) -> Population:
    return Population(population.recipe, population.seeds, {e: factor * theta for e, theta in population.parameters.items()})


def test_a_population_made_by_hand_is_named_by_its_weights(store: Store) -> None:
    trained = store.population(STANDARD, range(2))
    of_store = store.measure([trained], Lengths())
    twice = store.measure([by_hand(trained, 2.0)], Lengths())
    np.testing.assert_allclose(twice["length"], 2 * of_store["length"], rtol=1e-6)
    calls = len(measured)
    pd.testing.assert_frame_equal(store.measure([by_hand(trained, 2.0)], Lengths()), twice)
    assert len(measured) == calls


@pytest.mark.parametrize("look", ["whole", "selected"])
def test_a_population_of_the_store_that_somebody_wrote_into_is_another(store: Store, look: str) -> None:
    trained = store.population(STANDARD, range(2))
    before = store.measure([trained], Lengths())
    trained.final.mul_(3.0)
    population = trained if look == "whole" else trained.select((1, 0))
    after = store.measure([population], Lengths()).sort_values(["seed", "half"], ignore_index=True)
    np.testing.assert_allclose(after["length"], 3 * before["length"], rtol=1e-6)
    pd.testing.assert_frame_equal(store.measure([store.population(STANDARD, range(2))], Lengths()), before)


def test_a_population_of_another_store_keeps_its_names(store: Store, tmp_path: Path) -> None:
    trained = store.population(TUNED, range(2))
    other = Store(tmp_path / "other")
    pd.testing.assert_frame_equal(other.measure([trained], Lengths()), store.measure([trained], Lengths()))


def test_a_population_is_read_in_inference_mode_as_in_any_other(store: Store) -> None:
    with torch.inference_mode():
        inside = store.population(STANDARD, range(2))
        store.measure([inside], Lengths())
        assert inside.final.shape[0] == 2
    assert torch.equal(inside.final, store.population(STANDARD, range(2)).final)


# --- the state of torch -------------------------------------------------------------------------------------------


def left_on(name: str) -> None:
    backends: Any = torch.backends
    {
        "float64": lambda: torch.set_default_dtype(torch.float64),
        "device": lambda: torch.set_default_device("meta"),
        "precision": lambda: torch.set_float32_matmul_precision("medium"),
        "precision of a library": lambda: setattr(backends.mkldnn.matmul, "fp32_precision", "bf16"),
        "deterministic": lambda: torch.use_deterministic_algorithms(True),
        "denormals": lambda: torch.set_flush_denormal(True),
        "no mkldnn": lambda: setattr(backends.mkldnn, "enabled", False),
        "no gradients": lambda: torch.set_grad_enabled(False),
    }[name]()


@pytest.fixture
def as_before() -> Iterator[None]:
    yield
    backends: Any = torch.backends
    torch.set_default_dtype(torch.float32)
    torch.set_default_device(None)
    torch.set_float32_matmul_precision("highest")
    backends.mkldnn.matmul.fp32_precision = "none"
    torch.use_deterministic_algorithms(False)
    torch.set_flush_denormal(False)
    backends.mkldnn.enabled = True
    torch.set_grad_enabled(True)


@pytest.mark.usefixtures("as_before")
@pytest.mark.parametrize("setting", ["float64", "device", "precision", "precision of a library", "deterministic", "denormals",
                                     "no mkldnn", "no gradients"])  # fmt: skip
def test_what_somebody_left_on_changes_no_number_and_stays(tmp_path: Path, setting: str) -> None:
    before = state()
    usual = Store(tmp_path / "usual")
    expected = usual.population(STANDARD, [0]).final.clone()
    told = usual.measure([usual.population(STANDARD, [0])], State())["state"][0]
    left_on(setting)
    left = state()
    assert left != before
    store = Store(tmp_path / "left")
    found = store.population(STANDARD, [0]).final
    assert found.dtype == torch.float32
    assert bool((found == expected).all()) if setting != "device" else found.device.type in ("cpu", "meta")
    assert store.measure([store.population(STANDARD, [0])], State())["state"][0] == told
    assert state() == left
    assert sorted(path.name for path in store.folder.glob("members/*/*")) == sorted(
        path.name for path in usual.folder.glob("members/*/*")
    )


def test_modes_are_left_and_entered_again() -> None:
    with torch.inference_mode(), torch.autocast("cpu"):
        inside = state()
        with standard_numerics("cpu"):
            assert not torch.is_inference_mode_enabled()
            assert not torch.is_autocast_enabled("cpu")
            assert torch.is_grad_enabled()
        assert state() == inside


# --- members that diverge ------------------------------------------------------------------------------------------


def test_members_beside_one_that_diverges_are_stored(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    import harness.training.train

    made = harness.training.train.initial

    def one_broken(recipe: Any, seeds: Any) -> torch.Tensor:
        theta = made(recipe, seeds)
        theta[[seed == 1 for seed in seeds]] = float("nan")
        return theta

    monkeypatch.setattr("harness.training.train.initial", one_broken)
    with pytest.raises(RuntimeError, match=r"diverged for seeds \[1\]"):
        store.population(STANDARD, range(3))
    assert sorted(entry.name for entry in store.entries()) == ["recipe 1x4 standard, seed 0", "recipe 1x4 standard, seed 2"]
    trained: list[Any] = []
    whole = harness.training.train.train
    monkeypatch.setattr(
        "harness.training.train.train", lambda r, d, seeds, **rest: trained.append(seeds) or whole(r, d, seeds, **rest)
    )
    with pytest.raises(RuntimeError, match=r"diverged for seeds \[1\]"):
        store.population(STANDARD, range(3))
    assert trained == [(1,)]


def test_generations_are_counted_when_code_moves(modules: Path) -> None:
    importlib.import_module("mine_layers")
    before = SOURCES.generation
    again("mine_layers")
    assert SOURCES.generation == before
    (modules / "mine_layers.py").write_text("SCALE = 9.0\n")
    again("mine_layers")
    assert SOURCES.generation == before + 1
