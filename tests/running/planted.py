"""Claims whose truth is known over a whole scope: a step, a slope, an oblique line, or the same everywhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from hypothesis import strategies as st

from harness.judge import judge
from harness.predict import PairedDifference
from harness.running.explored import Explored
from harness.running.found import Search, search
from harness.running.scope import Scope, scope_of
from harness.running.search import begun, go
from harness.running.trials import trial_of

UNITS = 16
STRATEGIES = {
    "noise": st.floats(0.5, 3.0), "amplitude": st.floats(1, 10), "width": st.integers(8, 256), "classes": st.integers(2, 6),
    "regime": st.sampled_from(["a", "b"]),
}  # fmt: skip
DEFAULTS = {"noise": 1.0, "amplitude": 4.0, "width": 64, "classes": 3, "regime": "a"}
HIGHER = PairedDifference(
    value="llc", factor="regime", higher="standard", lower="robust", pair="seed", margin=1.0, margin_reason="one",
)  # fmt: skip


@dataclass
class Planted:
    """A claim whose effect, in margins, is a known function of the settings.

    Attributes:
        scope: its axes.
        effect: of the settings; the margin is 1, and a unit's standard deviation is 1.
        threshold: where along the first setting it turns, all others at their defaults; None where it does nowhere.
        rng: of its units.
        default: the trial at its defaults, once it was searched.
    """

    scope: Scope
    effect: Callable[[dict[str, Any]], float]
    threshold: float | None
    rng: np.random.Generator
    default: Any = None

    def judged(self, settings: Any) -> Any:
        """The judge's verdict on units of its own."""
        units = self.rng.normal(self.effect({**self.scope.defaults, **settings}), 1.0, UNITS)
        seeds = range(UNITS)
        return judge(HIGHER, pd.DataFrame({
            "seed": [*seeds, *seeds], "regime": ["standard"] * UNITS + ["robust"] * UNITS, "llc": [*units, *np.zeros(UNITS)],
        }))  # fmt: skip

    def search(self, trials: int) -> Search:
        """A search of it."""
        self.default = trial_of(self.judged({}), {}, 0.0, "default")
        return search(self.scope, self.judged, self.default, trials, self.judged)

    def map_of(self, found: Search) -> Explored:
        """The trials of the search that was made last, as the map has them."""
        return Explored(self.scope, self.judged, self.default, len(found.trials), trials=list(found.trials))

    def explored(self, trials: int) -> Explored:
        """The trials of a search of it."""
        explored = begun(self.scope, self.judged, trial_of(self.judged({}), {}, 0.0, "default"), trials)
        go(explored)
        return explored

    def right(self, explored: Explored) -> float:
        """Share of a fresh even sample of the scope that the map puts on the right side."""
        fresh = self.scope.even(512, "fresh")
        surface = explored.surface()
        assert surface is not None
        truth = [self.effect({**self.scope.defaults, **settings}) >= 1 for settings in fresh]
        return float(np.mean((surface.holds(fresh) > 0.5) == truth))


def first(dimensions: int) -> Scope:
    """The scope of the first so many settings."""
    names = list(STRATEGIES)[:dimensions]
    return scope_of({name: STRATEGIES[name] for name in names}, {name: DEFAULTS[name] for name in names})


def step(dimensions: int, seed: int) -> Planted:
    """A claim that holds below a threshold of the noise, and not above it, whatever the other settings are."""
    rng = np.random.default_rng(seed)
    threshold = float(rng.uniform(1.2, 2.6))
    return Planted(first(dimensions), lambda given: 2.0 if given["noise"] < threshold else 0.0, threshold, rng)


def slope(dimensions: int, seed: int) -> Planted:
    """A claim whose effect falls with the noise, by two margins a unit."""
    rng = np.random.default_rng(seed)
    threshold = float(rng.uniform(1.2, 2.6))
    return Planted(first(dimensions), lambda given: 1 + 2 * (threshold - given["noise"]), threshold, rng)


def oblique(seed: int) -> Planted:
    """A claim that holds below an oblique line in two settings."""
    rng = np.random.default_rng(seed)
    weights = rng.uniform(0.5, 2, 2)
    level = float(rng.uniform(0.45, 0.75) * weights.sum())
    scope = scope_of({"a": st.floats(0, 1), "b": st.floats(0, 1)}, {"a": 0.2, "b": 0.2})
    return Planted(scope, lambda given: 2.0 if weights @ [given["a"], given["b"]] < level else 0.0, None, rng)


def everywhere(dimensions: int, seed: int, effect: float) -> Planted:
    """A claim with the same effect in all of its scope."""
    return Planted(first(dimensions), lambda given: effect, None, np.random.default_rng(seed))
