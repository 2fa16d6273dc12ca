"""The exact smallest L∞ perturbation of a small ReLU network, by mixed-integer programming.

This is the ground truth for attacks, which only bound it from above.  The formulation is that of Tjeng, Xiao & Tedrake 2019
(doi 10.48550/arXiv.1711.07356): every ReLU that may be on or off inside the ball gets a binary variable, with the bounds of
its input by interval arithmetic; HiGHS (``scipy.optimize.milp``) minimises the radius for each wrong class in turn.  The cost
grows exponentially with the number of such units: fractions of a second for 3 × 8 units, seconds for 3 × 16.

HiGHS meets constraints only to an absolute 1e-6 and still calls the result optimal, so in a ball of radius 16 a flip at 5e-7
would pass for one at 0.  Therefore everything is written as a change from the clean point in units of the ball's radius, the
ball is made smaller until the answer is no longer a small part of it, and the solver's point is checked in the network.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from scipy.optimize import Bounds, LinearConstraint, milp

from harness.measure.arguments import tensor_of
from harness.measure.door import Entered, Models, enter
from harness.measure.targets import class_numbers
from harness.networks import MLPProgram, Program
from harness.networks.callers import instrument
from harness.networks.given import GivenProgram
from harness.networks.untouched import copied
from harness.progress import parts, under_way
from harness.spec import is_real

Floats = NDArray[np.float64]

GAP = 1e-4
"""Relative gap between solution and proven bound at which the solver may stop."""
RESOLVED = 0.05
"""Part of the ball's radius from which on an answer is not mistaken for another by the solver's tolerance."""
TOLERANCE = 1e-5
"""How far the solver's point may be from flipping, in units of what the ball can change: its tolerance, ten times."""
SMALLEST = 1e-10
"""Least size that can be told from 0, in units of the largest input (at least 1): below it a logit's rounding decides."""


class ExactnessError(RuntimeError):
    """The solver could not prove an optimum within its time limit or its precision."""


@instrument
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
        models: fully connected ReLU networks in float32 or float64: as for ``smallest_perturbation``.
        inputs: points, shape (point, *input).
        targets: class numbers, shape (point,).
        within: radius in which to search, a number or an array of shape (model, point); the size that an attack found, times
            1.001 for its rounding, is the best choice, since a smaller ball leaves fewer units undecided.
        time_limit: seconds for each network, point and wrong class.

    Returns:
        Array of shape (model, point): 0 where the clean point is misclassified, infinity where nothing within the radius flips
        it; exact to the relative gap ``GAP``, down to sizes of ``SMALLEST``.

    Raises:
        TypeError: the networks are not fully connected ReLU networks.
        ExactnessError: the solver ran out of time, or a point is flipped by less than ``SMALLEST``.
    """
    given = tensor_of(inputs, "inputs")
    if not (is_real(time_limit) and time_limit > 0):
        raise ValueError(f"time_limit={time_limit!r}; give a number of seconds above 0")
    entered = enter(models, given)
    program, theta = _fully_connected(entered)
    if not isinstance(program, MLPProgram) or program.linear:
        raise TypeError("the exact perturbation is known only for fully connected ReLU networks; given another architecture")
    x = given.double().cpu().numpy().reshape(len(given), -1)
    y = class_numbers(targets, len(given), max(2, program.classes)).cpu().numpy()
    radius = _radii(within, (len(theta), len(x)))
    found = np.empty(radius.shape)
    with under_way("exact perturbations", radius.size, "points"):
        for row in parts(range(len(theta))):
            network = _layers(program, theta[row])
            for point in parts(range(len(x))):
                found[row, point] = _smallest(network, x[point], int(y[point]), float(radius[row, point]), time_limit)
    return found


def _fully_connected(entered: Entered) -> tuple[Program, torch.Tensor]:
    """The networks' program; for fully connected networks in float64, the program of their layers, which runs in float64."""
    program, theta = entered.program, entered.theta
    if not isinstance(program, GivenProgram) or set(program.types.values()) != {torch.float64}:
        return program, theta
    plain = MLPProgram.of(copied(program.skeleton, hooks=True).float())
    if plain is None:
        return program, theta
    values = program.layout.views(theta)
    named = {mine[0]: name for name, mine in plain.scopes.items() if len(mine) == 1 and name in values}
    return plain, torch.cat([values[named[each]].flatten(1) for each in plain.layout.names], 1)


