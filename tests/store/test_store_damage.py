"""Entries that are not what they should be: told once, set aside, made again; never believed and never for ever."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import torch
from store_samples import STANDARD, TUNED, Lengths

from harness.store import Store, StoreError, files
from harness.store.sharing import MEMBERS_AT_A_TIME

TOLD = "^store entry "
CHECKSUM = "its content does not match the checksum"


def cut(path: Path, other: Path) -> str:
    path.write_bytes(path.read_bytes()[:-10])
    return "it cannot be read: "


def emptied(path: Path, other: Path) -> str:
    path.write_bytes(b"")
    return "it cannot be read: "


def flipped(path: Path, other: Path) -> str:
    content = bytearray(path.read_bytes())
    content[-10] ^= 1  # the last bytes of a member are numbers, of a table the last column
    path.write_bytes(content)
    return CHECKSUM


def copied(path: Path, other: Path) -> str:
    path.write_bytes(other.read_bytes())
    return f"it holds the entry {other.stem}, which was copied or moved here"


def replaced_by_a_pipe(path: Path, other: Path) -> str:
    """Whoever opens it waits until somebody writes."""
    path.unlink()
    os.mkfifo(path)
    return "it is not a regular file"


def replaced_by_a_folder(path: Path, other: Path) -> str:
    path.unlink()
    path.mkdir()
    return "it is a folder"


def replaced_by_a_link(path: Path, other: Path) -> str:
    outside = path.parents[3] / "outside"
    outside.write_bytes(path.read_bytes())
    path.unlink()
    path.symlink_to(outside)
    return "it is a link"


def nested(path: Path, other: Path) -> str:
    """A header of thousands of brackets, which Python's JSON reader cannot follow."""
    deep = "[" * 100_000 + "]" * 100_000
    if path.suffix == ".json":
        path.write_text(deep)
        return "it is nested too deeply"
    from safetensors.torch import save_file

    save_file({"epoch 2": torch.zeros(1)}, path, {"entry": deep})
    return "it is nested too deeply"


DAMAGES = [cut, emptied, flipped, copied, replaced_by_a_pipe, replaced_by_a_folder, replaced_by_a_link, nested]
Damage = Callable[[Path, Path], str]


def one_warning(caught: list[warnings.WarningMessage], path: Path, problem: str) -> None:
    assert len(caught) == 1
    text = str(caught[0].message)
    assert text.startswith(f"store entry {path.name} is damaged ({problem}")
    assert text.endswith(f"; it was moved to {path}.damaged and will be made again")
    assert path.with_name(path.name + ".damaged").exists()


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_member_is_trained_again(store, trainings, damage: Damage):
    before = store.population(STANDARD, range(3)).final
    path = store.member_path(STANDARD, 1)
    problem = damage(path, store.member_path(STANDARD, 2))
    with pytest.warns(UserWarning, match=TOLD) as caught:
        after = Store(store.folder).population(STANDARD, range(3)).final
    one_warning(caught, path, problem)
    assert trainings[1:] == [("standard", (1,))]
    assert torch.equal(after, before)
    assert torch.equal(Store(store.folder).population(STANDARD, range(3)).final, before)
    assert len(trainings) == 2


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_table_is_measured_again(store, measured, damage: Damage):
    populations = [store.population(STANDARD, range(3))]
    before = store.measure(populations, Lengths())
    path, other = (entry.path for entry in store.entries() if entry.name.endswith(("seed 1", "seed 2"))
                   and entry.kind == "table")  # fmt: skip
    problem = damage(path, other)
    with pytest.warns(UserWarning, match=TOLD) as caught:
        after = Store(store.folder).measure(populations, Lengths())
    one_warning(caught, path, problem)
    assert [len(seeds) for _, seeds in measured] == [3, 1]
    pd.testing.assert_frame_equal(after, before, check_exact=True)


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_cached_table_is_computed_again(store, damage: Damage):
    calls = []

    def compute() -> pd.DataFrame:
        calls.append(1)
        return pd.DataFrame({"value": [0.25, 0.5]})

    store.cached("other", {}, compute)
    (other,) = (entry.path for entry in store.entries())
    before = store.cached("facts", {}, compute)
    (path,) = (entry.path for entry in store.entries() if entry.path != other)
    problem = damage(path, other)
    with pytest.warns(UserWarning, match=TOLD) as caught:
        after = store.cached("facts", {}, compute)
    one_warning(caught, path, problem)
    assert len(calls) == 3
    pd.testing.assert_frame_equal(after, before)


def test_a_table_of_another_protocol_is_not_believed(store):
    """Same recipe, same seed, same measurement: only its settings differ."""
    population = store.population(STANDARD, [0])
    right = store.measure([population], Lengths())
    (path,) = (entry.path for entry in store.entries() if entry.kind == "table")
    store.measure([population], Lengths(2.0))
    (other,) = (entry.path for entry in store.entries() if entry.kind == "table" and entry.path != path)
    path.write_bytes(other.read_bytes())
    with pytest.warns(UserWarning, match="^store entry .* holds the entry"):
        pd.testing.assert_frame_equal(store.measure([population], Lengths()), right)


