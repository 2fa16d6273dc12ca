"""Answers of networks whose logits are known."""

from __future__ import annotations

import numpy as np
import torch

from harness.measure.answers import answers


def linear(weights: list[list[float]]) -> torch.nn.Module:
    layer = torch.nn.Linear(2, len(weights), bias=False)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor(weights))
    return torch.nn.Sequential(layer)


def test_the_class_with_the_largest_logit_is_answered_by_each_model():
    one = linear([[1.0, 0.0], [0.0, 1.0], [-1.0, -1.0]])
    other = linear([[-1.0, 0.0], [0.0, -1.0], [0.1, 0.1]])
    points = np.array([[2.0, 1.0], [1.0, 3.0], [-2.0, -1.0]], dtype=np.float32)
    assert answers([one, other], points).tolist() == [[0, 1, 2], [2, 2, 0]]


def test_of_equal_logits_the_first_is_answered():
    assert answers(linear([[1.0, 0.0], [1.0, 0.0]]), np.ones((4, 2), dtype=np.float32)).tolist() == [[0, 0, 0, 0]]
