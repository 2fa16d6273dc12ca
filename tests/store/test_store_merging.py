"""Stores that become one: what is missing is copied, what is there stays, what is broken or different is told."""

from __future__ import annotations

import numpy as np
import pytest
from store_samples import ROBUST, STANDARD, TUNED, Lengths, contents

from harness import cli
from harness.store import Store, files


@pytest.fixture
def stores(tmp_path):
    one, two = Store(tmp_path / "one"), Store(tmp_path / "two")
    one.measure([one.population(TUNED, range(3))], Lengths())
    two.populations([STANDARD, ROBUST], range(2, 4))
    return one, two


def merge(*arguments) -> int:
    return cli.main(["cache", "merge", *map(str, arguments)])


def test_two_stores_become_one(stores, tmp_path, capsys, trainings, measured):
    one, two = stores
    before = [contents(store.folder) for store in stores]
    assert merge(one.folder, two.folder, "--store", tmp_path / "both") == 0
    said = capsys.readouterr().out.splitlines()
    assert said == [
        f"{one.folder}: 9 entries copied, 0 there already",
        f"{two.folder}: 3 entries copied, 1 there already",  # seed 2 was trained twice, in different times
        f"the store is {tmp_path / 'both'}",
    ]
    assert [contents(store.folder) for store in stores] == before
    both = Store(tmp_path / "both")
    assert all(entry.valid() for entry in both.entries())
    trainings.clear()
    measured.clear()
    both.measure([both.population(TUNED, range(3))], Lengths())
    both.populations([STANDARD, ROBUST], range(2, 4))
    assert (trainings, measured) == ([], [])
    assert merge(one.folder, two.folder, "--store", both.folder) == 0
    assert "0 entries copied, 9 there already" in capsys.readouterr().out


def test_what_is_damaged_is_left_out_and_what_is_damaged_here_is_replaced(stores, capsys):
    one, two = stores
    theirs = two.member_path(STANDARD, 3)
    theirs.write_bytes(theirs.read_bytes()[:-1])
    ours = one.member_path(STANDARD, 2)
    ours.write_bytes(b"")
    with pytest.warns(UserWarning, match="is damaged"):
        assert merge(two.folder, "--store", one.folder) == 1
    said = capsys.readouterr().out
    assert f"{two.folder}: 3 entries copied, 0 there already" in said
    assert f"damaged, and left out: {theirs}" in said
    assert all(entry.valid() for entry in one.entries())


def test_another_result_of_the_same_name_is_told_and_replaces_nothing(stores, capsys):
    """As another kind of processor may have it, whose sums are rounded otherwise."""
    one, two = stores
    path = two.member_path(STANDARD, 2)
    tensors, about = files.read_tensors(path)
    files.write_tensors(path, {name: value.nextafter(value + 1) for name, value in tensors.items()}, about)
    before = one.member_path(STANDARD, 2).read_bytes()
    assert merge(two.folder, "--store", one.folder) == 1
    said = capsys.readouterr().out
    assert f"of the same name and other content, and left out; the one in the store stays: {path}" in said
    assert one.member_path(STANDARD, 2).read_bytes() == before


def test_tables_without_numbers_are_the_same(tmp_path):
    import pandas as pd

    for name in ("one", "two"):
        Store(tmp_path / name).cached("nothing", {}, lambda: pd.DataFrame({"value": [np.nan, np.inf, 1.0]}))
    assert merge(tmp_path / "two", "--store", tmp_path / "one") == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["merge"], "cache merge needs the stores to merge"),
        (["merge", "none"], "there is no store in none"),
        (["verify", "one"], "cache verify looks at one store; name it with --store DIR"),
    ],
)
def test_what_cannot_be_merged_is_one_line(stores, capsys, monkeypatch, tmp_path, arguments, said):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["cache", *arguments, "--store", str(tmp_path / "one")]) == 2
    assert said in capsys.readouterr().err
