"""A run of every verdict and kind, made of rows as the plugin makes them, without a model trained for it."""

from __future__ import annotations

import functools
import re
import string
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from harness.claim import Claim
from harness.errors import ClaimError
from harness.evidence import Figure, Images
from harness.fixed import CODE
from harness.judge.voice import voice
from harness.predict import PairedDifference, ScalingExponent
from harness.report import assemble, base_row, figure_from_evidence, plain, with_verdict
from harness.report.images import images_from_evidence
from harness.running.edges import Edge
from harness.running.found import Search, Share
from harness.running.importance import Index
from harness.running.maps import Map
from harness.running.surface import Split
from harness.running.trials import Trial
from harness.source import Source
from harness.stats import Student

SLT = Source("slt", "Adversarial Robustness Through the Lens of Singular Learning Theory", year=2024)
LAZY = Source(
    "lazy",
    "Adversarial Robustness is at Odds with Lazy Training",
    "Y. Wang and others",
    2022,
    "https://x.org/a",
)
PROVENANCE = {
    "started": "2026-03-02T09:15:00+00:00",
    "seconds": 831.4,
    "commit": "4f0c2d9a77be31",
    "dirty": True,
    "python": "3.11.9",
    "torch": "2.13.0",
    "platform": "Linux x86_64",
    "command": "pytest claims/ -n auto",
    "workers": 2,
    "llc_engine": "stacked",
    "version": "0.1.0",
}
PAIRS = "pair (architecture × seed)"


def trial(verdict: str, settings: dict[str, Any], effect: float, half: float, reason: str = "So.") -> Trial:
    """A claim in another setting; one without half a width could not be run."""
    numbers = (effect, (effect - half, effect + half), 18) if half else (None, None, None)
    return Trial(settings, verdict, reason, *numbers, seconds=8.0)


_TRIALS = (trial("supported", {"noise": 0.5}, 0.002, 0.006), trial("error", {"points": 64}, 0, 0, "ValueError: too few"),
           trial("refuted", {"noise": 1.5}, -0.021, 0.013),
           trial("supported", {"noise": 0.8, "points": 512}, 0.006, 0.005))  # fmt: skip
_DEFAULT = {"noise": 1.0, "points": 256}
SEARCH = Search(
    "refuted", _TRIALS, {"noise": 1.5}, True, trial("refuted", {"noise": 1.5}, -0.018, 0.011),
    "Of 4 settings spread evenly over the scope: 2 supported, 1 refuted, 1 error; so it is supported in 7 to 93 % of it.",
    _DEFAULT,
    (Share("supported", 2, 4, (0.07, 0.93)), Share("refuted", 1, 4, (0.01, 0.81)), Share("error", 1, 4, (0.01, 0.81))),
    0.6, (Edge("noise", 1.2, 1.3, 1.25, 1.2, 1.3),), trial("supported", {"noise": 1.2}, 0.004, 0.003),
    Split("noise", 1.0, 1.5, holds_below=True, right=4, of=4),
    (Index("noise", 0.8, 0.9, (0.6, 1.0)), Index("points", 0.0, 0.1, (0.0, 0.3))), 0.001, 0.2,
    (Map("noise", "points", (0.5, 1.0, 1.5, 2.0), (16, 64, 256), ((0.99, 0.9, 0.3, 0.02), (0.98, 0.8, 0.2, 0.01),
         (0.97, 0.6, 0.1, 0.01)), (0.4, 0.5), ((0.6, 0.5, "refuted"), (0.2, 0.9, "supported"))),), 0.004,
)  # fmt: skip
NOTHING = Search("refuted", _TRIALS[:1], None, None, None, "It is refuted in none of 1 settings.", _DEFAULT)


@dataclass(frozen=True)
class Predicted:
    """As much of a prediction as the report reads."""

    sentence: str = "LLC per parameter is higher in standard than in robust models"
    rule: str = "above"
    centre: float = 0.0
    margin: float = 0.005
    margin_reason: str = "half of the difference that the document's Figure 3 shows"
    alpha: float = 0.05

    def describe(self) -> dict[str, Any]:
        return {"sentence": self.sentence, "rule": self.rule, "margin": self.margin}

    def __str__(self) -> str:
        return self.sentence


