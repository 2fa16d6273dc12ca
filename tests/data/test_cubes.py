import json
from dataclasses import replace

import numpy as np
import pytest

from harness.data import LabelledCube
from harness.measure.manifold import OnManifold

SPEC = LabelledCube(bits=3, gap=0.1, noise=0.05, train=80, test=40)


def test_points_lie_around_vertices_with_the_label_of_their_vertex():
    data = SPEC.load()
    assert (data.train_x.shape, data.train_x.dtype, data.bounds, data.classes) == ((80, 4), np.float32, None, 2)
    bits = np.rint(data.train_x[:, :3]).astype(int)
    assert np.abs(data.train_x[:, :3] - bits).max() <= 0.05 + 1e-6
    vertex = bits @ [1, 2, 4]
    np.testing.assert_array_equal(SPEC.labels()[vertex], data.train_y)
    assert np.bincount(vertex).tolist() == [10] * 8, "vertices are visited equally often"


def test_the_last_coordinate_separates_the_classes_with_the_gap():
    data = SPEC.load()
    np.testing.assert_allclose(data.test_x[:, 3], 0.5 + 0.1 * (2 * data.test_y - 1), rtol=1e-6)


def test_half_of_the_vertices_are_positive_and_the_labels_follow_the_seed():
    labels = [LabelledCube(bits=6, seed=seed).labels() for seed in (0, 0, 1)]
    assert [int(each.sum()) for each in labels] == [32] * 3
    assert (labels[0] == labels[1]).all()
    assert (labels[0] != labels[2]).any()


def test_training_and_held_out_points_differ():
    data = SPEC.load()
    assert not {point.tobytes() for point in data.train_x} & {point.tobytes() for point in data.test_x}


def test_the_embedding_keeps_every_distance():
    spec = replace(SPEC, ambient=20)
    data, own = spec.load(), spec.coordinates()
    assert data.train_x.shape == (80, 20)
    assert spec.shape == (20,)
    np.testing.assert_array_equal(data.train_y, own.train_y)
    basis = spec.embedding()
    np.testing.assert_allclose(basis.T @ basis, np.eye(4), atol=1e-12)
    np.testing.assert_allclose(data.train_x @ basis, own.train_x, atol=1e-5)
    assert isinstance(spec, OnManifold)
    np.testing.assert_array_equal(own.train_x, SPEC.load().train_x)


def test_without_an_ambient_space_the_embedding_is_the_identity():
    np.testing.assert_array_equal(SPEC.embedding(), np.eye(4))
    assert SPEC.coordinates().digest == SPEC.load().digest


def test_spec_is_plain_data():
    described = json.loads(json.dumps(SPEC.describe()))
    assert described["type"] == "LabelledCube"
    assert described["ambient"] is None


@pytest.mark.parametrize(
    "wrong", [{"bits": 0}, {"bits": 17}, {"train": 1}, {"test": 0}, {"ambient": 3}, {"noise": 0.5}, {"gap": -0.1}, {"seed": -1}]
)
def test_impossible_spec_is_refused(wrong):
    with pytest.raises(ValueError, match=f"LabelledCube has {next(iter(wrong))}="):
        replace(SPEC, **wrong)
