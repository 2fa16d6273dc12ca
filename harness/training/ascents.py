"""The attack in training for a stack of fully connected networks whose attacks take different numbers of steps.

It is that of :class:`harness.regime.Adversarial` in L∞, to the last bit: the same operations in the same order.  But what a
step writes lies where the last one's lay, and views are cut once.  Of a step of twenty small networks, calls are two thirds.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from harness.networks.mlp import MLPProgram
from harness.networks.program import Parameters
from harness.recipe import Threat
from harness.training.batches import VALUES_PER_BLOCK

_threshold_backward = torch.ops.aten.threshold_backward


class Ascents:
    """Projected gradient ascent on some points of every member, those with the most steps first.

    At every step the members that have further steps to take are the first rows, so that none is computed for nothing.

    Args:
        program: the members'.
        parameters: theirs, by name, tensors of shape (member, *shape); they are read at every step.
        threat: what all attacks share.
        steps: of each member's attack, falling.
        points: of each member that are attacked at a time.
        bounds: smallest and largest admissible value of an input, or None.
        ahead: whether random starts of several batches may be drawn at once, since every batch has as many points.
    """

    def __init__(
        self, program: MLPProgram, parameters: Parameters, threat: Threat, steps: Sequence[int], points: int,
        bounds: tuple[float, float] | None, *, ahead: bool,
    ) -> None:  # fmt: skip
        self._threat, self._bounds = threat, bounds
        like = parameters["0.weight"]
        self.state = _State(program, parameters, points)
        radius = like.new_full((len(steps), 1, 1), threat.epsilon)
        sizes = radius * like.new_tensor([threat.relative_step / own for own in steps])[:, None, None]
        active = [sum(own > at for own in steps) for at in range(max(steps))]
        cut = {rows: _Step(self.state, rows, sizes) for rows in dict.fromkeys(active)}
        self._steps = [cut[rows] for rows in active]
        batches = max(1, VALUES_PER_BLOCK // self.state.delta.numel()) if ahead else 1
        self._starts = torch.empty(len(steps), batches, *self.state.delta.shape[1:])  # a member's stream is on the CPU
        self._used = batches

    def move(self, inputs: torch.Tensor, targets: torch.Tensor, generators: Sequence[torch.Generator]) -> None:
        """Move points, in place.

        Args:
            inputs: the points, shape (member, *input, point).
            targets: encoded targets, shape (member, class, point).
            generators: each member's own, for its starts.
        """
        state, epsilon, bounds = self.state, self._threat.epsilon, self._bounds
        state.clean.copy_(inputs.flatten(1, -2))
        state.labels.copy_(targets)
        self._start(generators)
        for step in self._steps:
            step.ascend(epsilon, bounds)
        inputs += state.delta.view(inputs.shape)

    def _start(self, generators: Sequence[torch.Generator]) -> None:
        state = self.state
        if self._threat.random_start:
            if self._used == self._starts.shape[1]:  # uniform numbers come one by one: a block has those of single draws
                for row, generator in zip(self._starts, generators, strict=True):
                    row.uniform_(generator=generator)
                self._used = 0
            state.delta.copy_(self._starts[:, self._used]).mul_(2).sub_(1).mul_(self._threat.epsilon)
            self._used += 1
        else:
            state.delta.zero_()
        if self._bounds is not None:
            torch.clamp(torch.add(state.clean, state.delta, out=state.place), *self._bounds, out=state.delta).sub_(state.clean)


class _State:
    """What lies in memory from step to step, by row.

    Attributes:
        clean: the points, shape (row, input, point); the others likewise, over inputs, units or classes.
        labels: their encoded targets.
        delta: how far they are moved.
        place: where they are then.
        values: of every layer's units, from the first layer to the logits.
        pulls: gradients with respect to the inputs, and to the values of every layer.
        weights: of every layer, views into the parameters.
        biases: likewise, shape (row, unit, 1).
    """

    def __init__(self, program: MLPProgram, parameters: Parameters, points: int) -> None:
        self.weights = [parameters[f"{layer}.weight"] for layer in range(program.depth)]
        self.biases = [parameters[f"{layer}.bias"].unsqueeze(2) for layer in range(program.depth)]
        like, rows = self.weights[0], len(self.weights[0])
        self.clean, self.delta, self.place = (like.new_zeros(rows, program.sizes[0], points) for _ in range(3))
        self.labels = like.new_zeros(rows, program.classes, points)
        self.values = [like.new_zeros(rows, units, points) for units in program.sizes[1:]]
        self.pulls = [like.new_zeros(rows, units, points) for units in program.sizes]


class _Step:
    """A step of the first rows: the views of the state that it needs."""

    def __init__(self, state: _State, rows: int, sizes: torch.Tensor) -> None:
        some = slice(0, rows)
        self.clean, self.delta, self.place, self.labels = (
            each[some] for each in (state.clean, state.delta, state.place, state.labels)
        )
        self.values, self.pulls, weights, biases = (
            [each[some] for each in own] for own in (state.values, state.pulls, state.weights, state.biases)
        )
        self.sizes, self.last = sizes[some], len(weights) - 1
        self.forward = [*zip(biases, weights, [self.place, *self.values], self.values, strict=False)]
        back = [weight.transpose(1, 2) for weight in weights]
        self.backward = [(back[layer], self.pulls[layer + 1], self.values[layer - 1], self.pulls[layer])
                         for layer in range(self.last, 0, -1)]  # fmt: skip
        self.first = back[0]

    def ascend(self, epsilon: float, bounds: tuple[float, float] | None) -> None:
        """One step, and back into the ball and the bounds."""
        torch.add(self.clean, self.delta, out=self.place)
        for layer, (bias, weight, below, value) in enumerate(self.forward):
            torch.baddbmm(bias, weight, below, out=value)
            if layer < self.last:
                value.relu_()
        torch.softmax(self.values[-1], 1, out=self.pulls[-1]).sub_(self.labels)
        for weight, pull, below, pulled in self.backward:
            torch.bmm(weight, pull, out=pulled)
            _threshold_backward.grad_input(pulled, below, 0, grad_input=pulled)
        step = torch.bmm(self.first, self.pulls[1], out=self.pulls[0])
        self.delta.add_(step.sign_().mul_(self.sizes)).clamp_(-epsilon, epsilon)  # no addcmul: see harness.networks.ascent
        if bounds is not None:
            torch.clamp(torch.add(self.clean, self.delta, out=self.place), *bounds, out=self.delta).sub_(self.clean)