WITHIN = Predicted("the change of the LLC lies within 0.01", "within", 0.0, 0.01, "a tenth of the LLC")
BELOW = Predicted("the mean correlation is below 0", "below", 0.0, 0.1, "the smallest one that a reader sees")
SLOPE = Predicted("the exponent lies within 0.1 of −1", "within", -1.0, 0.1, "the document's grid")
ALL = Predicted("All of: (1) … (2) … (3) …", "all", 0.0, 0.0, "each part has its own")
EXACT = Predicted("no counterexample is found among 500 admissible examples", "exact", 0.0, 0.0, "exact")


def claim_of(id: str, prediction: Any = None, reported: str | None = None, **given: Any) -> Claim:
    """A claim whose statement and quotation are of the usual length."""
    source = LAZY if id.startswith("lazy/") else SLT
    quote = given.pop("quote", "With each architecture the relative reduction remains fairly consistent")
    statement = given.pop("statement", "LLC per parameter is lower in robust than in standard models.")
    cited = source.at("Experimentation", quote, reported=reported)
    return Claim(id, statement, cited, prediction or Predicted(), **given)


def estimate(effect: float, low: float | None, high: float | None, **more: Any) -> dict[str, Any]:
    """The numbers of a verdict, as ``Verdict.to_json()`` spells them."""
    gate = {"name": "models are competent", "passed": True, "detail": "accuracy ≥ 0.9 in 54 of 54 models"}
    size = {"effect": 1.4, "interval": [0.8, 2.0]}
    numbers = {"effect": effect, "interval": [low, high], "p": 0.003, "p_support": 0.002, "p_refute": 0.9, "n": 18,
               "unit": PAIRS}  # fmt: skip
    words = {"estimand": "mean paired difference of LLC per parameter, equal weight per architecture"}
    power = {
        "power": 0.9,
        "unit": PAIRS,
        "n": 18,
        "smallest_effect": 0.004,
        "units_needed": 12,
        "statement": "With 90 % power 18 units find 0.004 or more; the smallest effect of interest, 0.005, needs 12.",
        "study": None,
    }
    return {**words, **numbers, "standardised": size, "power": power, "gates": [gate], **more}


def voiced(rule: str, effect: float, low: float, high: float, centre: float = 0.0, margin: float = 0.005) -> dict[str, Any]:
    """What the second voice says of a normal estimate with this 90 % interval."""
    study = Student(effect, (high - low) / (2 * 1.645))
    terms = {"margin": margin, "margin_reason": "half"}
    if rule == "within":
        prediction: Any = ScalingExponent("y", "x", "seed", value=centre, tolerance=margin, margin_reason="half")
    else:
        prediction = PairedDifference("llc", "regime", "standard", "robust", "seed", **terms)
    found = voice(prediction, prediction.seen(study, estimand="mean", unit="seed", p=0.01, n=18))
    assert found is not None
    return {"voice": found.to_json() | {"bayes_factor": 41.3}}


def left_out(measured: int, negative: int) -> dict[str, Any]:
    """Rows that were measured, of which the negative ones are not judged."""
    why = {"rows": negative, "because": "negative estimates, which are removed", "columns": ["llc"], "on_outcome": True}
    return {"measured": measured, "judged": measured - negative, "left_out": [why]}


def standing(state: str, *changed: str) -> dict[str, Any]:
    """How a claim stands to ledger and preregistration, and what measured it."""
    line = {
        "date": "2026-01-05",
        "changed": list(changed),
        "was": "inconclusive",
        "because": "the first sampler had not converged",
    }
    group = {"seeds": list(range(10)), "recipes": {"a1": "slt standard", "b2": "slt robust"}}
    asked = {"name": "LLC", "members": 20, "settings": {"type": "LLC", "engine": None}, "streams": [0]}
    ran = {"name": "LLC", "engine": "devinterp", "settings": {"type": "LLC", "engine": "devinterp"}, "streams": 1,
           "trusted": {"count": 7, "of": 20}}  # fmt: skip
    return {
        "changes": [line] if changed else [],
        "registered": {"state": state, "date": "2026-01-04", "differs": list(changed) if state == "differs" else []},
        "design": {"digest": "d1", "populations": [group], "instruments": [asked], "code": "c1"}, "instruments": [ran],
    }  # fmt: skip


