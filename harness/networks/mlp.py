"""Fully connected ReLU networks with a hand-written gradient, stacked.

One matrix product per layer serves all members of a stack (``torch.baddbmm``), and the gradient is written without
autograd straight into the flat gradient of the stack.  Weights have the shape of ``torch.nn.Linear``: (output, input).
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Sequence
from itertools import pairwise

import torch

from harness.networks.layout import Layout, product_into
from harness.networks.losses import Loss, loss_and_pull
from harness.networks.program import Parameters, Program, PullBack, Restriction

_threshold_backward = torch.ops.aten.threshold_backward
TURNED_FROM = 256  # points; see _outer_into


class MLPProgram(Program):
    """z = W_L relu(… relu(W_0 x + b_0) …) + b_L.

    Args:
        sizes: units of every layer from the input to the output; (9, 16, 16, 3) has two hidden layers.
        linear: leave the ReLUs out (a deep linear network, whose learning coefficient is known).
        bias: whether the layers have biases.
    """

    def __init__(self, sizes: Sequence[int], *, linear: bool = False, bias: bool = True) -> None:
        self.sizes, self.linear, self.bias = tuple(sizes), linear, bias
        names: list[str] = []
        shapes: list[tuple[int, ...]] = []
        for layer, (fan_in, fan_out) in enumerate(pairwise(sizes)):
            names.append(f"{layer}.weight")
            shapes.append((fan_out, fan_in))
            if bias:
                names.append(f"{layer}.bias")
                shapes.append((fan_out,))
        self.layout = Layout(tuple(names), tuple(shapes))
        self.classes = self.sizes[-1]
        self.depth = len(self.sizes) - 1
        self.scopes: dict[str, tuple[str, ...]] = self._scopes()

    def _scopes(self) -> dict[str, tuple[str, ...]]:
        """Input layer, output layer, and the hidden layers between them: together and, where there are several, one by one."""
        last = self.depth - 1
        scopes = {"all": self.layout.names, "input": self._of(0), "output": self._of(last)}
        if last > 1:
            scopes["hidden"] = tuple(name for layer in range(1, last) for name in self._of(layer))
        if last > 2:
            scopes |= {f"hidden {layer}": self._of(layer) for layer in range(1, last)}
        return scopes

    @classmethod
    def of(cls, network: torch.nn.Module) -> MLPProgram | None:
        """The program of a ``torch.nn.Sequential`` of Linear and ReLU layers, or None for any other module.

        A Flatten may come first.  Every layer is a scope by its own name in the network, too, as is every parameter, and only
        what is not frozen is in the scope "all".  :meth:`flat` lays the parameters of such a network out for the program.
        """
        if (linear := _linear_layers(network)) is None:
            return None
        layers = list(linear.values())
        program = cls([layers[0].in_features, *(layer.out_features for layer in layers)], bias=layers[0].bias is not None)
        own = {f"{name}.{kind}": f"{number}.{kind}" for number, name in enumerate(linear) for kind in ("weight", "bias")}
        free = {name for name, value in network.named_parameters() if value.requires_grad}
        named = {name: mine for name, mine in own.items() if mine in program.layout.names}
        program.scopes |= {name: (mine,) for name, mine in named.items()}
        program.scopes |= {name: program._of(number) for number, name in enumerate(linear)}
        program.scopes["all"] = tuple(mine for name, mine in named.items() if name in free)
        return program

    def flat(self, network: torch.nn.Module) -> torch.Tensor:
        """The parameters of a network of this program (:meth:`of`), flat, whatever order they stand in there."""
        layers = list((_linear_layers(network) or {}).values())
        values = [getattr(layers[int(layer)], kind) for layer, kind in (name.split(".") for name in self.layout.names)]
        return torch.cat([value.detach().flatten() for value in values])

    def _of(self, layer: int) -> tuple[str, ...]:
        return tuple(name for name in self.layout.names if name.startswith(f"{layer}."))

    def initial(self, generator: torch.Generator) -> torch.Tensor:
        """U(−1/√fan_in, 1/√fan_in) for weights and biases: the initialisation of ``torch.nn.Linear``."""
        pieces = []
        for name, size in zip(self.layout.names, self.layout.sizes, strict=True):
            bound = 1 / math.sqrt(self.sizes[int(name.split(".")[0])])
            pieces.append(torch.empty(size).uniform_(-bound, bound, generator=generator))
        return torch.cat(pieces)

    def module(self, theta: torch.Tensor) -> torch.nn.Module:
        """See :meth:`Program.module`."""
        layers: OrderedDict[str, torch.nn.Module] = OrderedDict(flatten=torch.nn.Flatten())
        for layer, (fan_in, fan_out) in enumerate(pairwise(self.sizes)):
            layers[str(layer)] = torch.nn.Linear(fan_in, fan_out, bias=self.bias)
            if layer < self.depth - 1 and not self.linear:
                layers[f"relu{layer}"] = torch.nn.ReLU()
        network = torch.nn.Sequential(layers).to(theta.device)
        network.load_state_dict({name: value[0] for name, value in self.layout.views(theta[None]).items()})
        return network

    def logits(self, parameters: Parameters, inputs: torch.Tensor) -> torch.Tensor:
        """See :meth:`Program.logits`."""
        return self._forward(parameters, inputs)[-1]

    def _forward(self, parameters: Parameters, inputs: torch.Tensor, first: int = 0) -> list[torch.Tensor]:
        """Activations of every layer from the inputs of layer ``first`` to the logits, each (row, unit, point)."""
        rows = len(parameters[f"{self.depth - 1}.weight"])
        # Contiguous before it is expanded: a product over one transposed input sums in another order than one over many.
        inputs = (inputs.flatten(1, -2) if inputs.dim() > 3 else inputs).contiguous()
        activations = [inputs.expand(rows, -1, -1)]
        for layer in range(first, self.depth):
            weight = parameters[f"{layer}.weight"]
            if self.bias:
                bias = parameters[f"{layer}.bias"].unsqueeze(2)
                value = torch.baddbmm(bias, weight, activations[-1])
            else:
                value = torch.bmm(weight, activations[-1])
            if layer < self.depth - 1 and not self.linear:
                value.relu_()
            activations.append(value)
        return activations

    def loss_gradient(
        self, parameters: Parameters, inputs: torch.Tensor, targets: torch.Tensor, out: Parameters, loss: Loss
    ) -> torch.Tensor:
        """See :meth:`Program.loss_gradient`."""
        return self._loss_gradient(parameters, inputs, targets, out, loss, first=0)

    def _loss_gradient(
        self, parameters: Parameters, inputs: torch.Tensor, targets: torch.Tensor, out: Parameters, loss: Loss, first: int
    ) -> torch.Tensor:
        activations = self._forward(parameters, inputs, first)
        losses, pull = loss_and_pull(activations[-1], targets, loss)
        pull.div_(losses.shape[1])
        lowest = min(int(name.split(".")[0]) for name in out)
        for layer in range(self.depth - 1, lowest - 1, -1):
            below = activations[layer - first]
            if (weight := out.get(f"{layer}.weight")) is not None:
                _outer_into(weight, pull, below)
            if (bias := out.get(f"{layer}.bias")) is not None:
                torch.sum(pull, 2, out=bias)
            if layer > lowest:
                pull = self._back(parameters, layer, pull, below)
        return losses.mean(1)

    def _back(self, parameters: Parameters, layer: int, pull: torch.Tensor, below: torch.Tensor) -> torch.Tensor:
        """Carry a gradient on the values of ``layer`` to the values of the layer below it."""
        pulled = torch.bmm(parameters[f"{layer}.weight"].transpose(1, 2), pull)
        # A masked fill is an order of magnitude slower here than this fused product with (value > 0).
        return pulled if self.linear else _threshold_backward.grad_input(pulled, below, 0, grad_input=pulled)

    def pullback(self, parameters: Parameters, inputs: torch.Tensor) -> tuple[torch.Tensor, PullBack]:
        """See :meth:`Program.pullback`."""
        activations = self._forward(parameters, inputs)
        return activations[-1], _MLPPullBack(self, parameters, activations, inputs.shape)

    def restricted(self, parameters: Parameters, inputs: torch.Tensor, names: tuple[str, ...]) -> Restriction:
        """The layers below the lowest free one never change: their outputs are computed once and become the inputs."""
        lowest = min(int(name.split(".")[0]) for name in names)
        rows = len(next(iter(parameters.values())))
        if lowest:
            activations = self._forward(parameters, inputs.expand(rows, *inputs.shape[1:]))
            inputs = activations[lowest]
        restriction = super().restricted(parameters, inputs, names)
        restriction.program = self.tail(lowest)
        return restriction

    def tail(self, first: int) -> MLPProgram:
        """The network from layer ``first`` on; its inputs are that layer's inputs, its names stay the same."""
        return self if first == 0 else _Tail(self, first)


