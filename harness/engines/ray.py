"""Ray: processes on one or many nodes, with whole GPUs or fractions of them.

Facts that decided how it is used, measured with Ray 2.60:

- ``ray.init()`` without an address joins whatever cluster left its file in the temporary folder, and hangs where that is dead:
  the address is always said, and tried first.
- Ray starts a task again when its node died, yet not when the node is only frozen, and without end when memory ran out: it is
  told to start none again, and the dispatch does, which sees signs of life.
- A task that asks for no GPU sees all of them: the device is part of the job.  A request that no node can meet waits without a
  word: nodes are looked at while jobs are under way.
- ``ray.init`` changes environment and import path for good: both are put back.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.engines.base import Engine, EngineError, Future, Lost
from harness.engines.devices import asked_device

if TYPE_CHECKING:
    from harness.engines.job import Job

HERE, FOUND = "local", "auto"
AUTH = "RAY_AUTH_MODE"
CONNECTING = 5.0  # seconds that the head of a cluster may take to answer
_TOKEN = (
    "where the cluster uses a token, give the engine's option auth=token or set RAY_AUTH_MODE=token, since by its address Ray "
    "does not look for one"
)


class RayEngine(Engine):
    """A Ray cluster.

    Args:
        address: "local" for a cluster of this machine alone, which lives as long as the run; HOST:PORT of the head of one;
            "auto" for the one that ``ray start`` has put up on this machine. cpus: processor cores of a job. gpus: GPUs of a
            job, such as 0.25; None for none on the CPU, and for one otherwise. wants: "auto" (CUDA where ``gpus`` are asked
            for, else the CPU), "cpu" or "cuda". at_once: jobs that are under way at a time. auth: how the cluster knows its
            users, "token" or "disabled"; None for what RAY_AUTH_MODE says, or else a token for a cluster that is put up.
    """

    name = "ray"

    def __init__(
        self, *, address: str = HERE, cpus: float = 1.0, gpus: float | None = None, wants: str = "auto", at_once: int = 64,
        auth: str | None = None,
    ) -> None:  # fmt: skip
        if gpus is not None and gpus > 1 and gpus != int(gpus):
            raise EngineError(f"gpus={gpus:g}: Ray gives a job a part of one GPU, or whole ones; give 0.5, 1 or 2, say")
        self._address, self._cpus, self._wants, self.at_once = address, cpus, wants, at_once
        self._gpus = gpus if gpus is not None else float(wants == "cuda")
        self._auth = auth
        self._task: Any = None
        self._ours = False
        self._before: tuple[dict[str, str], list[str]] | None = None

    def device(self, choice: str) -> str:
        """See :meth:`Engine.device`; the device of the nodes, whatever this machine has."""
        return asked_device(choice, self._gpus)

    def submit(self, jobs: Sequence[Job]) -> list[Future]:
        """See :meth:`Engine.submit`."""
        self.start()
        return [_RayFuture(self._task.remote(job)) for job in jobs]

    def start(self) -> None:
        """Put the cluster up, or join it.

        Raises:
            EngineError: nobody answers at its address, or not to us.
        """
        if self._task is not None:
            return
        before = dict(os.environ), list(sys.path)
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nobody has been asked
        if self._auth is not None:
            os.environ[AUTH] = self._auth
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Ray's own, of what it imports
            import ray

        from harness.engines.job import carried_out

        if not ray.is_initialized():
            here = {"include_dashboard": False} if self._address == HERE else {}
            if self._address != HERE:
                _try(_head(self._address))
            try:
                ray.init(self._address, log_to_driver=False, logging_level="ERROR", **here)
            except (ConnectionError, RuntimeError, ValueError) as problem:
                raise EngineError(f"Ray at {self._address} cannot be joined ({problem}); {_TOKEN}") from problem
            self._ours, self._before = True, before
        # By its address: a function of this module would be found by it on every node that has the project.
        self._task = ray.remote(num_cpus=self._cpus, num_gpus=self._gpus, max_retries=0)(carried_out)

    def complaint(self) -> str:
        """See :meth:`Engine.complaint`."""
        import ray

        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        if any(node.get("CPU", 0) >= self._cpus and node.get("GPU", 0) >= self._gpus for node in nodes):
            return ""
        had = "; ".join(f"{node.get('CPU', 0):g} CPUs and {node.get('GPU', 0):g} GPUs" for node in nodes) or "none"
        return (
            f"no node of the Ray cluster has the {self._cpus:g} CPUs and {self._gpus:g} GPUs that a job asks for (nodes: "
            f"{had}); add one, or ask for less with the engine's options cpus and gpus"
        )

    def share_with(self) -> dict[str, str]:
        """See :meth:`Engine.share_with`; one cluster for all processes of a run."""
        self.start()
        import ray

        # A new cluster of this machine asks for a token, of which a process that began before it was put up knows nothing.
        told = {"auth": os.environ[AUTH]} if AUTH in os.environ else {}
        return {"address": str(ray.get_runtime_context().gcs_address), **told}

    def close(self) -> None:
        """Leave the cluster; one of this machine alone ends with that."""
        if self._ours:
            import ray

            ray.shutdown()
        self._task, self._ours = None, False
        if self._before is not None:
            environment, path = self._before
            for name in {name for name in (*os.environ, *environment) if name.startswith("RAY_")} | {"PYTHONBREAKPOINT"}:
                if name in environment:
                    os.environ[name] = environment[name]
                else:
                    os.environ.pop(name, None)
            sys.path[:] = path
            self._before = None


class _RayFuture:
    def __init__(self, reference: Any) -> None:
        self._reference = reference

    def done(self) -> bool:
        import ray

        return bool(ray.wait([self._reference], timeout=0)[0])

    def waiting(self) -> bool:
        return False  # Ray does not say; a job in its queue has given no sign of life yet

    def result(self) -> dict[str, Any]:
        import ray
        from ray.exceptions import RayError, RayTaskError

        try:
            found: dict[str, Any] = ray.get(self._reference, timeout=CONNECTING)
        except RayTaskError as problem:  # a job catches what its work raises, so it could not even begin
            raise EngineError(
                f"a node of the Ray cluster cannot run jobs ({_last_line(problem)}): the project and its packages have to be "
                "installed there, in the version that this machine has"
            ) from problem
        except RayError as problem:
            raise Lost(f"{type(problem).__name__}: {_first_line(problem)}") from problem
        return found

    def cancel(self) -> None:
        import ray

        with contextlib.suppress(Exception):  # a cluster that is gone has nothing to cancel
            ray.cancel(self._reference, force=True)


def _head(address: str) -> str:
    """HOST:PORT of a cluster's head."""
    if address != FOUND:
        return address
    if known := os.environ.get("RAY_ADDRESS"):
        return known
    left = Path(os.environ.get("RAY_TMPDIR", tempfile.gettempdir())) / "ray" / "ray_current_cluster"
    try:
        return left.read_text(encoding="utf-8").strip()
    except OSError:
        raise EngineError(
            "no Ray cluster was started on this machine; start one with ray start --head, or give the address of another by "
            "the engine's option address=HOST:PORT"
        ) from None


def _try(head: str) -> None:
    """Raise an EngineError if nobody answers there: Ray would wait for minutes."""
    host, _, port = head.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=CONNECTING):
            return
    except (OSError, ValueError) as problem:
        raise EngineError(
            f"nobody answers at the address {head} of the Ray cluster ({problem}); say where its head is by the engine's "
            "option address=HOST:PORT, or take down what is left of it with ray stop"
        ) from problem


def _first_line(problem: Exception) -> str:
    return next((line.strip() for line in str(problem).splitlines() if line.strip()), type(problem).__name__)


def _last_line(problem: Exception) -> str:
    return next((line.strip() for line in reversed(str(problem).splitlines()) if line.strip()), type(problem).__name__)