def part(prediction: str, verdict: str, effect: float, low: float, high: float) -> dict[str, Any]:
    """A part of a conjunction, or a companion."""
    numbers = {
        "effect": effect,
        "interval": [low, high],
        "centre": 0.0,
        "margin": 0.3,
        "alpha": 0.05,
        "p": 0.01,
        "p_support": 0.01,
        "p_refute": 0.7,
    }
    words = {
        "prediction": prediction,
        "verdict": verdict,
        "label": None,
        "grade": None,
        "reason": "It is so.",
        "rule": "above",
    }
    return {**words, "estimand": "Spearman's ρ", "unit": "model", **numbers, "n": 60, "strata": []}


def protocol(name: str, verdict: str, *, primary: bool = False, failed: bool = False) -> dict[str, Any]:
    """The verdict under one protocol."""
    gate = {"name": "the estimate is positive", "passed": not failed, "detail": "in 11 of 36 models"}
    numbers = {"effect": 0.0118, "interval": [0.0081, 0.0161], "n": 18, "gates": [gate], "rows": None}
    return {"name": name, "primary": primary, "verdict": verdict, "label": None, "grade": None, "reason": "So.", **numbers}


def recipe(regime: str, digest: str) -> dict[str, Any]:
    """What ``Population.provenance()`` says of one recipe."""
    architecture = {"widths": [16, 16, 16], "activation": "relu"}
    known = {"name": f"slt {regime}", "digest": digest, "seeds": list(range(10))}
    return {**known, "architecture": architecture, "epochs": 100, "epsilon": 2.0}


def models(seeds: int = 10, architectures: tuple[str, ...] = ("8×1", "16×1", "64×3")) -> pd.DataFrame:
    """A tidy table of invented models: architecture, regime, seed, LLC per parameter, attack success."""
    rng = np.random.default_rng(7)
    rows = []
    for architecture in architectures:
        for seed in range(seeds):
            common = rng.normal()
            for regime, middle in (("standard", 0.030), ("robust", 0.022), ("finetuned", 0.018)):
                llc = middle * np.exp(0.15 * common + 0.1 * rng.normal())
                rows.append((architecture, regime, seed, llc, 0.1 + 6 * llc + 0.03 * rng.normal()))
    return pd.DataFrame(rows, columns=["architecture", "regime", "seed", "llc", "asr"])


def course(seeds: int = 4, epochs: int = 20) -> pd.DataFrame:
    """Invented courses through training at three batch sizes."""
    rng = np.random.default_rng(3)
    rows = [
        (
            batch,
            regime,
            seed,
            epoch,
            peak * np.exp(-(((epoch - 2) / (2 + batch / 32)) ** 2)) + rng.normal() / 50,
        )
        for batch in (32, 64, 128)
        for regime, peak in (("standard", 0.41), ("robust", 0.30))
        for seed in range(seeds)
        for epoch in range(1, epochs + 1)
    ]
    return pd.DataFrame(rows, columns=["batch", "regime", "seed", "epoch", "llc"])


def steps() -> pd.DataFrame:
    """Invented steps that shrink as one over the dimension."""
    rows = [(d, m, s, (3 + m / 200) / d * (1 + s / 20)) for d in (16, 64, 256) for m in (64, 256) for s in range(6)]
    return pd.DataFrame(rows, columns=["d", "m", "seed", "step"])


