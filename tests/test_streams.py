"""Random streams: a name gives the same numbers everywhere, and other names give other ones."""

from __future__ import annotations

import math
import os
import subprocess
import sys

import numpy as np
import pytest
import torch

from harness.streams import numpy_generator, sequence, torch_generator


def test_a_name_gives_the_numbers_that_it_always_gave():
    """Another result here makes every stored network and every printed number unrepeatable."""
    assert sequence("order", "training", 3).generate_state(4).tolist() == [4106015674, 926748415, 496766291, 1719352234]
    assert sequence("sgld", "main", "k", 0, 1).generate_state(2).tolist() == [1333621210, 1740264808]
    assert torch_generator("initialisation", "abc", 7).initial_seed() == 7945726036365287426
    drawn = numpy_generator("toy images", "train", 0).standard_normal(3)
    np.testing.assert_allclose(drawn, [1.7552004046614138, -0.7305661241184874, -0.14025548653396716], rtol=1e-12)


def test_names_do_not_depend_on_the_process():
    code = "from harness.streams import sequence; print(sequence('order', 'training', 3).generate_state(4).tolist())"
    environment = os.environ | {"PYTHONHASHSEED": "7"}
    said = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True).stdout
    assert said.strip() == str(sequence("order", "training", 3).generate_state(4).tolist())


NAMES = [
    ("order",), ("orders",), ("order", "training"), ("order", "training", 0), ("order", "training", 1),
    ("order", "training", 0, 0), ("order", "training", 0, 1), ("order", "training", 1, 0), ("order", "train", "ing"),
    ("order", "finetuning", 0), ("training", "order", 0), ("order", "", 0), ("order", 0), ("order", "0"),
    ("order", 2**31), ("order", 2**40), ("", "order"),
]  # fmt: skip


def test_other_names_are_other_streams():
    assert len({tuple(sequence(*name).generate_state(4)) for name in NAMES}) == len(NAMES)
    drawn = {tuple(torch.randn(3, generator=torch_generator(*name)).tolist()) for name in NAMES}
    assert len(drawn) == len(NAMES)  # initial_seed() does not tell: findings/torch_seeds_are_32_bits_on_a_cpu.sh


@pytest.mark.parametrize("draw", [
    lambda *name: torch.rand(2, generator=torch_generator(*name)).tolist(),
    lambda *name: numpy_generator(*name).random(2).tolist(),
], ids=["torch", "numpy"])  # fmt: skip
def test_every_bit_of_an_owner_counts(draw):
    """Of 64 bits a CPU generator of torch takes 32; numpy fills short lists of seeds up with zeros."""
    owners = [(), (0,), (0, 0), (0, 0, 0), (1,), (1, 0), *((1 + (2**bit),) for bit in range(1, 64)), (1 + 2**32, 0)]
    assert len({tuple(draw("order", *owner)) for owner in owners}) == len(owners)


@pytest.mark.parametrize("number", [np.int64(3), np.int32(3), np.uint8(3), torch.tensor(3)], ids=["i8", "i4", "u1", "tensor"])
def test_whole_numbers_of_any_kind_are_the_same_number(number):
    assert sequence("order", number).spawn_key == (3,)
    assert torch_generator("order", number).initial_seed() == torch_generator("order", 3).initial_seed()


@pytest.mark.parametrize("wrong", [-1, 0.0, 1.5, None, np.float64(2), b"order", (1,)], ids=repr)
def test_an_owner_that_is_neither_text_nor_a_whole_number_is_refused(wrong):
    """Left out silently, it would give all its owners the same numbers."""
    for make in (sequence, numpy_generator, torch_generator):
        with pytest.raises(ValueError, match=r"the stream 'order' cannot belong to .*; an owner is text or a whole number"):
            make("order", wrong)


def test_generators_of_one_name_are_equal_and_independent_objects():
    draws = {numpy_generator: lambda g: g.random(4).tolist(), torch_generator: lambda g: torch.rand(4, generator=g).tolist()}
    for make, draw in draws.items():
        first, second = make("order", 1), make("order", 1)
        assert draw(first) == draw(second)
        assert draw(first) == draw(second)
        assert draw(first) != draw(make("order", 1))


def test_neighbouring_owners_are_uncorrelated():
    length, owners = 1000, 100
    for draw in (
        lambda seed: numpy_generator("order", seed).standard_normal(length),
        lambda seed: torch.randn(length, generator=torch_generator("order", seed)).numpy(),
    ):
        values = np.stack([draw(seed) for seed in range(owners)])
        largest = np.abs(np.corrcoef(values) - np.eye(owners)).max()
        # A correlation of independent streams has standard deviation 1/√n; a union bound over the 4,950 pairs at six of
        # them is 4950 × 2·10⁻⁹ = 10⁻⁵.
        assert largest < 6 / math.sqrt(length)


def test_the_callers_random_state_is_left_alone():
    torch.manual_seed(0)
    np.random.seed(0)  # noqa: NPY002 - the state that must not be touched
    before = torch.get_rng_state().clone(), np.random.get_state()[1].copy()  # noqa: NPY002
    torch.rand(3, generator=torch_generator("order", 1))
    numpy_generator("order", 1).random(3)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (np.random.get_state()[1] == before[1]).all()  # noqa: NPY002
