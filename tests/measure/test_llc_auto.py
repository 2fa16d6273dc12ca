"""Settings that are found automatically: what decides them, what they cost, and when the search says that it fell short."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
import torch
from learning_coefficients import linear_truth, task

from harness.data.toy import ToyImages
from harness.measure import llc_auto
from harness.measure.llc import LLC, LLCSpec, estimate
from harness.measure.llc_auto import GOOD, SHRINK, automatic, search
from harness.measure.llc_spec import Trial
from harness.models import MLPProgram
from harness.population import Population
from harness.recipe import MLP, Recipe, RecipeError, digest
from harness.train import train

NBETA = 1024 / math.log(1024)
BASE = LLCSpec(localization=3.0, nbeta=NBETA)
TRUTHS = [linear_truth((4, 3, 5), rank, seed=rank) for rank in (1, 2, 3)]


@pytest.fixture(scope="module")
def found() -> LLCSpec:
    return search(task(TRUTHS, "all"), BASE)


def test_the_setting_that_is_found_has_what_was_asked_for(found: LLCSpec) -> None:
    assert (found.localization, found.nbeta, found.chains) == (3.0, NBETA, 4)
    assert found.search is not None
    assert found.search.shortfall == ""
    table = estimate(task(TRUTHS, "all"), found, "stacked")  # on other random streams than the search
    assert (table["mala_acceptance"] >= 0.9).all()
    assert (table["llc_se"] / table["llc"]).median() < 0.05
    assert table["trusted"].any()


def test_the_search_goes_down_until_accepted_and_writes_down_what_it_tried(found: LLCSpec) -> None:
    course = found.search
    assert course is not None
    steps = [trial.step_size for trial in course.trials]
    short = [trial for trial in course.trials if trial.drift is None]
    assert steps == sorted(steps, reverse=True)
    for before, after in pairwise(short):
        assert before.acceptance < 0.9
        assert after.step_size == pytest.approx(before.step_size / SHRINK)
    assert short[-1].acceptance >= 0.9
    assert course.trials[-1].outcome == GOOD
    assert course.trials[-1].draws == found.draws
    long = course.trials[len(short) :]
    assert course.evaluations == 2 * 200 * len(short) + sum(6 * (trial.burn_in + trial.draws) for trial in long)
    assert course.evaluations <= course.budget
    assert course.seconds > 0
    assert course.models == 3


def test_the_same_arguments_find_the_same_and_a_seed_names_the_streams() -> None:
    modules = [truth.program.module(truth.theta) for truth in TRUTHS[:1]]
    x, y = TRUTHS[0].inputs, TRUTHS[0].targets
    options = {"localization": 3.0, "nbeta": NBETA, "loss": "mse", "budget": 15_000, "precision": 0.2}
    one, two = (LLCSpec.auto(modules, x, y, **options) for _ in range(2))  # type: ignore[arg-type]
    assert one == two
    assert one.search == two.search  # seconds are not compared
    other = automatic(modules, x, y, seed=1, **options)  # type: ignore[arg-type]
    assert other.search is not None
    assert one.search is not None
    assert other.search.trials[-1].error != one.search.trials[-1].error


def test_how_settings_were_found_does_not_name_the_measurement(found: LLCSpec) -> None:
    by_hand = replace(found, search=None)
    assert digest(LLC(found)) == digest(LLC(by_hand))
    assert found == by_hand
    assert "search" not in repr(found)
    assert digest(LLC(replace(found, preconditioner="rmsprop"))) != digest(LLC(by_hand))


def test_a_population_gets_one_setting() -> None:
    data = ToyImages(train=256, test=30, amplitude=2.0)
    recipe = Recipe(data, MLP((8, 8)), epochs=20)
    loaded = data.load()
    population = Population(recipe, (0, 1, 2), train(recipe, loaded, (0, 1, 2)))
    spec = LLCSpec.auto(population, loaded.train_x, loaded.train_y, localization=100.0, budget=15_000, pilots=2, scope="hidden")
    assert spec.search is not None
    assert spec.search.models == 2
    assert spec.search.trials[-1].acceptance >= 0.9
    table = LLC(spec, ("hidden",), points=256).run(population, loaded, "cpu")
    assert (table["mala_acceptance"] > 0.85).all()


def test_a_budget_that_is_too_small_is_said(found: LLCSpec) -> None:
    spec = search(task(TRUTHS, "all"), BASE, budget=8_000, precision=0.001)
    assert spec.search is not None
    assert spec.search.shortfall.startswith("the budget ended the search at: ")
    assert spec.search.evaluations <= 8_000
    nothing = search(task(TRUTHS, "all"), BASE, budget=1)
    assert nothing.search is not None
    assert nothing.search.shortfall == "the budget ended the search at: accepted"


@pytest.mark.parametrize(
    ("acceptance", "factor"),
    [
        (0.89, (0.11 / 0.025) ** (2 / 3)), (0.85, SHRINK), (0.3, SHRINK), (-math.inf, SHRINK), (math.nan, SHRINK),
        (0.9, SHRINK), (0.97, SHRINK),  # accepted, so that something else asks for a smaller step
    ],
)  # fmt: skip
def test_a_step_shrinks_as_far_as_its_acceptance_asks_for(acceptance: float, factor: float) -> None:
    assert llc_auto._shrink(acceptance) == pytest.approx(factor)


def test_acceptance_falls_with_the_power_by_which_steps_are_shrunk() -> None:
    """1 − α grows as ε^(3/2), on networks at their minimum, once chains have spread out."""
    specs = [replace(BASE, step_size=step, burn_in=500, draws=1000) for step in (1e-3, 2.5e-4)]
    missing = [1 - estimate(task(TRUTHS, "all"), spec, "stacked")["mala_acceptance"] for spec in specs]
    assert float((missing[0] / missing[1]).mean()) == pytest.approx(4**1.5, rel=0.3)


def test_what_is_left_of_a_budget_is_used_by_a_shorter_trial() -> None:
    spec = replace(BASE, step_size=1e-3, burn_in=1000, draws=2000)
    before = replace(some_trial(), burn_in=500, draws=1000)
    each = spec.chains + 2 * spec.sensitivity_chains
    assert llc_auto._within(spec, before, each * 3000) == spec
    assert llc_auto._within(spec, before, each * 2400) == replace(spec, burn_in=800, draws=1600)
    assert llc_auto._within(spec, before, each * 1800) is None  # less than a quarter more than before
    assert llc_auto._within(spec, None, each * 2400) is None


def test_the_steepest_model_decides_for_all() -> None:
    flat = linear_truth((4, 3, 5), 2, seed=2)
    program = flat.program
    steep = replace(flat, inputs=flat.inputs * 10, targets=flat.targets * 10)
    together, alone = (search(task(truths, "all"), BASE, budget=1) for truths in ([flat, steep], [flat]))
    assert alone.step_size / together.step_size > 30  # the loss is a hundred times as steep
    first = search(task([flat, steep], "all"), BASE, budget=1, pilots=1)
    assert first.step_size == alone.step_size
    assert first.search is not None
    assert first.search.models == 1
    assert program.layout.total == 27


def table(**columns: list[float]) -> pd.DataFrame:
    good = {"mala_acceptance": 0.95, "drift": 0.01, "llc": 10.0, "llc_se": 0.1, "lr_sensitivity": 0.01,
            "localization_sensitivity": 0.01}  # fmt: skip
    rows = max((len(values) for values in columns.values()), default=1)
    return pd.DataFrame({name: columns.get(name, [value] * rows) for name, value in good.items()})


def some_trial() -> Trial:
    return Trial(1e-3, 250, 250, 0.95, 0.01, 0.01, 0.01, 0.01, 3000, 0.0, "more draws")


@pytest.mark.parametrize(
    ("columns", "told", "changed"),
    [
        ({}, GOOD, None),
        ({"mala_acceptance": [0.95, 0.8]}, "acceptance 0.80: a smaller step", {"step_size": 1e-3 / SHRINK}),
        ({"mala_acceptance": [0.95, math.nan]}, "acceptance -inf: a smaller step", {"step_size": 1e-3 / SHRINK}),
        ({"drift": [0.01, -0.3]}, "drift 30%: longer burn-in and more draws", {"burn_in": 500, "draws": 500}),
        ({"lr_sensitivity": [-0.2, -0.3]}, "mean change of -25% at ε/3: longer", {"burn_in": 500, "draws": 500}),
        ({"lr_sensitivity": [-0.2, 0.2]}, "single changes of 20% at ε/3: longer", {"burn_in": 500, "draws": 500}),
        ({"llc_se": [0.1, 2.0]}, "standard error 20.0%: more draws", {"draws": 500}),
        ({"localization_sensitivity": [0.5, 0.5]}, GOOD, None),  # γ is fixed
        ({"drift": [0.01] * 19 + [0.9]}, GOOD, None),  # 95 % of twenty
        ({"drift": [0.01] * 18 + [0.9]}, "drift 90%", {"burn_in": 500, "draws": 500}),
    ],
)
def test_every_diagnostic_has_its_remedy(
    monkeypatch: pytest.MonkeyPatch, columns: dict[str, list[float]], told: str, changed: dict[str, float] | None
) -> None:
    monkeypatch.setattr(llc_auto, "estimate", lambda *arguments: table(**columns))
    spec = replace(BASE, step_size=1e-3, burn_in=250, draws=250)
    trial = llc_auto._try(task(TRUTHS, "all"), spec, 0.05)
    assert trial.outcome.startswith(told)
    if changed is not None:
        assert llc_auto._next(spec, trial) == replace(spec, **changed)  # type: ignore[arg-type]


def test_a_change_with_the_step_that_length_does_not_cure_asks_for_a_smaller_one(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = replace(BASE, step_size=1e-3, burn_in=250, draws=250)
    changes = iter([-0.3, -0.18, -0.17, -0.17])
    monkeypatch.setattr(llc_auto, "estimate", lambda *arguments: table(lr_sensitivity=[next(changes)], mala_acceptance=[0.92]))
    outcomes, previous = [], None
    for step_size in (1e-3, 1e-3, 1e-3, 3e-4):
        previous = llc_auto._try(task(TRUTHS, "all"), replace(spec, step_size=step_size), 0.05, previous)
        outcomes.append(previous.outcome.partition(": ")[2])
    assert outcomes == [llc_auto.LONGER_BURN_IN, llc_auto.LONGER_BURN_IN, llc_auto.SMALLER, llc_auto.LONGER_BURN_IN]


def test_what_cannot_be_searched_is_named() -> None:
    module, truth = TRUTHS[0].program.module(TRUTHS[0].theta), TRUTHS[0]
    with pytest.raises(ValueError, match=r"pilots=0, sensitivity_chains=1 and chains=4 leave nothing to choose by"):
        automatic(module, truth.inputs, truth.targets, localization=1.0, loss="mse", pilots=0)
    broken = replace(truth, theta=torch.full_like(truth.theta, math.nan))
    with pytest.raises(ValueError, match="no step size down to 1e-12 is accepted: the loss, its gradient or a parameter"):
        search(task([broken], "all"), BASE)
    with pytest.raises(RecipeError, match="preconditioner='adam'; it has to be 'none' or 'rmsprop'"):
        LLCSpec(preconditioner="adam")  # type: ignore[arg-type]
    with pytest.raises(RecipeError, match="burn_in=0; it has to be 1 or more with a preconditioner"):
        LLCSpec(preconditioner="rmsprop", burn_in=0)


def test_a_preconditioner_reaches_in_the_same_steps_what_an_ordinary_chain_does_not() -> None:
    """Linear regression on inputs of scale 10 and 0.3: half its dimension, whatever the sampler's coordinates.

    At the step that the steep directions allow, the flat ones (a = nβ h + γ = 13) relax in 2 / (ε a) = 5,000 steps; with
    their own steps, ten times and more as long, in a few hundred.
    """
    program = MLPProgram((4, 1), linear=True, bias=False)
    scale = torch.tensor([10.0, 10.0, 0.3, 0.3])
    inputs = torch.diag(scale * 2)  # mean over four points: second moments scale²
    theta = torch.tensor([[1.0, -1.0, 0.5, 2.0]])
    given = replace(task(TRUTHS[:1], "all"), program=program, theta=theta, inputs=inputs.T[None],
                    targets=(inputs @ theta[0])[None, None])  # fmt: skip
    spec = replace(BASE, localization=0.1, step_size=3e-5, burn_in=1000, draws=1000, chains=32)
    scaled = replace(spec, step_size=3e-4, preconditioner="rmsprop")
    h = NBETA * scale.double().square()
    truth = float((h / (h + 0.1)).sum()) / 2
    assert np.isclose(truth, 2, rtol=0.01)
    row, plain = (estimate(given, one, "stacked").iloc[0] for one in (scaled, spec))
    assert min(row["mala_acceptance"], plain["mala_acceptance"]) >= 0.9
    assert row["llc"] == pytest.approx(truth, abs=4 * row["llc_se"] + 0.03 * truth)  # ε G a / 4 of discretisation
    assert plain["llc"] < truth - 4 * plain["llc_se"]
    with pytest.raises(ValueError, match="the engine 'devinterp' has no preconditioner 'rmsprop'; use the engine 'stacked'"):
        estimate(given, scaled, "devinterp")
