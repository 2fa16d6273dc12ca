"""Captured steps on a card that is pretended: replayed without Python, and equal to the ordinary steps to the last bit."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
import torch
from pretended_card import Card, pretended_card

from harness import cuda, device
from harness.cuda import capture, steps
from harness.data import ToyImages
from harness.device import standard_numerics
from harness.measure.attack.attack import pgd
from harness.measure.llc.estimate import LLCSpec, llc
from harness.optimiser import Until
from harness.population import Population
from harness.recipe import MLP, SGD, Adam, Module, Recipe, Threat
from harness.store.names import member_key, table_key
from harness.training import descent
from harness.training.train import train

DATA = ToyImages(train=100, test=40, amplitude=3.0)
BASE = Recipe(DATA, MLP((6, 5)), optimiser=SGD(0.1), epochs=4, batch_size=16)
RECIPES = {
    "standard": BASE,
    "momentum and decay": replace(BASE, optimiser=SGD(0.1, momentum=0.9, weight_decay=0.01)),
    "Adam": replace(BASE, optimiser=Adam()),
    "robust": BASE.robust(Threat(epsilon=0.5, steps=3)),
    "robust in L2": BASE.robust(Threat("l2", 0.5, steps=3)),
    "a module": replace(BASE, architecture=Module("own_networks:curved", "module")),
    "train mode": replace(BASE, architecture=Module("own_networks:normed", "train mode")),
}
SPECS = {
    "kinetic": LLCSpec(chains=2, budget=900, descent=0, sensitivity_chains=0, precision=0.2),
    "kinetic, set": LLCSpec(chains=2, step_size=0.01, burn_in=10, draws=40, descent=0, sensitivity_chains=0),
    "SGLD": LLCSpec(sampler="sgld", chains=2, step_size=1e-4, burn_in=5, draws=40, descent=0, sensitivity_chains=0),
    "SGLD, drawn at once": LLCSpec(
        sampler="sgld", chains=2, step_size=1e-4, burn_in=0, draws=40, descent=0, sensitivity_chains=0
    ),
    "SGLD on minibatches": LLCSpec(
        sampler="sgld", chains=2, step_size=1e-4, burn_in=5, draws=40, batch_size=16, descent=0, sensitivity_chains=0
    ),
}  # fmt: skip


@pytest.fixture
def captured(monkeypatch: pytest.MonkeyPatch) -> Callable[[], Any]:
    """Puts the captured steps in place; the ordinary ones are back after the test."""
    for owner, name in steps.PLACES:
        monkeypatch.setattr(owner, name, getattr(owner, name))
    monkeypatch.setattr(steps, "_FORMS", type(steps._FORMS)())
    return cuda.capture_steps


@pytest.fixture
def card() -> Iterator[Card]:
    with pytest.MonkeyPatch.context() as patch, pretended_card(patch) as there, standard_numerics("cuda"):
        yield there


def there(work: Callable[[str], Any]) -> tuple[Any, Any, Card]:
    """What the work gives on the CPU and on the card, in chunks of one size, and the card."""
    device.limit_memory(2**33)
    try:
        with standard_numerics("cpu"):
            here = work("cpu")
        with pytest.MonkeyPatch.context() as patch, pretended_card(patch) as card, standard_numerics("cuda"):
            return here, work("cuda"), card
    finally:
        device.limit_memory(None)


@pytest.fixture(scope="module")
def members() -> Population:
    return Population(BASE, (0, 1, 2), train(BASE, DATA.load(), (0, 1, 2)))


@pytest.mark.parametrize("name", RECIPES)
def test_training(captured: Callable[[], None], name: str) -> None:
    captured()
    recipe = RECIPES[name]
    here, found, card = there(lambda device: train(recipe, DATA.load(), (0, 1, 2), device=device))
    assert all(torch.equal(here[epoch], found[epoch]) for epoch in here)
    assert (card.replayed > card.launched / 3) == (name != "train mode")  # which draws and counts as it goes
    assert not card.asked.keys() - {"copy to the CPU", "aten._local_scalar_dense.default"}
    assert name == "train mode" or sum(card.asked.values()) < 20 < recipe.epochs * 7  # looks at the end, none in a step


@pytest.mark.parametrize("name", SPECS)
def test_chains(captured: Callable[[], None], members: Population, name: str) -> None:
    captured()
    data = DATA.load()
    here, found, card = there(
        lambda device: llc(members, data.train_x, data.train_y, spec=SPECS[name], device=device, traces=True)
    )
    assert here.equals(found)
    assert here.traces.equals(found.traces)
    assert card.replayed > card.launched / 2
    if "set" in name or "SGLD" in name:  # nothing is adapted from step to step
        assert sum(card.asked.values()) < 40 < SPECS[name].draws * 2


def test_attacks(captured: Callable[[], None], members: Population) -> None:
    captured()
    data = DATA.load()
    for threat, bounds in ((Threat(epsilon=0.4, steps=12), None), (Threat("l2", 0.4, steps=12), (-2.0, 2.0))):
        here, found, card = there(
            lambda device, threat=threat, bounds=bounds: pgd(
                members, data.test_x.clip(-2, 2), data.test_y, threat, bounds=bounds, device=device
            ).cpu()
        )
        assert torch.allclose(here, found, atol=1e-6, rtol=0)
        assert bounds or torch.equal(here, found)
        assert card.replayed > card.launched


def test_what_stops_goes_on_without_those_that_have_stopped(captured: Callable[[], None]) -> None:
    captured()
    for recipe in (
        replace(BASE, until=Until("loss", 0.75), epochs=20),
        replace(RECIPES["robust"], until=Until("accuracy", 0.7), epochs=20),
    ):
        here, found, card = there(lambda device, recipe=recipe: train(recipe, DATA.load(), (0, 1, 2, 3), device=device))
        assert torch.equal(here[recipe.epochs], found[recipe.epochs])
        assert card.replayed > card.launched / 3


def asks(value: torch.Tensor) -> None:
    value.add_(1 if bool(value.sum() > 0) else 2)


def makes(value: torch.Tensor) -> None:
    value.add_(torch.arange(3.0).to(value))


def chooses(value: torch.Tensor) -> None:
    value[(value >= 0).nonzero()[:, 0]] += 1


@pytest.mark.parametrize("step", [asks, makes, chooses])
def test_what_cannot_be_recorded_is_said_once_and_goes_on(card: Card, step: Callable[[torch.Tensor], None]) -> None:
    value, expected = torch.zeros(3, device="cuda"), torch.zeros(3)
    captured = capture.Captured(lambda: step(value), "this step")
    for number in range(capture.EAGER + 4):
        if number == capture.EAGER:
            with pytest.warns(
                RuntimeWarning, match=r"this step cannot be recorded as a CUDA graph \(CUDA error: .*same result"
            ):
                captured()
        else:
            captured()
        step(expected)
    assert value.tolist() == expected.tolist()
    assert captured.replays == 0


def test_a_replay_runs_no_python_and_uses_numbers_and_places_of_the_recording(card: Card) -> None:
    value, calls = torch.zeros(3, device="cuda"), [0]

    def step() -> None:
        calls[0] += 1
        value.add_(value.new_full((3,), 2.0) * calls[0])

    captured = capture.Captured(step, "this step")
    for _ in range(capture.EAGER + 3):
        captured()
    assert calls == [capture.EAGER + 1]
    last = 2 * (capture.EAGER + 1)
    assert value.tolist() == [sum(2 * call for call in range(1, capture.EAGER + 1)) + 3 * last] * 3


def test_nothing_changes_on_the_cpu(captured: Callable[[], None], members: Population) -> None:
    data = DATA.load()

    def found() -> list[Any]:
        return [
            *train(RECIPES["robust"], data, (0, 1)).values(),
            torch.tensor(llc(members, data.train_x, data.train_y, spec=SPECS["kinetic, set"])["llc"].tolist()),
            torch.tensor(llc(members, data.train_x, data.train_y, spec=SPECS["SGLD"])["llc"].tolist()),
            pgd(members, data.test_x, data.test_y, Threat(epsilon=0.4)),
        ]

    before = found()
    captured()
    assert all(torch.equal(one, other) for one, other in zip(before, found(), strict=True))


def test_names_know_the_steps_of_a_card_and_are_the_same_whether_they_are_in_place(captured: Callable[[], None]) -> None:
    from harness.measure.gaps import Gaps

    def names(device: str) -> list[Any]:
        return [member_key(RECIPES["robust"], 0, "data", None, device), table_key("member", Gaps(), device)]

    before = names("cpu"), names("cuda")
    captured()
    assert (names("cpu"), names("cuda")) == before
    assert all("steps" in on_card and "steps" not in on_cpu for on_cpu, on_card in zip(*before, strict=True))


@pytest.mark.parametrize(("processes", "asked", "allowed"), [(1, None, 0.7 * 2**30), (4, None, 0.7 * 2**28), (4, 5000, 5000)])
def test_chunks_follow_the_free_memory_of_the_card(
    card: Card, monkeypatch: pytest.MonkeyPatch, processes: int, asked: int | None, allowed: float
) -> None:
    monkeypatch.setattr("harness.cuda.memory._processes", 1)
    try:
        device.limit_memory(asked)
        cuda.memory.share_card(processes)
        cuda.bound_by_card()
        assert device.memory_limit("cuda") == int(allowed)
    finally:
        device.limit_memory(None)


def test_a_store_on_a_card_uses_both(card: Card, captured: Callable[[], None], tmp_path: Any) -> None:
    from harness.measure.gaps import Gaps
    from harness.store import Store

    there, here = Store(tmp_path / "there", device="cuda"), Store(tmp_path / "here")
    try:
        assert device.memory_limit("cuda") == int(0.7 * 2**30)
        assert descent.Descent.step is steps.training_step
        device.limit_memory(2**33)
        tables = [
            store.measure([store.population(RECIPES["robust"], range(3))], Gaps(Threat(epsilon=0.5, steps=6)))
            for store in (there, here)
        ]
        assert tables[0].equals(tables[1])
        assert card.replayed > 100
        assert not {entry.path.name for entry in there.entries()} & {entry.path.name for entry in here.entries()}
    finally:
        device.limit_memory(None)


@pytest.mark.parametrize(("gpus", "processes", "together"), [(1, 1, 1), (2, 2, 1), (2, 3, 2), (1, 4, 4)])
def test_processes_take_gpus_in_turn_and_share_their_memory(
    monkeypatch: pytest.MonkeyPatch, gpus: int, processes: int, together: int
) -> None:
    from queue import Queue

    from harness.engines import local

    monkeypatch.setattr("harness.cuda.memory._processes", 1)
    numbers: Queue[int] = Queue()
    for number in range(processes):
        numbers.put(number)
    names = tuple(str(gpu) for gpu in range(gpus))
    seen = []
    for _ in range(processes):
        monkeypatch.setenv(device.VISIBLE, "")
        local._begin(names, numbers, processes)
        seen.append(int(os.environ[device.VISIBLE]))
    assert seen == [number % gpus for number in range(processes)]
    assert cuda.memory._processes == together
