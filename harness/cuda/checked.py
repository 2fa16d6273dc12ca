"""A kernel that is compiled on the spot is compared with the ordinary steps before it is used.

Compilers of kernels change from version to version and from card to card, and a wrong one gives wrong numbers without a word.
So the first use for networks of a shape moves some random points both ways, which takes a few milliseconds beside compiling.
What cannot be compiled, does not fit onto the card or gives other numbers is said once, and is not used.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Hashable

import torch

from harness.networks.ascent import Bounds, ascend
from harness.networks.losses import encode
from harness.networks.mlp import MLPProgram

ROWS, POINTS, STEPS = 3, 70, 3  # of the comparison
SAME = 0.99  # of the points at least: where a slope is nearly zero, rounding turns its sign and moves a point elsewhere
NEAR = 1e-4  # in units of the ball's radius

Ascend = Callable[..., torch.Tensor]


class Checked:
    """Projected ascent by a kernel, for the shapes of networks for which it does what the ordinary steps do.

    Args:
        kernel: takes what :func:`harness.networks.ascent.ascend` takes.
    """

    def __init__(self, kernel: Ascend) -> None:
        self._kernel = kernel
        self._good: dict[Hashable, bool] = {}

    def good(self, program: MLPProgram, norm: str, bounds: Bounds, device: torch.device) -> bool:
        """Whether the kernel may be used for networks of this shape on this card.

        Warns:
            RuntimeWarning: it may not; said once for each shape.
        """
        key = (program.sizes, program.bias, program.linear, norm, bounds is not None, str(device))
        if key not in self._good:
            reason = self._objection(program, norm, bounds, device)
            self._good[key] = reason is None
            if reason is not None:
                warnings.warn(
                    f"attacks on networks of {'-'.join(map(str, program.sizes))} units are not made in one kernel ({reason}), "
                    "but step by step: slower, with the same result",
                    RuntimeWarning,
                    stacklevel=2,
                )
        return self._good[key]

    def _objection(self, program: MLPProgram, norm: str, bounds: Bounds, device: torch.device) -> str | None:
        draw = torch.Generator().manual_seed(0)
        theta = torch.stack([program.initial(draw) for _ in range(ROWS)]).to(device)
        parameters = program.layout.views(theta)
        inputs = torch.rand(ROWS, program.sizes[0], POINTS, generator=draw)
        if bounds is not None:
            inputs = inputs * (bounds[1] - bounds[0]) + bounds[0]
        targets = encode(torch.randint(0, program.classes, (ROWS, POINTS), generator=draw).to(device), program.classes)
        inputs = inputs.to(device)
        radius = torch.rand(ROWS, POINTS, generator=draw).add_(0.1).to(device)
        given = {"radius": radius, "step_sizes": [0.4] * STEPS, "norm": norm, "bounds": bounds}
        for aim in (None, targets.roll(1, 1)):
            expected = ascend(program, parameters, inputs, targets, delta=torch.zeros_like(inputs), aim=aim, **given)  # type: ignore[arg-type]
            try:
                found = self._kernel(program, parameters, inputs, targets, delta=torch.zeros_like(inputs), aim=aim, **given)
            except Exception as problem:
                return f"{type(problem).__name__}: {(str(problem).splitlines() or [''])[0]}"
            apart = (found - expected).abs().amax(1) / radius
            if not float((apart < NEAR).double().mean()) >= SAME:
                return "it gives other numbers"
        return None
