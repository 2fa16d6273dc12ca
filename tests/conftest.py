from __future__ import annotations

import gc
import os
import shutil
import sys
import tempfile
from collections.abc import Generator
from pathlib import Path

import pytest
from hypothesis import settings

pytest_plugins = ["pytester", "instrument_populations"]

# How long an example takes says nothing on a machine that is shared: one that takes 20 ms took 340 beside other work.
settings.register_profile("harness", deadline=None)
settings.load_profile("harness")


def pytest_configure(config: pytest.Config) -> None:
    """Bytecode: none of what tests write and edit within a second, all of what their processes import again and again.

    Python takes a file whose second and size are unchanged for the one that it has compiled.  So the processes that run tests
    write none.  Those that tests start do, even where the environment forbids it, as in many containers: compiling the harness
    is nearly half of such a process's time.  It goes into a folder of pytest's, not beside the sources.
    """
    sys.dont_write_bytecode = True
    if "PYTHONDONTWRITEBYTECODE" in os.environ and not hasattr(config, "workerinput"):
        cache = getattr(config, "cache", None)
        folder = Path(tempfile.mkdtemp(prefix="bytecode-")) if cache is None else cache.mkdir("bytecode")
        if cache is None:
            config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))
        os.environ["PYTHONPYCACHEPREFIX"] = str(folder)
        del os.environ["PYTHONDONTWRITEBYTECODE"]


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Look for garbage neither while tests are collected nor ever after in what lasts as long as the process.

    That is torch, all other libraries and the tests themselves, some two million objects.  Going through them again and again
    is a third of a collection; and each of the sessions that tests start in this process has Python go through them twice when
    it ends, which takes longer than most of these sessions.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.collect()
        gc.freeze()
