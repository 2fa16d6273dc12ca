"""Training of several recipes as one stack: those that differ in their data, in their attack, or in neither.

Small networks spend their training on calls, not in them.  A search of a claim's scope asks for the same architecture on twenty
data sets, sixteen or four members each: as one stack they take little longer than one of them alone.

Nothing is computed otherwise than in :func:`harness.training.train.train`: a fully connected member's bits depend on its own
row alone, so the networks are the same to the last bit, and have the same names.  What this cannot promise it does not take
(:func:`kind_of`).
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import torch

from harness.data.base import Dataset
from harness.networks import encode, keep_freed_memory
from harness.networks.mlp import MLPProgram
from harness.networks.program import Parameters, Program
from harness.recipe import MLP, Adversarial, Recipe, Standard
from harness.spec import digest
from harness.training.ascents import Ascents
from harness.training.batches import VALUES_PER_BLOCK, Streams
from harness.training.descent import Descent, descent
from harness.training.train import Diverged, Progress, _rate, initial

EXACT = 8  # points: products of whole multiples of so many round the same whoever stands beside them
SMALL = 2**15  # weights × points of a step whose calls cost more than its products; beyond, one stack of two is slower than two
Kept = dict[int, torch.Tensor]


@dataclass(frozen=True)
class Part:
    """Members of one recipe in a stack of several.

    Attributes:
        recipe: what is trained.
        data: the loaded ``recipe.data``.
        seeds: training seeds.
        start: parameters to begin with, shape (member, parameter); None for a fresh initialisation.
    """

    recipe: Recipe
    data: Dataset
    seeds: tuple[int, ...]
    start: torch.Tensor | None = None


def kind_of(recipe: Recipe, data: Dataset) -> Hashable | None:
    """What recipes have to share to be trained as one stack; None for one that is trained by itself.

    It is everything but the data's values and the steps of the attack; of small networks everything but the attack, so that
    standard and robust training of one architecture are one stack.  Taken are fully connected networks under the built-in
    regimes (L∞ alone) whose batches are all multiples of eight points, without augmentation, and without an end that depends on
    the member.
    """
    regime, points = recipe.regime, len(data.train_x)
    whole = recipe.batch_size % EXACT == 0 and points % EXACT == 0
    if type(recipe.architecture) is not MLP or not whole or recipe.until is not None or recipe.augment is not None:
        return None
    exact = type(regime) is Adversarial and regime.threat.norm == "linf"  # the roots of an L2 start differ in their last bits
    if not exact and type(regime) is not Standard:
        return None
    small = recipe.batch_size * recipe.program().layout.total <= SMALL
    alike = None if small else _attack(recipe)
    return (
        recipe.architecture, alike, digest(recipe.optimiser), recipe.epochs, recipe.batch_size, recipe.kept, recipe.loss,
        digest(recipe.schedule), recipe.parent is None, data.train_x.shape, data.classes, data.bounds, str(data.train_y.dtype),
    )  # fmt: skip


def train_alongside(
    parts: Sequence[Part], *, device: str = "cpu", progress: Progress = lambda share: None
) -> Iterator[tuple[Kept, Diverged | None]]:
    """Train members of several recipes of one kind as one stack.

    Args:
        parts: recipes of one :func:`kind_of`, with their data and seeds.
        device: "cpu" or "cuda".
        progress: told the share of the work that is done.

    Returns:
        For every part in order what :func:`harness.training.train.train` returns, and what it raises where members diverged.
    """
    keep_freed_memory()
    by_attack = sorted(range(len(parts)), key=lambda at: (digest(_attack(parts[at].recipe)), -_steps(parts[at])))
    with torch.inference_mode():  # no operation asks whether its gradient is wanted: a sixth of a small stack's time
        stack = _Stack([parts[at] for at in by_attack], device)
        kept = stack.run(progress)
    rows = dict(zip(by_attack, stack.rows, strict=True))
    for at, part in enumerate(parts):
        own = {epoch: values[rows[at]].clone() for epoch, values in kept.items()}
        last = own[part.recipe.epochs]
        broken = [seed for seed, row in zip(part.seeds, last, strict=True) if not bool(row.isfinite().all())]
        yield own, Diverged(part.recipe, broken, own) if broken else None


def _steps(part: Part) -> int:
    return part.recipe.regime.threat.steps if part.recipe.regime.threat is not None else 0


def _attack(recipe: Recipe) -> Adversarial | None:
    """The regime of those that are attacked in the same way but for the number of steps, as one of them has it."""
    regime = recipe.regime
    if not isinstance(regime, Adversarial):
        return None
    return replace(regime, name="", threat=replace(regime.threat, steps=1))


class _Stack:
    """The members of all parts, those of one attack together and with the most steps first."""

    def __init__(self, parts: Sequence[Part], device: str) -> None:
        self.parts, self.recipe = parts, parts[0].recipe
        self.program: Program = self.recipe.program()
        ends = torch.tensor([0, *(len(part.seeds) for part in parts)]).cumsum(0).tolist()
        self.rows = [slice(first, last) for first, last in pairwise(ends)]
        begin = [initial(part.recipe, part.seeds) if part.start is None else part.start for part in parts]
        theta = torch.cat(begin).to(device)
        seeds = [seed for part in parts for seed in part.seeds]
        self.streams = Streams.of(seeds, "finetuning" if self.recipe.parent else "training", device)
        self.inputs = torch.cat([torch.from_numpy(part.data.train_x) for part in parts]).to(device)
        labels = torch.cat([torch.from_numpy(part.data.train_y) for part in parts]).to(device)
        self.targets = encode(labels, parts[0].data.classes).movedim(-1, 0).contiguous()
        self.points = len(parts[0].data.train_x)
        owner = torch.tensor([number for number, part in enumerate(parts) for _ in part.seeds])
        self.offset = (owner * self.points)[:, None]
        self.descent: Descent = descent(self.recipe.optimiser, self.program, theta, self.recipe.regime.loss(self.recipe.loss))
        self.attacks = [
            _Attack(regime, self.rows, parts, self.descent.parameters, whole=self.points % self.recipe.batch_size == 0)
            for regime in dict.fromkeys(_attack(part.recipe) for part in parts)
            if regime is not None
        ]

    def run(self, progress: Progress) -> Kept:
        """All epochs; what is kept of them."""
        recipe, stack = self.recipe, self.descent
        kept = {0: stack.theta.cpu().clone()} if 0 in recipe.kept else {}
        for epoch in range(1, recipe.epochs + 1):
            for batch, labels in self._batches():
                stack.rate = _rate(recipe, epoch - 1, stack.taken, self.points)
                for attack in self.attacks:
                    attack.move(batch, labels, self.streams.regime)
                stack.step(batch, labels, self.streams.network)
            if epoch in recipe.kept:
                kept[epoch] = stack.theta.cpu().clone()
            progress(epoch / recipe.epochs)
        return kept

    def _batches(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """As in :mod:`harness.training.batches`, but every member's points are those of its own data."""
        size, generators = self.recipe.batch_size, self.streams.order
        order = torch.stack([torch.randperm(self.points, generator=each) for each in generators]).add_(self.offset)
        order = order.to(self.inputs.device)
        block = max(1, VALUES_PER_BLOCK // (len(generators) * self.inputs[0].numel() * size)) * size
        for first in range(0, self.points, block):
            chosen = order[:, first : first + block]
            x, y = (
                rows.index_select(0, chosen.flatten()).reshape(*chosen.shape, *rows.shape[1:])
                for rows in (self.inputs, self.targets)
            )
            for begin in range(0, chosen.shape[1], size):
                some = slice(begin, begin + size)
                yield x[:, some].movedim(1, -1).contiguous(), y[:, some].movedim(1, -1).contiguous()


class _Attack:
    """The attack of the members that stand together because they have one, but for its number of steps."""

    def __init__(
        self, regime: Adversarial, rows: Sequence[slice], parts: Sequence[Part], parameters: Parameters, *, whole: bool
    ) -> None:
        own = [(place, part) for place, part in zip(rows, parts, strict=True) if _attack(part.recipe) == regime]
        self.rows = slice(own[0][0].start, own[-1][0].stop)
        self.regime, self.program, self.bounds, self.whole = regime, parts[0].recipe.program(), parts[0].data.bounds, whole
        self.steps = [_steps(part) for _, part in own for _ in part.seeds]
        self.parameters = {name: value[self.rows] for name, value in parameters.items()}
        self.ascents: dict[int, Ascents] = {}  # by points that are attacked: a last batch may have fewer

    def move(self, batch: torch.Tensor, labels: torch.Tensor, generators: Sequence[torch.Generator]) -> None:
        """Move the first points of a batch, in place, as :class:`harness.regime.Adversarial` does."""
        count = round(self.regime.adversarial_share * batch.shape[-1])
        if count == 0:
            return
        if count not in self.ascents:
            assert isinstance(self.program, MLPProgram)
            given = self.program, self.parameters, self.regime.threat, self.steps, count, self.bounds
            self.ascents[count] = Ascents(*given, ahead=self.whole)
        self.ascents[count].move(batch[self.rows, ..., :count], labels[self.rows, ..., :count], generators[self.rows])
