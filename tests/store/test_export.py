"""A population as files for plain PyTorch: the five lines of the documentation run without this library."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from store_samples import DATA, ROBUST, STANDARD

import harness
from harness import cli
from harness.measure.gaps import Accuracy
from harness.recipe import Module, Recipe
from harness.store import Store, StoreError

DOCUMENT = Path(__file__).parents[2] / "docs" / "store.md"


def lines_of_the_documentation() -> str:
    """The block of docs/store.md that loads an export."""
    blocks = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    (found,) = [block for block in blocks if "load_state_dict" in block and "Linear" in block]
    return found


def test_five_lines_of_plain_pytorch_load_a_member(store, tmp_path):
    recipe = replace(STANDARD, architecture=harness.MLP((5, 4)))
    population = store.population(recipe, range(2))
    harness.export(population, tmp_path / "export" / "standard")
    code = lines_of_the_documentation()
    statements = [line for line in code.splitlines() if line.strip() and not line.startswith("import")]
    assert len(statements) == 5
    inputs = DATA.load().test_x
    np.save(tmp_path / "inputs.npy", inputs)
    alone = (
        "import sys; sys.modules['harness'] = None\n" + code + "\nimport numpy\n"
        "outputs = network(torch.from_numpy(numpy.load('inputs.npy')))\nnumpy.save('outputs.npy', outputs.detach().numpy())"
    )
    subprocess.run([sys.executable, "-c", alone], cwd=tmp_path, check=True)
    program = population.program
    expected = program.module(population.final[0])(torch.from_numpy(inputs)).detach().numpy()
    np.testing.assert_array_equal(np.load(tmp_path / "outputs.npy"), expected)


def test_the_card_says_what_they_are(store, tmp_path):
    population = store.populations(harness.Design({"standard": STANDARD, "robust": ROBUST}, "training"), range(2))[1]
    card = json.loads(harness.export(population, tmp_path / "robust").read_text(encoding="utf-8"))
    table = Accuracy().run(population, DATA.load(), "cpu").set_index("seed")["accuracy"]
    assert (card["name"], card["key"], card["seeds"], card["epochs"]) == ("1x4 robust", ROBUST.key, [0, 1], [2])
    assert card["recipe"] == json.loads(json.dumps(ROBUST.describe()))
    assert card["factors"] == {"training": "robust"}
    assert card["data"]["sha256"] == DATA.load().digest
    assert card["data"]["licence"] == "none needed, since the points are generated"
    assert card["network"]["sizes"] == [9, 4, 3]
    assert card["versions"]["torch"] == torch.__version__
    assert [member["seed"] for member in card["members"]] == [0, 1]
    for member in card["members"]:
        content = (tmp_path / "robust" / member["file"]).read_bytes()
        assert member["sha256"] == hashlib.sha256(content).hexdigest()
        assert member["accuracy"] == pytest.approx(table[member["seed"]], abs=0)
        assert member["entry"] == store.member_path(ROBUST, member["seed"]).stem


def test_every_kept_epoch_is_written_where_it_is_asked_for(store, tmp_path):
    recipe = replace(STANDARD, checkpoints=(0, 1))
    population = store.population(recipe, [3])
    harness.export(population, tmp_path / "all", epochs="all")
    names = ["card.json", "seed-3-epoch-0.safetensors", "seed-3-epoch-1.safetensors", "seed-3.safetensors"]
    assert sorted(path.name for path in (tmp_path / "all").iterdir()) == names
    first = load_file(tmp_path / "all" / names[1])
    in_order = [first[name].flatten() for name in ("1.weight", "1.bias", "3.weight", "3.bias")]
    assert torch.equal(torch.cat(in_order), population.parameters[0][0])
    with pytest.raises(ValueError, match="epochs is 'last'; give 'final' or 'all'"):
        harness.export(population, tmp_path / "last", epochs="last")  # type: ignore[arg-type]


def tied(shape: tuple[int, ...], classes: int) -> torch.nn.Module:
    """A module of one's own with a buffer, BatchNorm's counter and two names for one weight."""

    class Tied(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = torch.nn.Linear(9, 9)
            self.norm = torch.nn.BatchNorm1d(9)
            self.second = torch.nn.Linear(9, 9)
            self.second.weight = self.first.weight
            self.last = torch.nn.Linear(9, classes)

        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            return self.last(self.second(self.norm(self.first(inputs.flatten(1))).relu()))

    return Tied()


def test_a_module_of_ones_own_has_its_own_names(store, tmp_path):
    recipe = Recipe(DATA, Module(f"{__name__}:tied", "tied"), epochs=1, batch_size=15)
    population = store.population(recipe, [0])
    card = json.loads(harness.export(population, tmp_path / "tied").read_text())
    network = tied((3, 3), 3)
    network.load_state_dict(load_file(tmp_path / "tied" / "seed-0.safetensors"))
    inputs = torch.from_numpy(DATA.load().test_x)
    expected = population.program.module(population.final[0]).eval()(inputs)
    assert torch.equal(network.eval()(inputs), expected)
    assert card["network"]["build"] == f"{__name__}:tied"


def test_an_export_replaces_its_own_and_nothing_else(store, tmp_path):
    folder = tmp_path / "export"
    harness.export(store.population(STANDARD, range(3)), folder)
    harness.export(store.population(STANDARD, range(1)), folder)
    assert sorted(path.name for path in folder.iterdir()) == ["card.json", "seed-0.safetensors"]
    with pytest.raises(ValueError, match="holds something else than an export of 1x4 robust; give a new or empty folder"):
        harness.export(store.population(ROBUST, range(1)), folder)
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(ValueError, match="holds something else"):
        harness.export(store.population(STANDARD, range(1)), folder)
    (tmp_path / "file").write_text("")
    with pytest.raises((ValueError, StoreError), match=str(tmp_path / "file")):
        harness.export(store.population(STANDARD, range(1)), tmp_path / "file")


@pytest.mark.parametrize("card", ["", "[]", "{}", '{"key": 3}', '{"key": "KEY", "members": [{"file": "../outside"}]}'])
def test_a_card_of_others_removes_nothing(store, tmp_path, card):
    population = store.population(STANDARD, [0])
    (tmp_path / "outside").write_text("mine")
    folder = tmp_path / "export"
    folder.mkdir()
    (folder / "card.json").write_text(card.replace("KEY", STANDARD.key))
    if "KEY" in card:
        harness.export(population, folder)
    else:
        with pytest.raises(ValueError, match="holds something else"):
            harness.export(population, folder)
    assert (tmp_path / "outside").exists()


def test_data_that_are_not_there_leave_the_accuracy_unknown(store, tmp_path, monkeypatch):
    from harness.data import DataShortfall

    population = store.population(STANDARD, [0])

    def absent(self: object) -> None:
        raise DataShortfall("no data")

    monkeypatch.setattr(type(DATA), "load", absent)
    card = json.loads(harness.export(population, tmp_path / "export").read_text())
    assert card["members"][0]["accuracy"] is None
    assert (card["data"]["sha256"], card["data"]["licence"], card["data"]["name"]) == (None, None, "ToyImages")


CLAIMS = """
from harness import MLP, Evidence, PairedDifference, Recipe, Source, ToyImages, claim, Accuracy

