"""A run of the size that all documents together have: 77 synthetic rows, for what depends on the size of a page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from report_samples import PROVENANCE, estimate, figures, part, protocol, recipe, voiced

from harness.evidence import Figure
from harness.report import assemble, figure_from_evidence
from harness.report.rows import Row, blank_row

COUNT = 77
TITLES = {
    "slt": "Adversarial Robustness Through the Lens of Singular Learning Theory",
    "overparam": "Overparameterisation and Memorisation",
    "dynamics": "Theoretical Understanding of Adversarial Examples: Expressive Power and Training Dynamics",
    "lazy": "Adversarial Robustness is at Odds with Lazy Training",
    "regularization": "Regularisation and the Robustness of Trained Networks",
}
TOPICS = ("peak", "course", "width", "depth", "batch-size", "margin", "spectrum", "correlation", "noise", "gap", "order")
VERDICTS = ("supported", "supported", "supported", "refuted", "supported", "inconclusive", "refuted", "invalid", "supported",
            "inconclusive", "error")  # fmt: skip
TAGS = ("llc", "attack", "scaling", "mnist", "toy", "training", "features")


def many(count: int = COUNT) -> dict[str, Any]:
    """A run of ``count`` rows over five documents: every verdict, rule and kind of figure, tables of the usual length."""
    drawn = _figures()
    rows = [_row(index, drawn[index % len(drawn)]) for index in range(count)]
    rows.sort(key=lambda row: list(TITLES).index(row["document"]))
    return assemble(rows, scale="reduced", device="cpu", provenance=PROVENANCE)


def _figures() -> list[dict[str, Any]]:
    """Figures whose tables have 144 to 960 rows, as those of claims over populations have."""
    samples = figures()
    kinds = []
    for name in ("scatter", "facets", "lines", "paired", "strip", "bars", "log"):
        figure = samples[name]
        fields = {key: getattr(figure, key) for key in Figure.__dataclass_fields__}
        kinds.append(figure_from_evidence(Figure(**fields | {"table": _repeated(figure)})))
    return kinds


def _repeated(figure: Figure) -> pd.DataFrame:
    """The sample's table with more seeds, whose values differ a little."""
    rng = np.random.default_rng(5)
    copies = []
    for block in range(1 if figure.kind == "paired" else min(4, 960 // len(figure.table))):
        copy = figure.table.copy()
        copy["seed"] += block * (1 + figure.table["seed"].max())
        copy[figure.y] *= np.exp(0.05 * rng.normal(size=len(copy)))
        copies.append(copy)
    return pd.concat(copies, ignore_index=True)


def _row(index: int, figure: dict[str, Any]) -> Row:
    document = list(TITLES)[index % len(TITLES)]
    name = f"{document}/{TOPICS[index % len(TOPICS)]}-{index:02d}"
    verdict, rule = VERDICTS[index % len(VERDICTS)], ("above", "below", "within", "all", "above", "exact")[index % 6]
    quote = "With each architecture the relative reduction remains fairly consistent across the seeds that were tried"
    cited = {"title": TITLES[document], "authors": "A. Author, B. Author", "year": 2024, "address": None,
             "section": "4. Experiments", "quote": quote, "reported": "0.021" if index % 3 == 0 else None}  # fmt: skip
    row = blank_row() | {
        "id": name, "document": document, "kind": ("empirical", "empirical", "theorem", "empirical", "data")[index % 5],
        "statement": f"Synthetic claim {index}: the coefficient is lower in robust than in standard networks of equal size.",
        "source": cited, "tags": [TAGS[index % 7], TAGS[(index + 2) % 7]], "digest": f"{index:016x}", "verdict": verdict,
        "prediction": "The mean paired difference lies above 0 and reaches 0.005", "rule": rule, "centre": 0.0, "margin": 0.005,
        "margin_reason": "half of the difference that the document's figure shows", "alpha": 0.05, "expected": verdict,
        "seconds": 10.0 + index, "cached": index % 2 == 0,
        "recipes": [recipe(f"{regime} of {document}", f"{document}{regime}") for regime in "ab"],
        "settings": {"sampler": {"chains": 4, "draws": 200, "burn-in": 100}, "points": 3072},
    }  # fmt: skip
    if verdict == "error":
        return row | {"reason": "could not be run: RuntimeError", "error": "RuntimeError: not finite"}
    if verdict == "supported" and rule != "exact":
        row["grade"] = ("at least m", "m not excluded", "probably below m")[index % 3]
    said = f"Synthetic reason {index} in a sentence with its numbers."
    return row | {"reason": said, "figure": figure} | _numbers(index, rule)


def _numbers(index: int, rule: str) -> dict[str, Any]:
    rng = np.random.default_rng(index)
    if rule == "exact":
        return estimate(0.0, 0.0, 0.0, n=500, unit="example", estimand="number of counterexamples", p=None, p_support=None,
                        p_refute=None, interval=None,
                        standardised=None, power=None)  # fmt: skip
    effect, half = float(rng.normal(0.006, 0.012)), float(rng.uniform(0.001, 0.006))
    strata = [
        {"name": name, "effect": effect + shift, "interval": [effect + shift - 2 * half, effect + shift + 2 * half], "n": 6}
        for name, shift in (("8×1", half), ("16×1", 0.0), ("64×3", -half))
    ]
    parts = [part(f"part {number} lies above 0", "supported", effect, effect - half, effect + half) for number in (1, 2, 3)]
    protocols = [protocol("sound", "supported", primary=True), protocol("document", "invalid", failed=True)]
    weighed = voiced("above" if rule == "all" else rule.replace("below", "above"), effect, effect - half, effect + half)
    return weighed | estimate(effect, effect - half, effect + half, strata=strata, p=float(rng.uniform(1e-5, 0.4)),
                    parts=parts if rule == "all" else [], protocols=protocols if index % 4 == 0 else [])  # fmt: skip


def write(folder: Path, count: int = COUNT) -> Path:
    """The run's page in ``folder``."""
    from harness.report import write_reports

    return write_reports(many(count), folder)["claims.html"]
