"""Networks and training loops of somebody else, for the tests of given weights and of trained recipes."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

CALLS: list[int] = []


class Net(nn.Module):
    """Small, with a BatchNorm and a buffer of its own."""

    def __init__(self, classes: int = 3, width: int = 8) -> None:
        super().__init__()
        self.first = nn.Linear(9, width)
        self.norm = nn.BatchNorm1d(width)
        self.second = nn.Linear(width, classes)
        self.register_buffer("scale", torch.ones(1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.scale * self.second(torch.relu(self.norm(self.first(x.flatten(1)))))


class Tied(nn.Module):
    """Two layers with one weight."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Linear(9, 9, bias=False)
        self.head = nn.Linear(9, 9, bias=False)
        self.head.weight = self.embed.weight
        self.out = nn.Linear(9, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.out(torch.relu(self.head(self.embed(x.flatten(1)))))


def plain(shape: tuple[int, ...], classes: int, width: int = 8) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(9, width), nn.ReLU(), nn.Linear(width, classes))


def fitted(seed: int, config: dict[str, float]) -> dict[str, torch.Tensor]:
    """A loop of one's own; it counts its calls and draws from the global generator."""
    from harness import ToyImages

    CALLS.append(seed)
    if seed == config.get("breaks"):
        raise RuntimeError("the scratch disk has gone")
    data = ToyImages(train=96, test=24).load()
    x, y = torch.from_numpy(data.train_x), torch.from_numpy(data.train_y)
    model = plain(data.train_x.shape[1:], 3)
    descent = torch.optim.SGD(model.parameters(), lr=config["lr"])
    kept = {}
    for step in range(41):
        if step in (0, 20, 40):
            kept[step] = {name: value.clone() for name, value in model.state_dict().items()}
        descent.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        descent.step()
    return kept if config.get("steps") else kept[40]


def uncopied(seed: int, config: dict[str, float]) -> dict[int, dict[str, torch.Tensor]]:
    """A loop that hands out the same state_dict at every step, with a copy of as many of its weights as it is told."""
    model, kept = plain((3, 3), 3), {}
    for step in (0, 1, 2):
        state = model.state_dict()
        kept[step] = state | {name: state[name].clone() for name in list(state)[: int(config["copied"])]}
        with torch.no_grad():
            model[3].weight.add_(1.0)
    return kept


def drawn(seed: int, config: dict[str, float]) -> dict[str, torch.Tensor]:
    """An untrained network that draws from torch's global generator, or from numpy's."""
    model = plain((3, 3), 3)
    if config["numpy"]:
        with torch.no_grad():
            model[1].weight.copy_(torch.from_numpy(np.random.rand(8, 9)))  # noqa: NPY002 - what a user may call
            model[3].weight.zero_()
    return model.state_dict()
