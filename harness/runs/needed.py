"""Packages that only some readers need, imported where they are used."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from harness.errors import ClaimError


def needed(module: str, package: str, extra: str, what: str) -> Any:
    """A module of a package that has to be installed.

    Args:
        module: its dotted name.
        package: that holds it, as it is installed.
        extra: of this library, that brings it.
        what: is read with it.

    Raises:
        ClaimError: it is not there; the message says how to get it.
    """
    try:
        return import_module(module)
    except ImportError as problem:
        raise ClaimError(
            f"to read {what}, {package} has to be installed ({problem}): pip install 'claims-harness[{extra}]'"
        ) from None
