"""What keeps a claim from slipping through unjudged."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from harness.pytest_plugin.call import reject
from harness.pytest_plugin.collect import FAULT, claim_id
from harness.pytest_plugin.outcome import Settings

_REMEDY = 'put @claim("document/name", statement=…, source=…, prediction=…) above it'


class Gatekeeper:
    """Hooks that stop claims which nobody could judge: declared wrongly, or not at all.

    Args:
        settings: what the session was asked for.
        folders: the claims folders of the project, where every test function has to be a claim.
    """

    def __init__(self, settings: Settings, folders: tuple[Path, ...]) -> None:
        self._settings, self._folders = settings, folders

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Stop such a claim before its fixtures train for minutes."""
        if FAULT in item.stash:
            reject(item, item.stash[FAULT], self._settings)
        if isinstance(item, pytest.Function) and claim_id(item) is None and self._is_among_claims(item.path):
            pytest.fail(
                f"{item.nodeid} lies in a claims folder and is not declared as a claim, so nothing judges "
                f"it: {_REMEDY}, or move it to the tests",
                pytrace=False,
            )

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_pyfunc_call(self, pyfuncitem: pytest.Function) -> Generator[None, object, object]:
        """Fail a test that returns Evidence and is no claim, wherever it is; pytest would only warn."""
        body = pyfuncitem.obj
        if claim_id(pyfuncitem) is not None or inspect.iscoroutinefunction(body):
            return (yield)

        @functools.wraps(body)
        def checked(*args: Any, **kwargs: Any) -> Any:
            result = body(*args, **kwargs)
            if result is not None and _is_evidence(result):
                pytest.fail(
                    f"{pyfuncitem.nodeid} returns Evidence and is not declared as a claim, so nothing judges it: {_REMEDY}",
                    pytrace=False,
                )
            return result

        pyfuncitem.obj = checked
        try:
            return (yield)
        finally:
            pyfuncitem.obj = body

    def _is_among_claims(self, path: Path) -> bool:
        return any(path.is_relative_to(folder) for folder in self._folders)


def _is_evidence(result: object) -> bool:
    from harness.evidence import Evidence

    return isinstance(result, Evidence)
