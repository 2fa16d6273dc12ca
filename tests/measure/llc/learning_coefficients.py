"""Learning coefficients λ (real log canonical thresholds) that are known in closed form, and models that have them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
import torch

from harness.measure.llc.engines import Task
from harness.networks import MLPProgram, ModuleProgram


def regular(dimension: int) -> float:
    """A regular model: half its dimension (Schwarz 1978; Watanabe 2009, ch. 1)."""
    return dimension / 2


def normal_crossing(*exponents: int) -> float:
    """K(w) = Π w_i^(2 k_i) near the origin: min 1 / (2 k_i), the largest pole of its zeta function (Watanabe 2009, ch. 4)."""
    return min(1 / (2 * k) for k in exponents)


def reduced_rank(inputs: int, hidden: int, outputs: int, rank: int) -> float:
    """Reduced-rank regression (Aoyagi & Watanabe 2005, doi 10.1016/j.neunet.2005.03.014, main theorem, its four cases)."""
    m, h, n, r = inputs, hidden, outputs, rank
    if n + r <= m + h and m + r <= n + h and h + r <= m + n:
        even = (m + h + n + r) % 2 == 0
        return (-((h + r) ** 2) - m**2 - n**2 + 2 * (h + r) * m + 2 * (h + r) * n + 2 * m * n + (0 if even else 1)) / 8
    if m + h < n + r:
        return (h * m - h * r + n * r) / 2
    if n + h < m + r:
        return (h * n - h * r + m * r) / 2
    return m * n / 2


def deep_linear(sizes: Sequence[int], rank: int) -> float:
    """A deep linear network (Aoyagi 2024, doi 10.1016/j.neunet.2024.106132, main theorem).

    With Δ_s = H_s − r for every layer of units there is a set Σ of ℓ + 1 of them, all smaller than the rest, with
    ΣΔ ≥ ℓ max Δ inside and ΣΔ < ℓ min Δ outside; M = ⌈ΣΔ / ℓ⌉ and a = ΣΔ − (M − 1) ℓ.

    Args:
        sizes: units from the input to the output.
        rank: rank of the true map.
    """
    spare = sorted(size - rank for size in sizes)
    chosen = next(
        spare[:count]
        for count in range(2, len(spare) + 1)
        if sum(spare[:count]) >= (count - 1) * spare[count - 1]
        and (count == len(spare) or (spare[count - 1] < spare[count] and sum(spare[:count]) < (count - 1) * spare[count]))
    )
    ell, total = len(chosen) - 1, sum(chosen)
    a = total - (math.ceil(total / ell) - 1) * ell
    pairs = (total**2 - sum(part**2 for part in chosen)) / 2
    map_alone = (rank * (sizes[0] + sizes[-1]) - rank**2) / 2
    return map_alone + a * (ell - a) / (4 * ell) - (ell - 1) / (4 * ell) * total**2 + pairs / 2


def half_codimension(sizes: Sequence[int], rank: int) -> float:
    """Half the codimension of the set of factorisations W_L ⋯ W_1 of a matrix of that rank.

    It equals λ for linear networks (Lehalleur & Rimányi 2024, doi 10.48550/arXiv.2411.19920), and shares nothing with
    Aoyagi's formula.  Off the rank, the product vanishes; with k_i the rank of W_i ⋯ W_1, the matrix W_i restricted to an
    image of dimension k_(i−1) has rank k_i, which are (H_i − k_i)(k_(i−1) − k_i) conditions; the smallest sum counts.
    """
    spare = [size - rank for size in sizes]
    cost = {spare[0]: 0}
    for size in spare[1:]:
        cost = {k: min(cost[before] + (size - k) * (before - k) for before in cost if before >= k)
                for k in range(min(size, max(cost)) + 1)}  # fmt: skip
    return (cost[0] + rank * (sizes[0] + sizes[-1]) - rank**2) / 2


def single_layer(sizes: Sequence[int], layer: int, rank: int) -> float:
    """One layer of a linear network whose layers all have that rank: a linear regression in it.

    The map A W B x has Jacobian A ⊗ B: half the rank of what lies above times the rank of what lies below.
    """
    above = rank if layer < len(sizes) - 2 else sizes[-1]
    below = rank if layer > 0 else sizes[0]
    return above * below / 2


@dataclass(frozen=True)
class LinearTruth:
    """A linear network at a minimum at which every layer has rank exactly r, with the data of its loss.

    Attributes:
        sizes: units from the input to the output.
        rank: r.
        theta: w*, flat, shape (parameter,).
        inputs: shape (point, input); see :func:`second_moments`.
        targets: shape (point, output).
    """

    sizes: tuple[int, ...]
    rank: int
    theta: torch.Tensor
    inputs: torch.Tensor
    targets: torch.Tensor

    @property
    def program(self) -> MLPProgram:
        """The network's program."""
        return MLPProgram(self.sizes, linear=True, bias=False)

    def coefficient(self, scope: str) -> float:
        """λ of the whole network, or of one layer."""
        if scope == "all":
            return deep_linear(self.sizes, self.rank)
        layers = {"input": 0, "hidden": 1, "output": len(self.sizes) - 2}  # "hidden" by itself where there is one alone
        return single_layer(self.sizes, layers[scope] if scope in layers else int(scope.split()[1]), self.rank)