def _linear_layers(network: torch.nn.Module) -> dict[str, torch.nn.Linear] | None:
    """The layers of a fully connected ReLU network by name; None if anything about it is out of the ordinary.

    A subclass may have its own forward, a hook may change what a layer returns, a pruned or normalised layer computes its
    weight from others, and a network with shared or tied layers has fewer parameters than layers.
    """
    if type(network) is not torch.nn.Sequential or "forward" in network.__dict__:
        return None
    named = [(name, layer) for name, layer in network._modules.items() if type(layer) is not torch.nn.Identity]
    if named and type(named[0][1]) is torch.nn.Flatten and (named[0][1].start_dim, named[0][1].end_dim) == (1, -1):
        named = named[1:]
    linear = {name: layer for name, layer in named[::2] if type(layer) is torch.nn.Linear}
    between = [layer for _, layer in named[1::2] if type(layer) is torch.nn.ReLU]
    parts = [part for part in network.modules() if part._forward_hooks or part._forward_pre_hooks or "forward" in part.__dict__]
    if not linear or len(linear) + len(between) != len(named) or len(between) != len(linear) - 1 or parts:
        return None
    owned = [value for layer in linear.values() for value in layer._parameters.values() if value is not None]
    plain = all(set(layer._parameters) == {"weight", "bias"} and not layer._buffers for layer in linear.values())
    biases = {layer.bias is not None for layer in linear.values()} if plain else set()
    kinds = {(value.dtype, value.device.type) for value in owned}
    if len(biases) != 1 or len({id(value) for value in owned}) != len(owned) or {kind for kind, _ in kinds} != {torch.float32}:
        return None
    return linear


