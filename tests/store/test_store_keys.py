"""What makes another entry, and what does not."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest
from store_samples import DATA, STANDARD, Lengths

import harness.train
from harness.recipe import Module, digest
from harness.store import Store
from harness.store.keys import code_digest, member_key, surroundings

CODE = '''"""What it does."""
RATE = 0.1


class Thing:
    """A thing."""

    def value(self):
        """Its value."""
        # the reason
        return RATE * 2


async def nothing():
    """It does nothing."""
'''


def module(folder: Path, text: str) -> ModuleType:
    path = folder / f"sample_{abs(hash(text))}.py"
    path.write_text(text)
    spec = importlib.util.spec_from_file_location("sample", path)
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


def digest_of(folder: Path, *texts: str) -> str:
    return code_digest(tuple(module(folder, text) for text in texts))


@pytest.mark.parametrize(
    "edited",
    [
        CODE.replace("What it does.", "What it does, and why.\n\nAt length."),
        CODE.replace('"""Its value."""', '"""Another sentence."""'),
        CODE.replace('        """Its value."""\n', ""),
        CODE.replace("# the reason", "# no reason"),
        CODE.replace("RATE = 0.1\n", "RATE = (\n    0.1\n)  # so\n"),
        CODE.replace("0.1", "0.10"),
    ],
    ids=["module docstring", "docstring", "no docstring", "comment", "layout", "spelling"],
)
def test_words_do_not_change_the_code(tmp_path, edited):
    assert edited != CODE
    assert digest_of(tmp_path, edited) == digest_of(tmp_path, CODE)


@pytest.mark.parametrize(
    "edited",
    [
        CODE.replace("0.1", "0.2"),
        CODE.replace("RATE * 2", "RATE + 2"),
        CODE.replace("Thing", "Other"),
        CODE.replace("return RATE", 'print("")\n        return RATE'),
        CODE.replace('"""Its value."""', 'f"""Its {RATE}."""'),
    ],
    ids=["constant", "operator", "name", "statement", "computed text"],
)
def test_an_edit_that_can_change_a_number_changes_the_code(tmp_path, edited):
    assert digest_of(tmp_path, edited) != digest_of(tmp_path, CODE)


def test_every_module_counts(tmp_path):
    assert digest_of(tmp_path, CODE, "A = 1") != digest_of(tmp_path, CODE)
    assert digest_of(tmp_path, CODE, "A = 1") != digest_of(tmp_path, "A = 1", CODE)


def name(**changed):
    given = {"recipe": STANDARD, "seed": 3, "data_digest": "d", "parent": None, "device": "cpu"} | changed
    return digest(member_key(**given))


def test_everything_that_decides_a_member_names_it(monkeypatch):
    names = [
        name(), name(seed=4), name(data_digest="e"), name(parent="p"), name(device="cuda"),
        name(recipe=replace(STANDARD, epochs=3)), name(recipe=replace(STANDARD, data=replace(DATA, seed=1))),
    ]  # fmt: skip
    assert name() == names[0]
    for attribute, value in (("torch.__version__", "1.0"), ("torch.get_num_threads", lambda: 7)):
        with monkeypatch.context() as patch:
            patch.setattr(attribute, value)
            names.append(name())
    with monkeypatch.context() as patch:
        patch.setattr("harness.store.keys.code_digest", lambda modules: str(len(modules)))
        names.append(name())
    assert len(set(names)) == len(names) == 10


def test_a_build_of_the_same_torch_is_the_same_torch(monkeypatch):
    version = surroundings("cpu")["torch"]
    monkeypatch.setattr("torch.__version__", f"{version}+cu999")
    assert surroundings("cpu")["torch"] == version


NETWORK = """
import torch


class Net(torch.nn.Module):
    def __init__(self, inputs, classes):
        super().__init__()
        self.only = torch.nn.Linear(inputs, classes)

    def forward(self, x):
        return self.only(x.flatten(1)) * 1.0


def net(shape, classes):
    return Net(shape[0] * shape[1], classes)
"""


def test_an_edited_network_is_another_network_even_outside_of_its_builder(tmp_path, monkeypatch):
    names = []
    for number, text in enumerate((NETWORK, NETWORK.replace("1.0", "2.0"), NETWORK + "# the end\n")):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "some_network.py").write_text(text)
        with monkeypatch.context() as patch:
            patch.syspath_prepend(folder)
            recipe = replace(STANDARD, architecture=Module("some_network:net", "net"))
            recipe.program()
            names.append(name(recipe=recipe))
            del sys.modules["some_network"]
    assert names[0] == names[2] != names[1]


def test_measurements_are_named_by_member_spec_and_code(tmp_path, monkeypatch):
    store = Store(tmp_path)
    populations = store.populations([STANDARD, replace(STANDARD, epochs=1)], range(2))
    for spec in (Lengths(), Lengths(2.0)):
        store.measure(populations, spec)
    kept = [entry for entry in store.entries() if entry.kind == "table"]
    assert len(kept) == 8
    monkeypatch.setattr(Lengths, "code", classmethod(lambda cls: (harness.train,)))
    store.measure(populations, Lengths())
    assert len([entry for entry in store.entries() if entry.kind == "table"]) == 12
