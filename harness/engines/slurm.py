"""SLURM, through submitit: every pile that is sent is one array of jobs.

Facts that decided how it is used, measured with submitit 1.5.4:

- A job that is preempted or runs out of time is asked to checkpoint by a signal before its end; a job without ``checkpoint``
  fails there.  Ours gives itself back, is queued again, and skips what is in the store.  Where the signal's delay is as long as
  the time limit or longer it never comes, so that the delay follows the limit.
- submitit asks ``sacct``, which many clusters lack, knows nothing of a job for a while, and never calls a preempted job done.
  What a job returns lies in a file beside it; whether it is in a queue or gone says ``squeue``.
- Arrays run 256 jobs at a time unless told otherwise, and nothing of them is cleaned up: both are done here.
- Without ``cluster`` submitit takes processes of this machine wherever there is no ``sbatch``: which one is always said.
"""

from __future__ import annotations

import contextlib
import secrets
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.engines.base import Engine, EngineError, Future, Lost
from harness.engines.devices import asked_device

if TYPE_CHECKING:
    from harness.engines.job import Job

CLUSTERS = ("slurm", "local")
SET_HERE = {"time": "minutes", "array": "parallel", "cpus-per-task": "cpus", "gpus-per-node": "gpus"}
RESERVED = ("output", "error", "signal", "open-mode", "wait", "parsable")
QUEUED = ("PENDING", "REQUEUED", "REQUEUE_HOLD", "REQUEUE_FED", "PREEMPTED", "SUSPENDED", "CONFIGURING", "RESV_DEL_HOLD")
ASKED = 15.0  # seconds between two questions to SLURM, which asks its users to be few
GONE = 30.0  # seconds after which a job that SLURM no longer knows, and that has left no answer, is lost
REQUEUES = 20  # times that a job may run out of time


