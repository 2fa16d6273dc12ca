"""Networks whose parameters are not finite, such as those of a training that diverged: no number of theirs means anything."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from harness.errors import Shortfall

if TYPE_CHECKING:
    import torch

    from harness.networks.program import Program

PARAMETERS = "parameters that are not finite"
OUTPUTS = "outputs that are not finite"
REMEDY = {
    PARAMETERS: "their training diverged: leave these seeds out everywhere, or train more gently",
    OUTPUTS: "look for a division by 0, the logarithm of 0 or an overflow in their forward; a class that is masked out gets "
    "a large negative number (-1e4) in place of -inf",
}


class NotFinite(Shortfall):
    """Networks on which nothing can be measured, since they hold or return NaN or infinity.

    Args:
        name: of the population.
        faults: what is wrong with each of them, by seed; :data:`PARAMETERS` or :data:`OUTPUTS`.
    """

    def __init__(self, name: str, faults: Mapping[int, str]) -> None:
        self.name, self.faults = name, list(faults.items())
        self._say()

    def _say(self) -> None:
        said = []
        for fault in dict.fromkeys(fault for _, fault in self.faults):
            seeds = [seed for seed, own in self.faults if own == fault]
            which = f"seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))} of {self.name}"
            said.append(f"{which} {'have' if len(seeds) > 1 else 'has'} {fault}: {REMEDY[fault]}")
        self.args = ("; ".join(said),)

    def take_in(self, others: Sequence[Exception]) -> None:
        """Say of all that are alike what is said of these: networks are measured a few at a time."""
        for each in others:
            if isinstance(each, NotFinite) and each.name == self.name:
                self.faults = sorted([*self.faults, *each.faults])
        self._say()


def diverged(
    program: Program, seeds: Sequence[int], parameters: Mapping[int, torch.Tensor], epochs: Collection[int]
) -> dict[int, str]:  # fmt: skip
    """The members with a trained parameter that is not finite at one of some epochs; buffers may hold infinities, as masks do.

    Args:
        program: of the members.
        seeds: of the members, in the order of the stack.
        parameters: by epoch, of shape (member, parameter).
        epochs: those that are looked at.
    """
    bad = set()
    for epoch in epochs:
        for row, theta in enumerate(parameters[epoch]):  # one at a time: the mask of a stack would be as large as the stack
            views = program.layout.views(theta[None])
            if not all(bool(views[name].isfinite().all()) for name in program.scopes["all"]):
                bad.add(seeds[row])
    return {seed: PARAMETERS for seed in seeds if seed in bad}
