"""A run of every verdict and kind, made of rows as the plugin makes them, without a model trained for it."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from harness.claim import Claim, ClaimError, Figure, Source
from harness.report import assemble, base_row, figure_from_evidence, with_verdict

SLT = Source(
    "slt",
    "Adversarial Robustness Through the Lens of Singular Learning Theory",
    year=2024,
    address="https://example.org/slt",
)
LAZY = Source("lazy", "Adversarial Robustness is at Odds with Lazy Training", "Y. Wang and others", 2022)
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


@dataclass(frozen=True)
class Predicted:
    """As much of a prediction as the report reads."""

    sentence: str = "LLC per parameter is higher in standard than in robust models, by at least 0.005"
    rule: str = "above"
    centre: float = 0.0
    margin: float | None = 0.005
    margin_reason: str | None = "half of the difference that the document's Figure 3 shows"
    alpha: float = 0.05

    def describe(self) -> dict[str, Any]:
        return {"sentence": self.sentence, "rule": self.rule, "margin": self.margin}

    def __str__(self) -> str:
        return self.sentence


def claim_of(
    id: str, statement: str, *, source: Source = SLT, reported: str | None = None, **given: Any
) -> Claim:
    """A claim whose quotation and prediction are of the usual length."""
    prediction = given.pop("prediction", Predicted())
    quote = given.pop(
        "quote", "With each architecture the relative reduction in local learning coefficient …"
    )
    return Claim(id, statement, source.at("Experimentation", quote, reported=reported), prediction, **given)


def estimate(effect: float, low: float, high: float, **more: Any) -> dict[str, Any]:
    """The numbers of a verdict, as ``Verdict.to_json()`` spells them."""
    return {
        "estimand": "mean paired difference of LLC per parameter, equal weight per architecture",
        "unit": "nats per parameter",
        "effect": effect,
        "interval": [low, high],
        "p": 0.003,
        "n": 18,
        "standardised": {"effect": 1.4, "interval": [0.8, 2.0]},
        "gates": [
            {"name": "models are competent", "passed": True, "detail": "accuracy ≥ 0.9 in 54 of 54 models"}
        ],
    } | more


def recipe(regime: str, seeds: int = 10) -> dict[str, Any]:
    """What ``Population.provenance()`` says of one recipe."""
    return {
        "name": f"slt {regime}",
        "digest": f"{abs(hash_of(regime)):012x}",
        "seeds": list(range(seeds)),
        "architecture": {"widths": [16, 16, 16], "activation": "relu"},
        "epochs": 100,
        "epsilon": 2.0,
    }


def hash_of(text: str) -> int:
    """A number that depends on the text only; Python's own hash differs from run to run."""
    return int.from_bytes(text.encode()[:6].ljust(6), "big")


def models(seeds: int = 10, architectures: tuple[str, ...] = ("8×1", "16×1", "64×3")) -> pd.DataFrame:
    """A tidy table of invented models: architecture, regime, seed, LLC per parameter, attack success rate."""
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
            peak * np.exp(-(((epoch - 2) / (2 + batch / 32)) ** 2)) + 0.02 * rng.normal(),
        )
        for batch in (32, 64, 128)
        for regime, peak in (("standard", 0.41), ("robust", 0.30))
        for seed in range(seeds)
        for epoch in range(1, epochs + 1)
    ]
    return pd.DataFrame(rows, columns=["batch", "regime", "seed", "epoch", "llc"])


def figures() -> dict[str, Figure]:
    """One figure of every kind, some with colours, panels and guides."""
    table, trained = models(), course()
    steps = pd.DataFrame(
        [(d, m, s, 3 / d * (1 + 0.05 * s)) for d in (16, 64, 256, 1024) for m in (64, 256) for s in range(6)],
        columns=["d", "m", "seed", "step"],
    )
    llc, asr = "LLC per parameter (nats)", "attack success rate at 2"
    return {
        "scatter": Figure(
            "scatter",
            table,
            "llc",
            "asr",
            "LLC against attack success; redraws Figure 5.",
            llc,
            asr,
            hue="regime",
            reference={"chance": 0.33},
        ),
        "facets": Figure(
            "scatter",
            table,
            "llc",
            "asr",
            "The same within each architecture.",
            llc,
            asr,
            hue="regime",
            facet="architecture",
        ),
        "lines": Figure(
            "lines",
            trained,
            "epoch",
            "llc",
            "The course of the LLC; redraws Figure 2.",
            "epoch",
            "LLC (nats)",
            hue="regime",
            facet="batch",
        ),
        "paired": Figure(
            "paired",
            table[table.architecture == "8×1"],
            "regime",
            "llc",
            "Pairs share their seed.",
            "training regime",
            llc,
            pair="seed",
        ),
        "strip": Figure(
            "strip", table, "architecture", "llc", "Every model.", "width × depth", llc, hue="regime"
        ),
        "bars": Figure(
            "bars", table, "architecture", "asr", "Attack success.", "width × depth", asr, hue="regime"
        ),
        "log": Figure(
            "scatter",
            steps,
            "d",
            "step",
            "The step against the dimension.",
            "input dimension d",
            "step |η|",
            hue="m",
            log_x=True,
            log_y=True,
            slope=-1.0,
        ),
    }


