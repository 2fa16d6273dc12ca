"""What a dispatch does with shards, whatever the engine does with jobs."""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass
from pathlib import Path

import fsspec
import pandas as pd
import pytest
import torch
from engine_recipes import DATA, OTHER, STANDARD, TUNED, Failing, Lengths, TwoArguments
from engine_samples import Ended, Inline, lengths_of, lost, silent
from filelock import FileLock

from harness.engines import EngineError
from harness.engines.job import carried_out
from harness.measure.base import Measurement
from harness.recipe import MLP, SGD, Recipe
from harness.store import Store
from harness.training.train import Diverged

SEEDS = range(3)


@pytest.fixture
def engine() -> Inline:
    return Inline()


@pytest.fixture
def store(tmp_path: Path, engine: Inline) -> Store:
    return Store(tmp_path / "store", engine=engine)


def test_what_an_engine_makes_is_what_this_process_makes(store, engine, tmp_path):
    here = Store(tmp_path / "here")
    assert lengths_of(store, [TUNED, OTHER], SEEDS) == lengths_of(here, [TUNED, OTHER], SEEDS)
    assert [job.what for job in engine.sent[-1:]] == ["1x4 finetuned"]
    assert len(engine.sent) == 3  # with the parent
    assert store.made == here.made == 3
    found = [each.measure(each.populations([TUNED], SEEDS), Lengths(2.0)) for each in (store, here)]
    pd.testing.assert_frame_equal(*found)
    assert engine.sent[-1].what == "lengths of 1x4 finetuned"
    names = [{entry.path.name for entry in each.entries()} for each in (store, here)]
    assert names[0] == names[1]
    assert list((store.folder / "jobs").iterdir()) == []


def test_nothing_is_sent_that_is_there(store, engine):
    lengths_of(store, [STANDARD], SEEDS)
    lengths_of(store, [STANDARD], SEEDS)
    assert len(engine.sent) == 1


def test_jobs_are_bytes_and_words_alone(store, engine):
    store.population(STANDARD, SEEDS)
    for value in vars(engine.sent[0]).values():
        assert isinstance(value, str | bytes | int | float | tuple), value
    assert len(engine.sent[0].payload) < 5_000


def test_what_only_this_process_knows_is_done_here(store, engine):
    def own(inputs, generator):
        return inputs

    recipe = Recipe(DATA, MLP((4,)), epochs=1, batch_size=16, augment=own)

    @dataclass(frozen=True)
    class Mine(Lengths):
        name = "mine"

    assert len(store.population(recipe, SEEDS)) == 3
    population = store.population(STANDARD, SEEDS)
    changed = store.population(STANDARD, SEEDS)
    changed.final.add_(1.0)
    for each, measurement in ((population, Mine()), (changed, Lengths())):
        assert len(store.measure([each], measurement)) == 3
    assert [job.what for job in engine.sent] == ["1x4 standard"]


def test_a_shard_that_is_lost_is_sent_again_and_given_up_in_the_end(store, engine):
    engine.does = [lost, lost]
    assert len(store.population(STANDARD, SEEDS)) == 3
    assert len(engine.sent) == 3
    engine.does = [lost, lost, lost]
    with pytest.raises(EngineError, match=r"work on 1x5 standard was lost 3 times .* because: its node is gone"):
        store.population(OTHER, SEEDS)


def test_a_job_that_falls_silent_is_sent_again(store, engine):
    engine.does = [silent]
    assert len(store.population(STANDARD, SEEDS)) == 3
    assert [future.cancelled for future in engine.futures] == [True, False]


def test_a_job_in_a_queue_may_be_silent(store, engine):
    """Preempted after it had begun, say; it ends when the queue lets it."""

    def queued(job):
        Path(job.beat).write_text("1")
        looks = []

        class Queued(Ended):
            def done(self):
                looks.append(None)
                if len(looks) > 10:
                    self.answer = carried_out(job)
                return self.answer is not None

        return Queued(queued=True)

    engine.does = [queued]
    assert len(store.population(STANDARD, SEEDS)) == 3
    assert len(engine.sent) == 1


