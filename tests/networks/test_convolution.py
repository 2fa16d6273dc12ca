"""Patch convolutions against torch's own, and the singular values that they are chosen for."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from harness.networks import ModuleProgram
from harness.networks.convolution import PatchConvolution, patch_network


def test_is_torchs_convolution_with_the_kernel_as_stride() -> None:
    torch.manual_seed(0)
    ours, x = PatchConvolution(3, 5, 4), torch.randn(7, 3, 16, 8)
    with torch.no_grad():
        theirs = torch.nn.functional.conv2d(x, ours.weight, ours.bias, stride=4)
        torch.testing.assert_close(ours(x), theirs)


def test_the_whole_network_and_its_gradients_are_those_of_plain_layers() -> None:
    network = patch_network((3, 8, 8), 4, channels=(5, 6), sizes=(2, 2))
    plain = torch.nn.Sequential(
        torch.nn.Conv2d(3, 5, 2, 2), torch.nn.ReLU(), torch.nn.Conv2d(5, 6, 2, 2), torch.nn.ReLU(), torch.nn.Flatten(),
        torch.nn.Linear(24, 4),
    )  # fmt: skip
    plain.load_state_dict(dict(zip(plain.state_dict(), network.state_dict().values(), strict=True)))
    program = ModuleProgram(lambda: patch_network((3, 8, 8), 4, channels=(5, 6), sizes=(2, 2)), 4)
    theta = torch.cat([p.detach().flatten() for p in plain.parameters()])[None]
    x, y = torch.randn(1, 3, 8, 8, 9, generator=torch.Generator().manual_seed(1)), torch.arange(9) % 4
    out = torch.zeros_like(theta)
    program.loss_gradient(program.layout.views(theta), x, program.encode(y)[None], program.layout.views(out), "cross_entropy")
    torch.nn.functional.cross_entropy(plain(x[0].movedim(-1, 0)), y).backward()
    torch.testing.assert_close(out[0], torch.cat([p.grad.flatten() for p in plain.parameters()]), rtol=1e-4, atol=1e-6)


def test_the_operator_has_the_singular_values_of_its_matrix() -> None:
    torch.manual_seed(0)
    layer = PatchConvolution(2, 3, 2).double()
    columns = torch.eye(2 * 4 * 4, dtype=torch.float64).reshape(-1, 2, 4, 4)
    with torch.no_grad():
        operator = (layer(columns) - layer.bias[None, :, None, None]).flatten(1).T
        values = np.linalg.svd(layer.weight.flatten(1).numpy(), compute_uv=False)
    np.testing.assert_allclose(np.linalg.svd(operator.numpy(), compute_uv=False), np.sort(np.tile(values, 4))[::-1], atol=1e-12)


def test_grey_images_have_one_channel() -> None:
    assert patch_network((8, 8), 3, channels=(4,), sizes=(4,))(torch.zeros(5, 8, 8)).shape == (5, 3)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="images of 9 × 8 pixels cannot be cut into whole patches of 4"):
        patch_network((3, 9, 8), 10, channels=(4,), sizes=(4,))
    with pytest.raises(ValueError, match=r"inputs of shape \(9,\) are not images"):
        patch_network((9,), 10)
