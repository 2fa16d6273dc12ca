"""Files that are written whole or not at all, and come back as they went in."""

from __future__ import annotations

import json
import math
import os
import stat
import threading
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from harness.store import Damaged, StoreError
from harness.store.files import Missing, read_table, read_tensors, write, write_table, write_tensors

TENSORS = {"epoch 2": torch.tensor([0.1, math.inf, -0.0, math.nan]), "epoch 0": torch.arange(4.0)[::2]}


def test_tensors_come_back_bit_by_bit(tmp_path):
    path = tmp_path / "aa" / "key.safetensors"
    write_tensors(path, TENSORS, {"seed": 3, "recipe": "1×4"})
    tensors, about = read_tensors(path)
    assert about == {"seed": 3, "recipe": "1×4"}
    assert set(tensors) == set(TENSORS)
    for name, value in TENSORS.items():
        assert tensors[name].numpy().tobytes() == value.contiguous().numpy().tobytes()


def test_equal_tensors_make_equal_files(tmp_path):
    written = set()
    for attempt in range(8):  # a random order of two header fields would come out the same once in 128
        path = tmp_path / str(attempt) / "key.safetensors"
        write_tensors(path, dict(sorted(TENSORS.items(), reverse=bool(attempt % 2))), {"b": 1, "a": attempt // 8})
        written.add(path.read_bytes())
    assert len(written) == 1


TABLE = pd.DataFrame({
    "number": [0.1, math.nan, math.inf, -math.inf, 5e-324, 1.7976931348623157e308],
    "single": np.array([0.1, 1 / 3, math.nan, math.inf, -0.0, 1e-45], dtype=np.float32),
    "count": [0, -1, 2**62, 3, 4, 5],
    "small": np.arange(6, dtype=np.int16),
    "flag": [True, False, True, True, False, False],
    "text": ["", "ε ≤ 1\n\"quoted\"", "b", "c", "nan", "0"],
    "gap": ["a", None, "b", None, "c", "d"],
    "mixed": pd.Series([1, "one", None, True, 2.5, math.inf], dtype=object),
    "none": [math.nan] * 6,
})  # fmt: skip


@pytest.mark.parametrize("table", [TABLE, TABLE[:0], TABLE[3:4], TABLE[::-2]], ids=["all", "none", "one", "some"])
def test_tables_come_back_with_their_types(tmp_path, table):
    path = tmp_path / "key.json"
    write_table(path, table, {"what": "numbers"})
    back, about = read_table(path)
    assert about == {"what": "numbers"}
    pd.testing.assert_frame_equal(back, table.reset_index(drop=True), check_exact=True)
    assert np.signbit(back["single"]).tolist() == np.signbit(table["single"]).tolist()
    assert [type(value) for value in back["mixed"]] == [type(value) for value in table["mixed"]]


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "key.json"
    write(path, b"old")

    def no_space(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("harness.store.files.os.fsync", no_space)
    with pytest.raises(StoreError, match=rf"cannot write {path} \(No space left on device\); .*free some space"):
        write(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_reader_sees_one_file_or_the_other_and_never_a_part(tmp_path):
    path, size = tmp_path / "key.json", 2**20
    write(path, b"0" * size)
    seen: set[bytes] = set()
    ended = threading.Event()

    def look() -> None:
        while not ended.is_set():
            content = path.read_bytes()
            seen.add(content[:1] if len(content) == size and len(set(content)) == 1 else b"a part")

    reader = threading.Thread(target=look)
    reader.start()
    for number in range(30):
        write(path, str(number % 10).encode() * size)
    ended.set()
    reader.join()
    assert b"a part" not in seen
    assert len(seen) > 1


def test_files_can_be_read_by_those_who_may(tmp_path):
    before = os.umask(0o022)
    try:
        write(tmp_path / "key.json", b"")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "key.json").stat().st_mode) == 0o644


def tensors_at(path: Path) -> Path:
    write_tensors(path.with_suffix(".safetensors"), TENSORS, {"seed": 3})
    return path.with_suffix(".safetensors")


def table_at(path: Path) -> Path:
    write_table(path.with_suffix(".json"), TABLE[["number", "text"]], {"seed": 3})
    return path.with_suffix(".json")


@pytest.mark.parametrize(("make", "read"), [(tensors_at, read_tensors), (table_at, read_table)], ids=["tensors", "table"])
class TestAnEntryThatIsNotWhatItWas:
    def test_is_found_out_at_any_length(self, tmp_path, make, read):
        path = make(tmp_path / "key")
        whole = path.read_bytes()
        for length in (0, 1, 7, 8, 9, len(whole) // 2, len(whole) - 1):
            path.write_bytes(whole[:length])
            with pytest.raises(Damaged, match=r"it cannot be read: |it lacks "):
                read(path)
        path.write_bytes(whole)
        read(path)

    def test_is_found_out_at_any_changed_bit(self, tmp_path, make, read):
        path = make(tmp_path / "key")
        whole, right = path.read_bytes(), str(read(path))
        for place in range(len(whole)):
            for bit in (1, 32):
                path.write_bytes(whole[:place] + bytes([whole[place] ^ bit]) + whole[place + 1 :])
                try:
                    found = str(read(path))
                except Damaged:
                    continue
                assert found == right, f"a changed bit in byte {place} gave other numbers"

    def test_is_found_out_when_it_was_copied_from_another_name(self, tmp_path, make, read):
        path = make(tmp_path / "key")
        other = path.with_stem("other")
        other.write_bytes(path.read_bytes())
        with pytest.raises(Damaged, match="it holds the entry key, which was copied or moved here"):
            read(other)

    def test_is_found_out_when_it_is_not_there(self, tmp_path, make, read):
        with pytest.raises(Missing, match="it is not there"):
            read(make(tmp_path / "key").with_stem("other"))

    def test_is_found_out_when_it_is_something_else(self, tmp_path, make, read):
        path = make(tmp_path / "key")
        for text in ("[]", "3", "{}", '{"columns": 3}', '{"key": "key", "columns": "", "about": 3, "sha256": ""}'):
            path.write_text(text)
            with pytest.raises(Damaged, match=r"it cannot be read: |it lacks "):
                read(path)
        path.unlink()
        path.mkdir()
        with pytest.raises(Damaged, match="it is a folder"):
            read(path)


def test_numbers_read_as_another_type_are_found_out(tmp_path):
    path = tensors_at(tmp_path / "key")
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b'"F32"', b'"I32"'))
    assert path.read_bytes() != whole
    with pytest.raises(Damaged, match="its content does not match the checksum"):
        read_tensors(path)


def test_a_number_or_a_note_changed_by_hand_is_found_out(tmp_path):
    path = table_at(tmp_path / "key")
    text = path.read_text()
    for changed in (text.replace("0.1", "0.2"), text.replace('\\"seed\\": 3', '\\"seed\\": 4')):
        assert changed != text
        json.loads(changed)
        path.write_text(changed)
        with pytest.raises(Damaged, match="its content does not match the checksum that it was written with"):
            read_table(path)
