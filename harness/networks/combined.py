"""Programs made of programs: rows of several in one stack, one output as two classes, many classes as groups of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch

from harness.networks.layout import Layout
from harness.networks.losses import Loss
from harness.networks.program import Parameters, Program, PullBack

KIND = "number of the program"


class MixedProgram(Program):
    """A stack whose rows have the same parameters and are different functions of them.

    The last value of a row says which program is its own; it is in no scope, so that nothing moves it.

    Args:
        programs: with the same layout and outputs.
    """

    def __init__(self, programs: Sequence[Program]) -> None:
        first = programs[0]
        self.programs, self.classes, self.scopes = programs, first.classes, first.scopes
        self.layout = Layout((*first.layout.names, KIND), (*first.layout.shapes, ()))

    def initial(self, generator: torch.Generator) -> torch.Tensor:
        """See :meth:`Program.initial`."""
        return self.programs[0].initial(generator)

    def module(self, theta: torch.Tensor) -> torch.nn.Module:
        """See :meth:`Program.module`."""
        return self.programs[int(theta[-1])].module(theta[:-1])

    def _parts(self, parameters: Parameters) -> Iterator[tuple[Program, torch.Tensor, dict[str, torch.Tensor]]]:
        """Every program that has rows, their numbers, and their parameters."""
        kinds = parameters[KIND].long()
        for number, program in enumerate(self.programs):
            rows = (kinds == number).nonzero().flatten()
            if len(rows):
                yield program, rows, {name: value[rows] for name, value in parameters.items() if name != KIND}

    def logits(self, parameters: Parameters, inputs: torch.Tensor) -> torch.Tensor:
        """See :meth:`Program.logits`."""
        return _joined([(rows, program.logits(own, _own(inputs, rows))) for program, rows, own in self._parts(parameters)])

    def loss_gradient(
        self, parameters: Parameters, inputs: torch.Tensor, targets: torch.Tensor, out: Parameters, loss: Loss
    ) -> torch.Tensor:
        """See :meth:`Program.loss_gradient`."""
        found = []
        for program, rows, own in self._parts(parameters):
            into = {name: torch.zeros_like(value[rows]) for name, value in out.items()}
            found.append((rows, program.loss_gradient(own, _own(inputs, rows), _own(targets, rows), into, loss)))
            for name, value in into.items():
                out[name][rows] = value
        return _joined(found)

    def pullback(self, parameters: Parameters, inputs: torch.Tensor) -> tuple[torch.Tensor, PullBack]:
        """See :meth:`Program.pullback`."""
        logits, backs = [], []
        for program, rows, own in self._parts(parameters):
            some, back = program.pullback(own, _own(inputs, rows))
            logits.append((rows, some))
            backs.append((rows, back))
        return _joined(logits), _MixedPullBack(backs)


class _MixedPullBack(PullBack):
    def __init__(self, backs: Sequence[tuple[torch.Tensor, PullBack]]) -> None:
        self.backs = backs

    def __call__(self, gradient: torch.Tensor) -> torch.Tensor:
        return _joined([(rows, back(gradient[rows])) for rows, back in self.backs])


def _own(data: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
    return data if len(data) == 1 else data[rows]


def _joined(parts: Sequence[tuple[torch.Tensor, torch.Tensor]]) -> torch.Tensor:
    """The rows of several programs in the order of the stack."""
    order = torch.argsort(torch.cat([rows for rows, _ in parts]))
    return torch.cat([values for _, values in parts])[order]


class BinaryProgram(Program):
    """A network with a single output z as two classes, with the logits 0 and z.

    Class 1 is decided where z > 0, and the cross-entropy is the logistic loss of the label 0 or 1.

    Args:
        inner: its program.
    """

    def __init__(self, inner: Program) -> None:
        self.inner, self.layout, self.scopes, self.classes = inner, inner.layout, inner.scopes, 2

    def initial(self, generator: torch.Generator) -> torch.Tensor:
        """See :meth:`Program.initial`."""
        return self.inner.initial(generator)

    def module(self, theta: torch.Tensor) -> torch.nn.Module:
        """See :meth:`Program.module`."""
        network = self.inner.module(theta)
        network.register_forward_hook(_beside_zero)
        return network

    def logits(self, parameters: Parameters, inputs: torch.Tensor) -> torch.Tensor:
        """See :meth:`Program.logits`."""
        return _with_zero(self.inner.logits(parameters, inputs))

    def loss_gradient(
        self, parameters: Parameters, inputs: torch.Tensor, targets: torch.Tensor, out: Parameters, loss: Loss
    ) -> torch.Tensor:
        """See :meth:`Program.loss_gradient`."""
        one = targets[:, 1:]  # the probability of class 1

        def of_pair(z: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
            pair = torch.cat([torch.zeros_like(z), z], 2)
            two = torch.cat([1 - y, y], 2)
            if callable(loss):
                return loss(pair, two)
            if loss == "mse":
                return (pair - two).square().sum(2) / 2
            return torch.nn.functional.binary_cross_entropy_with_logits(z, y, reduction="none")[..., 0]

        return self.inner.loss_gradient(parameters, inputs, one, out, of_pair)

    def pullback(self, parameters: Parameters, inputs: torch.Tensor) -> tuple[torch.Tensor, PullBack]:
        """See :meth:`Program.pullback`."""
        logits, back = self.inner.pullback(parameters, inputs)
        return _with_zero(logits), _BinaryPullBack(back)

    def line(
        self, parameters: Parameters, inputs: torch.Tensor, direction: torch.Tensor
    ) -> Callable[[torch.Tensor], torch.Tensor]:
        """See :meth:`Program.line`."""
        along = self.inner.line(parameters, inputs, direction)
        return lambda step: _with_zero(along(step))


class _BinaryPullBack(PullBack):
    def __init__(self, back: PullBack) -> None:
        self.back = back

    def __call__(self, gradient: torch.Tensor) -> torch.Tensor:
        return self.back(gradient[:, 1:].contiguous())


def _with_zero(logits: torch.Tensor) -> torch.Tensor:
    return torch.cat([torch.zeros_like(logits), logits], 1)


def _beside_zero(module: torch.nn.Module, arguments: tuple[torch.Tensor, ...], z: torch.Tensor) -> torch.Tensor:
    return torch.cat([torch.zeros_like(z), z], 1)


Groups = tuple[tuple[int, ...], ...]


class GroupedProgram(Program):
    """A network of many classes as a classifier of groups: a group's logit is the largest logit of its classes.

    So the decision is the group of the decided class.  It is for instruments; nothing trains through it.

    Args:
        inner: the program of the network.
        groups: the classes of each group; every class is in one group.

    Raises:
        ValueError: a class is in no group, or in two.
    """

    def __init__(self, inner: Program, groups: Groups) -> None:
        classes = sorted(each for group in groups for each in group)
        if classes != list(range(inner.classes)) or len(groups) < 2:
            raise ValueError(
                f"groups={groups!r} do not partition the {inner.classes} classes of this network: give two or more groups such "
                "that each class is in exactly one"
            )
        self.inner, self.groups = inner, groups
        self.layout, self.scopes, self.classes = inner.layout, inner.scopes, len(groups)

    def initial(self, generator: torch.Generator) -> torch.Tensor:
        """See :meth:`Program.initial`."""
        return self.inner.initial(generator)

    def module(self, theta: torch.Tensor) -> torch.nn.Module:
        """See :meth:`Program.module`."""
        return _GroupedModule(self.inner.module(theta), self.groups)

    def logits(self, parameters: Parameters, inputs: torch.Tensor) -> torch.Tensor:
        """See :meth:`Program.logits`."""
        return self._grouped(self.inner.logits(parameters, inputs))[0]

    def _grouped(self, logits: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits of the groups, and the class that each of them comes from; both (row, group, point)."""
        best = [logits[:, list(group)].max(1) for group in self.groups]
        numbers = [torch.tensor(group, device=logits.device) for group in self.groups]
        values = torch.stack([each.values for each in best], 1)
        return values, torch.stack([number[each.indices] for number, each in zip(numbers, best, strict=True)], 1)

    def loss_gradient(
        self, parameters: Parameters, inputs: torch.Tensor, targets: torch.Tensor, out: Parameters, loss: Loss
    ) -> torch.Tensor:
        """Refused: a network is trained on its own classes.

        Raises:
            TypeError: always.
        """
        raise TypeError("a grouped network is measured, not trained: train it on its own classes")

    def pullback(self, parameters: Parameters, inputs: torch.Tensor) -> tuple[torch.Tensor, PullBack]:
        """See :meth:`Program.pullback`."""
        logits, back = self.inner.pullback(parameters, inputs)
        values, source = self._grouped(logits)
        return values, _GroupedPullBack(back, source, logits.shape)

    def line(
        self, parameters: Parameters, inputs: torch.Tensor, direction: torch.Tensor
    ) -> Callable[[torch.Tensor], torch.Tensor]:
        """See :meth:`Program.line`."""
        along = self.inner.line(parameters, inputs, direction)
        return lambda step: self._grouped(along(step))[0]


class _GroupedPullBack(PullBack):
    """The gradient on a group's logit goes to the class that the logit comes from."""

    def __init__(self, back: PullBack, source: torch.Tensor, shape: torch.Size) -> None:
        self.back, self.source, self.shape = back, source, shape

    def __call__(self, gradient: torch.Tensor) -> torch.Tensor:
        return self.back(gradient.new_zeros(self.shape).scatter_(1, self.source, gradient))


class _GroupedModule(torch.nn.Module):
    def __init__(self, network: torch.nn.Module, groups: Groups) -> None:
        super().__init__()
        self.network, self.groups = network, groups

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        logits = self.network(x)
        return torch.stack([logits[:, list(group)].amax(1) for group in self.groups], 1)
