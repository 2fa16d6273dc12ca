"""A step that is taken thousands of times, recorded as a CUDA graph and replayed.

A step in this form takes no arguments and returns nothing: it reads tensors that stay where they are, and writes into such.
It asks no value of the card, and draws nothing (noise is drawn in blocks between steps, and copied in), so that nothing of a
random generator has to be known to the graph.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable

import torch

EAGER = 3  # steps taken kernel by kernel before one is recorded: libraries prepare themselves in the first ones

Step = Callable[[], None]


def on_card(values: torch.Tensor) -> bool:
    """Whether a tensor lies on a CUDA card; the one question that decides whether anything here is used."""
    return values.device.type == "cuda"


class Captured:
    """A step that is recorded after some ordinary ones, and replayed from then on.

    The first steps are real ones, on a stream of their own, as a recording needs them; so no state has to be kept and restored.
    What cannot be recorded is said once, and goes on kernel by kernel.

    Args:
        step: in the form that the module's docstring describes.
        what: it is, in words.

    Attributes:
        replays: how many steps have been replayed.
    """

    def __init__(self, step: Step, what: str) -> None:
        self._step, self._what, self._eager = step, what, EAGER
        self._graph: torch.cuda.CUDAGraph | None = None
        self._hopeless = False
        self.replays = 0

    def __call__(self) -> None:
        """Take one step."""
        if self._hopeless:
            self._step()
            return
        if self._eager:
            self._eager -= 1
            _beside(self._step)
            return
        if self._graph is None:
            try:
                self._graph = recorded(self._step)
            except RuntimeError as problem:
                self._hopeless = True
                reason = (str(problem).splitlines() or [type(problem).__name__])[0]
                warnings.warn(
                    f"{self._what} cannot be recorded as a CUDA graph ({reason}), so its kernels are launched one by one: "
                    "slower, with the same result",
                    RuntimeWarning,
                    stacklevel=2,
                )
                self._step()
                return
        self._graph.replay()
        self.replays += 1


def recorded(step: Step) -> torch.cuda.CUDAGraph:
    """The graph of a step; recording computes nothing.

    Raises:
        RuntimeError: the step asks for something that a graph cannot hold.
    """
    graph = torch.cuda.CUDAGraph()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The CUDA Graph is empty")  # said beside the error of a step that was refused at once
        with torch.cuda.graph(graph):
            step()
    return graph


def _beside(step: Step) -> None:
    """A step on another stream than the default one, on which nothing may be recorded."""
    here, other = torch.cuda.current_stream(), torch.cuda.Stream()  # type: ignore[no-untyped-call]
    other.wait_stream(here)
    with torch.cuda.stream(other):
        step()
    here.wait_stream(other)
