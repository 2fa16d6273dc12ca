import functools
import gzip
import hashlib
import http.server
import shutil
import threading

import numpy as np
import pooch
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from harness.data import DataError, DataShortfall, availability, mnist_files, raw_mnist, register_embedded
from harness.data.mnist_files import parse_idx

LABELS = "train-labels-idx1-ubyte"


# --- the format -------------------------------------------------------------------------------------------


@given(array=hnp.arrays(np.uint8, hnp.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=4)))
def test_idx_is_read_back(idx_bytes, array):
    np.testing.assert_array_equal(parse_idx(idx_bytes(array)), array)


@given(content=st.binary(max_size=40))
def test_anything_else_is_refused(content):
    try:
        array = parse_idx(content)
    except ValueError:
        return
    assert content[:3] == b"\0\0\x08"
    assert len(content) == 4 + 4 * array.ndim + array.size


@pytest.mark.parametrize(
    "change",
    [lambda c: c[:-1], lambda c: c + b"\0", lambda c: b"\0\0\x09" + c[3:], lambda c: c[:6]],
    ids=["short", "long", "type", "header"],
)
def test_idx_of_the_wrong_length_or_type_is_refused(idx_bytes, change):
    with pytest.raises(ValueError, match="not an IDX file"):
        parse_idx(change(idx_bytes(np.zeros((3, 2), np.uint8))))


# --- a folder ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("layout", ["", "mnist"])
def test_folder_is_read_in_both_layouts(miniature, monkeypatch, layout):
    monkeypatch.setenv("HARNESS_DATA", str(miniature / layout))
    raw = raw_mnist(whole=True)
    assert (raw.source, raw.whole, raw.train_x.shape, raw.test_x.shape) == (
        "folder",
        True,
        (50, 28, 28),
        (20, 28, 28),
    )
    assert raw.train_y.tolist() == list(range(10)) * 5
    assert raw.train_y.dtype == np.int64
    assert raw_mnist() is raw, "the images are decompressed once a process"


def test_shared_images_cannot_be_changed(miniature, monkeypatch):
    monkeypatch.setenv("HARNESS_DATA", str(miniature))
    with pytest.raises(ValueError, match="read-only"):
        raw_mnist().train_x[0] = 0