def _part(
    prediction: str, verdict: str, effect: float, low: float, high: float, **more: Any
) -> dict[str, Any]:
    return {
        "prediction": prediction,
        "verdict": verdict,
        "label": None,
        "reason": None,
        "rule": "above",
        "estimand": "rho",
        "unit": "Spearman's ρ",
        "effect": effect,
        "interval": [low, high],
        "centre": 0.0,
        "margin": 0.3,
        "alpha": 0.05,
        "p": 0.01,
        "n": 60,
        "strata": [],
    } | more


def rows() -> list[dict[str, Any]]:
    """Rows of all verdicts, kinds and rules."""
    drawn = {name: figure_from_evidence(figure) for name, figure in figures().items()}
    trained = {
        "recipes": [recipe("standard"), recipe("robust")],
        "seconds": 41.2,
        "cached": False,
        "settings": {"sampler": {"chains": 4, "draws": 200, "burn-in": 100}, "points": 3072},
    }
    strata = [
        {"name": name, "effect": e, "interval": [e - 0.005, e + 0.004], "n": 6}
        for name, e in (("8×1", 0.015), ("16×1", 0.011), ("64×3", 0.008))
    ]
    made = [
        (
            claim_of(
                "slt/robust-llc-below-standard",
                "LLC per parameter is lower in robust than in standard models.",
                reported="0.021 against 0.030",
            ),
            {
                "verdict": "supported",
                "reason": "LLC per parameter is 0.012 higher in standard than in robust models (90 % "
                "interval 0.008 to 0.016, 18 pairs), above the smallest effect of interest, 0.005.",
                **estimate(0.0118, 0.0081, 0.0161),
                "strata": strata,
                "figure": drawn["paired"],
                **trained,
                "protocols": [
                    {
                        "name": "sound",
                        "primary": True,
                        "verdict": "supported",
                        "label": None,
                        "effect": 0.0118,
                        "interval": [0.0081, 0.0161],
                        "n": 18,
                        "reason": "",
                        "gates": [],
                    },
                    {
                        "name": "document",
                        "primary": False,
                        "verdict": "invalid",
                        "label": None,
                        "effect": 0.002,
                        "interval": [-0.011, 0.015],
                        "n": 18,
                        "reason": "The sampler is not at a minimum of the loss.",
                        "gates": [
                            {
                                "name": "the estimate is positive",
                                "passed": False,
                                "detail": "in 11 of 36 models",
                            }
                        ],
                    },
                ],
                "companions": [
                    _part(
                        "Spearman's ρ of LLC and log parameters is above 0 by at least 0.3",
                        "inconclusive",
                        0.2,
                        -0.1,
                        0.45,
                    )
                ],
            },
        ),
        (
            claim_of(
                "slt/finetuning-leaves-llc",
                "Finetuning does not affect the local learning coefficient.",
                prediction=Predicted(
                    "the change of LLC lies within 0.01", "within", 0.0, 0.01, "a tenth of the LLC"
                ),
            ),
            {
                "verdict": "supported",
                "reason": "The change lies within the margin.",
                **estimate(0.001, -0.004, 0.006),
                "figure": drawn["strip"],
                **trained,
            },
        ),
        (
            claim_of(
                "slt/peak-widens-with-batch-size",
                "The LLC's early peak is wider at larger batches.",
                tags=("slow",),
            ),
            {
                "verdict": "refuted",
                "label": "reversed",
                "reason": "The peak is narrower.",
                "expected": "supported",
                **estimate(-0.019, -0.03, -0.009, p=0.99),
                "figure": drawn["lines"],
                **trained,
            },
        ),
        (
            claim_of(
                "slt/llc-asr-positive-correlation",
                "LLC and attack success correlate positively within a regime.",
                prediction=Predicted("every part holds", "all", 0.0, None, None),
            ),
            {
                "verdict": "inconclusive",
                "reason": "One of three parts is supported, two allow both.",
                "figure": drawn["facets"],
                "parts": [
                    _part("ρ > 0 in standard models", "supported", 0.62, 0.4, 0.78),
                    _part("ρ > 0 in robust models", "inconclusive", 0.2, -0.05, 0.43),
                    _part("ρ > 0 in finetuned models", "inconclusive", 0.31, 0.05, 0.53),
                ],
                **trained,
            },
        ),
        (
            claim_of(
                "slt/sample-llc-perturbation-negative",
                "Within a sample, LLC and smallest perturbation correlate negatively.",
                prediction=Predicted(
                    "mean ρ is below −0.1", "below", 0.0, 0.1, "the smallest ρ seen on a scatter by eye"
                ),
            ),
            {
                "verdict": "refuted",
                "label": "negligible",
                "reason": "A real effect, smaller than of interest.",
                **estimate(-0.04, -0.07, -0.01),
                "figure": drawn["scatter"],
                **trained,
            },
        ),
        (
            claim_of(
                "slt/neighbourhood-inside-perturbation", "The neighbourhood is smaller than the perturbation."
            ),
            {
                "verdict": "invalid",
                "reason": "The sampler is not trusted: 31 of 32 chains drift.",
                **estimate(0.9, 0.4, 1.4),
                "gates": [
                    {
                        "name": "the sampler is trusted",
                        "passed": False,
                        "detail": "drift below 0.1 in 1 of 32 chains",
                    },
                    {"name": "models are competent", "passed": True, "detail": "32 of 32"},
                ],
                **trained,
            },
        ),
        (
            claim_of(
                "lazy/step-scales",
                "The step grows as one over the dimension.",
                source=LAZY,
                reported="slope −1",
                prediction=Predicted(
                    "the slope lies within 0.1 of −1", "within", -1.0, 0.1, "the document's grid"
                ),
            ),
            {
                "verdict": "supported",
                "reason": "The slope is −1.00.",
                **estimate(-1.004, -1.03, -0.98, unit="log |η| per log d"),
                "figure": drawn["log"],
                **trained,
            },
        ),
        (
            claim_of(
                "lazy/perturbation-scales",
                "The smallest perturbation shrinks with the dimension.",
                source=LAZY,
            ),
            {
                "verdict": "supported",
                "reason": "Far above.",
                **estimate(9.0, 1.2, 44.0),
                "figure": drawn["bars"],
                **trained,
            },
        ),
        (
            claim_of(
                "lazy/cone",
                "Multiplying W by a positive factor changes no prediction.",
                kind="theorem",
                source=LAZY,
                prediction=Predicted("no counterexample in 500 examples", "exact", 0.0, None, None),
            ),
            {
                "verdict": "supported",
                "reason": "No counterexample among 500 examples.",
                "n": 500,
                "seconds": 1.3,
            },
        ),
        (
            claim_of(
                "lazy/digits-apart",
                "Digits of two classes are 0.737 apart.",
                kind="data",
                source=LAZY,
                reported="0.737",
                prediction=Predicted("the distance is 0.737", "exact", 0.0, None, None),
            ),
            {
                "verdict": "supported",
                "reason": "Equal at the three digits printed.",
                "effect": 0.7372549,
                "unit": "L∞",
                "n": 1,
                "cached": True,
                "seconds": 0.02,
            },
        ),
        (
            claim_of("lazy/robust-error-high", "The robust error exceeds 0.9.", source=LAZY),
            {
                "verdict": "error",
                "reason": "RuntimeError: the loss is not finite at step 3",
                "error": 'Traceback (most recent call last):\n  File "claims/test_lazy.py", line 40, in test_robust\n'
                "RuntimeError: the loss is not finite at step 3",
            },
        ),
    ]
    broken = base_row(
        ClaimError("claim lazy/trains: it has no prediction, so nothing could count against it"),
        "lazy/trains",
    )
    return [*(with_verdict(base_row(claim, claim.id), verdict) for claim, verdict in made), broken]


@pytest.fixture(scope="session")
def sample() -> SimpleNamespace:
    """The makers above, for tests that need variations."""
    return SimpleNamespace(
        **{name: value for name, value in globals().items() if callable(value)}, PROVENANCE=PROVENANCE
    )


@pytest.fixture
def run() -> dict[str, Any]:
    """A complete run."""
    return assemble(rows(), scale="reduced", device="cpu", provenance=PROVENANCE)
