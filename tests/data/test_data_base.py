import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from harness.data import Dataset, DataSpec
from harness.data.base import array_digest

arrays = hnp.arrays(st.sampled_from([np.uint8, np.int64, np.float32]), hnp.array_shapes(max_dims=2, max_side=3))


@given(array=arrays, where=st.integers(0, 8))
def test_digest_changes_with_content(array, where):
    changed = array.copy()
    changed.reshape(-1).view(np.uint8)[where % array.nbytes] ^= 1
    assert array_digest(array) != array_digest(changed)


def test_digest_changes_with_dtype_shape_and_order():
    array = np.zeros((2, 3), np.float32)
    others = [array.view(np.int32), array.reshape(3, 2), array.reshape(6), np.zeros((2, 2), np.float32)]
    assert len({array_digest(array), *map(array_digest, others)}) == 5
    ramp = np.arange(3)
    assert array_digest(array, ramp) != array_digest(ramp, array)
    assert array_digest(array[:1], array[1:]) != array_digest(array)


@given(array=arrays)
def test_digest_is_of_values_not_of_memory(array):
    expected = array_digest(array)
    assert array_digest(np.asfortranarray(array)) == expected
    assert array_digest(array.astype(array.dtype.newbyteorder(">"))) == expected


def test_dataset_holds_float32_and_int64():
    part = (np.zeros((2, 3)), np.array([0, 1], np.uint8))
    data = Dataset.of("tiny", part, part, classes=2, bounds=None, provenance="made up")
    assert (data.train_x.dtype, data.train_y.dtype) == (np.float32, np.int64)
    assert data.digest == array_digest(data.train_x, data.train_y, data.test_x, data.test_y)


def test_spec_has_to_say_everything():
    with pytest.raises(TypeError, match="abstract"):
        DataSpec()


def test_data_need_no_torch():
    code = "import sys, harness.data; sys.exit('torch' in sys.modules or 'pooch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