def figures() -> dict[str, Figure]:
    """One figure of every kind, some with colours, panels and guides."""
    table, llc, asr = models(), "LLC per parameter (nats)", "attack success rate at 2"
    one = table[table.architecture == "8×1"]
    size = "width × depth"
    drawn = {
        "scatter": Figure(
            "scatter",
            table,
            "llc",
            "asr",
            "Redraws Figure 5.",
            llc,
            asr,
            hue="regime",
            reference={"chance": 0.33},
        ),
        "facets": Figure("scatter", table, "llc", "asr", "By architecture.", llc, asr, hue="regime", facet="architecture"),
        "lines": Figure("lines", course(), "epoch", "llc", "Redraws Figure 2.", "epoch", llc, hue="regime", facet="batch"),
        "paired": Figure("paired", one, "regime", "llc", "Pairs share their seed.", "regime", llc, pair="seed"),
        "strip": Figure("strip", table, "architecture", "llc", "Every model.", size, llc, hue="regime"),
        "bars": Figure("bars", table, "architecture", "asr", "Attack success.", size, asr, hue="regime"),
    }
    guides = {"hue": "m", "log_x": True, "log_y": True, "slope": -1.0}
    return drawn | {"log": Figure("scatter", steps(), "d", "step", "Step.", "dimension d", "step |η|", **guides)}


def images() -> Images:
    """A grid of three small images, and one place that has none."""
    shades = [("small", 0.0), ("small", 0.1), ("large", 0.0)]
    table = pd.DataFrame([
        {"size": size, "network": network, "image": np.full((6, 6), 0.5 + size), "answer": "seen as 7"}
        for network, size in shades
    ])  # fmt: skip
    return Images(table, "image", "size", "network", "Held-out images under attack", "answer")


def declared() -> list[tuple[Claim, dict[str, Any]]]:
    """Claims with what the judge and the plugin say of each."""
    drawn = {name: figure_from_evidence(figure) for name, figure in figures().items()}
    strata = [
        {"name": name, "effect": effect, "interval": [effect - 0.005, effect + 0.004], "n": 6}
        for name, effect in (("8×1", 0.015), ("16×1", 0.011), ("64×3", 0.008))
    ]
    parts = [
        part("ρ > 0 in standard models", "supported", 0.62, 0.4, 0.78),
        part("ρ > 0 in robust models", "inconclusive", 0.2, -0.05, 0.43),
        part("ρ > 0 in finetuned models", "inconclusive", 0.31, 0.05, 0.53),
    ]
    distrust = [{"name": "the sampler is trusted", "passed": False, "detail": "drift below 0.1 in 1 of 32 chains"}]
    case = {"name": "train–train", "effect": 0.7372549, "interval": [0.7372549, 0.7372549], "n": 1}
    protocols = [protocol("sound", "supported", primary=True), protocol("document", "invalid", failed=True)]
    beside = [part("ρ of LLC and log parameters is above 0", "inconclusive", 0.2, -0.1, 0.45)]
    full = estimate(0.0118, 0.0081, 0.0161, strata=strata, protocols=protocols, companions=beside)
    trace = 'Traceback (most recent call last):\n  File "claims/test_lazy.py", line 40\nRuntimeError: not finite'
    exact = {"p": None, "p_support": None, "p_refute": None, "standardised": None, "power": None, "interval": None, "gates": []}
    return [
        (claim_of("slt/robust-below", reported="0.021 against 0.030"),
         {"verdict": "supported", "grade": "at least m", "reason": "It lies above.", "figure": drawn["paired"], **full,
          **voiced("above", 0.0118, 0.0081, 0.0161),
          **standing("as registered")}),
        (claim_of("slt/finetuning", WITHIN),
         {"verdict": "supported", "reason": "Within.", "figure": drawn["strip"],
          **standing("differs", "margin 0.02 → 0.01", "seeds 8 → 10"),
          **voiced("within", 0.001, -0.004, 0.006, margin=0.01),
          **estimate(0.001, -0.004, 0.006), "search": plain(SEARCH.to_json())}),
        (claim_of("slt/peak-widens", tags=("slow",)),
         {"verdict": "refuted", "label": "reversed", "reason": "Narrower.", "expected": "supported",
          "figure": drawn["lines"], "search": plain(NOTHING.to_json()), **standing("not registered", CODE),
          **estimate(-0.019, -0.03, -0.009, p=0.99, p_support=0.99, p_refute=0.02)}),
        (claim_of("slt/correlation", ALL),
         {"verdict": "inconclusive", "reason": "One of three.", "parts": parts, "figure": drawn["facets"],
          **voiced("above", 0.2, -0.05, 0.43, margin=0.3),
          **estimate(0.2, -0.05, 0.43, gates=[], margin=0.3, centre=0.0, alpha=0.05)}),
        (claim_of("slt/sample", BELOW),
         {"verdict": "refuted", "label": "negligible", "reason": "A real effect, smaller than of interest.",
          "figure": drawn["scatter"], "rows": left_out(5120, 214), **estimate(-0.04, -0.07, -0.01)}),
        (claim_of("slt/neighbourhood"),
         {"verdict": "invalid", "reason": "Chains drift.", **estimate(0.9, 0.4, 1.4, gates=distrust)}),
        (claim_of("lazy/step", SLOPE, "slope −1"),
         {"verdict": "supported", "reason": "−1.", "figure": drawn["log"], **estimate(-1.004, -1.03, -0.98),
          **voiced("within", -1.004, -1.03, -0.98, -1.0, 0.1)}),
        (claim_of("lazy/perturbation"),
         {"verdict": "supported", "grade": "probably below m", "reason": "Above.", "figure": drawn["bars"],
          **estimate(9.0, 1.2, None),
          "images": images_from_evidence(images())}),
        (claim_of("lazy/cone", EXACT, kind="theorem"),
         {"verdict": "supported", "reason": "None.", "seconds": 1.3,
          **estimate(0.0, 0.0, 0.0, n=500, unit="example", estimand="number of counterexamples") | exact}),
        (claim_of("lazy/digits", EXACT, "0.737", kind="data"),
         {"verdict": "supported", "reason": "Equal.", "cached": True, "strata": [case],
          **estimate(0.0, 0.0, 0.0, n=1, unit="case", estimand="number of cases that differ") | exact}),
        (claim_of("lazy/robust-error"),
         {"verdict": "error", "reason": "could not be run: RuntimeError", "error": trace}),
    ]  # fmt: skip