class SlurmEngine(Engine):
    """A SLURM cluster, from a machine that can submit to it.

    Args:
        cluster: "slurm", or "local" for submitit's stand-in on this machine: all jobs at once.
        minutes: time limit of a job; what is not done by then is queued again.
        cpus: of a job.
        gpus: of a job, whole.
        parallel: jobs of an array that run at a time; None for all.
        at_once: jobs that are sent at a time.
        wants: "auto" (CUDA where GPUs are asked for, else the CPU), "cpu" or "cuda".
        sbatch: further options of sbatch, by name without dashes; an empty value makes a flag of it.
    """

    name = "slurm"

    def __init__(
        self, *, cluster: str = "slurm", minutes: int = 60, cpus: int = 1, gpus: int = 0, parallel: int | None = None,
        at_once: int = 256, wants: str = "auto", sbatch: Mapping[str, str] | None = None,
    ) -> None:  # fmt: skip
        if cluster not in CLUSTERS:
            raise EngineError(f"cluster={cluster}: there is slurm, and local for submitit's stand-in on this machine")
        self._sbatch = {name.replace("_", "-"): value for name, value in (sbatch or {}).items()}
        for name in self._sbatch:
            if name in SET_HERE or name in RESERVED:
                what = f"give {SET_HERE[name]}=…" if name in SET_HERE else "the harness needs it"
                raise EngineError(f"{name} is not passed on to sbatch: {what}")
        if gpus < 0:
            raise EngineError(f"gpus={gpus}: give a whole number, 0 or more")
        self._cluster, self._minutes, self._cpus, self._gpus, self._parallel = cluster, minutes, cpus, gpus, parallel
        self.at_once, self._wants = at_once, wants
        self._folder: Path | None = None
        self._executor: Any = None
        self._lost = False
        self._processes: list[Any] = []
        self.queue = _Queue()

    def device(self, choice: str) -> str:
        """See :meth:`Engine.device`; the device of the nodes, whatever this machine has."""
        of_sbatch = any("gpu" in f"{name}={value}" for name, value in self._sbatch.items())
        return asked_device(choice, self._gpus or float(of_sbatch))

    def submit(self, jobs: Sequence[Job]) -> list[Future]:
        """See :meth:`Engine.submit`."""
        from submitit.core.utils import FailedJobError, FailedSubmissionError

        executor = self._opened(Path(jobs[0].folder) / "jobs")
        try:
            sent = executor.submit_array(list(jobs))
        except (FailedSubmissionError, FailedJobError, OSError, subprocess.SubprocessError) as problem:
            raise EngineError(f"SLURM takes no job: {problem}") from problem
        self._processes += [job._process for job in sent if self._cluster == "local"]
        return [_SlurmFuture(self, job) for job in sent]

    def close(self) -> None:
        """Remove what submitit has left; logs of lost jobs stay."""
        for process in self._processes:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=5)
        if self._folder is not None and not self._lost:
            shutil.rmtree(self._folder, ignore_errors=True)
        self._folder = self._executor = None
        self._processes = []

    def _opened(self, folder: Path) -> Any:
        if self._executor is None:
            import submitit

            self._folder = folder / f"slurm-{secrets.token_hex(4)}"
            delay = max(1, min(90, self._minutes * 60 // 3))
            if self._cluster == "local":
                self._executor = submitit.LocalExecutor(self._folder, max_num_timeout=REQUEUES)
                self._executor.update_parameters(timeout_min=self._minutes, signal_delay_s=delay, gpus_per_node=self._gpus)
                return self._executor
            try:
                self._executor = submitit.SlurmExecutor(self._folder, max_num_timeout=REQUEUES)
            except RuntimeError as problem:
                raise EngineError(
                    f"there is no SLURM on this machine ({problem}); run this where srun and sbatch are, or give cluster=local "
                    "to try it with processes of this machine"
                ) from problem
            further: dict[str, Any] = {name: value or True for name, value in self._sbatch.items()}
            if not {"requeue", "no-requeue"} & further.keys():
                further["requeue"] = True
            self._executor.update_parameters(
                job_name="claims", time=self._minutes, cpus_per_task=self._cpus, signal_delay_s=delay,
                array_parallelism=self._parallel or self.at_once, additional_parameters=further,
                **({"gpus_per_node": self._gpus} if self._gpus else {}),
            )  # fmt: skip
        return self._executor

    def lose(self, why: str) -> Lost:
        """A job that is lost, whose logs are kept."""
        self._lost = True
        return Lost(why)


class _Queue:
    """What SLURM says of this user's jobs, asked now and then for all of them at once."""

    def __init__(self) -> None:
        self._asked = -ASKED
        self._states: dict[str, str] = {}
        self.known = False  # whether it has answered

    def state(self, job: str) -> str:
        """The state of a job; empty where SLURM does not know it."""
        if time.monotonic() - self._asked >= ASKED:
            self._asked = time.monotonic()
            command = ["squeue", "--me", "--noheader", "--array", "--format=%i %T"]
            with contextlib.suppress(OSError, subprocess.SubprocessError):  # the controller is busy, or restarts: ask again
                said = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
                self._states = dict(line.split(maxsplit=1) for line in said.splitlines() if " " in line.strip())
                self.known = True
        return self._states.get(job, "")


class _SlurmFuture:
    def __init__(self, engine: SlurmEngine, job: Any) -> None:
        self._engine, self._job = engine, job
        self._gone: float | None = None

    def done(self) -> bool:
        if self._job.paths.result_pickle.exists():
            return True
        if self._is_known():
            self._gone = None
            return False
        self._gone = self._gone or time.monotonic()
        return time.monotonic() - self._gone > (GONE if self._process is None else 1.0)

    def waiting(self) -> bool:
        return self._process is None and self._engine.queue.state(self._job.job_id).strip() in QUEUED

    def result(self) -> dict[str, Any]:
        from submitit.core.utils import FailedJobError

        if not self._job.paths.result_pickle.exists():
            raise self._engine.lose(f"job {self._job.job_id} ended without an answer; its log is {self._job.paths.stderr}")
        try:
            found: dict[str, Any] = self._job.result()
        except FailedJobError as problem:
            last = next((line for line in reversed(str(problem).splitlines()) if line.strip()), "")
            if "UncompletedJobError" in str(problem):  # out of time for the last time
                raise self._engine.lose(f"job {self._job.job_id}: {last}") from problem
            raise EngineError(
                f"a node cannot run jobs ({last}; log {self._job.paths.stderr}): the project and its packages have to be "
                "installed there, in the version that this machine has"
            ) from problem
        paths = self._job.paths
        for path in (paths.submitted_pickle, paths.result_pickle, paths.stdout, paths.stderr):
            path.unlink(missing_ok=True)
        return found

    def cancel(self) -> None:
        if self._process is not None and self._process.poll() is not None:
            return
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            self._job.cancel(check=False)

    def _is_known(self) -> bool:
        """Whether the job is in SLURM's books, or its process lives; where SLURM has never answered it may be."""
        if self._process is not None:
            return self._process.poll() is None
        return bool(self._engine.queue.state(self._job.job_id)) or not self._engine.queue.known

    @property
    def _process(self) -> Any:
        return getattr(self._job, "_process", None)
