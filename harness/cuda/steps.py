"""The inner steps of training and of projected gradient ascent on a card, and how all captured steps are put in place.

Each takes the place of one method or function, and hands on to it whatever does not lie on a card.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import Any

import torch

from harness import regime
from harness.code import code_digest
from harness.cuda import chains
from harness.cuda.capture import Captured, on_card
from harness.cuda.checked import Checked
from harness.cuda.starts import Starts
from harness.measure.attack import attack
from harness.measure.llc import kinetic_step, sgld
from harness.networks import Loss, Parameters, Program, ascent
from harness.networks.mlp import MLPProgram
from harness.training import descent

try:
    from harness.cuda import fused
except ImportError:  # no Triton, as on a CPU
    fused = None  # type: ignore[assignment]

PLACES = (  # what is replaced on a card
    (descent.Descent, "step"), (descent, "_blocks"), (ascent, "ascend"), (attack, "ascend"), (regime.Adversarial, "examples"),
    (kinetic_step.Walk, "step"), (sgld._Walk, "run"),
)  # fmt: skip
KEPT_FORMS = 8  # recorded steps of ascent that are kept, with their memory
_ORIGINAL_STEP = descent.Descent.step
_ORIGINAL_ASCENT = ascent.ascend
_ORIGINAL_EXAMPLES = regime.Adversarial.examples
_ORIGINAL_BLOCKS = descent._blocks


def capture_steps() -> None:
    """Put the captured steps in place, for the rest of the process."""
    for (owner, name), step in zip(
        PLACES, (training_step, blocks, ascending, ascending, examples, chains.kinetic_step, chains.sgld_run), strict=True
    ):
        setattr(owner, name, step)


def steps_digest() -> str:
    """Digest of the code of the captured steps, which decides numbers made on a card."""
    return code_digest(training_step, ascending, examples, chains.kinetic_step, *([] if fused is None else [fused.ascend]))


def blocks(values: torch.Tensor) -> Iterator[slice]:
    """:func:`harness.training.descent._blocks`: one block on a card, which has no cache to stay in but launches to save."""
    return iter((slice(0, values.shape[1]),)) if on_card(values) else _ORIGINAL_BLOCKS(values)


_STARTS = Starts()


def examples(
    own: regime.Adversarial, step: regime.TrainingStep, inputs: torch.Tensor, targets: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """:meth:`harness.regime.Adversarial.examples` with its starts drawn ahead; a subclass may draw other things in between."""
    threat, count = own.threat, round(own.adversarial_share * inputs.shape[-1])
    ahead = type(own) is regime.Adversarial and threat.norm == "linf" and threat.random_start
    if not (ahead and count and on_card(inputs)):
        return _ORIGINAL_EXAMPLES(own, step, inputs, targets)
    clean, labels = inputs[..., :count].contiguous(), targets[..., :count].contiguous()
    radius = clean.new_full((len(clean), count), threat.epsilon)
    inputs[..., :count] += ascending(
        step.program, step.parameters, clean, labels, delta=_STARTS(clean.shape, radius, step.generators), radius=radius,
        step_sizes=[threat.relative_step / threat.steps] * threat.steps, norm=threat.norm, bounds=step.bounds,
    )  # fmt: skip
    return inputs, targets


def training_step(
    stack: descent.Descent, inputs: torch.Tensor, targets: torch.Tensor, generators: Sequence[torch.Generator] = ()
) -> None:
    """:meth:`harness.training.descent.Descent.step` with its gradient captured.

    What follows the gradient (decay, momentum, the move) are a few kernels with numbers that change from step to step; a graph
    would hold those of the step that was recorded.
    """
    if on_card(stack.theta) and stack.mode is None and not callable(stack.loss):
        stack.mode = Gradient(stack.program)  # type: ignore[assignment]
    _ORIGINAL_STEP(stack, inputs, targets, generators)


class Gradient:
    """The gradient of a stack on a batch, captured for each size of batch.

    Args:
        program: the stack's.
    """

    def __init__(self, program: Program) -> None:
        self._program = program
        self._of: Parameters | None = None
        self._forms: dict[Hashable, tuple[Captured, torch.Tensor, torch.Tensor]] = {}

    def loss_gradient(
        self, parameters: Parameters, inputs: torch.Tensor, targets: torch.Tensor, out: Parameters, loss: Loss,
        generators: Sequence[torch.Generator] = (),
    ) -> None:  # fmt: skip
        """As :meth:`harness.networks.program.Program.loss_gradient`, with the gradient only."""
        key = (inputs.shape, targets.shape)
        if parameters is not self._of:
            self._forms.clear()  # members have stopped: the others lie elsewhere now
            self._of = parameters
        if key not in self._forms:
            x, y = torch.empty_like(inputs), torch.empty_like(targets)

            def step() -> None:
                self._program.loss_gradient(parameters, x, y, out, loss)

            self._forms[key] = Captured(step, "the gradient of a training step"), x, y
        captured, x, y = self._forms[key]
        x.copy_(inputs)
        y.copy_(targets)
        captured()


class Ascent:
    """One step of projected gradient ascent on points that lie where they are."""

    def __init__(
        self, program: Program, parameters: Parameters, moving: Mapping[str, torch.Tensor | None], size: float, norm: str,
        bounds: ascent.Bounds,
    ) -> None:  # fmt: skip
        self.program, self.parameters = program, parameters  # held, so that no others come to lie in their place
        self.own = {name: None if value is None else torch.empty_like(value) for name, value in moving.items()}

        def step() -> None:
            own: Any = self.own
            own["delta"].copy_(_ORIGINAL_ASCENT(program, parameters, **own, step_sizes=(size,), norm=norm, bounds=bounds))

        self.step = Captured(step, "a step of projected gradient ascent")

    def run(self, moving: Mapping[str, torch.Tensor | None], steps: int) -> torch.Tensor:
        """That many steps from where these points are; a tensor of their own."""
        for name, value in moving.items():
            if value is not None:
                self.own[name].copy_(value)  # type: ignore[union-attr]
        for _ in range(steps):
            self.step()
        found = self.own["delta"]
        assert found is not None
        return found.clone()


_CHECKED = Checked(lambda *given, **named: fused.ascend(*given, **named))
_FORMS: OrderedDict[Hashable, Ascent] = OrderedDict()


def ascending(
    program: Program, parameters: Parameters, inputs: torch.Tensor, targets: torch.Tensor, *, delta: torch.Tensor,
    radius: torch.Tensor, step_sizes: Sequence[float], norm: str, bounds: ascent.Bounds = None,
    aim: torch.Tensor | None = None,
) -> torch.Tensor:  # fmt: skip
    """:func:`harness.networks.ascent.ascend` in one kernel, or with a captured step where all steps have one size."""
    sizes = set(step_sizes)
    if (
        fused is not None
        and on_card(inputs)
        and isinstance(program, MLPProgram)
        and fused.takes(program, parameters, step_sizes)
        and _CHECKED.good(program, norm, bounds, inputs.device)
    ):
        return fused.ascend(
            program, parameters, inputs, targets, delta=delta, radius=radius, step_sizes=step_sizes, norm=norm, bounds=bounds,
            aim=aim,
        )  # fmt: skip
    moving = {"inputs": inputs, "targets": targets, "delta": delta, "radius": radius, "aim": aim}
    if not on_card(inputs) or len(sizes) != 1:
        return _ORIGINAL_ASCENT(
            program, parameters, inputs, targets, delta=delta, radius=radius, step_sizes=step_sizes, norm=norm, bounds=bounds,
            aim=aim,
        )  # fmt: skip
    size = sizes.pop()
    shapes = tuple(None if value is None else (value.shape, value.dtype) for value in moving.values())
    key = (id(program), id(parameters), *shapes, size, norm, bounds)
    if key not in _FORMS:
        _FORMS[key] = Ascent(program, parameters, moving, size, norm, bounds)
        if len(_FORMS) > KEPT_FORMS:
            _FORMS.popitem(last=False)
    _FORMS.move_to_end(key)
    return _FORMS[key].run(moving, len(step_sizes))
