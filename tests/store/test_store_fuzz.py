"""Readers of the store's entries against anything that may lie there: the right content, or one that is made again and told."""

from __future__ import annotations

import ast
import json
import os
import pickle
import shutil
import struct
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from store_samples import STANDARD

import harness.store
from harness.store import Damaged, Store, headers
from harness.store.files import read_columns, read_table, read_tensors, write_table, write_tensors

MANY = settings(max_examples=1500, deadline=None, suppress_health_check=list(HealthCheck))
FEW = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
TENSORS = {"epoch 2": torch.tensor([0.1, -0.0, 3.0]), "epoch 0": torch.arange(4.0)}
TABLE = pd.DataFrame({"seed": [3, 3], "value": [0.1, None], "text": ["a", 'b", "columns": "']})
ABOUT = {"what": "numbers", "seed": 3}
SUFFIXES = ("safetensors", "json")


def good(suffix: str, name: str = "key") -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{name}.{suffix}"
        if suffix == "json":
            write_table(path, TABLE, ABOUT)
        else:
            write_tensors(path, TENSORS, ABOUT)
        return path.read_bytes()


GOOD = {suffix: good(suffix) for suffix in SUFFIXES}


class Called:
    """Notes that it was unpickled, which no reader of a store may do."""

    def __reduce__(self):  # type: ignore[no-untyped-def]
        return (pytest.fail, ("something was unpickled",))


def header(text: bytes, rest: bytes = b"") -> bytes:
    return struct.pack("<Q", len(text)) + text + rest


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(
        st.sampled_from(["key", "about", "sha256", "columns", "__metadata__", "entry", "dtype", "values", "shape",
                         "data_offsets", "epoch 2"]) | st.text(max_size=5), inner, max_size=5),
    max_leaves=15,
)  # fmt: skip


@st.composite
def changed(draw, suffix: str) -> bytes:
    """A good entry with some bytes flipped, cut out, put in or repeated."""
    content = bytearray(GOOD[suffix])
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, max(0, len(content) - 1)))
        way = draw(st.sampled_from(["flip", "set", "cut", "insert", "end", "swap"]))
        if way == "flip" and content:
            content[place] ^= 1 << draw(st.integers(0, 7))
        elif way == "set" and content:
            content[place] = draw(st.integers(0, 255))
        elif way == "cut":
            del content[place : place + draw(st.integers(1, 40))]
        elif way == "insert":
            content[place:place] = draw(st.binary(max_size=20))
        elif way == "end":
            del content[place:]
        else:
            other = draw(st.integers(0, max(0, len(content) - 1)))
            content[place : place + 8], content[other : other + 8] = content[other : other + 8], content[place : place + 8]
    return bytes(content)


def anything(suffix: str) -> st.SearchStrategy[bytes]:
    """Arbitrary bytes, changed entries, well-formed nonsense, pickles."""
    texts = json_values.map(lambda value: json.dumps(value).encode())
    return st.one_of(
        st.binary(max_size=300),
        changed(suffix),
        texts,
        st.builds(header, texts, st.binary(max_size=50)),
        st.builds(
            header, st.builds(lambda value: json.dumps({"__metadata__": {"entry": json.dumps(value)}}).encode(), json_values)
        ),
        st.builds(lambda length, rest: struct.pack("<Q", length) + rest, st.integers(0, 2**64 - 1), st.binary(max_size=30)),
        st.sampled_from([pickle.dumps(Called(), protocol) for protocol in range(6)]),
        st.sampled_from([GOOD[each] for each in SUFFIXES if each != suffix] + [good(each, "other") for each in SUFFIXES]),
    )


def told(read: Callable[[Path], object], path: Path) -> object:
    """What a reader returns, or what is wrong in one line."""
    problem = ""
    try:
        return read(path)
    except Damaged as damaged:
        problem = str(damaged)
    assert problem
    return None


def same_tensors(found: object) -> bool:
    tensors, about = found  # type: ignore[misc]
    return about == ABOUT and {name: value.numpy().tobytes() for name, value in tensors.items()} == {
        name: value.numpy().tobytes() for name, value in TENSORS.items()
    }


