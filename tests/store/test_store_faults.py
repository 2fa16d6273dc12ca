"""Faults of machines: no memory, no space, no permission, a clock that jumps; what is stored is right or not there."""

from __future__ import annotations

import errno
import os
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from store_samples import ROBUST, STANDARD, TUNED, Lengths

import harness.training.train
from harness import device
from harness.data import DataShortfall, Mnist, cifar10_files, mnist_files
from harness.deadline import Limit, TimedOut
from harness.population import Population
from harness.store import Store, StoreError, files, loading
from harness.store.cleaning import DAY
from harness.store.halving import MemoryExhausted, in_halves, is_exhausted
from harness.store.leftovers import sweep
from harness.training.train import Diverged

SEEDS = range(5)
CPU = RuntimeError(
    "[enforce fail at alloc_cpu.cpp:117] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to allocate 99 bytes. "
    "Error code 12 (Cannot allocate memory)"
)
WINDOWS = RuntimeError(
    "[enforce fail at alloc_cpu.cpp:114] data. DefaultCPUAllocator: not enough memory: you tried to allocate"
)
GPU = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB.")
EXHAUSTED = {
    "python": MemoryError(),
    "numpy": MemoryError("Unable to allocate 9 GiB"),
    "cpu": CPU,
    "windows": WINDOWS,
    "gpu": GPU,
}


def numbers(folder: Path) -> tuple[list[list[float]], pd.DataFrame]:
    """Weights and measurements of a small grid."""
    store = Store(folder)
    populations = store.populations([ROBUST, TUNED], SEEDS)
    return [each.final.flatten().tolist() for each in populations], store.measure(populations, Lengths(2.0))


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[list[float]], pd.DataFrame]:
    return numbers(tmp_path_factory.mktemp("undisturbed"))


def same(one: tuple[list[list[float]], pd.DataFrame], other: tuple[list[list[float]], pd.DataFrame]) -> None:
    assert one[0] == other[0]
    pd.testing.assert_frame_equal(one[1], other[1], check_exact=True)


# --- memory ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("problem", list(EXHAUSTED.values()), ids=list(EXHAUSTED))
@pytest.mark.parametrize("most", [4, 3])
def test_what_does_not_fit_is_halved_and_is_the_same(tmp_path, monkeypatch, undisturbed, problem: Exception, most: int):
    train, select = harness.training.train.train, Population.select
    together: list[int] = []

    def allocate(members: int) -> None:
        together.append(members)
        if members > most:
            raise problem

    def small(recipe, data, seeds, **rest):
        allocate(len(seeds))
        return train(recipe, data, seeds, **rest)

    def small_too(self, seeds):
        allocate(len(seeds))
        return select(self, seeds)

    monkeypatch.setattr(harness.training.train, "train", small)
    monkeypatch.setattr(Population, "select", small_too)
    same(numbers(tmp_path), undisturbed)
    assert together.count(5) == 5  # three recipes are trained, two measured
    assert together.count(3) == together.count(2) == 5


@pytest.mark.parametrize("problem", list(EXHAUSTED.values()), ids=list(EXHAUSTED))
def test_what_does_not_fit_in_halves_says_what_to_do_and_stores_nothing(store, monkeypatch, problem: Exception):
    def never(*_: Any, **__: Any) -> None:
        raise problem

    monkeypatch.setattr(harness.training.train, "train", never)
    device.limit_memory(2**29)
    try:
        with pytest.raises(MemoryExhausted) as caught:
            store.population(STANDARD, SEEDS)
        assert device.memory_limit("cpu") == 2**29
    finally:
        device.limit_memory(None)
    said = str(caught.value)
    assert said.startswith(f"training {STANDARD.name} ran out of memory on cpu with 5 networks together, and again with 3")
    assert "give --claims-memory 128MiB, run fewer workers at a time (-n)" in said
    assert "\n" not in said
    assert store.entries() == []


def test_the_second_time_has_half_the_working_memory():
    limits: list[int] = []

    def work(seeds: tuple[int, ...]) -> None:
        limits.append(device.memory_limit("cpu"))
        if len(seeds) > 2:
            raise MemoryError

    in_halves((0, 1, 2, 3), work, "measuring", "cpu")
    assert limits == [2**30, 2**29, 2**29]
    assert device.memory_limit("cpu") == 2**30


def test_a_single_network_has_its_second_chance_too():
    tried: list[int] = []

    def work(seeds: tuple[int, ...]) -> None:
        tried.append(len(seeds))
        if device.memory_limit("cpu") == 2**30:
            raise MemoryError

    in_halves((7,), work, "measuring", "cpu")
    assert tried == [1, 1]


