"""What settings of the sampler may be: every value that it cannot use is refused by name, before anything runs."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import LLCSpec
from harness.measure.llc.rows import distrust
from harness.spec import RecipeError

WHOLE = ("chains", "draws", "budget", "burn_in", "sensitivity_chains", "descent")
REAL = ("localization", "step_size", "nbeta", "friction", "precision")
NO_NUMBERS = st.one_of(st.text(max_size=3), st.just([1]), st.booleans(), st.sampled_from([math.nan, math.inf, -math.inf]))


@given(st.sampled_from(WHOLE), st.one_of(NO_NUMBERS, st.integers(-9, -1), st.floats(0.1, 99).filter(lambda x: x != int(x))))
def test_counts_are_whole_numbers(name, value):
    with pytest.raises(RecipeError, match=rf"LLCSpec has {name}=.*; it has to be (None or )?a whole number, [01] or more"):
        LLCSpec(**{name: value})


@given(st.sampled_from(REAL), st.one_of(NO_NUMBERS, st.floats(-9, -1e-9)), st.sampled_from(["kinetic", "sgld"]))
def test_sizes_are_numbers(name, value, sampler):
    with pytest.raises(RecipeError, match=rf"LLCSpec has {name}="):
        LLCSpec(**{name: value, "sampler": sampler})


@pytest.mark.parametrize("sampler", ["kinetic", "sgld"])
def test_localization_is_told_what_its_sampler_allows(sampler):
    with pytest.raises(RecipeError, match="above 0" if sampler == "kinetic" else "0 or more"):
        LLCSpec(localization=-1.0, sampler=sampler)
    assert LLCSpec(localization=0, sampler="sgld").localization == 0


@given(st.integers(4, 99), st.floats(1e-3, 1e3))
def test_what_can_be_used_is_taken(count, size):
    LLCSpec(chains=count, draws=count, burn_in=count, budget=count, localization=size, nbeta=size, precision=size)


def test_chains_that_never_moved_are_told_of_their_step_alone():
    row = {"initial_loss": 0.1, "chain_0": 0.0, "acceptance": 0.0}
    assert (
        distrust(row, LLCSpec())
        == "no step was accepted, so that the chains stayed where they began: the step size is too large"
    )
