"""Stores below one's own: shared folders that are only read, and file systems that fsspec knows."""

from __future__ import annotations

import os
import stat
import time
from pathlib import Path

import fsspec
import pytest
import torch
from store_samples import STANDARD, TUNED, Lengths, contents

from harness import cli
from harness.store import Store, StoreError, remote
from harness.store.place import Place
from harness.store.remote import Remote


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """Copies of stores with a URL lie in the user's cache."""
    monkeypatch.setattr("harness.store.place.cache_folder", lambda name: tmp_path / "cache" / name)


@pytest.fixture
def lender(tmp_path, trainings, measured):
    """A store of another group, with all that is asked for below."""
    store = Store(tmp_path / "lender")
    store.measure([store.population(TUNED, range(2))], Lengths())
    trainings.clear()
    measured.clear()
    return store


@pytest.fixture(params=["memory", "local"])
def url(request, tmp_path):
    """A place on fsspec's memory or local file system."""
    fsspec.filesystem("memory").store.clear()
    return "memory://bucket/store" if request.param == "memory" else f"local://{tmp_path}/bucket"


def there(url: str) -> dict[str, bytes]:
    """Every file below a URL."""
    system, root = fsspec.core.url_to_fs(url)
    return {str(path)[len(root) :]: system.cat_file(path) for path in sorted(system.find(root))}


def own(folder: Path) -> dict[str, bytes]:
    return {path.removeprefix(str(folder)): content for path, content in contents(folder).items()}


def asked(store: Store) -> tuple[torch.Tensor, list[float]]:
    population = store.population(TUNED, range(2))
    return population.final, store.measure([population], Lengths())["length"].tolist()


def test_what_a_shared_store_has_is_not_made_again_and_is_read_where_it_lies(lender, tmp_path, trainings, measured):
    before = contents(lender.folder)
    mine = Store(tmp_path / "mine", shared=[lender.folder])
    found, expected = asked(mine), asked(lender)
    assert torch.equal(found[0], expected[0])
    assert found[1] == expected[1]
    assert (trainings, measured, mine.made) == ([], [], 0)
    assert contents(lender.folder) == before
    assert not (tmp_path / "mine").exists()


def test_what_is_new_is_written_to_ones_own_and_may_need_what_is_shared(lender, tmp_path, trainings):
    """The parents of seed 0 and 1 are shared; the child of another recipe is trained from them."""
    before = contents(lender.folder)
    mine = Store(tmp_path / "mine", shared=[str(lender.folder)])
    again = TUNED.finetuned(TUNED.regime, epochs=1)
    population = mine.population(again, range(3))
    assert torch.equal(population.final, Store(tmp_path / "alone").population(again, range(3)).final)
    assert [(regime, seeds) for regime, seeds in trainings[:3]] == [
        ("standard", (2,)), ("finetuned", (2,)), ("finetuned", (0, 1, 2)),
    ]  # fmt: skip
    assert contents(lender.folder) == before
    assert len(mine.entries()) == 5


def test_a_store_that_cannot_be_written_can_be_shared(lender, tmp_path, trainings):
    every = [lender.folder, *lender.folder.rglob("*")]
    for path in every:
        path.chmod(stat.S_IMODE(path.stat().st_mode) & ~0o222)
    try:
        asked(Store(tmp_path / "mine", shared=[lender.folder]))
    finally:
        for path in every:
            path.chmod(stat.S_IMODE(path.stat().st_mode) | 0o200)
    assert trainings == []


@pytest.mark.parametrize("way", ["missing", "a file", "no bucket"])
def test_a_shared_store_that_is_not_there_costs_a_sentence(tmp_path, trainings, way):
    shared = {"missing": str(tmp_path / "none"), "a file": str(tmp_path / "file"), "no bucket": "nosuch://bucket/store"}[way]
    (tmp_path / "file").write_text("no store")
    store = Store(tmp_path / "mine", shared=[shared])
    with pytest.warns(UserWarning, match=r"^shared store .* is not asked, and what only it has will be made again") as caught:
        asked(store)
    assert len(caught) == 1
    assert len(trainings) == 2


def test_what_is_damaged_in_a_shared_store_is_left_there_and_made_again(lender, tmp_path, trainings):
    path = lender.member_path(TUNED, 1)
    path.write_bytes(path.read_bytes()[:-1])
    before = contents(lender.folder)
    mine = Store(tmp_path / "mine", shared=[lender.folder])
    told = (
        rf"^store entry {path.name} of the shared store {lender.folder} is damaged \(.*\); it was left there and will be made"
    )
    with pytest.warns(UserWarning, match=told) as caught:
        found = mine.population(TUNED, range(2)).final
    assert len(caught) == 1
    assert trainings == [("finetuned", (1,))]
    assert torch.equal(found, Store(tmp_path / "alone").population(TUNED, range(2)).final)
    assert contents(lender.folder) == before


