"""The kernel of projected ascent: run by Triton's interpreter where Triton is there, and used only where it is right."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pretended_card import pretended_card

from harness.cuda import starts, steps
from harness.cuda.checked import Checked
from harness.device import standard_numerics
from harness.networks import ascent, encode
from harness.networks.ascent import random_start
from harness.networks.mlp import MLPProgram

ORDINARY = ascent.ascend
INTERPRETED = """
import itertools, sys, torch
from harness.cuda import fused
from harness.networks import ascent, encode
from harness.networks.mlp import MLPProgram
torch.manual_seed(0)
for sizes, linear, bias in (((9, 3), False, True), ((9, 8, 3), False, True), ((9, 16, 16, 16, 3), False, True),
                            ((5, 20, 7, 3), False, False), ((9, 33, 16, 16, 16, 4), False, True), ((9, 16, 3), True, True)):
    program = MLPProgram(sizes, linear=linear, bias=bias)
    parameters = program.layout.views(torch.randn(3, program.layout.total) * 0.4)
    x, y = torch.rand(3, sizes[0], 40) * 2 - 1, encode(torch.randint(0, sizes[-1], (3, 40)), sizes[-1])
    for norm, bounds, aim in itertools.product(("linf", "l2"), (None, (-1.0, 1.0)), (None, y.roll(1, 1))):
        given = {"radius": torch.rand(3, 40), "step_sizes": [0.25] * 4, "norm": norm, "bounds": bounds, "aim": aim}
        start = (torch.rand_like(x) - 0.5) * given["radius"][:, None]
        assert fused.takes(program, parameters, given["step_sizes"])
        expected = ascent.ascend(program, parameters, x, y, delta=start.clone(), **given)
        found = fused.ascend(program, parameters, x, y, delta=start.clone(), **given)
        assert ((found - expected).abs().amax(1) < 1e-5).double().mean() > 0.98, (sizes, norm, bounds)
wide = MLPProgram((784, 128, 128, 10))
assert not fused.takes(wide, wide.layout.views(torch.zeros(1, wide.layout.total)), [0.1])
print("the same")
"""


def test_the_kernel_by_triton_s_interpreter() -> None:
    pytest.importorskip("triton", reason="Triton comes with torch's builds for CUDA")
    environment = os.environ | {"TRITON_INTERPRET": "1"}  # read when the kernel is defined
    done = subprocess.run([sys.executable, "-c", INTERPRETED], env=environment, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "the same", done.stderr[-2000:]


@pytest.fixture
def on_a_card(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    with pretended_card(monkeypatch) as card, standard_numerics("cuda"):
        yield card


def work() -> torch.Tensor:
    """An attack on some networks on the card."""
    program = MLPProgram((4, 6, 3))
    draw = torch.Generator().manual_seed(1)
    parameters = program.layout.views(torch.stack([program.initial(draw) for _ in range(2)]).to("cuda"))
    x = torch.rand(2, 4, 9, generator=draw).to("cuda")
    y = encode(torch.randint(0, 3, (2, 9), generator=draw).to("cuda"), 3)
    radius = torch.full((2, 9), 0.3).to("cuda")
    return steps.ascending(
        program, parameters, x, y, delta=torch.zeros_like(x), radius=radius, step_sizes=[0.3] * 4, norm="linf"
    ).cpu()


def kernel(change: Any) -> SimpleNamespace:
    """A kernel that is the ordinary steps, changed, and counts its calls."""
    calls: list[int] = []

    def ascend(*given: Any, **named: Any) -> torch.Tensor:
        calls.append(1)
        return change(ORDINARY(*given, **named))

    return SimpleNamespace(takes=lambda *given: True, ascend=ascend, calls=calls)


def refuse(found: torch.Tensor) -> torch.Tensor:
    raise RuntimeError("out of resource: shared memory\nmore")


def test_a_kernel_that_is_right_is_used(on_a_card: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = work()
    for change in (lambda found: found, lambda found: found + 1e-7):
        own = kernel(change)
        monkeypatch.setattr(steps, "fused", own)
        monkeypatch.setattr(steps, "_CHECKED", Checked(own.ascend))
        for calls in (3, 4):  # two of them to compare
            assert torch.allclose(work(), expected, atol=1e-6)
            assert len(own.calls) == calls


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda found: found * 0.9, "it gives other numbers"),
        (lambda found: found * torch.nan, "it gives other numbers"),
        (lambda found: torch.zeros_like(found), "it gives other numbers"),
        (refuse, "RuntimeError: out of resource: shared memory"),
    ],
)
def test_a_kernel_that_is_wrong_is_not_used_and_said_once(
    on_a_card: Any, monkeypatch: pytest.MonkeyPatch, change: Any, reason: str
) -> None:
    expected = work()
    own = kernel(change)
    monkeypatch.setattr(steps, "fused", own)
    monkeypatch.setattr(steps, "_CHECKED", Checked(own.ascend))
    with pytest.warns(RuntimeWarning, match=rf"4-6-3 units are not made in one kernel \({reason}\)"):
        assert torch.equal(work(), expected)
    assert torch.equal(work(), expected)
    assert len(own.calls) == 1


@given(
    counts=st.lists(st.integers(1, 90), min_size=1, max_size=12),
    stops=st.lists(st.tuples(st.integers(0, 11), st.lists(st.booleans(), min_size=5, max_size=5)), max_size=3),
    block=st.sampled_from([1, 64, 2**23]),
)
def test_starts_drawn_ahead_are_those_drawn_one_by_one(counts: list[int], stops: list[Any], block: int) -> None:
    """Batches of any sizes, members that stop, blocks of any length: the same numbers from the same generators."""
    before, starts.VALUES = starts.VALUES, block
    try:
        ahead = starts.Starts()
        ours, theirs = ([torch.Generator().manual_seed(seed) for seed in range(5)] for _ in range(2))
        for number, count in enumerate(counts):
            for at, rows in stops:
                chosen = [row for row in range(len(ours)) if rows[row % 5]]
                if at == number and chosen:
                    ours, theirs = ([own[row] for row in chosen] for own in (ours, theirs))
            shape, radius = (len(ours), 3, count), torch.full((len(ours), count), 0.7)
            expected = random_start(shape, radius, "linf", theirs)
            assert torch.equal(ahead(shape, radius, ours), expected)
    finally:
        starts.VALUES = before


def test_other_members_have_starts_of_their_own() -> None:
    ahead, radius = starts.Starts(), torch.ones(2, 5)
    for seeds in ((1, 2), (2, 1), (1, 2)):
        found = ahead((2, 3, 5), radius, [torch.Generator().manual_seed(seed) for seed in seeds])
        assert torch.equal(found, random_start((2, 3, 5), radius, "linf", [torch.Generator().manual_seed(s) for s in seeds]))
