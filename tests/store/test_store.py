"""What a store promises: everything is made once, only what is missing is made, and the numbers stay the same."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pytest
import torch
from store_samples import DATA, ROBUST, STANDARD, TUNED, Lengths, contents

from harness.recipe import SGD, Threat
from harness.store import Store
from harness.store.sharing import MEMBERS_AT_A_TIME
from harness.training.train import train


def test_members_are_trained_once_and_read_afterwards(store, trainings):
    made = store.population(STANDARD, range(3))
    assert trainings == [("standard", (0, 1, 2))]
    again = Store(store.folder).population(STANDARD, range(3))
    assert trainings == [("standard", (0, 1, 2))]
    directly = train(STANDARD, DATA.load(), range(3))
    for population in (made, again):
        assert population.seeds == (0, 1, 2)
        assert population.epochs == (2,)
        assert torch.equal(population.final, directly[2])


def test_more_seeds_train_only_the_new_ones_and_leave_the_old_files_alone(store, trainings):
    few = store.population(STANDARD, range(2))
    before = contents(store.folder)
    many = store.population(STANDARD, range(4))
    assert trainings == [("standard", (0, 1)), ("standard", (2, 3))]
    assert torch.equal(many.final[:2], few.final)
    after = contents(store.folder)
    assert len(after) == 4
    assert {name: after[name] for name in before} == before
    assert torch.equal(store.population(STANDARD, (3, 1)).final, many.final[[3, 1]])
    assert len(trainings) == 2


@pytest.mark.parametrize(
    "changed",
    [replace(TUNED, epochs=2), replace(TUNED, optimiser=SGD(0.02)), STANDARD.finetuned(Threat(steps=2), epochs=1)],
    ids=["epochs", "learning rate", "threat"],
)
def test_one_changed_value_trains_what_depends_on_it_and_not_its_parent(store, trainings, changed):
    store.population(TUNED, [0])
    before = contents(store.folder)
    assert trainings == [("standard", (0,)), ("finetuned", (0,))]
    store.population(changed, [0])
    assert trainings[2:] == [("finetuned", (0,))]
    store.population(TUNED, [0])
    assert len(trainings) == 3
    assert {name: text for name, text in contents(store.folder).items() if name in before} == before


def test_a_changed_parent_trains_its_children_too(store, trainings):
    store.population(TUNED, [0])
    parent = replace(STANDARD, batch_size=8)
    store.population(parent.finetuned(Threat(steps=1), epochs=1), [0])
    assert trainings[2:] == [("standard", (0,)), ("finetuned", (0,))]


def test_a_finetuned_member_starts_from_its_parent_of_the_same_seed(store, trainings):
    tuned = store.population(TUNED, (0, 5))
    assert [regime for regime, _ in trainings] == ["standard", "finetuned"]
    parent = store.population(STANDARD, (5, 0))
    assert len(trainings) == 2
    directly = train(TUNED, DATA.load(), (0, 5), start=parent.final.flip(0))
    assert torch.equal(tuned.final, directly[1])


def test_every_kept_epoch_comes_back(store):
    recipe = replace(STANDARD, checkpoints=(0, 1))
    population = store.population(recipe, range(2))
    assert population.epochs == (0, 1, 2)
    for epoch, values in train(recipe, DATA.load(), range(2)).items():
        assert torch.equal(population.parameters[epoch], values)


@pytest.mark.parametrize("size", [1, 2, 64])
def test_numbers_do_not_depend_on_how_the_work_is_split(store, trainings, measured, monkeypatch, size):
    monkeypatch.setitem(MEMBERS_AT_A_TIME, "trained", size)
    monkeypatch.setitem(MEMBERS_AT_A_TIME, "measured", size)
    populations = store.populations([ROBUST, TUNED], range(3))
    assert len(trainings) == 3 * -(-3 // size)
    table = store.measure(populations, Lengths())
    assert len(measured) == 2 * -(-3 // size)
    monkeypatch.undo()
    whole = Store(store.folder.with_name("other"))
    for one, other in zip(populations, whole.populations([ROBUST, TUNED], range(3)), strict=True):
        assert torch.equal(one.final, other.final)
    pd.testing.assert_frame_equal(table, whole.measure(populations, Lengths()), check_exact=True)


def test_measurements_are_made_once_for_each_member_and_spec(store, measured):
    few, many = store.population(STANDARD, range(2)), store.population(STANDARD, range(3))
    first = store.measure([few], Lengths())
    table = store.measure([many], Lengths())
    assert measured == [("standard", (0, 1)), ("standard", (2,))]
    pd.testing.assert_frame_equal(table[:4], first)
    assert list(table["seed"]) == [0, 0, 1, 1, 2, 2]
    assert list(table["half"]) == ["first", "second"] * 3
    assert set(table["recipe"]) == {STANDARD.key}
    assert set(table["architecture"]) == {"1x4"}
    assert set(table["regime"]) == {"standard"}
    np.testing.assert_array_equal(table["length"][::2], many.final.norm(dim=1).double())
    doubled = store.measure([many], Lengths(2.0))
    assert measured[2:] == [("standard", (0, 1, 2))]
    np.testing.assert_array_equal(doubled["length"], 2 * table["length"])


def test_what_belongs_to_no_member_is_computed_once(store):
    calls = []

    def compute() -> pd.DataFrame:
        calls.append(1)
        return pd.DataFrame({"case": ["a", "b"], "value": [0.1, float("inf")]})

    tables = [store.cached("facts", {"digits": [0, 1]}, compute) for _ in range(2)]
    pd.testing.assert_frame_equal(*tables)
    assert len(calls) == 1
    store.cached("facts", {"digits": [0, 2]}, compute)
    store.cached("other facts", {"digits": [0, 1]}, compute)
    assert len(calls) == 3


def test_work_is_counted_and_entries_are_named(store):
    assert store.entries() == []
    populations = store.populations([TUNED], range(2))
    assert store.made == 2
    store.measure(populations, Lengths())
    store.cached("facts", {}, lambda: pd.DataFrame({"value": [1]}))
    assert store.made == 4
    store.measure(store.populations([TUNED], range(2)), Lengths())
    assert store.made == 4
    names = [entry.name for entry in store.entries()]
    assert sorted(names[:4]) == [f"recipe 1x4 {regime}, seed {seed}" for regime in ("finetuned", "standard")
                                 for seed in (0, 1)]  # fmt: skip
    assert sorted(names[4:]) == ["what facts", "what lengths, recipe 1x4 finetuned, seed 0",
                                 "what lengths, recipe 1x4 finetuned, seed 1"]  # fmt: skip
    assert all(entry.valid() and entry.bytes == entry.path.stat().st_size for entry in store.entries())


def test_a_store_that_holds_everything_need_not_be_writable(store, monkeypatch):
    populations = store.populations([STANDARD], range(2))
    table = store.measure(populations, Lengths())

    def refuse(*arguments: object, **rest: object) -> None:
        raise AssertionError("something was written")

    monkeypatch.setattr("harness.store.files.write", refuse)
    monkeypatch.setattr("pathlib.Path.mkdir", refuse)
    again = Store(store.folder)
    pd.testing.assert_frame_equal(again.measure(again.populations([STANDARD], range(2)), Lengths()), table)


def test_heartbeats_grow_to_the_total(store, monkeypatch):
    monkeypatch.setitem(MEMBERS_AT_A_TIME, "trained", 2)
    monkeypatch.setitem(MEMBERS_AT_A_TIME, "measured", 2)
    beats: list[dict[str, object]] = []
    store.heartbeat = beats.append
    populations = store.populations([TUNED, ROBUST], range(5), name="grid")
    store.measure(populations, Lengths(), name="grid")
    store.measure(populations, Lengths(), name="grid")
    trained = [beat for beat in beats if beat["what"] == "trained"]
    assert len(beats) > len(trained)
    for what, population, total in (("trained", "grid", 15), ("measured", "grid, lengths", 10)):
        own = [beat for beat in beats if beat["what"] == what]
        assert all(set(beat) == {"population", "done", "total", "share", "what", "seconds"} for beat in own)
        assert {(beat["population"], beat["total"]) for beat in own} == {(population, total)}
        done, share, seconds = ([beat[name] for beat in own] for name in ("done", "share", "seconds"))
        assert all(isinstance(number, int) for number in done)
        assert done == sorted(done)
        assert (done[-1], share[-1]) == (total, 1.0)
        assert share == sorted(share)
        assert seconds == sorted(seconds)
    # Told as it begins, then, with two members a shard over two epochs, after every epoch: half a shard is one member.
    assert [beat["done"] for beat in trained[:5]] == [0, 1, 2, 3, 4]
    beats.clear()
    store.populations([TUNED, ROBUST], range(5), name="grid")
    assert beats == []


@pytest.mark.parametrize("seeds", [(), (0, 0), (-1,), (0.5,), ("0",)])
def test_impossible_seeds_say_what_is_allowed(store, seeds):
    with pytest.raises(ValueError, match=r"seeds is \(.*\); give one or more different whole numbers of at least 0"):
        store.population(STANDARD, seeds)


def test_numpy_seeds_are_seeds(store, trainings):
    population = store.population(STANDARD, np.arange(3))
    assert population.seeds == (0, 1, 2)
    assert all(type(seed) is int for seed in population.seeds)
    assert torch.equal(population.final, store.population(STANDARD, range(3)).final)
    assert len(trainings) == 1


def test_nothing_to_do_is_a_mistake(store):
    with pytest.raises(ValueError, match="recipes is empty"):
        store.populations([], range(3))
    with pytest.raises(ValueError, match="populations is empty"):
        store.measure([], Lengths())


@dataclass(frozen=True)
class Careless(Lengths):
    """Leaves out the last member, or all seeds."""

    nameless: bool = False

    def run(self, population, data, device):
        table = super().run(population, data, device)
        return table.drop(columns="seed") if self.nameless else table[table["seed"] < population.seeds[-1]]


@pytest.mark.parametrize(("nameless", "missing"), [(False, r"\[2\]"), (True, r"\[0, 1, 2\]")])
def test_a_measurement_that_leaves_members_out_is_refused(store, nameless, missing):
    population = store.population(STANDARD, range(3))
    with pytest.raises(ValueError, match=rf'Careless.run returned no row for seeds {missing}.*column "seed"'):
        store.measure([population], Careless(nameless=nameless))
    assert {entry.kind for entry in store.entries()} == {"member"}


def test_a_training_that_diverges_leaves_nothing_behind(store):
    with pytest.raises(RuntimeError, match="diverged for seeds"):
        store.population(replace(STANDARD, optimiser=SGD(1e20)), range(2))
    assert store.entries() == []


@dataclass(frozen=True)
class Engined(Lengths):
    """A measurement that can run on two engines, and one that holds such a one."""

    engine: str | None = None
    inner: Engined | None = None


def test_a_measurement_that_names_no_engine_runs_on_the_store_s(store):
    population = store.population(STANDARD, range(2))
    other = Store(store.folder, llc_engine="devinterp")
    for one in (store, other):
        one.measure([population], Engined(inner=Engined(engine="stacked")))
        one.measure([population], Engined(engine="stacked", inner=Engined()))
        one.measure([population], Lengths())
    engines = [
        [(each.spec.engine, each.spec.inner and each.spec.inner.engine) for each in one.measured[:2]] for one in (store, other)
    ]
    assert engines == [[("stacked", "stacked")] * 2, [("devinterp", "stacked"), ("stacked", "devinterp")]]
    assert store.measured[2] == other.measured[2] == ("lengths", Lengths(), None)


@dataclass(frozen=True)
class Judged(Lengths):
    """Trusts its estimates up to a length."""

    longest: float = 0.0

    def run(self, population, data, device):
        table = super().run(population, data, device)
        return table.assign(trusted=table["length"] <= self.longest)


@pytest.mark.parametrize("longest", [0.0, 2.0, 1e9])
def test_how_many_estimates_their_instrument_trusts_is_noted(store, longest):
    population = store.population(STANDARD, range(3))
    table = store.measure([population], Judged(longest=longest))
    assert store.measured[-1].trusted == (int((table["length"] <= longest).sum()), 6)
    store.measure([population], Lengths())
    assert store.measured[-1].trusted is None
