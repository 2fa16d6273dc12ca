"""Weights of other people's networks: every way in which they are saved gives the same population, and the rest a sentence."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file, save_model
from torch import nn

sys.path.insert(0, str(Path(__file__).parent))

import own_models
from own_models import Net, Tied, plain

from harness import LLC, Accuracy, Checkpoints, ClaimError, Evidence, Gaps, LLCSpec, Robustness, Store, Threat, ToyImages
from harness.recipe import RecipeError

DATA = ToyImages(train=96, test=24)


def net(seed: int, kind: type[nn.Module] = Net) -> nn.Module:
    torch.manual_seed(seed)
    made = kind().train()
    for _ in range(3):  # running statistics of a BatchNorm
        made(torch.randn(32, 3, 3))
    return made.eval()


def hugging_face(folder: Path, state: dict[str, torch.Tensor], shards: int = 1) -> Path:
    folder.mkdir()
    names = list(state)
    if shards == 1:
        save_file(state, folder / "model.safetensors")
        return folder
    held = {name: f"model-{number % shards + 1:05}-of-{shards:05}.safetensors" for number, name in enumerate(names)}
    for file in set(held.values()):
        save_file({name: state[name] for name in names if held[name] == file}, folder / file)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": held}))
    return folder


def saved(model: nn.Module, folder: Path) -> dict[str, object]:
    """One network, saved in every way."""
    state = model.state_dict()
    torch.save(state, folder / "plain.pt")
    torch.save({"epoch": 3, "model": state, "optimizer": {"lr": 0.1}}, folder / "trainer.pt")
    lightning = {"state_dict": {f"model.{name}": value for name, value in state.items()} | {"loss.weight": torch.ones(3)}}
    torch.save(lightning | {"epoch": 1}, folder / "lightning.ckpt")
    torch.save({f"_orig_mod.{name}": value for name, value in state.items()}, folder / "compiled.pt")
    torch.save({f"module._orig_mod.{name}": value for name, value in state.items()}, folder / "parallel.pt")
    averaged = torch.optim.swa_utils.AveragedModel(model)
    torch.save(averaged.state_dict(), folder / "averaged.pt")
    torch.save({f"net.0.{name}": value for name, value in state.items()}, folder / "inside.pt")
    save_model(model, str(folder / "saved.safetensors"))
    return {
        "state_dict": state, "module": model, "plain": folder / "plain.pt", "compiled": folder / "compiled.pt",
        "parallel": folder / "parallel.pt", "averaged": folder / "averaged.pt", "safetensors": folder / "saved.safetensors",
        "trainer": (folder / "trainer.pt", {"key": "model"}),
        "lightning": (folder / "lightning.ckpt", {"key": "state_dict", "prefix": "model."}),
        "inside": (folder / "inside.pt", {"prefix": "net.0."}),
        "folder": hugging_face(folder / "hf", state) if not isinstance(model, Tied) else model,
        "shards": hugging_face(folder / "hf2", state, 3) if not isinstance(model, Tied) else model,
    }  # fmt: skip


@pytest.mark.parametrize("kind", [Net, Tied])
def test_every_way_of_saving_gives_the_same_population(tmp_path, kind):
    model = net(0, kind)
    for way, source in saved(model, tmp_path).items():
        source, how = source if isinstance(source, tuple) else (source, {})
        found = Checkpoints({7: source}, model=kind, data=DATA, **how)
        assert found.seeds == (7,), way
        made = found.program.module(found.final[0])
        points = torch.from_numpy(DATA.load().test_x)
        assert torch.equal(made.eval()(points), model(points)), way


def test_a_path_stands_for_seeds_and_steps(tmp_path):
    states = {(seed, step): net(10 * seed + step).state_dict() for seed in (3, 11) for step in (0, 5, 100)}
    for (seed, step), state in states.items():
        (tmp_path / f"run-{seed}").mkdir(exist_ok=True)
        torch.save(state, tmp_path / f"run-{seed}" / f"step={step}.pt")
    (tmp_path / "run-3" / "step=last.pt").write_bytes(b"")
    (tmp_path / "seed-step").mkdir()
    torch.save(states[3, 0], tmp_path / "seed-step" / "seed3-step0.pt")
    assert Checkpoints(f"{tmp_path}/seed-step/seed{{seed}}-step{{step}}.pt", model=Net, data=DATA).seeds == (3,)
    found = Checkpoints(f"{tmp_path}/run-{{seed}}/step={{step}}.pt", model=Net, data=DATA, name="sgd")
    assert found.seeds == (3, 11)
    assert found.epochs == (0, 5, 100)
    given = Checkpoints({seed: {step: states[seed, step] for step in (100, 0, 5)} for seed in (11, 3)}, model=Net, data=DATA)
    for step in found.epochs:
        assert torch.equal(found.parameters[step], given.parameters[step])
    (tmp_path / "run-3" / "step=5.pt").unlink()
    with pytest.raises(RecipeError, match=r"seeds 3 and 11 have checkpoints at different steps \(5 only one"):
        Checkpoints(f"{tmp_path}/run-{{seed}}/step={{step}}.pt", model=Net, data=DATA)


def test_every_measurement_works_on_it_through_training(tmp_path):
    store = Store(tmp_path / "store")
    members = {seed: {step: net(seed + 100 * step) for step in (0, 20)} for seed in range(3)}
    population = Checkpoints(members, model=Net, data=DATA, name="sgd", labels={"optimiser": "sgd"})
    spec = LLCSpec(localization=10.0, chains=2, draws=20, burn_in=20)
    tables = [store.measure([population], each) for each in (
        Accuracy(epochs="all"), Robustness(thresholds=(1.0,), epochs="all"), Gaps(Threat(epsilon=0.5), epochs="all"),
        LLC(spec, points=64, epochs="all"),
    )]  # fmt: skip
    for table in tables:
        assert set(zip(table["seed"], table["epoch"], strict=True)) == {(seed, step) for seed in range(3) for step in (0, 20)}
        assert set(table["regime"]) == {"sgd"}
        assert set(table["optimiser"]) == {"sgd"}
    data = DATA.load()
    x, y = torch.from_numpy(data.test_x), torch.from_numpy(data.test_y)
    for row in tables[0].itertuples():
        right = members[row.seed][row.epoch](x).argmax(1) == y
        assert row.accuracy == pytest.approx(float(right.double().mean()))


def test_tables_are_named_by_the_weights_and_not_by_the_files(tmp_path):
    store = Store(tmp_path / "store")

    def measured(folder: str, seeds: dict[int, int]) -> int:
        (tmp_path / folder).mkdir()
        for seed, weights in seeds.items():
            torch.save(net(weights).state_dict(), tmp_path / folder / f"{seed}.pt")
        before = store.made
        store.measure([Checkpoints(f"{tmp_path}/{folder}/{{seed}}.pt", model=Net, data=DATA)], Accuracy())
        return store.made - before

    assert measured("first", {0: 0, 1: 1}) == 1
    assert measured("moved", {0: 0, 1: 1}) == 0
    assert measured("more", {0: 0, 1: 1, 2: 2}) == 1
    files = len(list((tmp_path / "store").rglob("*.json")))
    assert files == 3  # of the two that were there nothing is measured again
    assert measured("changed", {0: 0, 1: 5}) == 1


def test_no_more_of_them_can_be_trained(tmp_path):
    population = Checkpoints([net(0)], model=Net, data=DATA)
    with pytest.raises(RecipeError, match="the networks of 'given' were given, so no more of them can be trained"):
        Store(tmp_path).population(population.recipe, range(2))


def broken(tmp_path: Path, name: str) -> tuple[object, dict[str, object]]:
    """Weights with which something is wrong."""
    state = dict(net(0).state_dict())
    file = tmp_path / "w.pt"
    if name == "missing":
        del state["second.bias"]
    elif name == "superfluous":
        state["head.weight"] = torch.ones(2)
    elif name == "prefixed":
        state = {f"net.{key}": value for key, value in state.items()}
    elif name == "shape":
        state["first.weight"] = torch.ones(4, 9)
    elif name == "stack":
        state = {key: torch.stack([value] * 4) for key, value in state.items()}
    elif name == "type":
        state = {key: value.bfloat16() if value.is_floating_point() else value for key, value in state.items()}
    elif name == "double":
        state = {key: value.double() if value.is_floating_point() else value for key, value in state.items()}
    elif name == "nested":
        torch.save({"epoch": 1, "weights": state}, file)
        return file, {}
    elif name == "key":
        torch.save({"weights": state}, file)
        return file, {"key": "state_dict"}
    elif name == "pickled":
        torch.save(net(0), file)
        return file, {}
    elif name == "path inside":
        torch.save({"state_dict": state, "where": Path("x")}, file)
        return file, {"key": "state_dict"}
    elif name == "cut":
        torch.save(state, file)
        file.write_bytes(file.read_bytes()[:-200])
        return file, {}
    elif name == "cut safetensors":
        save_file(state, tmp_path / "w.safetensors")
        (tmp_path / "w.safetensors").write_bytes((tmp_path / "w.safetensors").read_bytes()[:-20])
        return tmp_path / "w.safetensors", {}
    elif name == "both":
        folder = hugging_face(tmp_path / "hf", state, 2)
        save_file(state, folder / "model.safetensors")
        return folder, {}
    elif name == "shard gone":
        folder = hugging_face(tmp_path / "hf", state, 2)
        (folder / "model-00002-of-00002.safetensors").unlink()
        return folder, {}
    elif name == "stale index":
        folder = hugging_face(tmp_path / "hf", state, 2)
        save_file(state, folder / "model-00002-of-00002.safetensors")
        return folder, {}
    elif name == "empty folder":
        (tmp_path / "hf").mkdir()
        return tmp_path / "hf", {}
    elif name == "nothing":
        return tmp_path / "no.pt", {}
    elif name == "no weights":
        return 3, {}
    elif name == "no such prefix":
        return state, {"prefix": "model."}
    elif name == "twice":
        state["module.first.weight"] = state["_orig_mod.first.weight"] = state["first.weight"]
    return state, {}


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("missing", "does not hold second.bias, so that a part of the model would keep its random start"),
        ("superfluous", r"holds head.weight, which the model has not .* ignore=\('head.weight',\)"),
        ("prefixed", "have 'net.' before those of the model"),
        ("shape", r"has shape \(4, 9\), that of the model \(8, 9\): another model's"),
        ("stack", "a stack of 4"),
        ("type", "of type bfloat16, that of the model of type float32: .*cast=True"),
        ("double", "of type float64, that of the model of type float32"),
        ("nested", "not all of them are tensors: give key='weights'"),
        ("key", "holds no state_dict under key='state_dict'; it has weights"),
        ("pickled", r"holds more than weights \(.*Net.*\), and loading it would run code"),
        ("path inside", "holds more than weights"),
        ("cut", "w.pt cannot be read as a file of torch.save"),
        ("cut safetensors", "w.safetensors cannot be read as safetensors"),
        ("both", "holds model.safetensors as well as model.safetensors.index.json"),
        ("shard gone", "names model-00002-of-00002.safetensors, which is not there"),
        ("stale index", "holds other weights than model.safetensors.index.json says"),
        ("empty folder", "neither model.safetensors nor"),
        ("nothing", "there is no file or folder of weights"),
        ("no weights", "weights are int"),
        ("no such prefix", "begins with prefix='model.'"),
        ("twice", "two weights for first.weight"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_weights_is_said_in_a_sentence(tmp_path, name, says):
    source, how = broken(tmp_path, name)
    with pytest.raises(RecipeError, match=says):
        Checkpoints({0: source}, model=Net, data=DATA, **how)


def test_what_is_allowed_by_saying_so():
    state = dict(net(0).state_dict())
    more = state | {"blocks.0.attn.mask": torch.ones(2)}
    assert Checkpoints([more], model=Net, data=DATA, ignore="blocks.*.mask").final.shape[0] == 1
    half = {key: value.bfloat16() if value.is_floating_point() else value for key, value in state.items()}
    found = Checkpoints([half], model=Net, data=DATA, cast=True).final[0]
    assert torch.equal(found, Checkpoints([state], model=Net, data=DATA).final[0].bfloat16().float())


def test_tied_weights_that_differ_are_of_another_model():
    state = {name: value.clone() for name, value in net(0, Tied).state_dict().items()}
    assert Checkpoints([state], model=Tied, data=DATA)
    del state["head.weight"]
    assert Checkpoints([state], model=Tied, data=DATA)
    state["head.weight"] = state["embed.weight"] + 1
    with pytest.raises(RecipeError, match=r"(embed|head).weight and (embed|head).weight are one in the model, and differ"):
        Checkpoints([state], model=Tied, data=DATA)


@pytest.mark.parametrize(
    ("weights", "says"),
    [
        ({}, "weights are dict"), ({"a": 1}, "weights are dict of 'a'"), (3, "weights are int"),
        ({-1: {}}, "weights are dict of -1"), ("w.pt", "is one path"), ("no/{seed}.pt", "no file is called no/{seed}.pt"),
        ("{seed}/{seed}.pt", "is one path"),
    ],
)  # fmt: skip
def test_weights_in_another_form_are_refused(weights, says):
    with pytest.raises(RecipeError, match=says.replace("{", r"\{")):
        Checkpoints(weights, model=Net, data=DATA)


@pytest.mark.parametrize(
    ("model", "says"),
    [(net(0), "model is Net; give the function"), (lambda: net(0), "a lambda has no name"), (3, "model is int"),
     ("nothing", "the address of a function"), (dict, "dict returned dict"),
     (own_models.fitted, "fitted cannot be called to build a network")],
)  # fmt: skip
def test_a_model_that_is_none_is_refused(model, says):
    with pytest.raises(RecipeError, match=says):
        Checkpoints([net(0)], model=model, data=DATA)


def test_models_by_address_and_with_arguments():
    weights = plain((3, 3), 3, width=5).state_dict()
    by_address = Checkpoints([weights], model="own_models:plain", data=DATA, arguments={"width": 5})
    by_function = Checkpoints([weights], model=own_models.plain, data=DATA, arguments={"width": 5}, architecture="five")
    assert torch.equal(by_address.final, by_function.final)
    assert by_function.recipe.architecture.name == "five"
    assert replace(by_function, labels={"a": 1}).select((0,)).labels == {"a": 1}


def test_a_claim_says_which_weights_it_rests_on(tmp_path):
    from harness.running.evidence import completed

    class Any:
        prediction = type("P", (), {"rule": "exact", "singles": ()})()

    def body(harness):
        population = Checkpoints([net(0), net(1)], model=Net, data=DATA, name="sgd")
        return Evidence(Store(tmp_path).measure([population], Accuracy()))

    settings = completed(Any, body)(None).settings
    assert settings["weights of sgd"].startswith("2 networks at 1 steps, digest ")
    assert issubclass(RecipeError, ValueError)
    assert issubclass(ClaimError, ValueError)