def test_entries_count_whatever_the_engine_says(store, engine, monkeypatch):
    """Ray's agent of a node dies, and the worker goes on; SLURM's books are late."""
    monkeypatch.setattr("harness.engines.dispatch.GRACE", 0.1)
    engine.does = [lambda job: Ended(carried_out(job) and None)]
    assert len(store.population(STANDARD, SEEDS)) == 3
    assert len(engine.sent) == 1
    assert engine.futures[0].cancelled  # it may have been queued again, and would begin when all is over


def test_entries_that_are_written_elsewhere_are_an_error(store, engine):
    engine.does = [lambda job: Ended({"done": True, "node": "far", "failed": None, "warned": []})]
    with pytest.raises(
        EngineError, match=r"far says that it has written entries which are not in .*file system that all nodes"
    ):
        store.population(STANDARD, SEEDS)


def test_nodes_that_cannot_run_a_job_are_an_error_and_not_a_wait(store, engine, monkeypatch):
    monkeypatch.setattr("harness.engines.dispatch.ASKED", 0.1)
    engine.does, engine.says = [lambda job: Ended()], "no node has 9 GPUs"
    with pytest.raises(EngineError, match="no node has 9 GPUs"):
        store.population(STANDARD, SEEDS)
    assert engine.futures[0].cancelled
    with FileLock(next((store.folder / "locks").iterdir()), timeout=0):
        pass  # nobody holds it any more


def test_what_is_raised_there_is_raised_here(store, engine):
    population = store.population(STANDARD, SEEDS)
    with pytest.raises(TwoArguments, match="it fails: because it is meant to") as caught:
        store.measure([population], Failing())
    assert caught.value.why == "because it is meant to"
    assert "in run" in str(caught.value.__cause__)
    assert len(engine.sent) == 2  # an error is no loss


def test_divergence_arrives_without_its_tensors_and_keeps_nobody_from_the_rest(store, engine):
    wild = Recipe(DATA, MLP((6,)), epochs=2, batch_size=16, optimiser=SGD(1e30))
    with pytest.raises(Diverged, match="training of 1x6 standard diverged") as caught:
        store.populations([wild, STANDARD, TUNED], SEEDS)
    assert caught.value.seeds == tuple(SEEDS)
    assert not hasattr(caught.value, "kept")
    assert len(store.entries()) == 6


def test_warnings_arrive(store, monkeypatch):
    def run(self, population, data, device):
        warnings.warn("it is late", DeprecationWarning, stacklevel=1)
        return pd.DataFrame({"seed": population.seeds, "value": 0.0})

    monkeypatch.setattr(Lengths, "run", run)
    with pytest.warns(DeprecationWarning, match="it is late"):
        store.measure([store.population(STANDARD, SEEDS)], Lengths(3.0))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (lambda patch: patch.setattr("torch.__version__", "1.0"), r"torch 1\.0 there and .* here"),
        (lambda patch: patch.setattr("harness.store.names.member_key", lambda *given: ["edited"]), "the code is not the same"),
    ],
)  # fmt: skip
def test_another_environment_or_edited_code_stores_nothing(store, engine, changed, said):
    def elsewhere(job):
        with pytest.MonkeyPatch.context() as patch:
            changed(patch)
            return Ended(carried_out(job))

    engine.does = [elsewhere]
    with pytest.raises(EngineError, match=rf"1x4 standard has other names on .*{said}.*; nothing was stored"):
        store.population(STANDARD, SEEDS)
    assert store.entries() == []


def test_data_that_a_node_lacks_are_an_error_of_the_node(store, engine):
    """And no shortfall, which would make a claim invalid."""
    from harness.data import DataShortfall

    def elsewhere(job):
        def load(store, spec):
            raise DataShortfall("there is no MNIST")

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Store, "data", load)
            return Ended(carried_out(job))

    engine.does = [elsewhere]
    with pytest.raises(EngineError, match=r"the data of 1x4 standard are not on .*: there is no MNIST"):
        store.population(STANDARD, SEEDS)


def test_a_store_that_a_node_does_not_see_is_said(store, engine):
    def elsewhere(job):
        os.rename(store.folder / "jobs", store.folder / "hidden")
        try:
            return Ended(carried_out(job))
        finally:
            os.rename(store.folder / "hidden", store.folder / "jobs")

    engine.does = [elsewhere]
    with pytest.raises(EngineError, match=r"the store's folder .* is not on .*: it has to lie on a file system that all nodes"):
        store.population(STANDARD, SEEDS)


