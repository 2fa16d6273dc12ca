"""Devices: what a choice means here, without asking torch more than needed."""

from __future__ import annotations

import pytest
import torch

from harness import device
from harness.device import VISIBLE, DeviceError, gpus, may_have_cuda, named, one_thread, pin, resolve


def test_the_cpu_is_always_there():
    assert resolve("cpu") == "cpu"


def test_auto_takes_a_gpu_where_there_is_one(monkeypatch):
    monkeypatch.setattr(device, "may_have_cuda", lambda: True)
    for found, means in ((True, "cuda"), (False, "cpu")):
        monkeypatch.setattr(torch.cuda, "is_available", lambda found=found: found)
        assert resolve("auto") == means


def test_auto_does_not_ask_torch_where_no_gpu_can_be(monkeypatch):
    monkeypatch.setattr(device, "may_have_cuda", lambda: False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: pytest.fail("asked"))
    assert resolve("auto") == "cpu"


def test_a_gpu_that_is_not_there_is_an_error_with_its_remedy(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(DeviceError, match=r"no CUDA device was found .* use --claims-device cpu"):
        resolve("cuda")


@pytest.mark.parametrize(
    ("built_for", "hidden", "why"),
    [
        (None, None, "built for the CPU only"),
        ("13.0", "", "hides every device"),
        ("13.0", None, "is the driver installed"),
    ],
)
def test_the_error_says_why_there_is_no_gpu(monkeypatch, built_for, hidden, why):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.version, "cuda", built_for)
    monkeypatch.delenv(VISIBLE, raising=False)
    if hidden is not None:
        monkeypatch.setenv(VISIBLE, hidden)
    with pytest.raises(DeviceError, match=why):
        resolve("cuda")


def test_an_unknown_device_is_told_what_is_allowed():
    with pytest.raises(DeviceError, match="choose one of auto, cpu, cuda"):
        resolve("tpu")


@pytest.mark.parametrize(
    ("platform", "file", "environment", "possible"),
    [
        ("linux", None, {}, False),
        ("linux", "nvidia0", {}, True),
        ("linux", "nvidia0", {VISIBLE: ""}, False),
        ("linux", "nvidia0", {VISIBLE: "-1"}, False),
        ("linux", "nvidiactl", {}, False),
        ("linux", "dxg", {}, True),
        ("darwin", "nvidia0", {}, False),
        ("win32", None, {}, True),
    ],
)
def test_whether_there_can_be_a_gpu(tmp_path, monkeypatch, platform, file, environment, possible):
    monkeypatch.setattr(device.sys, "platform", platform)
    if file is not None:
        (tmp_path / file).touch()
    assert may_have_cuda(tmp_path, environment) is possible


def test_workers_take_the_callers_gpus_in_turn():
    assert named(2, {}) == ("0", "1")
    assert named(8, {VISIBLE: "GPU-a, 5"}) == ("GPU-a", "5")
    assert named(1, {VISIBLE: "3,5"}) == ("3",)
    environment = {VISIBLE: "3,5"}
    pin(("3", "5"), 3, environment)
    assert environment == {VISIBLE: "5"}


def test_no_gpus_are_listed_where_there_can_be_none():
    assert gpus({VISIBLE: ""}) == ()


def test_one_thread():
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        one_thread()
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("text", "size"), [("2GiB", 2**31), (" 512 MiB ", 2**29), ("1.5KiB", 1536), ("7B", 7), ("1TiB", 2**40)]
)
def test_memory_is_read_with_its_unit(text, size):
    assert device.read_memory(text) == size


@pytest.mark.parametrize("text", ["", "2", "2GB", "0GiB", "-1GiB", "much", "0.5B"])
def test_what_is_no_amount_of_memory_says_how_to_write_one(text):
    with pytest.raises(DeviceError, match=r"is no amount of memory; write a number above 0 and one of B, KiB, .* as in 2GiB"):
        device.read_memory(text)


def test_the_memory_limit_is_the_one_that_was_set_or_the_device_s_own():
    assert (device.memory_limit("cpu"), device.memory_limit("cuda")) == (2**30, 2**33)
    try:
        device.limit_memory(5)
        assert device.memory_limit("cpu") == device.memory_limit("cuda") == 5
    finally:
        device.limit_memory(None)
