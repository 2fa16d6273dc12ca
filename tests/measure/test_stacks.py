"""Walking over a population: what is cut into blocks comes back whole."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from harness.measure import walk
from harness.measure import walk as stacks
from harness.measure.walk import checkpoints, per_point, points_of, summary


@pytest.mark.parametrize("which", ["mlp_members", "module_members"])
def test_blocks_of_rows_and_of_points_are_joined_in_order(which, toy_data, monkeypatch, request) -> None:
    population = request.getfixturevalue(which)
    program, inputs = population.program, points_of(toy_data, "test", None)[0]
    seen = []

    def logits(given):
        seen.append((len(given.inputs), given.block.start, given.block.stop))
        return {"logits": program.logits(given.parameters, given.inputs), "first": given.inputs[:, 0, 0]}

    whole = per_point(population, 2, inputs, logits)
    assert seen == [(3, 0, 45)]
    assert whole["logits"].shape == (3, 3, 45)
    np.testing.assert_array_equal(whole["first"], np.tile(toy_data.test_x[:, 0, 0], (3, 1)))
    monkeypatch.setattr(stacks, "POINTS_AT_A_TIME", 20)
    monkeypatch.setattr(walk, "rows_at_a_time", lambda *program, **size: 2)
    seen.clear()
    parts = per_point(population, 2, inputs, logits)
    assert {block[1:] for block in seen} == {(0, 20), (20, 40), (40, 45)}
    assert {block[0] for block in seen} == {2, 1}
    for name, values in whole.items():
        np.testing.assert_allclose(parts[name], values, rtol=1e-5, atol=1e-6)


def test_a_summary_by_hand() -> None:
    columns = summary(np.array([[1.0, 2.0, 3.0, 6.0], [5.0, 5.0, 5.0, 5.0]]), "size", (0.5, 0.999))
    assert list(columns) == ["size_mean", "size_variance", "size_max", "size_min", "size_q50", "size_q99.9"]
    expected = {"size_mean": [3, 5], "size_variance": [3.5, 0], "size_max": [6, 5], "size_min": [1, 5], "size_q50": [2.5, 5]}
    for name, values in expected.items():
        np.testing.assert_allclose(columns[name], values)


def test_epochs_and_points_are_those_asked_for(mlp_members, toy_data) -> None:
    assert checkpoints(mlp_members, "all") == (0, 1, 2)
    assert checkpoints(mlp_members, "final") == (2,)
    inputs, labels = points_of(toy_data, "train", 4)
    np.testing.assert_array_equal(inputs.movedim(-1, 0), toy_data.train_x[:4])
    assert torch.equal(labels, torch.from_numpy(toy_data.train_y[:4]))
    with pytest.raises(ValueError, match=r"1,000 test points are asked for, but toy images has 45; ask for fewer, or for None"):
        points_of(toy_data, "test", 1000)
