"""Files of weights that somebody has changed: read, or refused in one sentence; nothing in them is run."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mutations import damaged, kinds_of_places, mutated, nested
from safetensors.torch import save_file

from harness.own.weights import read
from harness.recipe import RecipeError

SHARD = "model-00001-of-00001.safetensors"
INDEX = {"metadata": {"total_size": 24}, "weight_map": {"a.weight": SHARD, "b": SHARD}}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as save_pretrained writes it, and the same weights as torch.save does."""
    folder = tmp_path_factory.mktemp("weights") / "model"
    folder.mkdir()
    weights = {"a.weight": torch.arange(4.0).reshape(2, 2), "b": torch.ones(2)}
    save_file(weights, folder / SHARD)
    (folder / "model.safetensors.index.json").write_text(json.dumps(INDEX))
    torch.save(weights, folder / "model.pt")
    assert set(read(folder)) == set(read(folder / "model.pt")) == set(weights)
    return folder


@settings(deadline=None, max_examples=60)
@given(data=st.data())
@pytest.mark.parametrize("name", ["model.safetensors.index.json", SHARD, "model.pt"])
def test_a_changed_file_of_weights_is_read_or_refused_in_one_sentence(whole: Path, name: str, data: st.DataObject):
    path = whole / name
    before = path.read_bytes()
    changes = [damaged(before), st.integers(0, 99).map(lambda seed: nested(before, random.Random(seed)))]
    if name.endswith(".json"):
        changes.append(mutated(INDEX, kinds_of_places(INDEX)).map(lambda found: json.dumps(found).encode()))
    said = ""
    try:
        path.write_bytes(data.draw(st.one_of(changes)))
        found = read(path if name == "model.pt" else whole)
        assert all(isinstance(value, torch.Tensor) for value in found.values())
    except RecipeError as problem:
        said = str(problem)
    finally:
        path.write_bytes(before)
    assert "\n" not in said


@pytest.mark.parametrize("length", [100, 255, 256, 5000])
@pytest.mark.parametrize("letter", ["x", "1", "\0", "é"])
def test_a_name_that_no_file_can_have_is_one_that_is_not_there(whole: Path, length: int, letter: str):
    path = whole / "model.safetensors.index.json"
    before = path.read_bytes()
    try:
        path.write_text(json.dumps({**INDEX, "weight_map": {"a.weight": letter * length}}))
        with pytest.raises(RecipeError, match="which is not there") as refused:
            read(whole)
    finally:
        path.write_bytes(before)
    assert len(str(refused.value)) < 400
    with pytest.raises(RecipeError, match="there is no file or folder of weights") as refused:
        read(letter * length)
    assert len(str(refused.value)) < 400
