"""Two-layer ReLU networks with a fixed second layer, stacked with a hand-written gradient.

The module is the definition; the program has its formulas written out, which is several times faster than ``torch.func``.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from harness.networks.layout import product_into
from harness.networks.losses import Loss, loss_and_pull
from harness.networks.module import ModuleProgram
from harness.networks.program import Parameters, PullBack

_threshold_backward = torch.ops.aten.threshold_backward


class TwoLayer(torch.nn.Module):
    """z = A relu(W x + b) with A fixed; a subclass says how W, b and A begin.

    Args:
        first: W, shape (unit, input).
        second: A, shape (class, unit).
        bias: b, shape (unit,), or None for a network without.
    """

    second: torch.Tensor

    def __init__(self, first: torch.Tensor, second: torch.Tensor, bias: torch.Tensor | None = None) -> None:
        super().__init__()
        self.first = torch.nn.Parameter(first)
        if bias is not None:
            self.bias = torch.nn.Parameter(bias)
        self.register_buffer("second", second)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Inputs (point, …) to logits (point, class)."""
        value = x.flatten(1) @ self.first.T
        if hasattr(self, "bias"):
            value = value + self.bias
        return torch.relu(value) @ self.second.T


class TwoLayerProgram(ModuleProgram):
    """A stack of one kind of :class:`TwoLayer`.

    Args:
        build: makes a freshly initialised network.
        classes: number of outputs.
    """

    def _values(self, parameters: Parameters, inputs: torch.Tensor) -> torch.Tensor:
        """W x + b, shape (row, unit, point)."""
        first = parameters["first"]
        x = _flat(inputs).expand(len(first), -1, -1)
        bias = parameters.get("bias")
        return torch.bmm(first, x) if bias is None else torch.baddbmm(bias.unsqueeze(2), first, x)

    def logits(self, parameters: Parameters, inputs: torch.Tensor) -> torch.Tensor:
        """See :meth:`Program.logits`."""
        return torch.bmm(parameters["second"], self._values(parameters, inputs).relu_())

    def loss_gradient(
        self, parameters: Parameters, inputs: torch.Tensor, targets: torch.Tensor, out: Parameters, loss: Loss
    ) -> torch.Tensor:
        """See :meth:`Program.loss_gradient`."""
        hidden = self._values(parameters, inputs).relu_()
        losses, pull = loss_and_pull(torch.bmm(parameters["second"], hidden), targets, loss)
        pull = _back(parameters["second"], pull.div_(losses.shape[1]), hidden)
        if (weight := out.get("first")) is not None:
            product_into(weight, pull, _flat(inputs).expand(len(pull), -1, -1).transpose(1, 2))
        if (bias := out.get("bias")) is not None:
            bias.copy_(pull.sum(2))
        return losses.mean(1)

    def pullback(self, parameters: Parameters, inputs: torch.Tensor) -> tuple[torch.Tensor, PullBack]:
        """See :meth:`Program.pullback`."""
        hidden = self._values(parameters, inputs).relu_()
        return torch.bmm(parameters["second"], hidden), _TwoLayerPullBack(parameters, hidden, inputs.shape)

    def line(
        self, parameters: Parameters, inputs: torch.Tensor, direction: torch.Tensor
    ) -> Callable[[torch.Tensor], torch.Tensor]:
        """See :meth:`Program.line`; W x and W v are computed once for all steps."""
        start = self._values(parameters, inputs)
        slope = torch.bmm(parameters["first"], _flat(direction))
        return lambda step: torch.bmm(parameters["second"], torch.addcmul(start, slope, step.unsqueeze(1)).relu_())


def program_of(build: Callable[[], torch.nn.Module], classes: int) -> ModuleProgram:
    """The program for the networks that ``build`` makes: one with written-out formulas if there is one.

    Args:
        build: makes a freshly initialised network.
        classes: number of outputs.
    """
    with torch.random.fork_rng(devices=[]):  # its numbers are never used
        made = build()
    own = "forward" in made.__dict__ or made._forward_hooks or made._forward_pre_hooks
    two_layer = isinstance(made, TwoLayer) and type(made).forward is TwoLayer.forward and not own
    return (TwoLayerProgram if two_layer else ModuleProgram)(build, classes)


def _flat(inputs: torch.Tensor) -> torch.Tensor:
    """Inputs as (row or 1, value, point), contiguous."""
    return (inputs.flatten(1, -2) if inputs.dim() > 3 else inputs).contiguous()


def _back(second: torch.Tensor, pull: torch.Tensor, hidden: torch.Tensor) -> torch.Tensor:
    """Carry a gradient on the logits to the values under the ReLU."""
    pulled = torch.bmm(second.transpose(1, 2), pull)
    _threshold_backward.grad_input(pulled, hidden, 0, grad_input=pulled)
    return pulled


class _TwoLayerPullBack(PullBack):
    def __init__(self, parameters: Parameters, hidden: torch.Tensor, shape: torch.Size) -> None:
        self.parameters, self.hidden, self.shape = parameters, hidden, shape

    def __call__(self, gradient: torch.Tensor) -> torch.Tensor:
        pulled = _back(self.parameters["second"], gradient, self.hidden)
        inputs = torch.bmm(self.parameters["first"].transpose(1, 2), pulled)
        return inputs.reshape(len(inputs), *self.shape[1:])
