"""One-step attacks and random noise, and accuracy as a function of their size.

- Fast gradient sign: x + ε sign(∇ₓJ) (Goodfellow et al. 2015, arXiv:1412.6572, 4; the Fast Gradient Sign Adversary of
  Adversarial Robustness Through Overparameterization); for L2 x + ε ∇ₓJ / ‖∇ₓJ‖₂.
- White noise: x + σ g with g ~ N(0, I) (the same document).
- A fixed direction, such as −Σ_{j∈J+} μ_j + Σ_{j∈J−} μ_j (Theoretical Understanding of Adversarial Examples: Expressive
  Power and Training Dynamics).
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import ArrayLike

from harness.measure.arguments import ball_norm, require_bounds, require_finite, require_size, tensor_of
from harness.measure.base import Given, Models, in_chunks
from harness.networks import Parameters, Program
from harness.networks.ascent import Bounds, margin, moved, norms, over_inputs, steepest
from harness.networks.callers import instrument
from harness.networks.given import Output
from harness.recipe import Norm
from harness.streams import numpy_generator


@instrument
def fgsm(
    models: Models,
    inputs: np.ndarray | torch.Tensor,
    targets: np.ndarray | torch.Tensor,
    *,
    epsilon: float,
    norm: Norm = "linf",
    bounds: Bounds = None,
    device: str = "cpu",
    output: Output | None = None,
) -> torch.Tensor:
    """Adversarial examples by one step of steepest ascent on the cross-entropy.

    Args:
        models: one ``nn.Module``, a list of modules of one shape, or a Population (its last epoch).
        inputs: points, shape (point, *input).
        targets: class numbers, shape (point,).
        epsilon: length of the step.
        norm: "linf" (the gradient's sign) or "l2" (its direction).
        bounds: smallest and largest admissible value of an input, or None.
        device: "cpu" or "cuda".
        output: makes the outputs, shape (point, class), of what a module returns; None where it returns them.

    Returns:
        Perturbed points, shape (model, point, *input), each within ``epsilon`` of its clean point.

    Raises:
        ValueError: epsilon is negative or not a number, or the models have fewer than two outputs.
    """
    require_size(epsilon, "epsilon")
    norm = ball_norm(norm)

    def perturbed(given: Given) -> torch.Tensor:
        direction = fgsm_direction(given.program, given.parameters, given.inputs, given.targets, norm)
        return moved(given.inputs, direction * epsilon, bounds).movedim(-1, 1)

    return in_chunks(models, inputs, targets, device, perturbed, bounds=bounds, output=output)


@torch.no_grad()
def fgsm_direction(
    program: Program, parameters: Parameters, inputs: torch.Tensor, targets: torch.Tensor, norm: Norm
) -> torch.Tensor:
    """Steepest ascent on the cross-entropy, of unit norm, shape (row, *input, point).

    The loss's gradient is (1 − p_y) (Σ_{c≠y} q_c ∇f_c − ∇f_y) with q the softmax over the wrong classes.  The positive
    factor in front does not change the direction and is left out: in single precision it is 0 for a point that is classified
    with great confidence, and the attack would then do nothing, so that the network would seem robust.

    Args:
        program: the stack's program.
        parameters: tensors of shape (row, *shape) by name.
        inputs: points, shape (row, *input, point).
        targets: encoded targets, shape (row or 1, class, point).
        norm: "linf" or "l2".

    Raises:
        ValueError: the network has fewer than two classes.
    """
    _require_classes(program)
    logits, pull_back = program.pullback(parameters, inputs)
    wrong = torch.softmax(logits.masked_fill(targets > 0, float("-inf")), 1)
    return steepest(pull_back(wrong - targets), norm)


def gaussian_noise(inputs: np.ndarray | torch.Tensor, *, sigma: float, seed: int = 0, bounds: Bounds = None) -> torch.Tensor:
    """Points with Gaussian noise added to every value.

    Args:
        inputs: points, shape (point, *input).
        sigma: standard deviation of the noise, in the units of the inputs.
        seed: names the random stream; for one seed, the noise at different sigmas differs only by a factor, and the noise of
            the first points does not depend on how many points there are.
        bounds: smallest and largest admissible value of an input, or None.

    Returns:
        Noisy points, shape (point, *input).

    Raises:
        ValueError: sigma is negative or not a number.
    """
    require_size(sigma, "sigma")
    x = tensor_of(inputs, "inputs").float()
    require_finite(x, "inputs of points")
    require_bounds(bounds, x)
    noise = torch.from_numpy(numpy_generator("white noise", seed).standard_normal(tuple(x.shape)).astype(np.float32))
    return moved(x, noise.to(x.device) * sigma, bounds)


@instrument
def direction_attack(
    models: Models,
    inputs: np.ndarray | torch.Tensor,
    targets: np.ndarray | torch.Tensor,
    *,
    direction: ArrayLike | torch.Tensor,
    epsilon: float,
    norm: Norm = "l2",
    bounds: Bounds = None,
    device: str = "cpu",
    output: Output | None = None,
) -> torch.Tensor:
    """Points moved by ``epsilon`` along one direction or against it, whichever leaves each model the smaller margin.

    Args:
        models: one ``nn.Module``, a list of modules of one shape, or a Population (its last epoch).
        inputs: points, shape (point, *input).
        targets: class numbers, shape (point,).
        direction: array of the shape of one input; its length and its sign do not matter.
        epsilon: length of the step in ``norm``.
        norm: "linf" or "l2".
        bounds: smallest and largest admissible value of an input, or None.
        device: "cpu" or "cuda".
        output: makes the outputs, shape (point, class), of what a module returns; None where it returns them.

    Returns:
        Perturbed points, shape (model, point, *input).

    Raises:
        ValueError: epsilon is negative or not a number, the direction differs in shape from an input or has length 0, or the
            models have fewer than two outputs.
    """
    require_size(epsilon, "epsilon")
    norm = ball_norm(norm)

    def perturbed(given: Given) -> torch.Tensor:
        _require_classes(given.program)
        x = given.inputs
        along = unit_direction(direction, tuple(x.shape[1:-1]), norm).to(device)[None, ..., None] * epsilon
        return worse_side(given.program, given.parameters, x, given.targets, along.expand(x.shape), bounds).movedim(-1, 1)

    return in_chunks(models, inputs, targets, device, perturbed, bounds=bounds, output=output)


def unit_direction(direction: ArrayLike | torch.Tensor, shape: tuple[int, ...], norm: Norm) -> torch.Tensor:
    """The direction with unit norm, a tensor of ``shape``.

    Raises:
        ValueError: it has another shape, or length 0.
    """
    given = tensor_of(direction, "direction").float()
    if tuple(given.shape) != shape:
        raise ValueError(f"direction has shape {tuple(given.shape)}; an input has shape {shape}")
    length = norms(given[None, ..., None], norm)
    if not bool((length > 0) & length.isfinite()):
        raise ValueError(f"direction has the length {float(length):g}; give one of finite length above 0")
    return given / length.reshape(())


@torch.no_grad()
def worse_side(
    program: Program, parameters: Parameters, inputs: torch.Tensor, targets: torch.Tensor, step: torch.Tensor, bounds: Bounds
) -> torch.Tensor:
    """``inputs + step`` or ``inputs − step``, whichever has the smaller margin; shape (row, *input, point)."""
    one, other = moved(inputs, step, bounds), moved(inputs, -step, bounds)
    first = margin(program.logits(parameters, one), targets) <= margin(program.logits(parameters, other), targets)
    return torch.where(over_inputs(first, one), one, other)


def _require_classes(program: Program) -> None:
    if program.classes < 2:
        raise ValueError(f"an attack on the decision needs two or more classes; this network has {program.classes}")