def test_folder_that_is_nowhere_is_an_error_even_with_a_subset(subset, monkeypatch, tmp_path):
    monkeypatch.setenv("HARNESS_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(DataError, match=r"HARNESS_DATA.*nowhere.*not a folder.*unset"):
        raw_mnist()


def test_missing_file_is_an_error_even_with_a_subset(miniature, subset, monkeypatch):
    (miniature / "mnist" / f"{LABELS}.gz").unlink()
    monkeypatch.setenv("HARNESS_DATA", str(miniature))
    with pytest.raises(DataError, match=f"{LABELS}.gz is missing.*{mnist_files.CHECKSUMS[LABELS]}"):
        raw_mnist()


def _truncated(path, content):
    path.write_bytes(path.read_bytes()[:-20])


def _flipped(path, content):
    compressed = bytearray(path.read_bytes())
    compressed[len(compressed) // 2] ^= 0xFF
    path.write_bytes(bytes(compressed))


def _not_gzip(path, content):
    path.write_bytes(b"<html>not found</html>")


def _other_content(path, content):
    path.write_bytes(gzip.compress(content[:-1] + bytes([content[-1] ^ 1])))


def _empty(path, content):
    path.write_bytes(b"")


@pytest.mark.parametrize("damage", [_truncated, _flipped, _not_gzip, _other_content, _empty])
@pytest.mark.parametrize("name", [LABELS, "t10k-images-idx3-ubyte"])
def test_corrupt_file_is_an_error_even_with_a_subset(miniature, subset, monkeypatch, damage, name):
    path = miniature / "mnist" / f"{name}.gz"
    damage(path, gzip.decompress(path.read_bytes()))
    monkeypatch.setenv("HARNESS_DATA", str(miniature))
    with pytest.raises(DataError, match=f"{name}.gz is corrupt: expected .*{mnist_files.CHECKSUMS[name]}, found .*put"):
        raw_mnist()


@given(cut=st.integers(0, 200), flip=st.integers(0, 255))
def test_no_damage_passes_or_breaks_the_reader(tmp_path_factory, idx_bytes, cut, flip):
    """Whatever is cut off or changed: the right labels, or a DataError, never anything else."""
    path = tmp_path_factory.mktemp("damage") / f"{LABELS}.gz"
    content = idx_bytes(np.arange(200, dtype=np.uint8))
    compressed = bytearray(gzip.compress(content, mtime=0)[: cut or None])
    compressed[cut // 2] ^= flip
    path.write_bytes(bytes(compressed))
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(mnist_files.CHECKSUMS, LABELS, hashlib.sha256(content).hexdigest())
        try:
            assert mnist_files.read(path, LABELS).tolist() == list(range(200))
        except DataError as problem:
            assert "is corrupt: expected" in str(problem)  # noqa: PT017 - both outcomes are right


# --- a download -------------------------------------------------------------------------------------------


@pytest.fixture
def serve(monkeypatch):
    """Serve folders over HTTP on this machine, as the mirrors."""
    servers = []

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass

    def start(*folders):
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        monkeypatch.delenv("HARNESS_OFFLINE")
        for folder in folders:
            handler = functools.partial(Quiet, directory=str(folder))
            servers.append(http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler))
            threading.Thread(target=servers[-1].serve_forever, daemon=True).start()
        urls = tuple(f"http://127.0.0.1:{server.server_port}/" for server in servers)
        monkeypatch.setattr(mnist_files, "MIRRORS", urls)
        return urls

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def test_download_is_checked_and_kept(miniature, serve, tmp_path, new_process, monkeypatch):
    """The first mirror has a corrupt file; the second is used, and afterwards neither is needed."""
    broken = tmp_path / "broken"
    shutil.copytree(miniature / "mnist", broken)
    _not_gzip(broken / f"{LABELS}.gz", b"")
    serve(broken, miniature / "mnist")
    assert availability()["source"] == "download"
    assert raw_mnist().source == "download"
    new_process()
    monkeypatch.setenv("HARNESS_OFFLINE", "1")
    raw = raw_mnist(whole=True)
    assert raw.source == "cache"
    assert raw.train_y.tolist() == list(range(10)) * 5


def test_damaged_download_is_fetched_again(miniature, serve, tmp_path, new_process):
    serve(miniature / "mnist")
    raw_mnist()
    _truncated(tmp_path / "cache" / f"{LABELS}.gz", b"")
    new_process()
    assert raw_mnist().source == "download"
    new_process()
    assert raw_mnist().source == "cache"


def test_failed_download_falls_back_and_says_why(subset, serve, tmp_path):
    (tmp_path / "empty").mkdir()
    (url,) = serve(tmp_path / "empty")
    raw = raw_mnist()
    assert raw.source == "embedded"
    assert f"{url} failed: HTTPError" in raw.notes
    with pytest.raises(DataShortfall, match="failed: HTTPError"):
        raw_mnist(whole=True)


def test_offline_means_no_attempt(subset, monkeypatch):
    def attempt(*args, **kwargs):
        pytest.fail("a download was attempted")

    monkeypatch.setattr(pooch, "retrieve", attempt)
    raw = raw_mnist()
    assert (raw.source, raw.whole) == ("embedded", False)
    assert raw.notes == ("HARNESS_OFFLINE=1 forbids the download",)


# --- the embedded subset ----------------------------------------------------------------------------------


def test_subset_is_balanced_and_small(subset):
    raw = raw_mnist()
    assert np.bincount(raw.train_y).tolist() == [1000] * 10
    assert np.bincount(raw.test_y).tolist() == [200] * 10
    assert (raw.train_x.shape, raw.train_x.dtype, raw.train_x.max()) == ((10_000, 28, 28), np.uint8, 255)
    assert subset.stat().st_size < 3_000_000


def test_subset_is_not_taken_for_the_whole(subset):
    with pytest.raises(DataShortfall, match=r"60,000 training.*only the embedded subset of 10,000.*set HARNESS_DATA"):
        raw_mnist(whole=True)


@pytest.mark.parametrize("damage", [_truncated, _flipped, _not_gzip, _empty])
def test_corrupt_subset_is_an_error(subset, tmp_path, damage):
    copy = tmp_path / "copy.npz"
    shutil.copy(subset, copy)
    damage(copy, b"")
    register_embedded("mnist", copy)
    with pytest.raises(DataError, match=f"copy.npz.*corrupt: expected .*{mnist_files.EMBEDDED_DIGEST}, found .*restore"):
        raw_mnist()


def test_subset_with_other_arrays_is_an_error(tmp_path):
    arrays = {name: np.zeros(3, np.uint8) for name in ("train_x", "train_y", "test_x", "test_y")}
    np.savez(tmp_path / "other.npz", **arrays)
    register_embedded("mnist", tmp_path / "other.npz")
    with pytest.raises(DataError, match=r"other.npz.*expected.*found [0-9a-f]{64}"):
        raw_mnist()


def test_subset_that_is_gone_is_an_error(tmp_path):
    register_embedded("mnist", tmp_path / "gone.npz")
    with pytest.raises(DataError, match=r"gone.npz.*missing"):
        raw_mnist()


def test_no_source_at_all_is_a_shortfall():
    with pytest.raises(DataShortfall, match=r"no MNIST \(HARNESS_OFFLINE=1.*no embedded subset.*set HARNESS_DATA"):
        raw_mnist()


# --- what there is ----------------------------------------------------------------------------------------


def test_availability_of_each_source(miniature, subset, monkeypatch):
    assert availability() == {
        "source": "embedded", "train": 10_000, "test": 2_000, "whole": False,
        "detail": "HARNESS_OFFLINE=1 forbids the download",
    }  # fmt: skip
    monkeypatch.delenv("HARNESS_OFFLINE")
    promised = availability()
    assert (promised["source"], promised["whole"]) == ("download", True)
    assert "embedded subset is used" in promised["detail"]
    monkeypatch.setenv("HARNESS_DATA", str(miniature))
    assert availability() == {"source": "folder", "train": 50, "test": 20, "whole": True, "detail": ""}
    monkeypatch.setenv("HARNESS_DATA", str(miniature / "nowhere"))
    broken = availability()
    assert (broken["source"], broken["train"]) == (None, 0)
    assert "not a folder" in broken["detail"]


def test_availability_without_anything():
    nothing = availability()
    assert nothing["source"] is None
    assert "set HARNESS_DATA" in nothing["detail"]
