"""Files of weights, read without running code from them: safetensors, state_dicts of torch.save, folders of Hugging Face."""

from __future__ import annotations

import json
import pickle
from collections.abc import Mapping
from os import PathLike
from os.path import isdir, isfile  # unlike Path's, False for a name that no file can have: one too long
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.parsing import understood
from harness.recipe import RecipeError
from harness.showing import cut

if TYPE_CHECKING:
    import torch

Weights = "str | PathLike[str] | Mapping[str, torch.Tensor] | torch.nn.Module"
State = dict[str, "torch.Tensor"]
SINGLE, INDEX, OLD = "model.safetensors", "model.safetensors.index.json", "pytorch_model.bin"
_SHOWN = 6
_LONGEST = 100  # letters of a name in a message


def read(source: Any, key: str | None = None) -> State:
    """Tensors by name.

    Args:
        source: a file, a folder of Hugging Face, a state_dict, or a module.
        key: under which a saved dictionary holds the state_dict, as those of training frameworks do.

    Raises:
        RecipeError: nothing is there, it cannot be read, or it holds no state_dict; the message says what to do.
    """
    import torch

    if isinstance(source, torch.nn.Module):
        return {name: value.detach() for name, value in source.state_dict().items()}
    if isinstance(source, Mapping):
        return _state(source, "the weights that were given", key)
    if not isinstance(source, str | PathLike):
        raise RecipeError(
            f"weights are {type(source).__name__}; give a file, a folder of Hugging Face, a state_dict or a module"
        )
    path = Path(source)
    if isdir(path):
        return _folder(path)
    if not isfile(path):
        raise RecipeError(f"there is no file or folder of weights {cut(str(path), _LONGEST)}")
    return _safetensors(path) if path.suffix == ".safetensors" else _saved(path, key)


def _safetensors(path: Path) -> State:
    from safetensors.torch import load_file

    with understood(RecipeError, path.name, "safetensors"):
        return load_file(path)


def _saved(path: Path, key: str | None) -> State:
    """What torch.save wrote; nothing but tensors, numbers, texts and their containers is let in."""
    import torch

    with understood(RecipeError, path.name, "a file of torch.save"):
        try:
            found = torch.load(path, map_location="cpu", weights_only=True)
        except pickle.UnpicklingError as problem:
            try:
                held = ", ".join(torch.serialization.get_unsafe_globals_in_checkpoint(path))
            except Exception:  # of an old format, or cut short: what it holds is not known
                held = str(problem).splitlines()[0]
            raise RecipeError(
                f"{path.name} holds more than weights ({held}), and loading it would run code: save the state_dict by itself, "
                "torch.save(model.state_dict(), …), or load it where you trust it and give the state_dict"
            ) from None
    if not isinstance(found, Mapping):
        raise RecipeError(f"{path.name} holds {type(found).__name__}; it has to hold a state_dict")
    return _state(found, path.name, key)


def _state(found: Mapping[Any, Any], where: str, key: str | None) -> State:
    """The state_dict that a mapping is, or that it holds under a key."""
    import torch

    if key is not None:
        if not isinstance(found.get(key), Mapping):
            raise RecipeError(f"{where} holds no state_dict under key={key!r}; it has {_some(found)}")
        return _state(found[key], f"{where} under {key!r}", None)
    if not all(isinstance(value, torch.Tensor) for value in found.values()):
        inside = [str(name) for name, value in found.items() if isinstance(value, Mapping) and value
                  and all(isinstance(each, torch.Tensor) for each in value.values())]  # fmt: skip
        remedy = f"give key={inside[0]!r}" if inside else "give the state_dict of the model"
        raise RecipeError(f"{where} holds {_some(found)}, and not all of them are tensors: {remedy}")
    if not found:
        raise RecipeError(f"{where} holds no tensor")
    return {str(name): value.detach() for name, value in found.items()}


def _folder(path: Path) -> State:
    """What a model of Hugging Face saved."""
    single, index, old = (path / name for name in (SINGLE, INDEX, OLD))
    if single.is_file() and index.is_file():
        raise RecipeError(
            f"{path.name} holds {SINGLE} as well as {INDEX}, of which one is from another time (transformers would take the "
            "first): remove the older one, or give the file itself"
        )
    if single.is_file():
        return _safetensors(single)
    if not index.is_file():
        if old.is_file():
            return _saved(old, None)
        raise RecipeError(f"{path.name} holds neither {SINGLE} nor {INDEX}; give the folder that save_pretrained wrote")
    with understood(RecipeError, f"{index.name} of {path.name}", "an index of weights"):
        named = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
        held = {name: str(file) for name, file in named.items()}
    found: State = {}
    for shard in sorted(set(held.values())):
        if Path(shard).name != shard or not isfile(path / shard):
            raise RecipeError(
                f"{INDEX} of {path.name} names {cut(shard, _LONGEST)}, which is not there: copy all files of the model"
            )
        tensors = _safetensors(path / shard)
        wanted = {name for name, file in held.items() if file == shard}
        if wanted != set(tensors):
            raise RecipeError(
                f"{shard} of {path.name} holds other weights than {INDEX} says ({_some(wanted ^ set(tensors))}): they are of "
                "two models; save the model again into an empty folder"
            )
        found |= tensors
    return found


def _some(names: Any) -> str:
    listed = [str(name) for name in names]
    return ", ".join(listed[:_SHOWN]) + (", …" if len(listed) > _SHOWN else "")