def test_networks_that_diverge_in_both_halves_are_all_named(store, monkeypatch):
    train = harness.training.train.train

    def diverging(recipe, data, seeds, **rest):
        if len(seeds) > 3:
            raise MemoryError
        kept = train(recipe, data, seeds, **rest)
        raise Diverged(recipe, seeds[:1], kept)

    monkeypatch.setattr(harness.training.train, "train", diverging)
    with pytest.raises(Diverged, match=r"diverged for seeds \[0, 3\]"):
        store.population(STANDARD, SEEDS)
    assert len(store.entries()) == 3


@pytest.mark.parametrize("problem", [RuntimeError("mat1 and mat2"), ValueError("out of memory"), KeyError(), TimedOut("x")])
def test_other_faults_are_none_of_memory(problem: BaseException):
    assert not is_exhausted(problem)


# --- space and permission -------------------------------------------------------------------------------

Write = Callable[..., Any]


class Disk:
    """The calls by which a store writes; after so many of them the disk is full, or may not be written to."""

    def __init__(self, number: int, after: int) -> None:
        self.number, self.after, self.calls = number, after, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def _count(self) -> None:
        self.calls += 1
        if self.calls > self.after:
            raise OSError(self.number, os.strerror(self.number))

    def fsync(self, handle: int) -> None:
        self._count()
        os.fsync(handle)

    def replace(self, source: Any, target: Any) -> None:
        self._count()
        os.replace(source, target)


def positions() -> Iterator[int]:
    return iter(range(0, 50, 7))


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EDQUOT, errno.EIO])
def test_a_disk_that_fails_anywhere_leaves_whole_entries_or_none(tmp_path, monkeypatch, undisturbed, number: int):
    """Every write is two calls, and 25 entries are written: networks, their parents, and tables."""
    for after in positions():
        folder = tmp_path / str(after)
        monkeypatch.setattr(files, "os", Disk(number, after))
        with pytest.raises(StoreError, match="free some space, or choose another") as caught:
            numbers(folder)
        assert os.strerror(number) in str(caught.value)
        monkeypatch.undo()
        assert list(folder.rglob("*.part")) == []
        entries = Store(folder).entries()
        assert len(entries) == after // 2
        assert all(entry.valid() for entry in entries)
        same(numbers(folder), undisturbed)


def test_a_store_that_can_only_be_read_is_as_good_where_all_is_there(tmp_path, monkeypatch, undisturbed):
    numbers(tmp_path)
    monkeypatch.setattr(files, "write", None)
    monkeypatch.setattr("harness.store.aside.set_aside", None)
    monkeypatch.setattr(Path, "mkdir", None)
    monkeypatch.setattr(Path, "unlink", None)
    same(numbers(tmp_path), undisturbed)


# --- clocks and leftovers -------------------------------------------------------------------------------

HOUR = 3600.0
WEIRD = {"the future": 10 * 365 * 24 * HOUR, "the epoch": None, "long ago": -10 * 365 * 24 * HOUR}


@pytest.mark.parametrize("jump", list(WEIRD.values()), ids=list(WEIRD))
def test_times_of_files_say_nothing(tmp_path, trainings, undisturbed, jump: float | None):
    numbers(tmp_path)
    trained = len(trainings)
    when = 0.0 if jump is None else time.time() + jump
    for path in tmp_path.rglob("*"):
        os.utime(path, (when, when))
    same(numbers(tmp_path), undisturbed)
    assert len(trainings) == trained


def test_a_clock_that_jumps_while_work_is_done_changes_nothing(tmp_path, monkeypatch, undisturbed):
    """By weeks, back and forth, every time that somebody looks at it: what takes how long is read off another clock."""
    real, looks = time.time, iter(range(10**9))
    monkeypatch.setattr(time, "time", lambda: real() + (-1) ** next(looks) * 30 * DAY)
    same(numbers(tmp_path), undisturbed)
    same(numbers(tmp_path), undisturbed)
    assert all(entry.valid() for entry in Store(tmp_path).entries())


def test_what_a_host_with_a_wrong_clock_removes_half_written_is_written_again(tmp_path, monkeypatch, undisturbed):
    """It takes what is being written for what a killed process left days ago; once for each entry is seldom enough."""
    replace, swept = os.replace, set()

    def found_gone(source, target) -> None:
        if target not in swept:
            swept.add(target)
            Path(source).unlink()
        replace(source, target)

    monkeypatch.setattr(os, "replace", found_gone)
    same(numbers(tmp_path), undisturbed)
    assert len(swept) == len(Store(tmp_path).entries()) == 25
    assert list(tmp_path.rglob("*.part")) == []


