# mypy: ignore-errors
"""Projected gradient ascent through a fully connected network as one kernel: all steps, forward and back, on the chip.

Otherwise a step is some thirty kernels of two microseconds each, whatever the size of the stack.  Here one program of the card
holds one row of the stack and some of its points, and takes every step of their ascent.  The formulas are those of
:mod:`harness.networks.ascent` and :mod:`harness.networks.mlp`; sums run in another order, so numbers agree up to rounding.
Products are made of three of TF32 each, which gives back the bits of single precision.

Triton comes with torch's builds for CUDA; where it is missing, steps are captured as any other (:mod:`harness.cuda.steps`).
Its language is no typed Python, so that types are not checked here.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
import triton
import triton.language as tl

from harness.networks.ascent import Bounds
from harness.networks.mlp import MLPProgram
from harness.networks.program import Parameters

LAYERS = 5  # at most
POINTS = 32  # of a row, held by one program
# Weights of a network at most, each layer's sizes rounded up: both ways and in two parts they lie in shared memory, of which
# 9-64-64-64-3 takes 176 of 227 KiB; loaded anew in each step instead, registers of wider networks spill.
WEIGHTS = 10_240
SPECIAL = ["points", "steps", *(f"n{layer}" for layer in range(LAYERS + 1)),
           *(f"s{kind}{layer}" for kind in "wb" for layer in range(LAYERS))]  # fmt: skip


def takes(program: object, parameters: Parameters, sizes: Sequence[float]) -> bool:
    """Whether the kernel is written for this: a small fully connected network, steps of one size."""
    return (
        type(program) is MLPProgram
        and program.depth <= LAYERS
        and sum(_padded(fan_in) * _padded(fan_out) for fan_in, fan_out in pairwise(program.sizes)) <= WEIGHTS
        and len(set(sizes)) == 1
        and all(value.dtype == torch.float32 and value[0].is_contiguous() for value in parameters.values())
    )


def ascend(
    program: MLPProgram, parameters: Parameters, inputs: torch.Tensor, targets: torch.Tensor, *, delta: torch.Tensor,
    radius: torch.Tensor, step_sizes: Sequence[float], norm: str, bounds: Bounds = None, aim: torch.Tensor | None = None,
) -> torch.Tensor:  # fmt: skip
    """:func:`harness.networks.ascent.ascend` for what the kernel :func:`takes`."""
    rows, points = len(inputs), inputs.shape[-1]
    clean, start = (values.reshape(rows, -1, points).contiguous() for values in (inputs, delta))
    labels = (targets if aim is None else aim).contiguous()
    found = torch.empty_like(start)
    weights = [parameters[f"{layer}.weight"] for layer in range(program.depth)]
    biases = [parameters[f"{layer}.bias"] for layer in range(program.depth)] if program.bias else weights
    fill = LAYERS - program.depth  # what a network of fewer layers does not have is not read
    weights, biases = (values + values[:1] * fill for values in (weights, biases))
    units = [*program.sizes[:-1], *[1] * fill, program.sizes[-1]]
    low, high = bounds if bounds is not None else (0.0, 0.0)
    _ascend[(rows, triton.cdiv(points, POINTS))](
        clean, start, found, labels, radius.expand(rows, points).contiguous(),
        *weights, *biases, *(value.stride(0) for value in (*weights, *biases)),
        points, len(step_sizes), step_sizes[0], 1.0 if aim is None else -1.0, low, high,
        *units, *(_padded(size) for size in units),
        layers=program.depth, has_bias=program.bias, linear=program.linear, linf=norm == "linf", bounded=bounds is not None,
        held_points=POINTS, num_warps=4 if max(program.sizes) <= 32 else 8,
    )  # fmt: skip
    return found.reshape(delta.shape)


def _padded(size: int) -> int:
    """The power of two that a product of the kernel needs, 16 at least."""
    return max(16, triton.next_power_of_2(size))


@triton.jit
def _forward(weight, bias, below, fan_in, fan_out, padded_in: tl.constexpr, padded_out: tl.constexpr, has_bias: tl.constexpr):
    rows, columns = tl.arange(0, padded_out), tl.arange(0, padded_in)
    inside = (rows[:, None] < fan_out) & (columns[None, :] < fan_in)
    value = tl.dot(
        tl.load(weight + rows[:, None] * fan_in + columns[None, :], mask=inside, other=0.0), below, input_precision="tf32x3"
    )
    if has_bias:
        value += tl.load(bias + rows, mask=rows < fan_out, other=0.0)[:, None]
    return value


@triton.jit
def _back(weight, pull, fan_in, fan_out, padded_in: tl.constexpr, padded_out: tl.constexpr):
    rows, columns = tl.arange(0, padded_in), tl.arange(0, padded_out)
    inside = (rows[:, None] < fan_in) & (columns[None, :] < fan_out)
    turned = tl.load(weight + columns[None, :] * fan_in + rows[:, None], mask=inside, other=0.0)
    return tl.dot(turned, pull, input_precision="tf32x3")


@triton.jit
def _bent(value, linear: tl.constexpr):
    return value if linear else tl.maximum(value, 0.0)


@triton.jit
def _where_on(pull, value, linear: tl.constexpr):
    return pull if linear else tl.where(value > 0, pull, 0.0)


@triton.jit(do_not_specialize=SPECIAL)  # or every other number of points would be compiled anew
def _ascend(
    clean_at, start_at, found_at, labels_at, radius_at, w0, w1, w2, w3, w4, b0, b1, b2, b3, b4, sw0, sw1, sw2, sw3, sw4, sb0,
    sb1, sb2, sb3, sb4, points, steps, size, sign, low, high, n0, n1, n2, n3, n4, n5, p0: tl.constexpr, p1: tl.constexpr,
    p2: tl.constexpr, p3: tl.constexpr, p4: tl.constexpr, p5: tl.constexpr, layers: tl.constexpr, has_bias: tl.constexpr,
    linear: tl.constexpr, linf: tl.constexpr, bounded: tl.constexpr, held_points: tl.constexpr,
):  # fmt: skip
    row = tl.program_id(0).to(tl.int64)
    point = tl.program_id(1) * held_points + tl.arange(0, held_points)
    entry, output = tl.arange(0, p0), tl.arange(0, p5)
    w0, w1, w2, w3, w4 = w0 + row * sw0, w1 + row * sw1, w2 + row * sw2, w3 + row * sw3, w4 + row * sw4
    b0, b1, b2, b3, b4 = b0 + row * sb0, b1 + row * sb1, b2 + row * sb2, b3 + row * sb3, b4 + row * sb4
    at = row * n0 * points + entry[:, None] * points + point[None, :]
    held = (entry[:, None] < n0) & (point[None, :] < points)
    clean = tl.load(clean_at + at, mask=held, other=0.0)
    delta = tl.load(start_at + at, mask=held, other=0.0)
    real = (output[:, None] < n5) & (point[None, :] < points)
    labels = tl.load(labels_at + row * n5 * points + output[:, None] * points + point[None, :], mask=real, other=0.0)
    radius = tl.load(radius_at + row * points + point, mask=point < points, other=0.0)[None, :]
    if bounded:
        delta = tl.where(held, tl.minimum(tl.maximum(clean + delta, low), high) - clean, 0.0)
    for _ in range(steps):
        # Forward; what the last layer gives has the last size, whatever the number of layers.
        h1, h2, h3, h4 = clean, clean, clean, clean
        top = clean + delta
        if layers == 1:
            top = _forward(w0, b0, top, n0, n5, p0, p5, has_bias)
        else:
            h1 = _bent(_forward(w0, b0, top, n0, n1, p0, p1, has_bias), linear)
            if layers == 2:
                top = _forward(w1, b1, h1, n1, n5, p1, p5, has_bias)
            else:
                h2 = _bent(_forward(w1, b1, h1, n1, n2, p1, p2, has_bias), linear)
                if layers == 3:
                    top = _forward(w2, b2, h2, n2, n5, p2, p5, has_bias)
                else:
                    h3 = _bent(_forward(w2, b2, h2, n2, n3, p2, p3, has_bias), linear)
                    if layers == 4:
                        top = _forward(w3, b3, h3, n3, n5, p3, p5, has_bias)
                    else:
                        h4 = _bent(_forward(w3, b3, h3, n3, n4, p3, p4, has_bias), linear)
                        top = _forward(w4, b4, h4, n4, n5, p4, p5, has_bias)
        top = tl.where(output[:, None] < n5, top, float("-inf"))
        likely = tl.exp(top - tl.max(top, 0)[None, :])
        pull = (likely / tl.sum(likely, 0)[None, :] - labels) * sign
        # Back.
        if layers == 1:
            slope = _back(w0, pull, n0, n5, p0, p5)
        else:
            if layers == 2:
                down = _where_on(_back(w1, pull, n1, n5, p1, p5), h1, linear)
            else:
                if layers == 3:
                    lower = _where_on(_back(w2, pull, n2, n5, p2, p5), h2, linear)
                else:
                    if layers == 4:
                        middle = _where_on(_back(w3, pull, n3, n5, p3, p5), h3, linear)
                    else:
                        upper = _where_on(_back(w4, pull, n4, n5, p4, p5), h4, linear)
                        middle = _where_on(_back(w3, upper, n3, n4, p3, p4), h3, linear)
                    lower = _where_on(_back(w2, middle, n2, n3, p2, p3), h2, linear)
                down = _where_on(_back(w1, lower, n1, n2, p1, p2), h1, linear)
            slope = _back(w0, down, n0, n1, p0, p1)
        # The step, and back into the ball and the bounds.
        if linf:
            delta += ((slope > 0).to(tl.float32) - (slope < 0).to(tl.float32)) * (radius * size)
            delta = tl.minimum(tl.maximum(delta, -radius), radius)
        else:
            length = tl.maximum(tl.sqrt(tl.sum(slope * slope, 0)), 1e-30)[None, :]
            delta += slope / length * (radius * size)
            length = tl.maximum(tl.sqrt(tl.sum(delta * delta, 0)), 1e-30)[None, :]
            delta *= tl.minimum(radius / length, 1.0)
        if bounded:
            delta = tl.where(held, tl.minimum(tl.maximum(clean + delta, low), high) - clean, 0.0)
    tl.store(found_at + at, delta, mask=held)
