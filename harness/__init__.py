"""A property-test harness for scientific hypotheses about trained networks.

Everything that a user needs has its name here: claims and what they are made of, kinds of prediction, recipes and data sets,
measurements, the judge.  Names are loaded on first use (PEP 562), so that collecting claims or asking for ``--help`` never pays
for numerical libraries; torch is imported once a number is needed.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

# Before anything else, so that the source of what is imported from here on is known as it was imported.
import harness.code
import harness.showing  # noqa: F401
from harness.registry import kinds

if TYPE_CHECKING:
    from harness.claim import Claim, claim
    from harness.data import Cifar10, Dataset, DataSpec, GroupedLabels, Mnist, RandomLabels, ToyImages
    from harness.design import Design
    from harness.device import one_thread
    from harness.errors import ClaimError
    from harness.evidence import Evidence, Figure, Images
    from harness.factors import Factors
    from harness.gate import Gate
    from harness.judge import Outcome, Verdict, judge
    from harness.measure.attack.attack import pgd, smallest_perturbation
    from harness.measure.attack.autoattack import AutoAttackSpec, autoattack
    from harness.measure.attack.exact_perturbation import exact_perturbation
    from harness.measure.attack.minimum_norm import PerturbationSpec
    from harness.measure.attack.robustness import Robustness
    from harness.measure.base import Measurement
    from harness.measure.falsify import falsify
    from harness.measure.gaps import Accuracy, Gaps
    from harness.measure.llc.estimate import LLC, llc
    from harness.measure.llc.profile import llc_profile
    from harness.measure.llc.sample import SampleLLC
    from harness.measure.llc.spec import LLCSpec, document_spec
    from harness.own import Checkpoints, Trained
    from harness.population import Population
    from harness.predict import (
        AreaDifference,
        AtLeast,
        Conjunction,
        Correlation,
        CorrelationDifference,
        DataFact,
        IndependentDifference,
        IndependentSuperiority,
        IndependentTrimmedDifference,
        Landmark,
        NoChange,
        NoCorrelation,
        NoTrend,
        Ordering,
        PairedDifference,
        Peak,
        PerSampleCorrelation,
        Proportion,
        ScalingExponent,
        Superiority,
        Theorem,
        Trajectory,
        TrimmedDifference,
        curve_features,
    )
    from harness.quantities import quantity
    from harness.recipe import MLP, SGD, Adam, AdamW, Module, Recipe, Regime, Threat, TrainingStep
    from harness.rows import Between
    from harness.running.found import Search
    from harness.running.run import Result, run, search
    from harness.running.session import Harness
    from harness.runs import Runs
    from harness.source import Citation, Source
    from harness.store import Store
    from harness.store.exporting import export
    from harness.study import Study, study
    from harness.training.train import train

__version__ = "0.1.0"

_HOME = {
    "harness.claim": ("Claim", "claim"),
    "harness.data": (
        "Cifar10", "DataSpec", "Dataset", "GroupedLabels", "Mnist", "RandomLabels", "ToyImages",
    ),
    "harness.design": ("Design",),
    "harness.device": ("one_thread",),
    "harness.errors": ("ClaimError",),
    "harness.evidence": ("Evidence", "Figure", "Images"),
    "harness.factors": ("Factors",),
    "harness.gate": ("Gate",),
    "harness.judge": ("Outcome", "Verdict", "judge"),
    "harness.measure.attack.attack": ("pgd", "smallest_perturbation"),
    "harness.measure.attack.autoattack": ("AutoAttackSpec", "autoattack"),
    "harness.measure.base": ("Measurement",),
    "harness.measure.attack.exact_perturbation": ("exact_perturbation",),
    "harness.measure.falsify": ("falsify",),
    "harness.measure.gaps": ("Accuracy", "Gaps"),
    "harness.measure.llc.estimate": ("LLC", "llc"),
    "harness.measure.llc.profile": ("llc_profile",),
    "harness.measure.llc.spec": ("LLCSpec", "document_spec"),
    "harness.measure.attack.minimum_norm": ("PerturbationSpec",),
    "harness.measure.attack.robustness": ("Robustness",),
    "harness.measure.llc.sample": ("SampleLLC",),
    "harness.own": ("Checkpoints", "Trained"),
    "harness.population": ("Population",),
    "harness.predict": (
        "AreaDifference", "AtLeast", "Conjunction", "Correlation", "CorrelationDifference", "DataFact",
        "IndependentDifference", "IndependentSuperiority", "IndependentTrimmedDifference", "Landmark", "NoChange",
        "NoCorrelation", "NoTrend", "Ordering", "PairedDifference", "Peak", "PerSampleCorrelation", "Proportion",
        "ScalingExponent", "Superiority", "Theorem", "Trajectory", "TrimmedDifference", "curve_features",
    ),
    "harness.quantities": ("quantity",),
    "harness.recipe": ("MLP", "SGD", "Adam", "AdamW", "Module", "Recipe", "Regime", "Threat", "TrainingStep"),
    "harness.rows": ("Between",),
    "harness.runs": ("Runs",),
    "harness.running.found": ("Search",),
    "harness.running.run": ("Result", "run", "search"),
    "harness.running.session": ("Harness",),
    "harness.store": ("Store",),
    "harness.store.exporting": ("export",),
    "harness.source": ("Citation", "Source"),
    "harness.study": ("Study", "study"),
    "harness.training.train": ("train",),
}  # fmt: skip
_WHERE = {
    **{name: module for module, names in _HOME.items() for name in names},
    **dict.fromkeys(kinds(), "harness.predict"),  # those above are named for type checkers, too
}
__all__ = [
    "LLC", "MLP", "SGD", "Accuracy", "Adam", "AdamW", "AreaDifference", "AtLeast", "AutoAttackSpec", "Between", "Checkpoints",
    "Cifar10", "Citation", "Claim", "ClaimError", "Conjunction", "Correlation", "CorrelationDifference", "DataFact",
    "DataSpec", "Dataset", "Design", "Evidence", "Factors", "Figure", "Gaps", "Gate", "GroupedLabels", "Harness", "Images",
    "IndependentDifference", "IndependentSuperiority", "IndependentTrimmedDifference", "LLCSpec", "Landmark", "Measurement",
    "Mnist", "Module", "NoChange", "NoCorrelation", "NoTrend", "Ordering", "Outcome", "PairedDifference", "Peak",
    "PerSampleCorrelation", "PerturbationSpec", "Population", "Proportion", "RandomLabels", "Recipe", "Regime", "Result",
    "Robustness", "Runs", "SampleLLC", "ScalingExponent", "Search", "Source", "Store", "Study", "Superiority", "Theorem",
    "Threat", "ToyImages", "Trained", "TrainingStep", "Trajectory", "TrimmedDifference", "Verdict", "autoattack", "claim",
    "curve_features", "document_spec", "exact_perturbation", "export", "falsify", "judge", "llc", "llc_profile", "one_thread",
    "pgd", "quantity", "run", "search", "smallest_perturbation", "study", "train",
]  # fmt: skip
__all__ = [*__all__, *(name for name in kinds() if name not in __all__)]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'harness' has no attribute {name!r}")
    module = import_module(_WHERE[name])
    # A module of the same name, such as harness.claim, is that attribute from its import on, and is called as its function.
    return module if _WHERE[name] == f"{__name__}.{name}" else getattr(module, name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
