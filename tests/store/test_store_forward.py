"""A network of the user's own that cannot run for many members at once costs a sentence, not a screen of torch's frames."""

from __future__ import annotations

import sys
import traceback
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import forwards
import pandas as pd
import torch

from harness import Module, Recipe, Store, Threat, ToyImages
from harness.errors import Shortfall
from harness.spec import RecipeError
from harness.store.forward import explained
from harness.store.halving import MemoryExhausted

DATA = ToyImages(train=24, test=12)
REMEDY = r"torch\.func"


def recipe(network: type) -> Recipe:
    return Recipe(DATA, Module(f"forwards:{network.__name__}", network.__name__), epochs=1, batch_size=12)


@pytest.mark.parametrize("robust", [False, True])
@pytest.mark.parametrize("network", forwards.UNSTACKABLE)
def test_what_cannot_be_stacked_is_said_in_a_sentence_with_its_remedy(network: type, robust: bool, tmp_path: Path):
    asked = recipe(network).robust(Threat(steps=1)) if robust else recipe(network)
    with pytest.raises(RecipeError, match=REMEDY) as caught:
        _ = Store(tmp_path).populations([asked], range(2))[0].final
    said = str(caught.value)
    assert "\n" not in said
    assert len(said) < 1000
    assert network.__name__ in said
    assert "forwards.py:" in said
    assert "_functorch" not in "".join(traceback.format_exception(caught.value))


def test_a_plain_mistake_in_a_forward_is_named_with_its_line(tmp_path: Path):
    with pytest.raises(RecipeError, match=r"Faulty cannot be run \(TypeError: .* \[forwards\.py:\d+\]\); mend") as caught:
        _ = Store(tmp_path).populations([recipe(forwards.Faulty)], [0])[0].final
    assert "vmap" not in str(caught.value)


@pytest.mark.parametrize("function", [torch.func.vmap, torch.func.grad])
def test_only_what_fails_under_torch_is_told_anew(function):
    def fails_by_itself(values: torch.Tensor) -> torch.Tensor:
        raise KeyError("mine")

    with pytest.raises(KeyError), explained():
        raise KeyError("mine")
    with pytest.raises(RecipeError, match="KeyError: 'mine'"), explained():
        function(fails_by_itself)(torch.ones(3))


@pytest.mark.parametrize("problem", [Shortfall("10 images"), MemoryError(), torch.OutOfMemoryError("full")])
def test_what_says_itself_passes_through(problem: Exception):
    def raises(values: torch.Tensor) -> torch.Tensor:
        raise problem

    with pytest.raises(type(problem)) as caught, explained():
        torch.func.vmap(raises)(torch.ones(3))
    assert caught.value is problem


def test_memory_that_is_exhausted_in_a_forward_stays_that(tmp_path: Path):
    def compute() -> pd.DataFrame:
        raise torch.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(torch.OutOfMemoryError):
        Store(tmp_path).cached("table", {}, compute)
    with pytest.raises((MemoryExhausted, RecipeError), match="out of memory"):
        _ = Store(tmp_path).populations([recipe(forwards.Hungry)], range(2))[0].final
