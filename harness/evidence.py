"""What a claim's body returns: what was measured, and what is to be drawn of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from harness.errors import ClaimError
from harness.showing import Shown

if TYPE_CHECKING:
    import pandas as pd

    from harness.kept import Account


class TooMuchError(ClaimError):
    """There is more to show than can be read, as there may be at a larger scale only: it costs the picture, and no verdict."""


@dataclass(frozen=True, repr=False)
class Figure(Shown):
    """What to draw beside a verdict; the report draws it, the claim only names columns.

    Attributes:
        kind: "scatter" (points of y over x), "lines" (mean of y over x with its spread), "paired" (one line per pair
            between the levels of x), "strip" (points of y in the categories of x), "bars" (y by category x).
        table: tidy table to draw from, a few hundred rows at most.
        x: column on the horizontal axis.
        y: column on the vertical axis.
        title: what the figure shows, in a sentence; it names the document's figure that it redraws.
        x_label: axis label with its unit.
        y_label: axis label with its unit.
        hue: column that gives the colour, or None.
        facet: column that splits the figure into panels, or None.
        pair: column that identifies a pair (kind "paired").
        log_x: logarithmic horizontal axis.
        log_y: logarithmic vertical axis.
        own_axes: every panel has its own ranges, for panels whose values lie far apart; else all share one.
        reference: numbers at which a horizontal line is drawn, by their label.
        slope: slope of a dashed guide line in log-log figures, or None.
        through: a point (x, y) of that line; None for one that only shows the slope, through the middle of the data.
        ringed: places that are drawn with a ring, each a value by column (x, y, and the facet where there is one), by what is
            written beside it; such as the counterexample that a theorem's search found.
    """

    kind: Literal["scatter", "lines", "paired", "strip", "bars"]
    table: pd.DataFrame
    x: str
    y: str
    title: str
    x_label: str
    y_label: str
    hue: str | None = None
    facet: str | None = None
    pair: str | None = None
    log_x: bool = False
    log_y: bool = False
    own_axes: bool = False
    reference: Mapping[str, float] = field(default_factory=dict)
    slope: float | None = None
    through: tuple[float, float] | None = None
    ringed: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def _shown(self) -> tuple[str, Mapping[str, Any]]:
        shape = " × ".join(map(str, getattr(self.table, "shape", ())))
        return f"Figure of kind {self.kind}", {"shows": self.title, "y": self.y, "x": self.x, "hue": self.hue,
                                               "facet": self.facet, "rows × columns": shape}  # fmt: skip


@dataclass(frozen=True, repr=False)
class Images(Shown):
    """Example images to show under the figure, in a grid; the report draws them.

    Attributes:
        table: one row per image, sixty at most.
        image: column of arrays of shape (height, width) or (height, width, 3), from 0 (black) to 1 (white).
        x: column whose values head the columns of the grid.
        y: column whose values head its rows.
        note: column of a few words under each image (what a network answers), or None.
        title: what is shown, in a sentence.
    """

    table: pd.DataFrame
    image: str
    x: str
    y: str
    title: str
    note: str | None = None

    def _shown(self) -> tuple[str, Mapping[str, Any]]:
        return f"{len(self.table)} images", {"show": self.title, "across": self.x, "down": self.y}


@dataclass(frozen=True, repr=False)
class Evidence(Shown):
    """What a claim's body returns: tables, and what to draw.  It holds no verdict and asserts nothing.

    Attributes:
        table: tidy table, one row per unit (and checkpoint, scope, sample) with every column that the prediction
            and the gates name; or, for a claim with protocols, such a table for each protocol.
        figure: what to draw, or None.
        recipes: what was trained, as returned by ``Population.provenance()``.
        settings: anything else that a reader needs to repeat the measurement (sampler settings, data).
        shortfall: None, or what is missing so that the claim cannot be judged, with its remedy; the verdict is
            then INVALID with this text as its reason.
        images: example images to show under the figure, or None.
        rows: how many rows were measured and why any of them is not in the table; for a claim with protocols, one account for
            each.  None if nobody counted.
    """

    table: pd.DataFrame | Mapping[str, pd.DataFrame]
    figure: Figure | None = None
    recipes: tuple[Mapping[str, Any], ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    shortfall: str | None = None
    images: Images | None = None
    rows: Account | Mapping[str, Account] | None = None

    def _shown(self) -> tuple[str, Mapping[str, Any]]:
        tables = self.table if isinstance(self.table, Mapping) else {"rows × columns": self.table}
        sizes = {str(name): " × ".join(map(str, getattr(table, "shape", ()))) for name, table in tables.items()}
        return "Evidence", {
            **sizes, "columns": tuple(map(str, next(iter(tables.values())).columns)) if len(sizes) == 1 else None,
            "figure": self.figure.title if self.figure else None, "recipes": len(self.recipes) or None,
            "settings": tuple(self.settings), "shortfall": self.shortfall,
        }  # fmt: skip
