"""How the local learning coefficient depends on the localisation γ.

λ̂ estimates the learning coefficient at w* if γ is small enough to let the chains move in all directions that matter, and
large enough to keep them near w* (Lau et al. 2023, doi 10.48550/arXiv.2308.12108).  If there is such a range of γ, λ̂ is
constant over it; if there is none, λ̂ is the LLC at one γ, which has to be quoted with it.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch

from harness.measure.base import Models
from harness.measure.llc.engines import DEFAULT
from harness.measure.llc.estimate import prepare, spec_of
from harness.measure.llc.rows import MOST_SENSITIVITY, estimate
from harness.measure.llc.spec import LLCSpec
from harness.measure.llc.table import ShownTable, new_axis
from harness.networks import Loss
from harness.networks.callers import instrument
from harness.networks.given import Output
from harness.population import Population
from harness.progress import parts, under_way
from harness.stats.plateaus import plateau

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["GAMMAS", "LLCProfile", "llc_profile"]

# Three to a factor of 10, so that γ/10 is one of them.
GAMMAS = tuple(10 ** (number / 3 - 1) for number in range(13))
SPAN = 10.0  # least ratio of the ends of a plateau
NEEDED = ("model", "localization", "llc", "llc_se", "trusted")


@instrument
def llc_profile(
    models: Models,
    inputs: np.ndarray | torch.Tensor,
    targets: np.ndarray | torch.Tensor,
    *,
    gammas: Iterable[float] = GAMMAS,
    spec: LLCSpec | None = None,
    group: Sequence[Hashable] | None = None,
    loss: Loss = "cross_entropy",
    scope: str | None = None,
    seed: int = 0,
    device: str = "cpu",
    output: Output | None = None,
) -> LLCProfile:
    """Estimate the LLC of every model at every γ.

    Args:
        models: see :func:`harness.measure.llc.estimate.llc`, also for whatever is not described here.
        inputs: data.
        targets: their targets.
        gammas: values of γ, in any order; the default is 13 from 0.1 to 1000.
        spec: settings of the sampler, at each γ in place of its own; its precision and budget hold at each γ.
        group: a label for each model, such as its regime; the profile's curves and plateaus are by group.
        loss: what is averaged over the data.
        scope: which parameters move.
        seed: names the random streams, as in ``llc``: the rows of one γ are those of ``llc`` at it.
        device: "cpu" or "cuda".
        output: turns what a module returns into outputs.

    Returns:
        One row per model × γ, in the order of γ.

    Raises:
        ValueError: the values of γ are not different finite numbers above 0, there is not one label per model, or ``llc``
            raises it.
    """
    levels, chosen, tables = _checked(gammas), spec_of(spec), []
    task = prepare(models, inputs, targets, loss=loss, scope=scope, seed=seed, device=device, output=output)
    count = len(task.theta)
    if group is not None and (isinstance(group, str) or len(group) != count):
        raise ValueError(f"group={group!r}; give one label for each of the {count} models")
    names = list(models.seeds if isinstance(models, Population) else range(count))
    with under_way("LLC by γ", count * len(levels), "models × γ"):
        for gamma in parts(levels):
            table = pd.DataFrame(estimate(task, replace(chosen, localization=gamma), DEFAULT))
            table.insert(0, "model", names)
            table.insert(1, "localization", gamma)
            if group is not None:
                table.insert(0, "group", list(group))
            tables.append(table)
    return LLCProfile(pd.concat(tables, ignore_index=True))


def _checked(gammas: Iterable[float]) -> list[float]:
    """The values of γ in rising order."""
    try:
        given = [float(gamma) for gamma in gammas]
    except (TypeError, ValueError):
        given = []
    if not given or len(set(given)) < len(given) or not all(math.isfinite(gamma) and gamma > 0 for gamma in given):
        raise ValueError(f"gammas={gammas!r}; give one or more different finite numbers above 0")
    return sorted(given)


class LLCProfile(ShownTable):
    """What :func:`llc_profile` returns: a DataFrame with one row per model × γ that draws itself.

    Columns are those of :func:`harness.measure.llc.estimate.llc` after model (its number, or its seed in a population) and
    localization (γ), and group if one was given.  Parts of a profile are profiles, too, and so are several profiles joined:
    ``LLCProfile(pd.concat([one.assign(group="standard"), other.assign(group="robust")]))``.
    """

    @property
    def _constructor(self) -> type[pd.DataFrame]:
        return LLCProfile

    def curve(self) -> pd.DataFrame:
        """The mean curve of every group, and how much of it can be trusted, one row per group × γ.

        Columns are models (how many have an estimate), llc (their mean), llc_se (its standard error over models; for a single
        model its own), trusted (share of the models trusted as the LLC at this γ), change (of the mean at γ/10, relative to
        that at γ; interpolated linearly in log γ, and NaN below the smallest γ) and trusted_as_coefficient (share of the models
        that are trusted and whose own change at γ/10 is below 15 %).
        """
        rows = []
        for label, gammas, each in self._groups():
            values, errors, trusted = each["llc"], each["llc_se"], each["trusted"]
            tenth = np.array([_at(gammas / 10, gammas, own) for own in values])
            with np.errstate(all="ignore"):
                changes = (tenth - values) / np.abs(values)
            flat = np.abs(changes) < MOST_SENSITIVITY  # False where it is not known
            for place, gamma in enumerate(gammas):
                mean, error = _mean(values[:, place], errors[:, place])
                known = np.isfinite(changes[:, place])
                before = values[known, place].sum()
                change = float((tenth[known, place].sum() - before) / abs(before)) if before else math.nan
                rows.append(label | {
                    "localization": gamma, "models": int(np.isfinite(values[:, place]).sum()), "llc": mean, "llc_se": error,
                    "trusted": float(trusted[:, place].mean()), "change": change,
                    "trusted_as_coefficient": float((trusted & flat)[:, place].mean()),
                })  # fmt: skip
        return pd.DataFrame(rows)

    def plateau(self, tolerance: float = 0.15) -> pd.DataFrame:
        """The range of γ over which the mean curve of every group is flat: one row per group.

        It is the widest run of neighbouring γ, over at least a factor of 10, in which no two differ in the mean over models by
        the tolerance, relative to the mean over the run, in a one-sided test at 5 % of each pair
        (:mod:`harness.stats.plateaus`).  The standard error of a difference is the one over models of their own differences, or
        the one of the sampling, whichever is larger.

        Args:
            tolerance: largest change that a plateau may have.

        Returns:
            Columns verdict, lowest and highest (γ), llc (mean over the run), change (largest difference, relative), bound
            (upper limit of the change) and trusted (smallest share of trusted models at a γ of the run), after group if there
            is one.  The verdict is "plateau", "none" (every run is shown to change by more), or "undecided": the errors are too
            large to tell, and the run is the widest that may be a plateau.  Models without an estimate at some γ are left out.

        Raises:
            ValueError: the tolerance is not a finite number above 0.
        """
        if not (math.isfinite(tolerance) and tolerance > 0):
            raise ValueError(f"tolerance={tolerance!r}; give a finite number above 0")
        rows = []
        for label, gammas, each in self._groups():
            found = plateau(gammas, each["llc"], each["llc_se"], tolerance=tolerance, span=SPAN)
            row = {"verdict": found.verdict, "lowest": math.nan, "highest": math.nan, "trusted": math.nan}
            if found.first is not None and found.last is not None:
                own = slice(found.first, found.last + 1)
                row |= {"lowest": gammas[found.first], "highest": gammas[found.last],
                        "trusted": float(each["trusted"][:, own].mean(0).min())}  # fmt: skip
            rows.append(label | row | {"llc": found.mean, "change": found.change, "bound": found.bound})
        columns = ["verdict", "lowest", "highest", "llc", "change", "bound", "trusted"]
        table = pd.DataFrame(rows)
        return table[[*(name for name in table.columns if name not in columns), *columns]]

    def draw(self, axis: Axes | None = None) -> Axes:
        """λ̂ against γ, in a colour for each group.

        The mean over models is drawn with a band of two standard errors over models, every model as a thin line with two of its
        own, and a plateau as a bar along the curve.  Marks of estimates that are not trusted are hollow.

        Args:
            axis: where to draw; None for a new figure.
        """
        axis = new_axis(axis)
        curve, plateaus = self.curve(), self.plateau()
        for number, (label, gammas, each) in enumerate(self._groups()):
            colour, name = f"C{number}", str(label.get("group", "mean over models"))
            for values, errors, trusted in zip(each["llc"], each["llc_se"], each["trusted"], strict=True):
                axis.errorbar(gammas, values, 2 * np.nan_to_num(errors), color=colour, linewidth=0.5, elinewidth=0.5, alpha=0.5)
                for chosen, face in ((trusted, colour), (~trusted, "white")):
                    axis.plot(gammas[chosen], values[chosen], "o", color=colour, markerfacecolor=face, markersize=3, alpha=0.5)
            own = curve if not label else curve[curve["group"] == label["group"]]
            mean, error = own["llc"].to_numpy(), 2 * own["llc_se"].fillna(0).to_numpy()
            axis.plot(gammas, mean, color=colour, linewidth=2, label=name)
            axis.fill_between(gammas, mean - error, mean + error, color=colour, alpha=0.2, linewidth=0)
            flat = plateaus.iloc[number]
            if flat["verdict"] == "plateau":
                axis.plot([flat["lowest"], flat["highest"]], [flat["llc"]] * 2, color=colour, linewidth=7, alpha=0.3,
                          label=f"plateau{f' of {name}' if label else ''}")  # fmt: skip
        axis.plot([], [], "o", color="0.5", markersize=3, label="a model, trusted at this γ")
        axis.plot([], [], "o", color="0.5", markerfacecolor="white", markersize=3, label="a model, not trusted")
        axis.set(xscale="log", xlabel="localisation γ", ylabel="local learning coefficient")
        axis.legend()
        return axis

    def _groups(self) -> list[tuple[dict[str, Any], np.ndarray, dict[str, np.ndarray]]]:
        """For every group, its label, its values of γ, and the columns as arrays of shape (model, γ)."""
        missing = [name for name in NEEDED if name not in self.columns]
        if missing:
            raise ValueError(f"this part of a profile has no column {missing[0]!r}; it needs {', '.join(NEEDED)}")
        frame = pd.DataFrame(self)
        labelled = [({"group": label}, own) for label, own in frame.groupby("group", sort=False)] if "group" in self else []
        found = []
        for label, own in labelled or [({}, frame)]:
            if own.duplicated(["model", "localization"]).any():
                raise ValueError("a model has two rows at one γ; join profiles with a different group for each of them")
            wide = own.set_index(["model", "localization"])
            index = pd.MultiIndex.from_product([own["model"].unique(), np.sort(own["localization"].unique())])
            shape = index.levshape
            columns = {name: wide[name].astype(float).reindex(index).to_numpy().reshape(shape) for name in NEEDED[2:]}
            columns["trusted"] = columns["trusted"] == 1  # what is missing is not
            found.append((label, index.levels[1].to_numpy(), columns))
        return found


def _mean(values: np.ndarray, errors: np.ndarray) -> tuple[float, float]:
    """Mean over models that have an estimate, and its standard error over them; for a single model its own."""
    known = np.isfinite(values)
    values, errors = values[known], errors[known]
    if len(values) < 2:
        return (float(values[0]), float(errors[0])) if len(values) else (math.nan, math.nan)
    return float(values.mean()), float(values.std(ddof=1) / math.sqrt(len(values)))


def _at(places: np.ndarray, gammas: np.ndarray, values: np.ndarray) -> np.ndarray:
    """A curve between its places, linearly in log γ; NaN outside of them."""
    inside = (places >= gammas[0] * (1 - 1e-9)) & (places <= gammas[-1] * (1 + 1e-9))
    found = np.interp(np.log(places), np.log(gammas), values)
    return np.where(inside, found, np.nan)
