"""Draws inside a stack come from each member's own generator, in the order of the draws."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.func import vmap
from torch.nn import functional

from harness.networks.member_streams import MemberStreams
from harness.recipe import RecipeError

Draw = Callable[[torch.Tensor], torch.Tensor]
DRAWS: dict[str, Draw] = {
    "rand": lambda x: torch.rand(3, 4),
    "rand like": torch.rand_like,
    "randn": lambda x: torch.randn(5),
    "randn like": torch.randn_like,
    "uniform": lambda x: x.clone().uniform_(-2, 3),
    "normal": lambda x: torch.empty_like(x).normal_(1, 2),
    "exponential": lambda x: torch.empty_like(x).exponential_(0.5),
    "bernoulli of one probability": lambda x: torch.bernoulli(x, 0.3),
    "bernoulli of many": lambda x: torch.bernoulli(x.sigmoid()),
    "dropout": lambda x: functional.dropout(x, 0.4),
    "dropout of channels": lambda x: functional.dropout2d(x[None, :, :, None], 0.4),
    "alpha dropout": lambda x: functional.alpha_dropout(x, 0.4, training=True),
    "gumbel": functional.gumbel_softmax,
}


@settings(deadline=None)
@given(st.lists(st.sampled_from(sorted(DRAWS)), min_size=1, max_size=4), st.integers(1, 5), st.integers(0, 2**40))
def test_a_member_draws_what_it_would_draw_alone(names: list[str], members: int, seed: int) -> None:
    x = torch.randn(members, 6, 7, generator=torch.Generator().manual_seed(seed))

    def drawn(x: torch.Tensor) -> list[torch.Tensor]:
        return [DRAWS[name](x) for name in names]

    with MemberStreams([torch.Generator().manual_seed(seed + row) for row in range(members)]) as streams:
        together = vmap(drawn, randomness="different")(x)
    assert streams.drawn
    with torch.random.fork_rng(devices=[]):
        for row in range(members):
            torch.manual_seed(seed + row)
            for stacked, alone in zip(together, drawn(x[row]), strict=True):
                torch.testing.assert_close(stacked[row], alone, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_the_dropout_of_a_gpu_keeps_what_its_mask_says(share: float) -> None:
    """Torch runs ``native_dropout`` there; its inverted scale makes the mean of what is kept the input's."""
    x = torch.ones(3, 4000)
    with MemberStreams([torch.Generator().manual_seed(row) for row in range(3)]):
        result, kept = torch.native_dropout(x, share, True)
    assert torch.equal(result != 0, kept)
    # six standard errors of a share of 4,000 points
    assert ((kept.float().mean(1) - (1 - share)).abs() <= 6 * (share * (1 - share) / 4000) ** 0.5).all()
    if share < 1:
        torch.testing.assert_close(result[kept], torch.full_like(result[kept], 1 / (1 - share)))
    assert share in (0, 1) or not torch.equal(kept[0], kept[1])
    with MemberStreams([torch.Generator()] * 3) as streams:
        assert torch.equal(torch.native_dropout(x, share, False)[0], x)
    assert not streams.drawn


def test_nothing_is_drawn_by_attention_without_dropout() -> None:
    q = torch.randn(2, 1, 3, 4)
    with MemberStreams([torch.Generator()] * 2) as streams:
        functional.scaled_dot_product_attention(q, q, q)
    assert not streams.drawn


def test_who_does_not_listen_leaves_everything_to_torch() -> None:
    torch.manual_seed(0)
    expected = torch.rand(2)
    torch.manual_seed(0)
    with MemberStreams([torch.Generator()] * 2, listen=False) as streams:
        assert torch.equal(torch.rand(2), expected)
    assert not streams.drawn


@pytest.mark.parametrize("draw", [
    lambda x: torch.randperm(4), lambda x: torch.multinomial(x.softmax(-1), 1), lambda x: torch.randint(3, (4,)),
], ids=["randperm", "multinomial", "randint"])  # fmt: skip
def test_other_draws_are_refused(draw: Draw) -> None:
    with pytest.raises(RecipeError, match="cannot draw for each member"), MemberStreams([torch.Generator()] * 2):
        vmap(draw, randomness="different")(torch.zeros(2, 3))
