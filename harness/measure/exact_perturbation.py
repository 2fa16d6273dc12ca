"""The exact smallest L∞ perturbation of a small ReLU network, by mixed-integer programming.

The ground truth for attacks, which only bound it from above.  Formulation of Tjeng, Xiao & Tedrake 2019
(doi 10.48550/arXiv.1711.07356): every ReLU that may be on or off inside the ball gets a binary variable, with the bounds of
its input by interval arithmetic; HiGHS (``scipy.optimize.milp``) minimises the radius for each wrong class in turn.  The cost
grows exponentially with the number of such units: fractions of a second for 3 × 8 units, seconds for 3 × 16.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from scipy.optimize import Bounds, LinearConstraint, milp

from harness.measure.base import Models, stack
from harness.models import MLPProgram

Floats = NDArray[np.float64]

GAP = 1e-4
"""Relative gap between solution and proven bound at which the solver may stop."""


class ExactnessError(RuntimeError):
    """The solver did not prove an optimum within its time limit."""


def exact_perturbation(
    models: Models,
    inputs: np.ndarray | torch.Tensor,
    targets: np.ndarray | torch.Tensor,
    *,
    within: ArrayLike,
    time_limit: float = 60.0,
) -> Floats:
    """Size of the smallest L∞ perturbation that makes each network reclassify each point.

    Args:
        models: fully connected ReLU networks: as for ``smallest_perturbation``.
        inputs: points, shape (point, *input).
        targets: class numbers, shape (point,).
        within: radius in which it is searched, a number or of shape (model, point); what an attack found is the best choice,
            since a smaller ball leaves fewer units undecided.
        time_limit: seconds for each network, point and wrong class.

    Returns:
        Array of shape (model, point): 0 where the clean point is misclassified, infinity where nothing within the radius flips
        it; exact to the relative gap ``GAP``.

    Raises:
        TypeError: the networks are not fully connected ReLU networks.
        ExactnessError: the solver ran out of time.
    """
    program, theta = stack(models)
    if not isinstance(program, MLPProgram) or program.linear:
        raise TypeError("the exact perturbation is known for fully connected ReLU networks; given another architecture")
    x = np.asarray(inputs, dtype=float).reshape(len(inputs), -1)
    y = np.asarray(targets, dtype=int)
    radius = np.broadcast_to(np.asarray(within, dtype=float), (len(theta), len(x)))
    found = np.empty(radius.shape)
    for row, flat in enumerate(theta):
        network = _layers(program, flat)
        for point in range(len(x)):
            found[row, point] = _smallest(network, x[point], int(y[point]), float(radius[row, point]), time_limit)
    return found


@dataclass(frozen=True)
class _Network:
    """Weights of shape (output, input) and biases of shape (output,), from the first layer to the last."""

    weights: Sequence[Floats]
    biases: Sequence[Floats]

    def logits(self, x: Floats) -> Floats:
        for weight, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            x = np.maximum(weight @ x + bias, 0)
        return self.weights[-1] @ x + self.biases[-1]


def _layers(program: MLPProgram, flat: torch.Tensor) -> _Network:
    views = {name: value[0].double().cpu().numpy() for name, value in program.layout.views(flat[None].detach()).items()}
    weights = [views[f"{layer}.weight"] for layer in range(program.depth)]
    return _Network(weights, [views.get(f"{layer}.bias", np.zeros(len(weight))) for layer, weight in enumerate(weights)])


def _smallest(network: _Network, x: Floats, right: int, radius: float, time_limit: float) -> float:
    """The least over wrong classes; each search starts from the best of those before it."""
    logits = network.logits(x)
    wrong = [each for each in np.argsort(-logits) if each != right]
    if logits[wrong[0]] >= logits[right]:
        return 0.0
    best = np.inf
    for each in wrong:
        best = min(best, _towards(network, x, right, int(each), min(radius, best), time_limit))
    return best


@dataclass
class _Model:
    """A mixed-integer program that grows row by row; variable 0 is the radius."""

    low: list[float] = field(default_factory=list)
    high: list[float] = field(default_factory=list)
    integer: list[bool] = field(default_factory=list)
    rows: list[Mapping[int, float]] = field(default_factory=list)
    least: list[float] = field(default_factory=list)
    most: list[float] = field(default_factory=list)

    def variable(self, low: float, high: float, *, integer: bool = False) -> int:
        self.low.append(low)
        self.high.append(high)
        self.integer.append(integer)
        return len(self.low) - 1

    def require(self, row: Mapping[int, float], least: float = -np.inf, most: float = np.inf) -> None:
        self.rows.append(row)
        self.least.append(least)
        self.most.append(most)

    def solve(self, time_limit: float) -> Any:
        """Minimise variable 0."""
        entries = [(i, place, value) for i, row in enumerate(self.rows) for place, value in row.items()]
        at, places, values = zip(*entries, strict=True)
        matrix = sparse.csc_array((values, (at, places)), shape=(len(self.rows), len(self.low)))
        cost = np.zeros(len(self.low))
        cost[0] = 1
        return milp(
            cost, constraints=LinearConstraint(matrix, self.least, self.most), bounds=Bounds(self.low, self.high),
            integrality=self.integer, options={"time_limit": time_limit, "mip_rel_gap": GAP},
        )  # fmt: skip


def _towards(network: _Network, x: Floats, right: int, wrong: int, radius: float, time_limit: float) -> float:
    """Radius of the smallest ball around x in which the wrong logit reaches the right one; infinity beyond ``radius``."""
    model = _Model()
    size = model.variable(0, radius)
    values = [model.variable(each - radius, each + radius) for each in x]
    for value, each in zip(values, x, strict=True):
        model.require({value: 1.0, size: -1.0}, most=each)
        model.require({value: 1.0, size: 1.0}, least=each)
    low, high = x - radius, x + radius
    for weight, bias in zip(network.weights[:-1], network.biases[:-1], strict=True):
        up, down = np.maximum(weight, 0), np.minimum(weight, 0)
        low, high = up @ low + down @ high + bias, up @ high + down @ low + bias
        values = [_unit(model, values, *unit) for unit in zip(weight, bias, low, high, strict=True)]
        low, high = np.maximum(low, 0), np.maximum(high, 0)
    gap = network.weights[-1][wrong] - network.weights[-1][right]
    model.require(dict(zip(values, map(float, gap), strict=True)), least=network.biases[-1][right] - network.biases[-1][wrong])
    result = model.solve(time_limit)
    if result.status == 2:  # infeasible: no flip in this ball
        return np.inf
    if result.status != 0:
        raise ExactnessError(f"no proven optimum within {time_limit:g} s: {result.message}; give a smaller radius or more time")
    return float(result.fun)


def _unit(model: _Model, below: Sequence[int], weight: Floats, bias: float, low: float, high: float) -> int:
    """A ReLU of ``weight · below + bias``, which lies in [low, high]; the variable of its output."""
    if high <= 0:
        return model.variable(0, 0)
    row = {place: -float(value) for place, value in zip(below, weight, strict=True)}
    if low >= 0:
        out = model.variable(low, high)
        model.require(row | {out: 1.0}, least=bias, most=bias)
        return out
    out, on = model.variable(0, high), model.variable(0, 1, integer=True)
    model.require(row | {out: 1.0}, least=bias)  # out >= weight · below + bias
    model.require(row | {out: 1.0, on: -low}, most=bias - low)  # equal to it where the unit is on
    model.require({out: 1.0, on: -high}, most=0)  # 0 where it is off
    return out