def test_of_two_shared_stores_the_first_that_can_be_read_counts(lender, tmp_path, trainings):
    first = Store(tmp_path / "first")
    first.population(TUNED, [0])
    path = first.member_path(TUNED, 0)
    path.write_bytes(b"")
    trainings.clear()
    with pytest.warns(UserWarning, match="of the shared store .*first is damaged"):
        _ = Store(tmp_path / "mine", shared=[first.folder, lender.folder]).population(TUNED, [0]).final
    assert trainings == []


def test_a_shared_entry_that_vanishes_is_made_again(lender, tmp_path, trainings):
    population = Store(tmp_path / "mine", shared=[lender.folder]).population(TUNED, range(2))
    lender.member_path(TUNED, 0).unlink()
    assert torch.equal(population.final, Store(tmp_path / "alone").population(TUNED, range(2)).final)
    assert trainings[0] == ("finetuned", (0,))


def test_a_store_with_a_url_is_kept_there_and_read_from_there(url, tmp_path, trainings, measured):
    first = Store(url)
    expected = asked(first)
    assert len(trainings) == 2
    kept = there(url)
    assert kept == own(first.folder)
    assert len(kept) == 6
    first.folder.rename(tmp_path / "gone")  # as on another machine
    trainings.clear()
    measured.clear()
    again = Store(url)
    found = asked(again)
    assert torch.equal(found[0], expected[0])
    assert found[1] == expected[1]
    assert (trainings, measured) == ([], [])
    assert there(url) == kept
    assert own(again.folder).items() <= kept.items()
    assert not list((again.folder / "incoming").iterdir())


def test_members_whose_measurements_are_there_are_not_fetched(url, tmp_path):
    asked(Store(url))
    Store(url).folder.rename(tmp_path / "gone")
    again = Store(url)
    again.measure([again.population(TUNED, range(2))], Lengths())
    assert {entry.kind for entry in again.entries()} == {"table"}