RECIPE = Recipe(ToyImages(train=30, test=9), MLP((4,)), epochs=2, batch_size=16)


@claim("paper/holds", statement="It holds.", source=Source("paper", "A paper").at("1", "it holds"),
       prediction=PairedDifference(value="accuracy", factor="architecture", higher="1x4", lower="1x8", pair="seed", margin=0.1,
                                   margin_reason="none"))
def test_holds(harness):
    recipes = [RECIPE, Recipe(RECIPE.data, MLP((8,)), epochs=2, batch_size=16)]
    return Evidence(harness.store.measure(harness.store.populations(recipes, range(3)), Accuracy()))
"""


def test_networks_of_claims_are_exported_by_a_command(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HARNESS_STORE", raising=False)
    (tmp_path / "claims").mkdir()
    (tmp_path / "claims" / "test_export_claims.py").write_text(CLAIMS, encoding="utf-8")
    Store(tmp_path / "kept").population(STANDARD, range(2))
    assert cli.main(["cache", "export", "paper/holds", "--store", "kept", "--out", "out"]) == 1
    said = capsys.readouterr().out.splitlines()
    assert said[0] == f"out/1x4-standard-{STANDARD.key[:8]}: 2 members of 1x4 standard"
    assert said[1] == "4 members not exported, since the store has none of that name; python -m harness train makes them"
    assert (tmp_path / said[0].split(":")[0] / "card.json").exists()
    for chosen in ("paper/holds", "paper"):
        assert cli.main(["cache", "ls", chosen, "--store", "kept"]) == 0
        assert capsys.readouterr().out.splitlines()[-1].startswith("2 entries in ")
    assert cli.main(["cache", "export", "paper/none", "--store", "kept"]) == 2
    assert "there is no claim paper/none" in capsys.readouterr().err
    assert cli.main(["cache", "export", "--match", "9x9", "--store", "kept"]) == 2
    assert "none of 2 recipes has '9x9' in its name" in capsys.readouterr().err
