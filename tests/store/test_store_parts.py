"""What is read, and how many members at a time: a population larger than the memory is never in it whole."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest
import torch
from store_samples import DATA, ROBUST, STANDARD, TUNED, Lengths

from harness import device
from harness.networks.memory import MemoryShortfall
from harness.recipe import MLP, Threat
from harness.store import Store, files
from harness.store.sharing import MEMBERS_AT_A_TIME, cut, measured_together, measuring_work, trained_together, training_work
from harness.training.train import memory_needed

MEMBER = 4 * STANDARD.program().layout.total  # bytes of one checkpoint


@pytest.fixture
def reads(monkeypatch):
    """Grows by the name of every member that is read."""
    names: list[str] = []
    read = files.read_tensors

    def counted(path):
        names.append(path.stem)
        return read(path)

    monkeypatch.setattr(files, "read_tensors", counted)
    return names


@pytest.fixture
def limit():
    """Sets the memory of this process."""
    yield device.limit_memory
    device.limit_memory(None)


def test_members_are_read_when_they_are_looked_at_and_once(store, reads):
    population = store.population(STANDARD, range(3))
    assert (population.seeds, population.epochs, 2 in population.parameters, 1 in population.parameters) == (
        (0, 1, 2), (2,), True, False)  # fmt: skip
    assert population.provenance()["seeds"] == [0, 1, 2]
    assert reads == []
    first = population.final
    assert reads == [store.member_path(STANDARD, seed).stem for seed in range(3)]
    assert population.final is first
    assert population.select((2,)).final.shape[0] == 1
    assert len(reads) == 3
    with pytest.raises(KeyError):
        population.parameters[1]


def test_a_selection_reads_its_own_members_alone(store, reads):
    population = store.population(STANDARD, range(3))
    some = population.select((2, 0)).select((2,))
    assert torch.equal(some.final, store.population(STANDARD, range(3)).final[2:])
    assert reads[0] == store.member_path(STANDARD, 2).stem
    assert len(reads) == 1 + 3


def test_measurements_that_are_there_need_no_member(store, reads):
    table = store.measure(store.populations([ROBUST, TUNED], range(3)), Lengths())
    for path in store.folder.rglob("*.safetensors"):
        path.write_bytes(b"")
    reads.clear()
    again = Store(store.folder)
    pd.testing.assert_frame_equal(again.measure(again.populations([ROBUST, TUNED], range(3)), Lengths()), table)
    assert reads == []


def test_a_member_that_is_damaged_when_it_is_measured_is_trained_again(store, trainings, measured):
    before = store.measure([store.population(STANDARD, range(3))], Lengths())
    for path in store.folder.rglob("*.json"):
        path.unlink()
    store.member_path(STANDARD, 1).write_bytes(b"")
    with pytest.warns(UserWarning, match="is damaged"):
        after = store.measure([store.population(STANDARD, range(3))], Lengths())
    pd.testing.assert_frame_equal(after, before, check_exact=True)
    assert trainings == [("standard", (0, 1, 2)), ("standard", (1,))]
    assert len(measured) == 2


def test_less_memory_takes_fewer_members_at_a_time_and_changes_no_number(store, trainings, measured, limit):
    limit(2 * memory_needed(STANDARD, DATA.load(), 1))
    few = store.populations([STANDARD], range(5))
    assert [seeds for _, seeds in trainings] == [(0, 1), (2, 3), (4,)]
    limit(3 * MEMBER)
    table = store.measure(few, Lengths())
    assert [seeds for _, seeds in measured] == [(0, 1, 2), (3, 4)]
    limit(None)
    whole = Store(store.folder.with_name("other"))
    population = whole.population(STANDARD, range(5))
    assert torch.equal(population.final, few[0].final)
    pd.testing.assert_frame_equal(whole.measure([population], Lengths()), table, check_exact=True)


def test_at_least_one_member_and_never_more_than_the_set_number(limit):
    assert trained_together(STANDARD, DATA.load(), "cpu") == MEMBERS_AT_A_TIME["trained"]
    assert measured_together(STANDARD, "cpu") == MEMBERS_AT_A_TIME["measured"]
    limit(1)
    assert trained_together(STANDARD, DATA.load(), "cpu") == measured_together(STANDARD, "cpu") == 1
    assert cut((4, 0, 7), 2) == [(4, 0), (7,)]


def test_what_cannot_fit_at_all_is_refused_before_it_starts(store, monkeypatch):
    monkeypatch.setattr("harness.networks.memory.available_memory", lambda device="cpu": 100)
    with pytest.raises(MemoryShortfall, match=r"training 2 × 1x4 standard needs .* GiB of memory on cpu"):
        store.population(STANDARD, range(2))


def test_wider_longer_and_attacked_recipes_are_more_work():
    data = DATA.load()
    wide = replace(STANDARD, architecture=MLP((400, 400)))
    for more, less, times in ((wide, STANDARD, 20), (replace(STANDARD, epochs=20), STANDARD, 10), (ROBUST, STANDARD, 1.5)):
        assert training_work(more, data) == pytest.approx(times * training_work(less, data), rel=0.5)
    assert measuring_work(wide) > 100 * measuring_work(STANDARD)
    assert measuring_work(replace(STANDARD, checkpoints=(0, 1))) == 3 * measuring_work(STANDARD)
    assert training_work(replace(STANDARD, epochs=0), data) > 0


def test_the_most_work_is_done_first_and_parents_before_their_children(store, trainings):
    wide = replace(STANDARD, architecture=MLP((400, 400)))
    tuned = wide.finetuned(Threat(steps=4), epochs=9)
    store.populations([STANDARD, wide, tuned], [0])
    assert trainings == [("standard", (0,)), ("finetuned", (0,)), ("standard", (0,))]
    assert store.member_path(STANDARD, 0).stat().st_mtime_ns > store.member_path(tuned, 0).stat().st_mtime_ns
