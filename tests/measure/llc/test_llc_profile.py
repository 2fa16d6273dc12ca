"""The LLC against γ: where it is known in closed form, and what the profile says of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.collections import PolyCollection
from matplotlib.colors import to_rgba

from harness.data import ToyImages
from harness.measure.llc.estimate import LLCSpec, llc
from harness.measure.llc.profile import GAMMAS, LLCProfile, llc_profile
from harness.population import Population
from harness.recipe import MLP, Recipe
from harness.training.train import train

SPEC = LLCSpec(chains=64, nbeta=100.0, draws=300, friction=5.0, descent=5)
QUICK = LLCSpec(step_size=0.05, burn_in=20, draws=40, descent=5)


def quadratic(curvatures: Sequence[float]) -> tuple[torch.nn.Module, torch.Tensor, torch.Tensor]:
    """A regular model whose Hessian has those eigenvalues, at its minimum."""
    h = torch.tensor(curvatures)
    model = torch.nn.Linear(len(h), 1, bias=False)
    torch.nn.init.zeros_(model.weight)
    return model, (len(h) * h).sqrt().diag(), torch.zeros(len(h), 1)


def truth(curvatures: Sequence[float], gammas: np.ndarray, nbeta: float = 100.0) -> np.ndarray:
    h = nbeta * np.asarray(curvatures)[:, None]
    found: np.ndarray = (h / (h + gammas)).sum(0) / 2
    return found


STEEP = [2.0, 3.0, 4.0] * 4  # nβ h from 200
SPREAD = np.geomspace(1e-4, 10, 12).tolist()  # nβ h from 0.01 to 1000: some directions are lost at every γ
COARSE = np.geomspace(0.1, 1000, 5)


@pytest.fixture(scope="module")
def known() -> LLCProfile:
    """Three models of each kind."""
    parts = [quadratic(each) for each in (STEEP, SPREAD) for _ in range(3)]
    models, xs, ys = zip(*parts, strict=True)
    return llc_profile(models, torch.stack(xs), torch.stack(ys), loss="mse", spec=SPEC, gammas=COARSE,
                       group=["steep"] * 3 + ["spread"] * 3)  # fmt: skip


def test_regular_models_have_their_closed_form_at_every_gamma(known: LLCProfile) -> None:
    assert list(known.columns[:3]) == ["group", "model", "localization"]
    expected = np.stack([np.repeat(truth(each, COARSE)[:, None], 3, 1) for each in (STEEP, SPREAD)], 1).ravel()
    chains = known[[f"chain_{number}" for number in range(64)]].to_numpy()
    error = chains.std(1, ddof=1) / 8  # between chains, whatever is thought of the draws of one
    assert (np.abs(known["llc"] - expected) < 4 * error).all()
    assert (4 * error < 0.25 * expected).all()


def test_there_is_a_plateau_where_no_direction_is_lost_and_none_where_some_are_at_every_gamma(known: LLCProfile) -> None:
    found = known.plateau().set_index("group")
    steep = found.loc["steep"]
    assert steep["verdict"] == "plateau"
    assert (steep["lowest"], steep["highest"]) == pytest.approx((0.1, 10))  # at γ = 100 a quarter is lost
    assert steep["llc"] == pytest.approx(6, rel=0.05)
    assert steep["trusted"] == 1
    assert found.loc["spread", "verdict"] == "none"
    assert found.loc["spread", ["lowest", "highest", "llc", "change", "bound", "trusted"]].isna().all()


def test_trust_before_and_after_the_plateau_is_asked_for(known: LLCProfile) -> None:
    curve = known.curve()
    steep = curve[curve["group"] == "steep"].reset_index()
    assert steep["trusted"].tolist() == [1.0] * 5
    assert steep["trusted_as_coefficient"].tolist() == [0.0, 1.0, 1.0, 0.0, 0.0]  # nothing below 0.1; a quarter lost at 100
    assert math.isnan(steep["change"][0])
    expected = truth(STEEP, COARSE)
    np.testing.assert_allclose(steep["change"][1:], expected[:-1] / expected[1:] - 1, atol=0.1)
    assert steep["models"].tolist() == [3] * 5


def test_the_groups_are_drawn_apart(known: LLCProfile) -> None:
    labels = [text.get_text() for text in known.draw().get_legend().get_texts()]
    assert labels == ["steep", "plateau of steep", "spread", "a model, trusted at this γ", "a model, not trusted"]
    one = known[known["group"] == "spread"].draw()
    assert one.get_legend().get_texts()[0].get_text() == "spread"


@pytest.mark.parametrize("per_decade", [1, 2, 3, 4])
def test_a_tenth_of_gamma_is_read_off_the_curve(per_decade: int) -> None:
    """λ̂ linear in log γ, whether γ/10 is on the grid or between its values."""
    gammas = 10 ** (np.arange(3 * per_decade + 1) / per_decade * 0.97)
    rows = {"model": 0, "localization": gammas, "llc": 10 - np.log10(gammas), "llc_se": 0.1, "trusted": True}
    curve = LLCProfile(rows).curve()
    known = gammas / 10 >= 1
    np.testing.assert_allclose(curve["change"][known], 1 / curve["llc"][known])
    assert curve["change"][~known].isna().all()
    assert (curve["trusted_as_coefficient"] == (known & (1 / curve["llc"] < 0.15))).all()


@pytest.mark.parametrize("gammas", [(0.5,), (100.0, 0.3, 5.0), np.array([1, 30])])
@pytest.mark.parametrize("spec", [QUICK, replace(QUICK, localization=7.0, sensitivity_chains=2), LLCSpec(budget=300)])
def test_rows_of_one_gamma_are_those_of_llc(gammas: Sequence[float], spec: LLCSpec) -> None:
    torch.manual_seed(1)
    models = [torch.nn.Linear(3, 2) for _ in range(2)]
    x, y = torch.randn(30, 3), torch.arange(30) % 2
    profile = llc_profile(models, x, y, gammas=gammas, spec=spec, seed=3)
    assert profile["localization"].tolist() == sorted(float(g) for g in gammas for _ in range(2))
    assert profile["model"].tolist() == [0, 1] * len(gammas)
    for gamma in gammas:
        own = pd.DataFrame(profile[profile["localization"] == gamma]).drop(columns=["model", "localization"])
        alone = pd.DataFrame(llc(models, x, y, spec=replace(spec, localization=float(gamma)), seed=3))
        pd.testing.assert_frame_equal(own.reset_index(drop=True), alone, check_exact=True)


def test_a_population_is_named_by_its_seeds_and_joined_with_another() -> None:
    data = ToyImages(train=60, test=9)
    loaded, tables = data.load(), []
    for width in (3, 4):
        recipe = Recipe(data, MLP((width,)), epochs=1)
        population = Population(recipe, (5, 7), train(recipe, loaded, (5, 7)))
        tables.append(llc_profile(population, loaded.train_x, loaded.train_y, gammas=(1, 10, 100), spec=QUICK))
    assert tables[0]["model"].tolist() == [5, 7] * 3
    with pytest.raises(ValueError, match="a model has two rows at one γ; join profiles with a different group for each"):
        LLCProfile(pd.concat(tables)).curve()
    joined = LLCProfile(pd.concat([table.assign(group=f"width {w}") for table, w in zip(tables, (3, 4), strict=True)]))
    assert joined.plateau()["group"].tolist() == ["width 3", "width 4"]
    for table, (_, own) in zip(tables, joined.curve().groupby("group"), strict=True):
        pd.testing.assert_frame_equal(own.drop(columns="group").reset_index(drop=True), table.curve())


def made(values: np.ndarray, trusted: np.ndarray) -> LLCProfile:
    models, places = np.indices(values.shape).reshape(2, -1)
    return LLCProfile({"model": models, "localization": np.array(GAMMAS)[places], "llc": values.ravel(), "llc_se": 0.01,
                       "trusted": trusted.ravel()})  # fmt: skip


def test_the_figure_has_a_mean_with_a_band_every_model_with_its_error_and_what_is_not_trusted_hollow() -> None:
    draw = np.random.default_rng(0)
    values = 5 + 0.1 * draw.standard_normal((4, 13))
    trusted = draw.random((4, 13)) > 0.3
    profile = made(values, trusted)
    axis = profile.draw()
    assert axis.get_xscale() == "log"
    assert (axis.get_xlabel(), axis.get_ylabel()) == ("localisation γ", "local learning coefficient")
    bands = [each for each in axis.collections if isinstance(each, PolyCollection)]
    error = values.std(0, ddof=1) / 2
    corners = bands[0].get_paths()[0].vertices
    assert len(bands) == 1
    assert np.asarray(corners)[:, 1].max() == pytest.approx((values.mean(0) + 2 * error).max())
    lines = axis.get_lines()
    thick = [line for line in lines if line.get_label() == "mean over models"]
    np.testing.assert_allclose(np.asarray(thick[0].get_ydata()), values.mean(0))
    thin = [line for line in lines if len(np.asarray(line.get_xdata())) == 13 and line is not thick[0]
            and line.get_linestyle() == "-"]  # fmt: skip
    assert {tuple(np.asarray(line.get_ydata())) for line in thin} == {tuple(own) for own in values}
    assert len(axis.containers) == 4  # error bars
    points = {face: sum(len(np.asarray(line.get_xdata())) for line in lines
                        if line.get_marker() == "o" and to_rgba(line.get_markerfacecolor()) == to_rgba(face))
              for face in ("C0", "white")}  # fmt: skip
    assert points == {"C0": trusted.sum(), "white": (~trusted).sum()}
    flat = [line for line in lines if line.get_label() == "plateau"]
    assert np.asarray(flat[0].get_xdata()) == pytest.approx([0.1, 1000])
    again = axis.figure.subplots()  # type: ignore[union-attr]
    assert profile.draw(again) is again


def test_estimates_that_are_missing_are_left_out_of_the_mean_and_not_trusted() -> None:
    values = np.full((3, 13), 5.0)
    values[1, 4] = math.nan
    profile = made(values, np.isfinite(values))
    curve = profile.curve()
    assert curve["models"].tolist() == [3] * 4 + [2] + [3] * 8
    assert (curve["llc"] == 5).all()
    assert curve["trusted"][4] == pytest.approx(2 / 3)
    assert profile.plateau()["verdict"][0] == "plateau"
    profile.draw()
    holes = LLCProfile(profile[np.arange(39) != 17])  # a row that is not there is a model that is not trusted
    assert holes.curve()["trusted"][4] == pytest.approx(2 / 3)


def test_parts_are_profiles_as_long_as_they_have_what_it_takes() -> None:
    profile = made(np.full((2, 13), 5.0), np.full((2, 13), True))
    low = profile[profile["localization"] < 20]
    assert isinstance(low, LLCProfile)
    assert low.plateau()["highest"][0] == pytest.approx(10)
    with pytest.raises(ValueError, match="this part of a profile has no column 'llc_se'; it needs model, localization"):
        LLCProfile(profile.drop(columns="llc_se")).draw()
    with pytest.raises(ValueError, match="tolerance=0; give a finite number above 0"):
        profile.plateau(tolerance=0)


@pytest.mark.parametrize(
    "gammas", [(), (0.0,), (1.0, -2.0), (1.0, math.inf), (math.nan,), (1.0, 1), ("a",), 3.0, None, [[1.0, 2.0]]]
)
def test_impossible_gammas_are_named(gammas: object) -> None:
    model, x, y = quadratic([1.0])
    with pytest.raises(ValueError, match=r"gammas=.*; give one or more different finite numbers above 0"):
        llc_profile(model, x, y, loss="mse", gammas=gammas)  # type: ignore[arg-type]


@pytest.mark.parametrize("group", [["a"], ["a", "b", "c"], "ab"])
def test_labels_that_do_not_fit_are_named(group: Sequence[str]) -> None:
    model, x, y = quadratic([1.0])
    with pytest.raises(ValueError, match="give one label for each of the 2 models"):
        llc_profile([model, model], x, y, loss="mse", group=group)


def test_what_llc_refuses_is_refused() -> None:
    model, x, y = quadratic([1.0])
    with pytest.raises(ValueError, match="scope 'hidden' is unknown"):
        llc_profile(model, x, y, loss="mse", scope="hidden")
    with pytest.raises(ValueError, match="it has to be an LLCSpec, or None"):
        llc_profile(model, x, y, loss="mse", spec="sgld")  # type: ignore[arg-type]
