"""What every engine is: a place that jobs are sent to, in the manner of ``concurrent.futures``."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from harness.engines.job import Job
    from harness.store import Store
    from harness.store.orders import Done
    from harness.store.sharing import Shard, Tell


class EngineError(RuntimeError):
    """An engine that cannot do what it is asked for; the message says why and what to do."""


class Lost(Exception):  # noqa: N818 - a state of the world, not a fault
    """A job that ended without an answer, since the process, the node or the allocation that it ran in is gone."""


class Future(Protocol):
    """A job that was sent."""

    def done(self) -> bool:
        """Whether :meth:`result` answers at once."""

    def waiting(self) -> bool:
        """Whether the engine knows that nobody works on it now, and that somebody will: it stands in a queue."""

    def result(self) -> dict[str, Any]:
        """What the job returned; asked once, when it is done.

        Raises:
            Lost: it ended without an answer.
            EngineError: it could not be run at all.
        """

    def cancel(self) -> None:
        """Let nobody begin it any more, and stop it where that can be done; nothing happens to one that is done."""


class Engine(ABC):
    """A place that jobs are sent to.

    Attributes:
        name: as the command line has it.
        at_once: jobs that are under way at a time, at most.
        patience: seconds after which it is given up that no node can run a job, or that a node which fell silent comes back.
        visible: seconds that a shared file system may take to show here what was written on another node.
    """

    name: str
    at_once: int = 64
    patience: float = 180.0
    visible: float = 60.0

    @abstractmethod
    def submit(self, jobs: Sequence[Job]) -> list[Future]:
        """Send jobs; those of one call may begin in any order.

        Raises:
            EngineError: they cannot be sent.
        """

    def complaint(self) -> str:
        """Why no node can run a job as things stand; empty where one can, or where that cannot be known."""
        return ""

    def device(self, choice: str) -> str:
        """The device of the jobs for "auto", "cpu" or "cuda".

        Raises:
            DeviceError: it is not there.
        """
        from harness import device

        return device.resolve(choice)

    def share_with(self) -> dict[str, str]:
        """Options by which another process of this run reaches the same place."""
        return {}

    def close(self) -> None:
        """Leave the place, and take down what was put up for this run."""
        return

    def carry_out(self, shards: Sequence[Shard], store: Store, tell: Tell) -> Done:
        """See :class:`harness.store.orders.Carrier`."""
        from harness.engines.dispatch import Dispatch

        return Dispatch(self, store, tell).run(shards)