class Crossings(torch.nn.Module):
    """Outputs c_j w_j^k_j of an input 1, at w = 0: with targets 0 the loss is Σ ½ c_j² w_j^(2 k_j)."""

    exponents: torch.Tensor
    slopes: torch.Tensor

    def __init__(self, exponents: Sequence[int], slopes: Sequence[float]) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(len(exponents)))
        self.register_buffer("exponents", torch.tensor(exponents, dtype=torch.float32))
        self.register_buffer("slopes", torch.tensor(slopes, dtype=torch.float32))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Inputs (point, 1) to outputs (point, coordinate)."""
        return x * self.slopes * self.weight**self.exponents


@dataclass(frozen=True)
class CrossingTruth:
    """Normal crossings, one in each coordinate; λ is the sum of theirs, each with multiplicity 1.

    A crossing of two coordinates is not among these: by quadrature its expectation at n = 1024 and γ = 3 lies 14 to 64 % below
    λ with slopes up to 10, for what the asymptotic form leaves out falls with log n, or with a root of n.  With one coordinate
    and the slopes used here it is up to 5 % below.

    Attributes:
        exponents: k_j, which are the ``sizes`` of such a model.
        slopes: c_j.
    """

    exponents: tuple[int, ...]
    slopes: tuple[float, ...]
    rank: int = 0

    @property
    def program(self) -> ModuleProgram:
        """The model's program."""
        return ModuleProgram(lambda: Crossings(self.exponents, self.slopes), len(self.exponents))

    @property
    def sizes(self) -> tuple[int, ...]:
        """What names the model in a table."""
        return self.exponents

    @property
    def theta(self) -> torch.Tensor:
        """w* = 0, and the constants, flat."""
        return self.program.initial(torch.Generator())

    inputs = torch.ones(1, 1)

    @property
    def targets(self) -> torch.Tensor:
        """Zeros, shape (point, output)."""
        return torch.zeros(1, len(self.exponents))

    def coefficient(self, scope: str) -> float:
        """λ."""
        assert scope == "all"
        return sum(normal_crossing(exponent) for exponent in self.exponents)


SLOPES = {1: 2.0, 2: 10.0, 3: 10.0}  # by exponent
Truth = LinearTruth | CrossingTruth