@dataclass(frozen=True)
class Settings(Measurement):
    """What a job is run under."""

    name = "settings"

    def run(self, population, data, device):
        from harness.device import memory_limit

        found = f"{torch.get_num_threads()} {memory_limit('cpu')} {os.environ.get('HARNESS_DATA')} {device}"
        return pd.DataFrame({"seed": population.seeds, "settings": found})


def test_threads_memory_and_data_are_those_of_the_sender_and_afterwards_as_before(store, engine, monkeypatch):
    from harness import device

    def elsewhere(job):
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("HARNESS_DATA", "theirs")
            device.limit_memory(3)
            torch.set_num_threads(mine + 1)
            try:
                ended = Ended(carried_out(job))
                assert (os.environ["HARNESS_DATA"], device.memory_limit("cpu"), torch.get_num_threads()) == (
                    "theirs",
                    3,
                    mine + 1,
                )
            finally:
                device.limit_memory(None)
                torch.set_num_threads(mine)
            return ended

    mine = torch.get_num_threads()
    population = store.population(STANDARD, SEEDS)
    monkeypatch.setenv("HARNESS_DATA", "mine")
    engine.does = [elsewhere]
    (found,) = set(store.measure([population], Settings())["settings"])
    assert found == f"{mine} {2**30} {os.path.abspath('mine')} cpu"


def test_what_another_process_holds_is_left_to_it(store, engine, monkeypatch):
    first = store._members.training(STANDARD, (0, 1, 2))
    (store.folder / "locks").mkdir(parents=True)
    lock = FileLock(store.folder / "locks" / f"{first.key}.lock")
    lock.acquire()
    there = Store(store.folder)

    def holder_finishes(seconds):
        there._members.training(STANDARD, (0, 1, 2)).run(lambda share: None)

    monkeypatch.setattr("harness.engines.dispatch.time.sleep", holder_finishes)
    assert len(store.population(STANDARD, SEEDS)) == 3
    assert engine.sent == []
    lock.release()


def test_a_parent_that_is_damaged_is_made_again(store, engine):
    store.population(STANDARD, SEEDS)
    path = store.member_path(STANDARD, 1)
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.warns(UserWarning, match="is damaged"):
        assert len(store.population(TUNED, SEEDS)) == 3
    assert all(entry.valid() for entry in store.entries())


def test_progress_is_told_and_ends(tmp_path):
    told = []
    store = Store(
        tmp_path / "store", engine=Inline(), heartbeat=lambda beat: told.append((beat["done"], round(beat["share"], 3)))
    )
    store.population(TUNED, SEEDS)
    assert told[-1] == (6, 1.0)
    assert told == sorted(told)


def test_no_more_jobs_are_under_way_than_the_engine_takes(store, engine):
    most = []

    class Later(Ended):
        def done(self):
            return True

        def result(self):
            most.append(len([each for each in engine.futures if each.answer is None]))
            self.answer = carried_out(self.job)
            return self.answer

    def later(job):
        ended = Later()
        ended.job = job
        return ended

    engine.at_once = 2
    engine.does = [later] * 5
    store.populations([Recipe(DATA, MLP((width,)), epochs=0) for width in range(2, 7)], SEEDS)
    assert max(most) == 2


def test_what_lies_below_a_store_is_known_where_the_work_is_done(engine, tmp_path, monkeypatch):
    """The parents are in a shared store alone; what is made is put where the store is kept."""
    fsspec.filesystem("memory").store.clear()
    monkeypatch.setattr("harness.store.place.cache_folder", lambda name: tmp_path / name)
    Store(tmp_path / "lender").population(STANDARD, SEEDS)
    store = Store("memory://bucket/store", engine=engine, shared=[tmp_path / "lender"])
    assert torch.equal(store.population(TUNED, SEEDS).final, Store(tmp_path / "here").population(TUNED, SEEDS).final)
    assert [job.what for job in engine.sent] == ["1x4 finetuned"]
    assert len(fsspec.filesystem("memory").find("/bucket/store")) == 3