@MANY
@given(anything("safetensors"))
@example(GOOD["safetensors"])
@example(b"")
@example(header(b"[" * 100_000 + b"]" * 100_000))
@example(struct.pack("<Q", 2**63) + b"{}")
def test_members(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "key.safetensors"
    path.write_bytes(content)
    found = told(read_tensors, path)
    assert found is None or same_tensors(found)
    about = told(headers.about_of, path)
    assert about is None or isinstance(about, dict)
    assert found is None or about == ABOUT


@MANY
@given(anything("json"))
@example(GOOD["json"])
@example(b"")
@example(b"[" * 100_000 + b"]" * 100_000)
@example(b'{"columns": ' * 50_000)
@example(b"1" * 5000)
def test_tables(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "key.json"
    path.write_bytes(content)
    found, columns = told(read_table, path), told(read_columns, path)
    if found is not None:
        pd.testing.assert_frame_equal(found[0], TABLE, check_exact=True)
        assert found[1] == ABOUT == columns[1]
    about = told(headers.about_of, path)
    assert about is None or isinstance(about, dict)
    assert found is None or about == ABOUT


def test_every_damage_of_one_byte_is_found_out(tmp_path):
    """Every length, and every byte set to some others."""
    for suffix, read in (("safetensors", read_tensors), ("json", read_table)):
        path, whole = tmp_path / f"key.{suffix}", GOOD[suffix]
        path.write_bytes(whole)
        right = str(read(path))
        for place in range(len(whole)):
            for content in (
                whole[:place],
                *(whole[:place] + bytes([value]) + whole[place + 1 :] for value in (0, 34, 123, 255)),
            ):
                path.write_bytes(content)
                found = told(read, path)
                assert found is None or str(found) == right
                told(headers.about_of, path)


# --- in the place of an entry of a store ------------------------------------------------------------------


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """A store of two members and a table, and what they hold."""
    store = Store(tmp_path_factory.mktemp("fuzz") / "store")
    final = store.population(STANDARD, range(2)).final
    table = store.cached("facts", {}, facts)
    return store.folder, final, table


def facts() -> pd.DataFrame:
    return pd.DataFrame({"value": [0.25, 0.5], "text": ["a", None]})


def put(path: Path, how: str, content: bytes, outside: Path) -> None:
    """Something in the place of an entry."""
    path.unlink()
    if how == "bytes":
        path.write_bytes(content)
    elif how == "folder":
        path.mkdir()
        (path / "inside").write_bytes(content)
    elif how == "pipe":
        os.mkfifo(path)
    elif how == "link":
        outside.write_bytes(content)
        path.symlink_to(outside)
    elif how == "dangling":
        path.symlink_to(outside.with_name("nothing"))
    elif how == "loop":
        path.symlink_to(path)


def restored(path: Path, whole: bytes) -> None:
    for each in path.parent.iterdir():
        if each.is_dir() and not each.is_symlink():
            shutil.rmtree(each)
        elif each.name.startswith(path.name):
            each.unlink()
    path.write_bytes(whole)


HOW = st.sampled_from(["bytes"] * 6 + ["folder", "pipe", "link", "dangling", "loop", "gone"])


@FEW
@given(HOW, st.one_of(anything("safetensors"), anything("json")), st.sampled_from(["member", "table"]), st.booleans())
def test_in_a_store(kept, tmp_path_factory, how, content, kind, swap):
    """The right numbers and at most one sentence, whatever lies in the place of an entry; nothing outside is written."""
    folder, final, table = kept
    store = Store(folder)
    outside = tmp_path_factory.getbasetemp() / "outside" / "file"
    outside.parent.mkdir(exist_ok=True)
    entries = {entry.kind: entry.path for entry in store.entries() if entry.kind == "table"} | {
        "member": store.member_path(STANDARD, 0)
    }
    path, other = entries[kind], store.member_path(STANDARD, 1)
    whole = path.read_bytes()
    if swap and how == "bytes":
        content = other.read_bytes()
    try:
        put(path, how, content, outside)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            found = store.population(STANDARD, range(2)).final
            facts_found = store.cached("facts", {}, facts)
        assert torch.equal(found, final)
        pd.testing.assert_frame_equal(facts_found, table, check_exact=True)
        assert len(caught) == (how != "gone")
        assert all(str(each.message).startswith("store entry ") and "\n" not in str(each.message) for each in caught)
        assert all(entry.valid() and entry.name for entry in store.entries())
        assert how != "link" or outside.read_bytes() == content
    finally:
        restored(path, whole)
        for each in outside.parent.iterdir():
            each.unlink()


STORE = Path(harness.store.__file__).parent


@pytest.mark.parametrize("path", sorted(STORE.glob("*.py")), ids=lambda path: path.stem)
def test_no_reader_of_a_store_can_unpickle(path):
    """Neither by the module nor by what calls it: torch.load, pandas.read_pickle, numpy.load."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    words = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    modules = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    modules |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert words.isdisjoint({"read_pickle", "to_pickle", "Unpickler"})
    assert not any(
        module.partition(".")[0] in ("pickle", "joblib", "shelve", "marshal", "dill", "cloudpickle") for module in modules
    )
    calls = [ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)]
    assert not {"torch.load", "np.load", "numpy.load", "eval", "exec"} & set(calls)