def rows() -> list[dict[str, Any]]:
    """Rows of all verdicts, kinds and rules; the last is of a claim that is not declared correctly."""
    settings = {"sampler": {"chains": 4, "draws": 200, "burn-in": 100}, "points": 3072}
    trained = {
        "recipes": [recipe("standard", "a1"), recipe("robust", "b2")],
        "settings": settings,
        "seconds": 41.2,
    }
    made = [
        with_verdict(base_row(claim, claim.id), (trained if claim.kind == "empirical" else {}) | verdict)
        for claim, verdict in declared()
    ]
    return [*made, base_row(ClaimError("claim lazy/trains: it has no prediction"), "lazy/trains")]


def run_of_rows(*gathered: dict[str, Any]) -> dict[str, Any]:
    """A run of these rows."""
    return assemble(gathered, scale="reduced", device="cpu", provenance=PROVENANCE)


def column(held: Any) -> list[Any]:
    """The values of a column, as the page's script reads them."""
    if not isinstance(held, dict):
        return list(held)
    if "run" in held:
        return [held["of"][row // held["run"] % len(held["of"])] for row in range(held["count"])]
    if "of" in held:
        return [held["of"][(string.digits + string.ascii_letters).index(at)] for at in held["at"]]
    each = [held["at"][start : start + held["wide"]] for start in range(0, len(held["at"]), held["wide"])]
    return [None if one[0] == "-" else float(f"{held['least'] + _from_base(one)}e{held['ten']}") for one in each]


def _from_base(digits: str) -> int:
    return functools.reduce(lambda sum, digit: sum * 62 + (string.digits + string.ascii_letters).index(digit), digits, 0)


def strokes_of(data: str) -> list[list[tuple[int, int]]]:
    """The points of each stroke of a path, whose steps are relative: after a move come lines, unless it is said otherwise."""
    strokes: list[list[tuple[int, int]]] = []
    x = y = 0
    for letter, given in re.findall(r"([mlhvz])([^a-z]*)", data):
        numbers = [int(number) for number in re.findall(r"-?\d+", given)]
        level, upright = [(each, 0) for each in numbers], [(0, each) for each in numbers]
        steps = level if letter == "h" else upright if letter == "v" else list(zip(numbers[::2], numbers[1::2], strict=True))
        if letter == "m":
            strokes.append([])
        for right, down in steps:
            x, y = x + right, y + down
            strokes[-1].append((x, y))
        if letter == "z":
            x, y = strokes[-1][0]
    return strokes