def test_a_number_changed_by_hand_is_not_believed(store):
    population = store.population(STANDARD, [0])
    right = store.measure([population], Lengths())
    (path,) = (entry.path for entry in store.entries() if entry.kind == "table")
    document = json.loads(path.read_text())
    columns = json.loads(document["columns"])
    columns["length"]["values"][0] += 1e-9
    path.write_text(json.dumps(document | {"columns": json.dumps(columns)}))
    with pytest.warns(UserWarning, match=f"^store entry .*{CHECKSUM}"):
        pd.testing.assert_frame_equal(store.measure([population], Lengths()), right, check_exact=True)


def test_several_damaged_members_are_trained_again_together(store, trainings):
    before = [population.final for population in store.populations([STANDARD, TUNED], range(3))]
    for recipe, seed in ((STANDARD, 0), (STANDARD, 2), (TUNED, 1)):
        cut(store.member_path(recipe, seed), Path())
    with pytest.warns(UserWarning, match=TOLD) as caught:
        after = [population.final for population in store.populations([STANDARD, TUNED], range(3))]
    assert len(caught) == 3
    assert trainings[2:] == [("standard", (0, 2)), ("finetuned", (1,))]
    for one, other in zip(before, after, strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("child", ["new", "damaged"])
def test_a_damaged_parent_is_trained_again_before_its_child(store, trainings, child):
    before = store.population(TUNED, range(2)).final
    path = store.member_path(STANDARD, 1)
    emptied(path, path)
    expected = [("standard", (1,)), ("finetuned", (0, 1))]
    if child == "new":
        for seed in range(2):
            store.member_path(TUNED, seed).unlink()
    else:
        cut(store.member_path(TUNED, 1), path)
        expected[1] = ("finetuned", (1,))
    with pytest.warns(UserWarning, match=TOLD) as caught:
        after = Store(store.folder).population(TUNED, range(2)).final
    assert len(caught) == (1 if child == "new" else 2)
    assert trainings[2:] == expected
    assert torch.equal(after, before)


def test_progress_does_not_go_back_when_a_damaged_parent_is_trained_again(store, monkeypatch):
    monkeypatch.setitem(MEMBERS_AT_A_TIME, "trained", 1)
    store.population(TUNED, range(3))
    emptied(store.member_path(STANDARD, 1), Path())
    for seed in range(3):
        store.member_path(TUNED, seed).unlink()
    told: list[int] = []
    store.heartbeat = lambda beat: told.append(beat["done"])
    with pytest.warns(UserWarning, match=TOLD):
        store.population(TUNED, range(3))
    assert told == sorted(told)
    assert told[-1] == 6


def test_a_damaged_parent_of_a_sound_child_does_no_harm(store, trainings):
    before = store.population(TUNED, range(2)).final
    emptied(store.member_path(STANDARD, 1), Path())
    assert torch.equal(store.population(TUNED, range(2)).final, before)
    assert len(trainings) == 2


@pytest.mark.parametrize("first", DAMAGES)
@pytest.mark.parametrize("second", [replaced_by_a_folder, replaced_by_a_link, cut])
def test_what_is_damaged_twice_is_set_aside_twice(store, trainings, first: Damage, second: Damage):
    """A folder replaces no file, and a file no folder: the second damaged entry finds a name of its own."""
    before = store.population(STANDARD, range(2)).final
    path = store.member_path(STANDARD, 0)
    for number, damage in enumerate((first, second), start=2):
        outside = store.folder.parent / "outside"
        outside.unlink(missing_ok=True)
        damage(path, store.member_path(STANDARD, 1))
        with pytest.warns(UserWarning, match="it was moved to .*damaged"):
            assert torch.equal(Store(store.folder).population(STANDARD, range(2)).final, before)
        assert len(trainings) == number
    aside = sorted(each.name for each in path.parent.glob("*.damaged*"))
    folders = [each is replaced_by_a_folder for each in (first, second)]
    assert aside == [f"{path.name}.damaged", *[f"{path.name}.damaged-2"] * any(folders)]


def test_an_entry_that_another_worker_has_replaced_is_left_alone(store, monkeypatch):
    """Between reading a damaged entry and moving it, another worker moved it and wrote a good one."""
    before = store.population(STANDARD, [0]).final
    path = store.member_path(STANDARD, 0)
    good = path.read_bytes()
    read = files.read_tensors

    def too_late(asked: Path):  # type: ignore[no-untyped-def]
        try:
            return read(asked)
        finally:
            monkeypatch.undo()
            files.write(path, good)

    emptied(path, path)
    monkeypatch.setattr(files, "read_tensors", too_late)
    assert torch.equal(store.population(STANDARD, [0]).final, before)
    assert not path.with_name(path.name + ".damaged").exists()


def test_an_entry_that_another_worker_has_just_set_aside_is_made_again_without_a_word(store, trainings, monkeypatch):
    before = store.population(STANDARD, [0]).final
    path = store.member_path(STANDARD, 0)
    read = files.read_tensors

    def gone(asked: Path):  # type: ignore[no-untyped-def]
        monkeypatch.setattr(files, "read_tensors", read)
        path.unlink()
        return read(asked)

    monkeypatch.setattr(files, "read_tensors", gone)
    assert torch.equal(store.population(STANDARD, [0]).final, before)
    assert len(trainings) == 2


class TestADiskThatKeepsNothing:
    """Whatever is written there comes back shorter: two tries, then an error that names the file and the remedy."""

    MESSAGE = r"store entry .* was made again and is damaged again \(.*\): .* does not keep what is written .*-store DIR"

    @pytest.fixture
    def broken(self, monkeypatch):
        write = files.write
        monkeypatch.setattr(files, "write", lambda path, content: write(path, content[:-10]))

    def failure(self, ask: Callable[[], object]) -> None:
        with pytest.warns(UserWarning, match=TOLD) as caught, pytest.raises(StoreError, match=self.MESSAGE):
            ask()
        assert len(caught) == 1

    @pytest.mark.usefixtures("broken")
    def test_members(self, store, trainings):
        self.failure(lambda: store.population(STANDARD, [0]).final)
        assert len(trainings) == 2

    @pytest.mark.usefixtures("broken")
    def test_parents(self, store, trainings):
        self.failure(lambda: store.population(TUNED, [0]))
        assert [regime for regime, _ in trainings] == ["standard", "standard"]

    def test_tables(self, store, measured, request):
        population = store.population(STANDARD, [0])
        request.getfixturevalue("broken")
        self.failure(lambda: store.measure([population], Lengths()))
        assert len(measured) == 2

    @pytest.mark.usefixtures("broken")
    def test_cached_tables(self, store):
        self.failure(lambda: store.cached("facts", {}, lambda: pd.DataFrame({"value": [1]})))


def test_entries_damaged_now_and_then_are_no_broken_disk(store):
    before = store.population(STANDARD, [0]).final
    for _ in range(3):
        emptied(store.member_path(STANDARD, 0), Path())
        with pytest.warns(UserWarning, match="^store entry"):
            assert torch.equal(store.population(STANDARD, [0]).final, before)


def test_a_damaged_entry_in_a_folder_that_cannot_be_written_is_an_error(store, monkeypatch):
    store.population(STANDARD, [0])
    path = store.member_path(STANDARD, 0)
    emptied(path, path)

    def refuse(source: object, target: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("harness.store.files.os.replace", refuse)
    told = rf"^store entry {path.name} is damaged \(it cannot be read: .*\) and cannot be moved out of the way: {path} "
    with pytest.raises(StoreError, match=told + r"\(Permission denied\); make the folder writable, .*--claims-store DIR"):
        _ = store.population(STANDARD, [0]).final


@pytest.mark.parametrize("work", ["members", "tables"])
def test_a_store_that_cannot_be_written_says_so_before_any_work(tmp_path, trainings, measured, work):
    good = Store(tmp_path / "good").population(STANDARD, [0])
    (tmp_path / "file").write_text("in the way")
    store = Store(tmp_path / "file" / "store")
    message = r"the store cannot write .*locks \(Not a directory\); make the folder writable, .*-store DIR or HARNESS_STORE"
    with pytest.raises(StoreError, match=message):
        store.population(STANDARD, [0]) if work == "members" else store.measure([good], Lengths())
    assert len(trainings) == 1
    assert measured == []


def test_damaged_entries_are_named_and_not_valid(store):
    store.population(STANDARD, range(2))
    copied(store.member_path(STANDARD, 0), store.member_path(STANDARD, 1))
    named = {entry.path: entry for entry in store.entries()}
    entry = named[store.member_path(STANDARD, 0)]
    assert not entry.valid()
    assert entry.name.startswith("damaged: it holds the entry ")
    assert named[store.member_path(STANDARD, 1)].valid()
    entry.path.unlink()
    assert not entry.valid()


def test_a_link_that_leads_out_of_the_store_is_not_followed(store: Store, tmp_path: Path) -> None:
    """Neither for writing nor for reading nor in a list."""
    store.population(STANDARD, [0])
    path = store.member_path(STANDARD, 0)
    outside = tmp_path / "outside"
    path.parent.rename(outside)
    path.parent.symlink_to(outside)
    again = Store(store.folder)
    with pytest.raises(StoreError, match=r"leads out of the store .* through a link, which is not followed: remove the link"):
        again.population(STANDARD, [0])
    assert again.entries() == []


def test_a_store_may_itself_be_reached_by_a_link(store: Store, trainings, tmp_path: Path) -> None:
    store.population(STANDARD, [0])
    link = tmp_path / "link"
    link.symlink_to(store.folder)
    Store(link).population(STANDARD, [0])
    assert len(trainings) == 1
