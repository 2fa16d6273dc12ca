"""Tables of learning coefficients that draw themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch

from harness.showing import Shown

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class ShownTable(Shown, pd.DataFrame):
    """A table of estimates, shown by a few facts and its main columns; printed, or cut by columns, it is shown by pandas."""

    _main = ("group", "model", "localization", "llc", "llc_se", "trusted", "distrust")

    def _shown(self) -> tuple[str, Mapping[str, Any]]:
        llc, trusted = self["llc"].to_numpy(dtype=float), int((self["trusted"] == True).sum())  # noqa: E712 - NaN is not True
        finite = llc[np.isfinite(llc)]
        return f"{type(self).__name__} of {len(self):,} rows", {
            "llc": f"{finite.min():.4g} to {finite.max():.4g}" if len(finite) else "none finite",
            "trusted": f"{trusted} of {len(self)}", "columns": len(self.columns),
        }  # fmt: skip

    def _shown_rows(self) -> tuple[Sequence[str], Sequence[Sequence[Any]]]:
        names = [name for name in self._main if name in self.columns]
        return names, [[value.item() if hasattr(value, "item") else value for value in row]
                       for row in pd.DataFrame(self)[names].itertuples(index=False)]  # fmt: skip

    def _whole(self) -> bool:
        return {"llc", "trusted"} <= set(self.columns)

    def __repr__(self) -> str:
        return Shown.__repr__(self) if self._whole() else pd.DataFrame.__repr__(self)

    def __str__(self) -> str:
        return pd.DataFrame.__repr__(self)

    def _repr_html_(self) -> str:
        return Shown._repr_html_(self) if self._whole() else str(pd.DataFrame(self)._repr_html_())  # type: ignore[operator]


class LLCTable(ShownTable):
    """What :func:`harness.measure.llc.estimate.llc` returns: a DataFrame with one row per model, and its chains where kept.

    Attributes:
        traces: the chains, one row per model × chain × draw with columns model, chain, draw and loss; None if they were not
            kept, or once the table has been cut or joined.
    """

    _kept: list[pd.DataFrame | None]

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        object.__setattr__(self, "_kept", [None])  # not an attribute in pandas' sense, which would be a column

    @property
    def _constructor(self) -> type[pd.DataFrame]:
        return pd.DataFrame

    @property
    def traces(self) -> pd.DataFrame | None:
        """See the class."""
        return self._kept[0]

    @traces.setter
    def traces(self, traces: pd.DataFrame | None) -> None:
        self._kept[0] = traces

    def draw(self, axis: Axes | None = None) -> Axes:
        """Estimates with two standard errors, and every chain's own beside them; marks that are not trusted are hollow.

        Args:
            axis: where to draw; None for a new figure.
        """
        axis = new_axis(axis)
        models = np.arange(len(self))
        chains = [name for name in self.columns if str(name).startswith("chain_")]
        for name in chains:
            axis.plot(models, self[name], ".", color="0.7", zorder=1)
        for trusted, face in ((True, "tab:blue"), (False, "white")):
            chosen = self["trusted"].to_numpy() == trusted
            if chosen.any():
                error = 2 * self["llc_se"][chosen].fillna(0)
                axis.errorbar(models[chosen], self["llc"][chosen], error, fmt="o", color="tab:blue", markerfacecolor=face,
                              label="trusted" if trusted else "not trusted")  # fmt: skip
        axis.set(xlabel="model", ylabel="local learning coefficient", xticks=models)
        axis.legend()
        return axis

    def draw_traces(self, axis: Axes | None = None) -> Axes:
        """The loss of every chain by draw, above L(w*).

        Args:
            axis: where to draw; None for a new figure.

        Raises:
            ValueError: the chains were not kept.
        """
        if self.traces is None:
            raise ValueError("the chains were not kept; call llc(…, traces=True)")
        axis = new_axis(axis)
        for _, chain in self.traces.groupby(["model", "chain"]):
            model = int(chain["model"].iloc[0])
            excess = chain["loss"] - self["initial_loss"].iloc[model]
            axis.plot(chain["draw"], excess, linewidth=0.8, color=f"C{model % 10}")
        axis.axhline(0, color="0.5", linewidth=0.8)
        axis.set(xlabel="draw", ylabel="L(w) − L(w*)")
        return axis


def new_axis(axis: Axes | None) -> Axes:
    """The axis, or that of a new figure that is not registered with pyplot."""
    if axis is not None:
        return axis
    from matplotlib.figure import Figure

    return Figure(layout="constrained").subplots()


def long_traces(losses: torch.Tensor, chains: int) -> pd.DataFrame:
    """Losses of shape (model × chain, draw) as one row per model × chain × draw."""
    rows, draws = np.indices(tuple(losses.shape)).reshape(2, -1)
    return pd.DataFrame({
        "model": rows // chains, "chain": rows % chains, "draw": draws, "loss": losses.double().cpu().numpy().ravel(),
    })  # fmt: skip