def _radii(within: ArrayLike, shape: tuple[int, int]) -> Floats:
    """The radius for every network and point, each finite: the search halves and doubles it."""
    given = tensor_of(within, "within").double().cpu().numpy()
    if given.shape not in ((), (1,), shape[1:], shape, (shape[0], 1), (1, shape[1])):
        raise ValueError(f"within has shape {given.shape}; give one radius, or shape (model, point) = {shape}")
    if not (np.isfinite(given) & (given >= 0)).all():
        raise ValueError("within holds a radius that is negative, NaN or infinite; give finite radii of at least 0, and where "
                         "an attack found nothing (infinity) the largest size that matters")  # fmt: skip
    return np.broadcast_to(given, shape)


@dataclass(frozen=True)
class _Network:
    """Weights of shape (output, input) and biases of shape (output,), from the first layer to the last."""

    weights: Sequence[Floats]
    biases: Sequence[Floats]

    def inputs_of_units(self, x: Floats) -> list[Floats]:
        """What every layer is given before its ReLU, the logits last."""
        found = []
        for weight, bias in zip(self.weights, self.biases, strict=True):
            found.append(weight @ x + bias)
            x = np.maximum(found[-1], 0)
        return found


def _layers(program: MLPProgram, flat: torch.Tensor) -> _Network:
    views = {name: value[0].double().cpu().numpy() for name, value in program.layout.views(flat[None].detach()).items()}
    weights = [views[f"{layer}.weight"] for layer in range(program.depth)]
    biases = [views.get(f"{layer}.bias", np.zeros(len(weight))) for layer, weight in enumerate(weights)]
    if program.classes == 1:  # the logits 0 and z: class 1 is decided where z is above 0
        weights[-1] = np.concatenate([np.zeros_like(weights[-1]), weights[-1]])
        biases[-1] = np.concatenate([np.zeros(1), biases[-1]])
    return _Network(weights, biases)


def _smallest(network: _Network, x: Floats, right: int, radius: float, time_limit: float) -> float:
    """The least over wrong classes; each search starts from the best of those before it."""
    logits = network.inputs_of_units(x)[-1]
    wrong = [each for each in np.argsort(-logits) if each != right]
    if logits[wrong[0]] >= logits[right]:
        return 0.0
    best = np.inf
    for each in wrong if radius > 0 else ():
        best = min(best, _towards(network, x, right, int(each), min(radius, best), time_limit))
    return best


def _towards(network: _Network, x: Floats, right: int, wrong: int, radius: float, time_limit: float) -> float:
    """Radius of the smallest ball around x in which the wrong logit reaches the right one; infinity beyond ``radius``.

    If the answer is small compared with the ball, it is known only roughly, and the search goes on in a ball of about its size:
    that one contains it, or a larger one does.
    """
    smallest = SMALLEST * max(1.0, float(np.abs(x).max(initial=0)))
    ball, empty = radius, 0.0  # the next ball, and the largest in which there is no flip
    while True:
        share = _share(network, x, right, wrong, ball, time_limit)
        if share is None:
            if ball >= radius:
                return np.inf
            ball, empty = min(radius, 30 * ball), ball
        elif share >= RESOLVED or share * ball >= RESOLVED * empty > 0:
            return share * ball
        elif ball <= smallest:
            raise ExactnessError(
                f"a point is flipped by less than {smallest:.1e}, which is within the rounding of a logit; such points lie on "
                "the boundary: leave them out"
            )
        else:
            ball = max(2 * share * ball, ball / 1e3, 1.01 * empty)


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
        with _nothing_printed():
            return milp(
                cost, constraints=LinearConstraint(matrix, self.least, self.most), bounds=Bounds(self.low, self.high),
                integrality=self.integer, options={"time_limit": time_limit, "mip_rel_gap": GAP},
            )  # fmt: skip