def linear_truth(
    sizes: Sequence[int], rank: int, *, seed: int, points: int = 1024, noise: float = 0.0, compress: bool = True
) -> LinearTruth:
    """A random linear network at its minimum.

    Every W_i is V_(i+1) S_i V_iᵀ with orthonormal V_i of r columns and singular values S_i uniform in (0.8, 1.25): the
    closed forms give the smallest coefficient over the fibre, which is that of the points where all layers have rank
    exactly r.  Inputs are standard normal; targets are the network's plus noise that is orthogonal to the inputs, so that
    w* is the least-squares solution.  Without ``compress`` all points are kept, not their second moments alone.
    """
    generator = torch.Generator().manual_seed(seed)
    frames = [torch.linalg.qr(torch.randn(size, size, generator=generator, dtype=torch.float64)).Q[:, :rank] for size in sizes]
    layers = [
        above @ torch.diag(0.8 + 0.45 * torch.rand(rank, generator=generator, dtype=torch.float64)) @ below.T
        for below, above in pairwise(frames)
    ]
    x = torch.randn(points, sizes[0], generator=generator, dtype=torch.float64)
    y = x
    for layer in layers:
        y = y @ layer.T
    residual = noise * torch.randn(points, sizes[-1], generator=generator, dtype=torch.float64)
    y = y + residual - x @ torch.linalg.lstsq(x, residual).solution
    inputs, targets = second_moments(x, y) if compress else (x.float(), y.float())
    return LinearTruth(tuple(sizes), rank, torch.cat([w.flatten() for w in layers]).float(), inputs, targets)


def second_moments(x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """As few points as there are columns, with the same mean squared error for every linear map.

    The loss mean ½‖y − A x‖² depends on the second moments of (x, y) alone.  With (x, y) = Q R, the rows of R, times
    √(columns / points), have the same second moments, so that sampling a thousand points costs as much as a dozen.
    """
    both = torch.cat([x, y], 1)
    few = torch.linalg.qr(both).R * math.sqrt(both.shape[1] / len(both))
    return few[:, : x.shape[1]].float(), few[:, x.shape[1] :].float()


def random_truths(seed: int, groups: int = 10, members: int = 4) -> list[tuple[str, Sequence[Truth]]]:
    """Random models in groups of one shape and scope, most of them linear networks, half of those with noise.

    Of ten groups four are whole networks of widths 3 to 8, depths 2 to 4 and ranks from 1, four a single layer of such; the
    fifth has one layer only, a regular model, and the last has twelve normal crossings of exponents 1 to 3.
    """
    draw = np.random.default_rng(seed)
    found: list[tuple[str, Sequence[Truth]]] = []
    for group in range(groups):
        depth = 2 + group % 3
        sizes = [int(size) for size in draw.integers(3, 9, depth + 1)]
        ranks = draw.integers(1, min(sizes) + 1, members)
        if group == 4:
            sizes = sizes[:2]
        if group == 9:
            kinds = draw.integers(1, 4, (members, 12)).tolist()
            # The flatter the crossing, the steeper it has to be for its expectation at n = 1024 to be near λ.
            found.append(("all", [CrossingTruth(tuple(k), tuple(SLOPES[one] for one in k)) for k in kinds]))
            continue
        layers = {2: "output" if group >= 5 else "input", 3: "hidden", 4: "input" if group >= 5 else "hidden 2"}
        scope = layers[depth] if group in (2, 3, 7, 8) else "all"
        truths = [linear_truth(sizes, int(rank), seed=1000 * seed + members * group + number, noise=0.5 * (number % 2))
                  for number, rank in enumerate(ranks)]  # fmt: skip
        found.append((scope, truths))
    return found


def task(truths: Sequence[Truth], scope: str) -> Task:
    """What the sampler is given for networks of one shape, each with its own data."""
    inputs, targets = (torch.stack([part(truth).T.contiguous() for truth in truths])
                       for part in (lambda truth: truth.inputs, lambda truth: truth.targets))  # fmt: skip
    theta = torch.stack([truth.theta for truth in truths])
    return Task(truths[0].program, theta, inputs, targets, "mse", scope, [("truth", number) for number in range(len(truths))])


def compared(table: pd.DataFrame, truths: Sequence[Truth], scope: str) -> pd.DataFrame:
    """Estimates beside what they estimate: columns truth, scope, sizes, rank and error (relative, signed)."""
    truth = np.array([one.coefficient(scope) for one in truths])
    return table.assign(truth=truth, error=table["llc"] / truth - 1, scope=scope, sizes=str(truths[0].sizes),
                        rank=[one.rank for one in truths])  # fmt: skip