def test_a_half_copied_entry_is_never_believed(url, tmp_path, trainings):
    """As a tool leaves it that copies a store file by file, and was interrupted."""
    expected = asked(Store(url))[0]
    system, root = fsspec.core.url_to_fs(url)
    path = next(each for each in system.find(f"{root}/members") if Store(url).member_path(TUNED, 0).stem in str(each))
    whole = system.cat_file(path)
    for length in (0, 7, len(whole) // 2, len(whole) - 1):
        system.pipe_file(path, whole[:length])
        Store(url).folder.rename(tmp_path / f"gone {length}")
        trainings.clear()
        with pytest.warns(UserWarning, match="^store entry .* of the shared store .* is damaged") as caught:
            found = asked(Store(url))[0]
        assert len(caught) == 1
        assert torch.equal(found, expected)
        assert trainings == [("finetuned", (0,))]
        system.invalidate_cache()
        assert len(system.cat_file(path)) == len(whole)  # what was made again has taken its place


def test_two_machines_without_locks_make_the_same_and_do_no_harm(url, tmp_path, monkeypatch, trainings):
    one = Store(url)
    monkeypatch.setattr("harness.store.place.cache_folder", lambda name: tmp_path / "other machine" / name)
    other = Store(url)
    assert one.trained_of(TUNED, range(2)) == other.trained_of(TUNED, range(2)) == ()
    first, second = asked(one), asked(other)  # whose list of what is there was made before
    assert torch.equal(first[0], second[0])
    assert len(trainings) == 4
    assert len(there(url)) == 6
    assert torch.equal(asked(Store(url))[0], first[0])


def test_what_could_not_be_put_there_is_put_there_later(url, monkeypatch):
    put = Remote._put

    def unreachable(self: Remote, *rest: object) -> None:
        raise StoreError("the store cannot write")

    monkeypatch.setattr(Remote, "_put", unreachable)
    with pytest.raises(StoreError, match="the store cannot write"):
        Store(url).population(STANDARD, [0])
    assert there(url) == {}
    monkeypatch.setattr(Remote, "_put", put)
    Store(url).population(STANDARD, [1])
    assert there(url) == own(Store(url).folder)
    assert len(there(url)) == 2


def test_a_place_that_refuses_is_one_sentence(url, monkeypatch):
    system, _ = fsspec.core.url_to_fs(url)

    def refused(*rest: object, **more: object) -> None:
        raise PermissionError("403 Forbidden")

    monkeypatch.setattr(type(system), "pipe_file", refused)
    with pytest.raises(StoreError, match=r"the store cannot write .* to .* \(403 Forbidden\); it is in .*, from where"):
        Store(url).population(STANDARD, [0])
    monkeypatch.setattr(type(system), "find", refused)
    with pytest.raises(StoreError, match=r"^the store .* cannot be read \(403 Forbidden\); see that it can be reached"):
        Store(url).population(STANDARD, [1])


def test_a_shared_store_with_a_url_is_only_read_and_its_entries_are_kept(url, lender, tmp_path, trainings):
    assert cli.main(["cache", "merge", str(lender.folder), "--store", url]) == 0
    before = there(url)
    assert len(before) == 6
    mine = Store(tmp_path / "mine", shared=[url])
    asked(mine)
    mine.population(STANDARD, [7])
    assert there(url) == before
    assert trainings == [("standard", (7,))]
    assert len(mine.entries()) == 5  # 2 members, 2 tables, and the new one


def test_stores_with_urls_are_listed_and_merged(url, lender, tmp_path, capsys):
    assert cli.main(["cache", "merge", str(lender.folder), "--store", url]) == 0
    assert "6 entries copied" in capsys.readouterr().out
    assert cli.main(["cache", "--store", url]) == 0
    assert "6 entries where it is kept" in capsys.readouterr().out
    assert cli.main(["cache", "merge", url, "--store", str(tmp_path / "back")]) == 0
    assert contents(tmp_path / "back").keys() == {path.replace("lender", "back") for path in contents(lender.folder)}


def test_a_list_serves_for_a_while_and_knows_what_was_written_since(monkeypatch):
    fsspec.filesystem("memory").store.clear()
    asked_for: list[str] = []
    listed = Remote._listed
    monkeypatch.setattr(Remote, "_listed", lambda self, kind: (asked_for.append(kind), listed(self, kind))[1])
    store = Store("memory://bucket/store")
    store.population(STANDARD, range(4))
    assert store.trained_of(STANDARD, range(6)) == (0, 1, 2, 3)
    assert asked_for == ["member"]
    later = time.monotonic() + 1e4
    monkeypatch.setattr(remote.time, "monotonic", lambda: later)
    store.folder.rename(store.folder.with_name("gone"))
    assert store.trained_of(STANDARD, range(6)) == (0, 1, 2, 3)
    assert asked_for == ["member"] * 2  # once more after a while, since two are missing


def test_names_that_no_store_writes_are_not_taken_from_there(tmp_path):
    system = fsspec.filesystem("memory")
    system.store.clear()
    for name in ("..%2f", "notes", "0" * 15, "G" * 16, "../../outside"):
        system.pipe_file(f"/bucket/store/members/00/{name}.safetensors", b"")
    assert Remote("memory://bucket/store").sizes("member") == {}


@pytest.mark.parametrize(
    ("given", "folder", "url"),
    [
        ("kept", "kept", None),
        (Path("kept"), "kept", None),
        ("file:///data/a%20store", "/data/a store", None),
        ("C:\\stores", "C:\\stores", None),
        ("s3://bucket/store/", None, "s3://bucket/store"),
        ("simplecache::s3://bucket/store", None, "simplecache::s3://bucket/store"),
    ],
)
def test_what_a_place_is(given, folder, url):
    place = Place.of(given)
    assert (folder is None or place.folder == Path(folder), place.remote) == (True, url)
    assert Place.of(place) == place


def test_a_password_in_a_url_is_not_told():
    assert Remote("sftp://me:secret@host/store").where == "sftp://host/store"


def test_a_file_system_without_its_package_is_one_sentence(capsys):
    assert cli.main(["cache", "--store", "nosuch://bucket"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("python -m harness: nosuch://bucket is no place for a store: Protocol not known: nosuch")
    assert error.count("\n") == 1


def test_uses_are_noted_where_an_entry_lies_and_not_below(lender, tmp_path):
    path = lender.member_path(TUNED, 0)
    os.utime(path, (1e9, 1e9))
    Store(tmp_path / "mine", shared=[lender.folder]).population(TUNED, [0])
    assert path.stat().st_atime == 1e9
    lender.population(TUNED, [0])
    assert path.stat().st_atime > 1.6e9
    assert path.stat().st_mtime == 1e9