def _outer_into(weight: torch.Tensor, pull: torch.Tensor, below: torch.Tensor) -> None:
    """Σ over the points of pull ⊗ below, shape (row, output, input).

    With the smaller side first the product is up to twice as fast, but differs in the last bits.  A training batch has too few
    points for that to matter, and keeps the order in which members have always been trained.
    """
    if below.shape[1] < pull.shape[1] and below.shape[2] >= TURNED_FROM:
        weight.copy_(torch.bmm(below, pull.transpose(1, 2)).transpose(1, 2))
    else:
        product_into(weight, pull, below.transpose(1, 2))


class _Tail(MLPProgram):
    """The layers of a network from ``first`` on, with the names that they have in the whole."""

    def __init__(self, whole: MLPProgram, first: int) -> None:
        super().__init__(whole.sizes, linear=whole.linear, bias=whole.bias)
        self.first = first

    def logits(self, parameters: Parameters, inputs: torch.Tensor) -> torch.Tensor:
        return self._forward(parameters, inputs, self.first)[-1]

    def loss_gradient(
        self, parameters: Parameters, inputs: torch.Tensor, targets: torch.Tensor, out: Parameters, loss: Loss
    ) -> torch.Tensor:
        return self._loss_gradient(parameters, inputs, targets, out, loss, first=self.first)


class _MLPPullBack(PullBack):
    def __init__(self, program: MLPProgram, parameters: Parameters, activations: list[torch.Tensor], shape: torch.Size) -> None:
        self.program, self.parameters, self.activations, self.shape = program, parameters, activations, shape

    def __call__(self, gradient: torch.Tensor) -> torch.Tensor:
        for layer in range(self.program.depth - 1, 0, -1):
            gradient = self.program._back(self.parameters, layer, gradient, self.activations[layer])
        gradient = torch.bmm(self.parameters["0.weight"].transpose(1, 2), gradient)
        return gradient.reshape(gradient.shape[0], *self.shape[1:])
