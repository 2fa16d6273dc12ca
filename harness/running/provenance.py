"""Where a run came from: what a reader needs to repeat it."""

from __future__ import annotations

import platform
import subprocess
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from harness.code import folder_digest

_DRAWING = ("report",)  # of the harness: what it does shows numbers and makes none
_RECIPES = "fixtures"  # where a project keeps its recipes, beside its claims


def origin(root: Path, folders: Iterable[Path]) -> dict[str, Any]:
    """What a run starts from: commit, whether there are uncommitted changes, digests of the code.

    It is asked for when the claims have been collected, before any of them runs: what is edited while a run goes on is not
    what ran.

    Args:
        root: the project's folder.
        folders: those with claims.
    """
    commit, dirty = revision(root)
    return {"commit": commit, "dirty": dirty, "code": code(root, folders)}


def provenance(
    start: Mapping[str, Any], *, started: float, seconds: float, command: str, workers: int, llc_engine: str,
    selected: Mapping[str, int | None] | None,
) -> dict[str, Any]:  # fmt: skip
    """Facts about the run, for the report.

    Args:
        start: what :func:`origin` said when the run began.
        started: when the session began, in seconds since the epoch.
        seconds: how long it took.
        command: what the user typed.
        workers: processes that ran claims.
        llc_engine: what estimated learning coefficients.
        selected: None where all claims were, else {"claims": how many, "of": how many, or None if unknown}.
    """
    return {
        "started": datetime.fromtimestamp(started, UTC).isoformat(timespec="milliseconds"),
        "seconds": round(seconds, 3),
        "commit": start["commit"],
        "dirty": start["dirty"],
        "python": platform.python_version(),
        "torch": installed("torch"),
        "platform": f"{platform.system()} {platform.machine()}",
        "command": command,
        "workers": workers,
        "llc_engine": llc_engine,
        "version": installed("claims-harness"),
        "code": start["code"],
        "selected": selected,
    }


def code(root: Path, folders: Iterable[Path]) -> dict[str, str | None]:
    """Digests of what the code does, by folder: the harness, the claims, the recipes; layout and comments do not count."""
    own = {"harness": folder_digest(Path(__file__).parents[1], without=_DRAWING)}
    return own | {folder.name: folder_digest(folder) for folder in (*folders, root / _RECIPES) if folder.is_dir()}


def revision(folder: Path) -> tuple[str | None, bool | None]:
    """Commit of the working tree and whether it has uncommitted changes; None where there is no git."""
    commit = _git(folder, "rev-parse", "HEAD")
    if commit is None:
        return None, None
    changes = _git(folder, "status", "--porcelain")
    return commit, None if changes is None else bool(changes)


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def installed(package: str) -> str | None:
    """Version of an installed package, or None."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None
