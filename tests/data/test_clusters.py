import json
from dataclasses import replace

import numpy as np
import pytest

from harness.data import Clusters, GroupedLabels, ToyImages
from harness.measure.features import Clustered

SPEC = Clusters(clusters=5, dimension=49, train=500, test=203, noise=0.5)


def test_points_lie_around_their_features():
    data = replace(SPEC, labels="cluster").load()
    assert (data.train_x.dtype, data.train_x.shape, data.bounds, data.classes) == (np.float32, (500, 49), None, 5)
    assert np.bincount(data.train_y).tolist() == [100] * 5
    assert np.bincount(data.test_y).tolist() == [41, 41, 41, 40, 40]
    noise = data.train_x - SPEC.features()[data.train_y]
    # 24,500 values of standard deviation 0.5: their mean is known to 0.0032 and their deviation to 0.0023; four times that
    assert abs(noise.mean()) < 0.013
    assert abs(noise.std() - 0.5) < 0.0092


def test_features_are_orthogonal_and_of_length_root_d():
    np.testing.assert_allclose(SPEC.features() @ SPEC.features().T, 49 * np.eye(5))
    assert isinstance(SPEC, Clustered)


def test_both_labels_have_the_same_points():
    binary, cluster = SPEC.load(), replace(SPEC, labels="cluster").load()
    np.testing.assert_array_equal(binary.train_x, cluster.train_x)
    np.testing.assert_array_equal(binary.test_y, np.isin(cluster.test_y, SPEC.groups[1]))
    assert SPEC.groups == ((3, 4), (0, 1, 2))
    assert binary.classes == 2
    assert binary.digest != cluster.digest


def test_the_direction_is_the_documents():
    """−Σ_{J+} μ_j + Σ_{J−} μ_j: it lowers the mean positive cluster's activation and raises the negative one's."""
    projections = SPEC.features() @ SPEC.direction()
    assert (projections[list(SPEC.groups[1])] == -49).all()
    assert (projections[list(SPEC.groups[0])] == 49).all()


def test_seed_and_split_name_the_points():
    one, again, other = SPEC.load(), SPEC.load(), replace(SPEC, seed=1).load()
    assert one.digest == again.digest != other.digest
    assert not np.isin(one.test_x[:, 0], one.train_x[:, 0]).any()


def test_without_noise_there_are_the_features_alone():
    data = replace(SPEC, noise=0.0, labels="cluster").load()
    np.testing.assert_allclose(data.test_x, SPEC.features()[data.test_y], rtol=1e-6)


@pytest.mark.parametrize(
    "wrong", [{"clusters": 1}, {"dimension": 4}, {"train": 4}, {"test": 0}, {"noise": -1.0}, {"labels": "soft"}, {"seed": -1}]
)
def test_impossible_spec_is_refused(wrong):
    with pytest.raises(ValueError, match=f"Clusters has {next(iter(wrong))}="):
        replace(SPEC, **wrong)


# --- groups of classes ------------------------------------------------------------------------------------------------


def test_groups_relabel_and_change_nothing_else():
    base = ToyImages(train=30, test=9)
    spec = GroupedLabels(base, ((2,), (0, 1)))
    data, plain = spec.load(), base.load()
    assert (spec.shape, spec.classes, data.classes) == ((3, 3), 2, 2)
    np.testing.assert_array_equal(data.train_x, plain.train_x)
    np.testing.assert_array_equal(data.test_y, (plain.test_y < 2).astype(int))
    assert data.provenance == plain.provenance
    described = json.loads(json.dumps(spec.describe()))
    assert described == {"type": "GroupedLabels", "base": base.describe(), "groups": [[2], [0, 1]]}


@pytest.mark.parametrize("groups", [((0, 1, 2),), ((0, 1), (1, 2)), ((0,), (1,)), ((0, 1), (2, 3))])
def test_groups_part_the_classes(groups):
    with pytest.raises(ValueError, match="GroupedLabels has groups="):
        GroupedLabels(ToyImages(train=30, test=9), groups)