@contextlib.contextmanager
def _nothing_printed() -> Iterator[None]:
    """Keep the process's standard output for what its owner prints there.

    The HiGHS of SciPy 1.17 prints a line of its own debugging whenever it mends a solution, whatever it is told (HiGHS issue
    2783), past Python's ``sys.stdout``: into a table or JSON that a program prints.
    """
    try:
        kept = os.dup(1)
    except OSError:  # there is no standard output
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 1)
        yield
    finally:
        os.dup2(kept, 1)
        os.close(nowhere)
        os.close(kept)


Value = tuple[int | None, float]  # of a unit: a variable (or none) and a number that is added to it


def _share(network: _Network, x: Floats, right: int, wrong: int, ball: float, time_limit: float) -> float | None:
    """The smallest flip in a ball, as a share of its radius; None where there is none.

    All variables are changes from the clean point, in units of the ball's radius.
    """
    model = _Model()
    size = model.variable(0, 1)
    inputs = [model.variable(-1, 1) for _ in x]
    for each in inputs:
        model.require({each: 1.0, size: -1.0}, most=0)
        model.require({each: 1.0, size: 1.0}, least=0)
    below: list[Value] = [(each, 0.0) for each in inputs]
    low, high = -np.ones(len(x)), np.ones(len(x))
    clean = network.inputs_of_units(x)
    for weight, before in zip(network.weights[:-1], clean[:-1], strict=True):
        least, most = _interval(weight, low, high)
        start = before / ball
        below = [_unit(model, below, *unit) for unit in zip(weight, start, least, most, strict=True)]
        low = np.maximum(start + least, 0) - np.maximum(start, 0)
        high = np.maximum(start + most, 0) - np.maximum(start, 0)
    gap = network.weights[-1][wrong] - network.weights[-1][right]
    behind = float(clean[-1][right] - clean[-1][wrong]) / ball
    row, constant = _row(below, gap)
    model.require(row, least=behind - constant)
    result = model.solve(time_limit)
    if result.status == 2:  # infeasible: no flip in this ball
        return None
    if result.status != 0:
        raise ExactnessError(f"no proven optimum within {time_limit:g} s: {result.message}; give a smaller radius or more time")
    found = network.inputs_of_units(x + ball * result.x[inputs])[-1]
    reach = float(np.abs(gap) @ np.maximum(np.abs(low), np.abs(high))) * ball
    if found[right] - found[wrong] > TOLERANCE * reach:
        raise ExactnessError(
            f"the solver's point at {float(result.fun) * ball:.3g} does not flip the network; it misses by "
            f"{found[right] - found[wrong]:.1e}: the network is too badly scaled for the solver; give a smaller radius"
        )
    return float(result.fun)


def _interval(weight: Floats, low: Floats, high: Floats) -> tuple[Floats, Floats]:
    """Least and most of ``weight · v`` for v in a box."""
    up, down = np.maximum(weight, 0), np.minimum(weight, 0)
    return up @ low + down @ high, up @ high + down @ low


def _row(below: Sequence[Value], weight: Floats) -> tuple[dict[int, float], float]:
    """``weight · below`` as coefficients of variables and a constant."""
    row = {place: float(value) for (place, _), value in zip(below, weight, strict=True) if place is not None}
    return row, float(sum(value * constant for (_, constant), value in zip(below, weight, strict=True)))


def _unit(model: _Model, below: Sequence[Value], weight: Floats, start: float, least: float, most: float) -> Value:
    """The change of a ReLU whose input is ``start`` at the clean point and changes by ``weight · below``, in [least, most]."""
    if start + most <= 0:  # off in the whole ball
        return None, 0.0
    row, constant = _row(below, weight)
    back = {place: -value for place, value in row.items()}
    if start + least >= 0:  # on in the whole ball
        out = model.variable(least, most)
        model.require(back | {out: 1.0}, least=constant, most=constant)
        return out, 0.0
    out, on = model.variable(0, start + most), model.variable(0, 1, integer=True)
    model.require(back | {out: 1.0}, least=start + constant)  # out >= start + weight · below
    model.require(back | {out: 1.0, on: -(start + least)}, most=constant - least)  # equal to it where the unit is on
    model.require({out: 1.0, on: -(start + most)}, most=0)  # 0 where it is off
    return out, -max(start, 0.0)