def part(folder: Path, age: float, name: str = "members/ab/.abcdef0123456789.safetensors-0a1b2c3d.part") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"half")
    os.utime(path, (time.time() - age,) * 2)
    return path


def test_what_a_killed_process_left_goes_with_the_next_work(store):
    old = [part(store.folder, 2 * DAY), part(store.folder, 2 * DAY, "tables/cd/.abcdef0123456789.json-0a1b2c3d.part"),
           part(store.folder, 2 * DAY, "jobs/abcdef0123456789-0a1b2c3d.beat")]  # fmt: skip
    kept = [
        part(store.folder, DAY / 2, "members/ab/.abcdef0123456789.safetensors-ffffffff.part"),
        part(store.folder, -2 * DAY, "members/ab/.abcdef0123456789.safetensors-eeeeeeee.part"),
        part(store.folder, 2 * DAY, "members/ab/mine.part"), part(store.folder, 2 * DAY, "notes/.a-0a1b2c3d.part"),
    ]  # fmt: skip
    store.population(STANDARD, [0])
    assert not any(path.exists() for path in old)
    assert all(path.exists() for path in kept)


def test_nothing_is_looked_for_where_nothing_is_made(tmp_path):
    Store(tmp_path).population(STANDARD, [0])
    old = part(tmp_path, 2 * DAY)
    Store(tmp_path).population(STANDARD, [0])
    assert old.exists()
    assert sweep(tmp_path) == 1
    assert sweep(tmp_path / "none") == 0


def test_a_folder_of_that_name_and_a_link_stay(tmp_path):
    folder = tmp_path / "members" / "ab" / ".abcdef0123456789.safetensors-0a1b2c3d.part"
    folder.mkdir(parents=True)
    os.utime(folder, (0, 0))
    (tmp_path / "elsewhere" / "cd").mkdir(parents=True)
    away = part(tmp_path, 2 * DAY, "elsewhere/cd/.abcdef0123456789.json-0a1b2c3d.part")
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables" / "cd").symlink_to(away.parent)
    assert sweep(tmp_path) == 0
    assert folder.exists()
    assert away.exists()


# --- downloads ------------------------------------------------------------------------------------------


class Dripping(BaseHTTPRequestHandler):
    """Sends a byte every tenth of a second: no single read takes long."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "10000000")
        self.end_headers()
        try:
            while True:
                self.wfile.write(b"x")
                self.wfile.flush()
                time.sleep(0.1)
        except OSError:
            pass

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def dripping(monkeypatch, tmp_path) -> Iterator[Path]:
    """A machine whose only source of MNIST is a server that drips; the cache folder of its downloads."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Dripping)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}/"
    for name in ("HARNESS_DATA", "HARNESS_OFFLINE", "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(mnist_files, "MIRRORS", (address,))
    monkeypatch.setattr(mnist_files, "_cache_folder", lambda: tmp_path / "cache")
    mnist_files._from_elsewhere.cache_clear()
    yield tmp_path / "cache"
    mnist_files._from_elsewhere.cache_clear()
    server.shutdown()
    server.server_close()


def test_a_download_that_drips_is_given_up(dripping: Path, monkeypatch):
    monkeypatch.setattr(loading, "LONGEST", 1.0)
    began = time.monotonic()
    with pytest.raises(DataShortfall, match="the data of Mnist could not be had within") as caught:
        loading.loaded(Mnist(train=100, test=50))
    assert time.monotonic() - began < 30
    assert "set HARNESS_DATA to a folder that holds the files" in str(caught.value)
    assert [path for path in dripping.rglob("*") if path.is_file()] == []


def test_a_claims_own_limit_ends_it_earlier(dripping: Path):
    with pytest.raises(TimedOut, match=r"within 0\.5 s, while loading Mnist"), Limit(0.5).running():
        loading.loaded(Mnist(train=100, test=50))


def test_downloads_are_by_https_and_by_checksum():
    assert all(address.startswith("https://") for address in (*mnist_files.MIRRORS, cifar10_files.PAGE))
    assert all(len(each) == 64 for each in mnist_files.CHECKSUMS.values())
    assert all(len(each) == 32 for each in (*cifar10_files.ARCHIVES.values(), *cifar10_files.BATCHES.values()))
