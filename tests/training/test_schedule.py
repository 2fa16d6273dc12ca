"""Schedules against torch's schedulers, and what they refuse."""

from __future__ import annotations

import warnings

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.optim import lr_scheduler

from harness.recipe import Cosine, RecipeError, Schedule, StepDecay, WarmUp

LENGTH = 40
RATES = st.floats(1e-4, 1.0)


def told(make, base: float) -> list[float]:  # type: ignore[no-untyped-def]
    """The learning rates that an optimiser has under a scheduler of torch's."""
    optimiser = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=base)
    scheduler, rates = make(optimiser), []
    for _ in range(LENGTH):
        rates.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        with warnings.catch_warnings():  # SequentialLR calls its own parts in a way that torch deprecates
            warnings.simplefilter("ignore", UserWarning)
            scheduler.step()
    return rates


def ours(schedule: Schedule, base: float) -> list[float]:
    return [schedule.rate(base, time, LENGTH) for time in range(LENGTH)]


@settings(deadline=None)
@given(RATES, st.integers(1, 50), st.floats(0.05, 1.5))
def test_step_decay_is_step_lr(base: float, every: int, factor: float) -> None:
    expected = told(lambda optimiser: lr_scheduler.StepLR(optimiser, every, factor), base)
    assert ours(StepDecay(every, factor), base) == pytest.approx(expected, rel=1e-9)


@settings(deadline=None)
@given(RATES, st.lists(st.integers(1, 50), min_size=1, max_size=5), st.floats(0.05, 1.5))
def test_a_list_of_times_is_multi_step_lr(base: float, times: list[int], factor: float) -> None:
    expected = told(lambda optimiser: lr_scheduler.MultiStepLR(optimiser, sorted(times), factor), base)
    assert ours(StepDecay(tuple(sorted(times)), factor), base) == pytest.approx(expected, rel=1e-9)


@settings(deadline=None)
@given(RATES, st.integers(1, 60), st.floats(0, 1))
def test_cosine_is_cosine_annealing_lr(base: float, over: int, share: float) -> None:
    lowest = share * base
    expected = told(lambda optimiser: lr_scheduler.CosineAnnealingLR(optimiser, over, lowest), base)
    # torch goes on from one rate to the next, and so adds up rounding errors
    assert ours(Cosine(over, lowest), base) == pytest.approx(expected, rel=1e-6, abs=1e-9 * base)


@settings(deadline=None)
@given(RATES, st.integers(1, 60), st.floats(0.01, 1))
def test_warm_up_is_linear_lr(base: float, over: int, start: float) -> None:
    expected = told(lambda optimiser: lr_scheduler.LinearLR(optimiser, start, 1.0, over), base)
    assert ours(WarmUp(over, start), base) == pytest.approx(expected, rel=1e-9)


@settings(deadline=None)
@given(RATES, st.integers(1, 30), st.integers(1, 30), st.booleans())
def test_warm_up_and_then_another_is_sequential_lr(base: float, over: int, other: int, cosine: bool) -> None:
    def make(optimiser: torch.optim.Optimizer) -> lr_scheduler.LRScheduler:
        first = lr_scheduler.LinearLR(optimiser, 0.1, 1.0, over)
        second: lr_scheduler.LRScheduler
        second = lr_scheduler.CosineAnnealingLR(optimiser, LENGTH - over) if cosine else lr_scheduler.StepLR(optimiser, other)
        return lr_scheduler.SequentialLR(optimiser, [first, second], [over])

    schedule = WarmUp(over, 0.1, Cosine() if cosine else StepDecay(other))
    assert ours(schedule, base) == pytest.approx(told(make, base), rel=1e-6, abs=1e-9 * base)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: StepDecay(0), "every=0; it has to be a whole number from 1, or a tuple"),
        (lambda: StepDecay((30, 10)), r"every=\(30, 10\).*rising"),
        (lambda: StepDecay(2.5), "every=2.5"),
        (lambda: StepDecay(10, factor="0.1"), "factor='0.1'; it has to be a number above 0"),
        (lambda: StepDecay(10, per="batch"), "per='batch'; it has to be 'epoch' or 'step'"),
        (lambda: Cosine(0), "over=0; it has to be None or a whole number from 1"),
        (lambda: Cosine(lowest=-1), "lowest=-1"),
        (lambda: WarmUp(5, start=0), "start=0; it has to be above 0 and at most 1"),
        (lambda: WarmUp(5, then=Cosine(per="step")), "a schedule per epoch, as the warm-up counts: write per='epoch' in both"),
        (lambda: WarmUp(5, then=WarmUp(5)), "it has to be None, a StepDecay or a Cosine"),
    ],
)
def test_impossible_schedules_say_what_is_allowed(make, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(RecipeError, match=message):
        make()
