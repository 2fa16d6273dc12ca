"""Where a run came from: what a reader needs to repeat it."""

from __future__ import annotations

import platform
import shlex
import subprocess
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from harness.code import folder_digest
from harness.plugin.options import claims_folders

_DRAWING = ("report",)  # of the harness: what it does shows numbers and makes none
_RECIPES = "fixtures"  # where a project keeps its recipes, beside its claims


def origin(config: Any) -> dict[str, Any]:
    """What a run starts from: commit, whether there are uncommitted changes, digests of the code.

    It is asked for when the claims have been collected, before any of them runs: what is edited while a run goes on is not
    what ran.
    """
    commit, dirty = revision(config.rootpath)
    return {"commit": commit, "dirty": dirty, "code": code(config)}


def provenance(
    config: Any, start: dict[str, Any], *, started: float, seconds: float, selected: dict[str, int | None] | None
) -> dict[str, Any]:
    """Facts about the run, for the report.

    Args:
        config: pytest's configuration.
        start: what :func:`origin` said when the run began.
        started: when the session began, in seconds since the epoch.
        seconds: how long it took.
        selected: None where all claims were, else {"claims": how many, "of": how many, or None if unknown}.
    """
    return {
        "started": datetime.fromtimestamp(started, UTC).isoformat(timespec="seconds"),
        "seconds": round(seconds, 3),
        "commit": start["commit"],
        "dirty": start["dirty"],
        "python": platform.python_version(),
        "torch": installed("torch"),
        "platform": f"{platform.system()} {platform.machine()}",
        "command": shlex.join(["pytest", *map(str, config.invocation_params.args)]),
        "workers": getattr(config.option, "numprocesses", None) or 1,
        "llc_engine": config.getoption("claims_llc_engine"),
        "version": installed("claims-harness"),
        "code": start["code"],
        "selected": selected,
    }


def code(config: Any) -> dict[str, str | None]:
    """Digests of what the code does, by folder: the harness, the claims, the recipes; layout and comments do not count."""
    folders = [*claims_folders(config), config.rootpath / _RECIPES]
    own = {"harness": folder_digest(Path(__file__).parents[1], without=_DRAWING)}
    return own | {folder.name: folder_digest(folder) for folder in folders if folder.is_dir()}


def revision(folder: Path) -> tuple[str | None, bool | None]:
    """Commit of the working tree and whether it has uncommitted changes; None where there is no git."""
    commit = _git(folder, "rev-parse", "HEAD")
    if commit is None:
        return None, None
    changes = _git(folder, "status", "--porcelain")
    return commit, None if changes is None else bool(changes)


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def installed(package: str) -> str | None:
    """Version of an installed package, or None."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None
