"""Networks as users bring them: the kinds of the table in docs/models.md, each with points of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.nn.utils import parametrizations, prune
from torch.utils.checkpoint import checkpoint

VECTORS, SERIES, IMAGES, TOKENS = (12, 5), (12, 4, 5), (12, 1, 6, 6), (12, 7)


class Wrapped(nn.Module):
    """A body with a forward of its own."""

    def __init__(self, body: nn.Module, forward: Callable[[nn.Module, torch.Tensor], Any]) -> None:
        super().__init__()
        self.body, self.how = body, forward

    def forward(self, x: torch.Tensor) -> Any:
        return self.how(self.body, x)


class Scaled(nn.Sequential):
    """A Sequential that is more than its layers."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        output: torch.Tensor = super().forward(x / 255 - 0.5)
        return output


class Tokens(nn.Module):
    """Two encoder layers over embedded token ids."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(11, 8)
        self.encode = nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 2)
        self.out = nn.Linear(8, 3)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        output: torch.Tensor = self.out(self.encode(self.embed(tokens)).mean(1))
        return output


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.attend, self.out = nn.MultiheadAttention(5, 1, batch_first=True), nn.Linear(5, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        mixed, self.weights = self.attend(x, x, x)  # kept for a look, as many people do
        output: torch.Tensor = self.out(mixed.mean(1))
        return output


class Recurrent(nn.Module):
    def __init__(self, kind: type[nn.RNNBase]) -> None:
        super().__init__()
        self.cell, self.out = kind(5, 6, batch_first=True), nn.Linear(6, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        output: torch.Tensor = self.out(self.cell(x)[0][:, -1])
        return output


class Masked(nn.Module):
    """Buffers of truth values and of whole numbers, and ``view``."""

    def __init__(self) -> None:
        super().__init__()
        self.out = nn.Linear(20, 3)
        self.register_buffer("mask", torch.arange(20) % 3 > 0)
        self.register_buffer("order", torch.arange(19, -1, -1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        output: torch.Tensor = self.out(x.view(len(x), -1)[:, self.order] * self.mask)
        return output


class Banded(nn.Module):
    """Causal attention, its mask added as numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.out = nn.Linear(5, 3)
        self.register_buffer("mask", torch.full((4, 4), -torch.inf).triu(1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        weights = torch.softmax(x @ x.transpose(1, 2) + self.mask, -1)
        output: torch.Tensor = self.out((weights @ x).mean(1))
        return output


class Magnitude(torch.autograd.Function):
    """A derivative of its own, without a rule for ``vmap``."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        ctx.save_for_backward(x)
        return x.abs()

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        return gradient * ctx.saved_tensors[0].sign()


def layers(*between: nn.Module, outputs: int = 3) -> nn.Sequential:
    """A network of two hidden layers with something after the first."""
    return nn.Sequential(nn.Linear(5, 8), *between, nn.ReLU(), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, outputs))


def trained_norm(module: nn.Module, shape: tuple[int, ...]) -> nn.Module:
    """With running statistics that are not those of the start."""
    module.train()
    for _ in range(3):
        module(torch.randn(shape) * 2 + 1)
    return module


def changed(change: Callable[[nn.Sequential], Any]) -> Callable[[], nn.Module]:
    """Layers after something has been done to them."""

    def build() -> nn.Module:
        made = layers()
        change(made)
        return made

    return build


def pruned(made: nn.Sequential, remove: bool) -> None:
    prune.l1_unstructured(made[0], "weight", 0.3)
    if remove:
        prune.remove(made[0], "weight")


def normed(made: nn.Sequential, norm: Callable[..., Any], remove: Callable[..., Any] | None = None) -> None:
    norm(made[0])
    made(torch.randn(VECTORS))
    if remove is not None:
        remove(made[0])


def tied(made: nn.Sequential) -> None:
    made[2].weight = nn.Parameter(torch.randn(8, 8) / 3)
    made.insert(3, nn.Linear(8, 8))
    made[3].weight = made[2].weight


def twice() -> nn.Module:
    block = nn.Sequential(nn.Linear(8, 8), nn.ReLU())
    return nn.Sequential(nn.Linear(5, 8), block, block, nn.Linear(8, 3))


def image_net() -> nn.Module:
    body = [nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(inplace=True), nn.MaxPool2d(2)]
    return trained_norm(nn.Sequential(*body, nn.Flatten(), nn.Linear(36, 3)), IMAGES)


def shared_bias() -> nn.Module:
    made = layers()
    made.register_forward_hook(lambda module, given, z: z * made[4].bias)
    return made


def lazy() -> nn.Module:
    made = nn.Sequential(nn.LazyLinear(8), nn.ReLU(), nn.LazyLinear(3))
    made(torch.randn(VECTORS))
    return made


def compiled() -> nn.Module:
    return torch.compile(layers(), backend="eager")  # type: ignore[return-value]


def random_forward(body: nn.Module, x: torch.Tensor) -> torch.Tensor:
    output: torch.Tensor = nn.functional.dropout(body(x))
    return output


# name in docs/models.md: builder, shape of the points, output=
KINDS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...], Callable[[Any], torch.Tensor] | None]] = {
    "Sequential of Linear and ReLU": (layers, VECTORS, None),
    "… with frozen layers": (changed(lambda m: m[0].requires_grad_(False)), VECTORS, None),
    "… after prune.remove": (changed(lambda m: pruned(m, True)), VECTORS, None),
    "… after remove_weight_norm": (
        changed(lambda m: normed(m, nn.utils.weight_norm, nn.utils.remove_weight_norm)), VECTORS, None),
    "… after remove_spectral_norm": (
        changed(lambda m: normed(m, nn.utils.spectral_norm, nn.utils.remove_spectral_norm)), VECTORS, None),
    "… after remove_parametrizations": (
        changed(lambda m: normed(m, parametrizations.weight_norm,
                                 lambda each: nn.utils.parametrize.remove_parametrizations(each, "weight"))), VECTORS, None),
    "… compiled, or once lazy": (compiled, VECTORS, None),
    "… with one output, labels 0 and 1": (lambda: layers(outputs=1), VECTORS, None),
    "other activations, Dropout, LayerNorm": (lambda: layers(nn.LayerNorm(8), nn.GELU(), nn.Dropout(0.5)), VECTORS, None),
    "trained BatchNorm": (lambda: trained_norm(layers(nn.BatchNorm1d(8)), VECTORS), VECTORS, None),
    "convolutions with BatchNorm": (image_net, IMAGES, None),
    "pruned, not removed": (changed(lambda m: pruned(m, False)), VECTORS, None),
    "weight_norm and spectral_norm, old": (
        changed(lambda m: (normed(m, nn.utils.weight_norm), nn.utils.spectral_norm(m[2]))), VECTORS, None),
    "weight_norm and spectral_norm, as parametrizations": (
        changed(lambda m: (normed(m, parametrizations.weight_norm), parametrizations.spectral_norm(m[2]))), VECTORS, None),
    "forward and pre-forward hooks": (
        changed(lambda m: (m[0].register_forward_hook(lambda module, given, z: 2 * z),
                           m.register_forward_pre_hook(lambda module, given: (given[0] - 1,)))), VECTORS, None),
    "Sequential with a forward of its own": (lambda: Scaled(*layers()), VECTORS, None),
    "tied weights": (changed(tied), VECTORS, None),
    "a block used twice": (twice, VECTORS, None),
    "in-place operation on the input": (lambda: nn.Sequential(nn.ReLU(inplace=True), *layers()), VECTORS, None),
    "mask buffers of bool and int": (Masked, SERIES, None),
    "float64, fully connected": (lambda: layers().double(), VECTORS, None),
    "float64, other activations": (lambda: layers(nn.GELU()).double(), VECTORS, None),
    "bfloat16": (lambda: layers().bfloat16(), VECTORS, None),
    "tuple or dict, with output=": (
        lambda: Wrapped(layers(), lambda body, x: {"logits": body(x)}), VECTORS, lambda out: out["logits"]),
    "tuple or dict, without output=": (lambda: Wrapped(layers(), lambda body, x: (body(x), x)), VECTORS, None),
    "MultiheadAttention": (Attention, SERIES, None),
    "TransformerEncoder over token ids": (Tokens, TOKENS, None),
    "LSTM": (lambda: Recurrent(nn.LSTM), SERIES, None),
    "GRU": (lambda: Recurrent(nn.GRU), SERIES, None),
    "custom autograd function, .item()": (
        lambda: Wrapped(layers(), lambda body, x: Magnitude.apply(body(x)) * (1 + (body[0].bias.sum().item() > 99))), VECTORS,
        None),
    "checkpoint, not reentrant": (
        lambda: Wrapped(layers(), lambda body, x: checkpoint(body, x, use_reentrant=False)), VECTORS, None),
    "writes into its buffers": (
        lambda: Wrapped(layers(nn.BatchNorm1d(8)), lambda body, x: (body[1].running_mean.mul_(1), body(x))[1]), VECTORS, None),
    "masks of −∞ in buffers": (Banded, SERIES, None),
    "sparse gradients": (lambda: nn.Sequential(nn.EmbeddingBag(11, 6, mode="sum", sparse=True), nn.Linear(6, 3)), TOKENS, None),
    "DataParallel around it": (lambda: nn.DataParallel(layers(nn.Tanh())), VECTORS, None),
    "BatchNorm without running statistics": (lambda: layers(nn.BatchNorm1d(8, track_running_stats=False)), VECTORS, None),
    "random in evaluation mode": (lambda: Wrapped(layers(), random_forward), VECTORS, None),
    "parameters of another object": (shared_bias, VECTORS, None),
    "outputs without a gradient": (lambda: Wrapped(layers(), lambda body, x: body(x).detach()), VECTORS, None),
    "lazy, never called": (lambda: nn.Sequential(nn.LazyLinear(3)), VECTORS, None),
    "TorchScript": (lambda: torch.jit.script(layers()), VECTORS, None),
}  # fmt: skip


def network(kind: str, seed: int = 0) -> nn.Module:
    """One of a kind, with random parameters."""
    torch.manual_seed(seed)
    return KINDS[kind][0]()


def points(kind: str, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Inputs and class numbers for a kind."""
    draw = torch.Generator().manual_seed(100 + seed)
    shape = KINDS[kind][1]
    x = torch.randint(11, shape, generator=draw) if shape == TOKENS else torch.randn(shape, generator=draw)
    x = x.double() if kind.startswith("float64") else x
    return x, torch.randint(2 if "one output" in kind else 3, (shape[0],), generator=draw)
