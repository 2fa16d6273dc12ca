"""What a store is found to hold at a glance, and what goes from it: nothing that a running process holds."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from filelock import FileLock
from store_samples import ROBUST, STANDARD, Lengths, contents

from harness import cli
from harness.store import Store, cleaning, files, headers
from harness.store.files import Damaged

DAY = 86400.0


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path / "store")
    store.measure(store.populations([STANDARD, ROBUST], range(3)), Lengths())
    return store


def age(path: Path, days: float) -> None:
    then = time.time() - days * DAY
    os.utime(path, (then, then), follow_symlinks=False)


def cache(store: Store, *arguments: str) -> int:
    return cli.main(["cache", *arguments, "--store", str(store.folder)])


def test_a_list_opens_no_entry_and_names_read_only_the_first_bytes(store, monkeypatch, capsys):
    read: list[int] = []
    opened = os.open
    monkeypatch.setattr(files.os, "open", lambda path, *rest: (read.append(1), opened(path, *rest))[1])
    assert cache(store) == 0
    said = capsys.readouterr().out.splitlines()
    assert [line.split(",")[0] for line in said] == ["6 members", "6 tables", f"12 entries in {store.folder}"]
    assert read == []
    assert cache(store, "ls") == 0
    assert len(read) == 12
    names = [entry.name for entry in store.entries()]
    assert "recipe 1x4 robust, seed 2" in names
    assert "what lengths, recipe 1x4 robust, seed 2" in names


@pytest.mark.parametrize("size", [0, 10, 5000])
@pytest.mark.parametrize("kind", ["member", "table"])
def test_a_header_of_any_length_is_read(tmp_path, monkeypatch, size, kind):
    import pandas as pd
    import torch

    about = {"what": 'x, "columns": "' * size, "seed": 3}
    if kind == "member":
        path = tmp_path / "key.safetensors"
        files.write_tensors(path, {"epoch 2": torch.zeros(3000)}, about)
    else:
        path = tmp_path / "key.json"
        files.write_table(path, pd.DataFrame({"value": range(3000)}), about)
    assert headers.about_of(path) == about


def test_a_table_written_in_another_order_is_read_whole(tmp_path):
    (tmp_path / "key.json").write_text('{"columns": "{}", "about": "{\\"seed\\": 3}", "key": "key", "sha256": ""}')
    assert headers.about_of(tmp_path / "key.json") == {"seed": 3}
    (tmp_path / "key.json").write_text('{"about": "[3]", "key": "key", "sha256": "", "columns": "{}"}')
    with pytest.raises(Damaged, match="it does not say what it is"):
        headers.about_of(tmp_path / "key.json")


@pytest.mark.parametrize(
    ("chosen", "count"),
    [
        (["--kind", "member"], 6), (["--match", "ROBUST"], 6), (["--match", "lengths"], 6), (["--older-than", "30d"], 2),
        (["--match", "robust", "--kind", "table"], 3), (["--match", "nothing"], 0),
    ],
)  # fmt: skip
def test_entries_are_listed_by_kind_text_and_age(store, capsys, chosen, count):
    for entry in store.entries()[:2]:
        age(entry.path, 40)
    assert cache(store, "ls", *chosen) == 0
    said = capsys.readouterr().out.splitlines()
    assert len(said) == count + 1
    assert said[-1].startswith(f"{count} entr")


def test_verify_names_each_damaged_entry_with_its_reason(store, capsys):
    first, second, *_ = store.entries()
    first.path.write_bytes(first.path.read_bytes()[:-1])
    second.path.write_bytes(first.path.read_bytes())
    before = [entry.used for entry in store.entries()]
    assert cache(store, "verify") == 1
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith(f"damaged: {first.path}: it cannot be read: ")
    assert said[1].startswith(f"damaged: {second.path}: it cannot be read: ")
    assert said[2] == "10 of 12 entries are as they were written"
    assert [entry.used for entry in store.entries()] == before


def test_what_was_not_used_for_long_goes_and_only_says_so_in_a_dry_run(store, capsys):
    old, newer, *_ = store.entries()
    before = contents(store.folder)  # reading counts as use
    age(old.path, 40)
    age(newer.path, 20)
    assert cache(store, "gc", "--older-than", "30d", "--dry-run") == 0
    said = capsys.readouterr().out.splitlines()
    assert f"{old.path}  recipe 1x4 " in said[0]
    assert said[0].split()[:2] == ["40", "days"]
    assert said[1].startswith("1 file, ")
    assert said[1].endswith(f"would be removed from {store.folder}")
    assert len(store.entries()) == 12
    assert cache(store, "gc", "--older-than", "30d") == 0
    assert contents(store.folder) == {path: content for path, content in before.items() if path != str(old.path)}


def test_what_was_looked_for_is_in_use_however_old_it_is(store, capsys):
    for entry in store.entries():
        age(entry.path, 40)
    again = Store(store.folder)
    again.measure([again.population(ROBUST, range(3))], Lengths())  # a warm run, which reads no member
    assert cache(store, "ls", "--older-than", "30d") == 0
    assert cache(store, "verify") == 0
    assert cache(store, "gc", "--older-than", "30d") == 0
    assert {entry.name for entry in store.entries()} == {
        f"{what}recipe 1x4 robust, seed {seed}" for what in ("", "what lengths, ") for seed in range(3)
    }


def test_what_was_used_between_the_look_and_the_removal_stays(store):
    (found,) = [entry for entry in store.entries() if entry.path == store.member_path(STANDARD, 0)]
    age(found.path, 40)
    idle = next(iter(cleaning.idle(store.folder, 30 * DAY)))
    store.population(STANDARD, [0])
    assert not cleaning.remove(idle)
    assert found.path.exists()


LEFT = [
    "members/ab/.abcdef0123456789.safetensors-01234567.part", "tables/ab/.abcdef0123456789.json-01234567.part",
    "members/ab/abcdef0123456789.safetensors.damaged", "tables/ab/abcdef0123456789.json.damaged-2",
    "locks/abcdef0123456789.lock", "jobs/abcdef0123456789-01234567.beat", "jobs/slurm-01234567/1_submitted.pkl",
    "incoming/abcdef0123456789/abcdef0123456789.json",
]  # fmt: skip
OTHERS = ["members/ab/notes.json", "notes/abcdef0123456789.lock", "locks/mine.lock", "confirmations.json", "jobs/log.txt"]


@pytest.mark.parametrize("days", [0.9, 1.1])
def test_what_dead_processes_left_goes_after_a_day_and_nothing_else(store, days):
    for name in [*LEFT, *OTHERS]:
        path = store.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("left")
        age(path, days)
        age(path.parent, days)
    before = contents(store.folder)
    assert cache(store, "gc") == 0
    assert [name for name in OTHERS if not (store.folder / name).exists()] == []
    assert [name for name in LEFT if (store.folder / name).exists()] == (LEFT if days < 1 else [])
    assert {path: content for path, content in before.items() if "ab/" not in path}.items() <= contents(store.folder).items()


def test_a_lock_that_is_held_stays(store):
    path = store.folder / "locks" / "abcdef0123456789.lock"
    with FileLock(path):
        age(path, 40)
        assert cache(store, "gc") == 0
        assert path.exists()
    age(path, 40)
    assert cache(store, "gc") == 0
    assert not path.exists()


def test_a_clock_that_is_ahead_or_behind_removes_nothing(store):
    for entry in store.entries():
        age(entry.path, -400)
    assert cache(store, "gc", "--older-than", "1d") == 0
    assert len(store.entries()) == 12


def test_a_link_that_leads_out_of_the_store_loses_nothing(store, tmp_path):
    entry = store.entries()[0]
    outside = tmp_path / "outside"
    entry.path.parent.rename(outside)
    entry.path.parent.symlink_to(outside)
    left = outside / ".abcdef0123456789.safetensors-01234567.part"
    left.write_text("left")
    for path in outside.iterdir():
        age(path, 40)
    there = sorted(outside.iterdir())
    for action in (["gc", "--older-than", "30d"], ["clear"]):
        assert cache(store, *action) == 0
        assert sorted(outside.iterdir()) == there


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["gc", "--older-than", "3h"], "what was used within the last day may be held by a running process; give at least 1d"),
        (["list", "--dry-run"], "cache list takes no --dry-run"),
        (["verify", "--match", "x"], "cache verify takes no --match"),
        (["gc", "other"], "cache gc looks at one store"),
    ],
)
def test_what_cannot_be_done_is_one_line(store, capsys, arguments, said):
    assert cache(store, *arguments) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("text", ["30", "d", "-3d", "3 months", "1e3d"])
def test_an_age_is_a_number_and_a_unit(store, capsys, text):
    with pytest.raises(SystemExit):
        cache(store, "gc", f"--older-than={text}")
    assert f"'{text}' is no age; write a number of hours, days or weeks, as in 12h, 30d or 2w" in capsys.readouterr().err
