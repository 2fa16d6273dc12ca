"""Networks on which a quantity is not defined: they diverged, or collapsed to one answer.

A learning rate that is twice too high leaves networks whose outputs are not finite, whose units are all dead, or whose loss is
thousands of times that of no training.  What a claim is about is then the logarithm of zero, a correlation of constants, a
quantile of nothing or a sampler without a step, and which of these ends in an exception, and which in a number that is not
finite, is chance: it depends on the routine, and on whether the session turns warnings into errors.  So a body's arithmetic
never raises by a warning, the judge and the gates refuse numbers that are not finite, and where something else was raised that
such numbers raise, the networks are looked at: if some of them are degenerate, the claim is INVALID, and says which and why; if
none is, the error is an error.  A name that does not exist, a column that is not there or an assertion is one in any case.
"""

from __future__ import annotations

import traceback
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from harness.rows import NoRow
from harness.stats import is_constant

if TYPE_CHECKING:
    import torch

    from harness.measure.walk import Given, Numbers
    from harness.networks import Loss
    from harness.recipe import Recipe
    from harness.store import Store

POINTS = 256  # of the training points, on which outputs are looked at
ENDLESS = "outputs that are not finite"
CONSTANT = "the same output for every point"
ONE_CLASS = "the same class for every point"
LOST = "a loss of more than 1,000 times that of the answer 0"
WORSE = 1000  # a mean of a thousand nats a class or more, where no training costs the logarithm of their number
_REMEDY = "What the claim is about is not defined for them; leave such settings out, or train more gently there"
_SINGLE = float(np.finfo(np.float32).eps / np.finfo(np.float64).eps)  # networks compute in single precision
_LONGEST = 200  # characters of what was raised


@contextmanager
def undefined_is_no_error() -> Iterator[None]:
    """A context in which arithmetic on what is undefined gives NaN or infinity and at most a warning, whatever the filters."""
    with warnings.catch_warnings():
        warnings.simplefilter("default", RuntimeWarning)  # NumPy's, and SciPy's on constants, are of this kind
        yield


def shortfall_of(problem: Exception, store: Store, trained: Sequence[tuple[Recipe, tuple[int, ...]]]) -> str | None:
    """Why nothing can be judged, if what was raised is owed to networks that cannot be measured; None where it is not.

    Args:
        problem: what a claim's body raised.
        store: where its networks are.
        trained: recipes and seeds of those that it had asked for.
    """
    from harness.training.train import Diverged

    if isinstance(problem, Diverged):
        return f"{str(problem)[:1].upper()}{str(problem)[1:]}."
    found = degenerate(store, trained) if _by_numbers(problem) else []
    if not found:
        return None
    lines = str(problem).splitlines() or [""]
    said = f"{type(problem).__name__}: {lines[0][:_LONGEST]}".rstrip(": ")
    return f"{'; '.join(found)}. {_REMEDY} ({said}{_place(problem)})."


def _by_numbers(problem: Exception) -> bool:
    """Whether it is of a kind that numbers raise: of arithmetic, values out of range, nothing to choose from, no solution."""
    kinds = (ArithmeticError, ValueError, IndexError, NoRow)  # NumPy's LinAlgError is a ValueError, torch's is not
    return isinstance(problem, kinds) or type(problem).__name__.strip("_") == "LinAlgError"


def degenerate(store: Store, trained: Sequence[tuple[Recipe, tuple[int, ...]]]) -> list[str]:
    """Which networks have outputs on their training points that nothing can be measured on, a phrase for each recipe and fault.

    Args:
        store: where they are; what it lacks is not trained.
        trained: recipes and seeds.
    """
    found = []
    for recipe, seeds in dict.fromkeys(trained):
        try:
            own = store.trained_of(recipe, seeds)
            seen, classes = _seen(store, recipe, own) if own else ([], False)
        except Exception:  # nothing can be said of these; what was raised first is what counts
            continue
        faults: dict[str, list[int]] = {}
        for seed, (outputs, worse) in zip(own, seen, strict=True):
            if (fault := fault_of(outputs, worse, classes=classes)) is not None:
                faults.setdefault(fault, []).append(seed)
        found += [
            f"{len(which)} of {len(own)} networks of {recipe.name} have {fault} (seeds {', '.join(map(str, which))})"
            for fault, which in faults.items()
        ]
    return found


def fault_of(outputs: Numbers, worse: float = 0.0, *, classes: bool = False) -> str | None:
    """What is wrong with one network; None where nothing is.

    Args:
        outputs: on several points, shape (class, point).
        worse: its loss on them, as a multiple of the loss of answering 0 everywhere.
        classes: whether the points are of different classes.
    """
    if not np.isfinite(outputs).all():
        return ENDLESS
    if outputs.shape[-1] > 1 and all(is_constant(each, float(np.abs(each).max()) * _SINGLE) for each in outputs):
        return CONSTANT
    if worse > WORSE:
        return LOST
    return ONE_CLASS if classes and len(set(outputs.argmax(0).tolist())) == 1 else None


def _seen(store: Store, recipe: Recipe, seeds: tuple[int, ...]) -> tuple[list[tuple[Numbers, float]], bool]:
    """What members answer to the first training points after the last epoch.

    Returns:
        For every member its outputs, shape (class, point), and their loss as a multiple of that of the answer 0; and whether
        the points are of different classes.
    """
    from harness.measure.walk import per_point, points_of

    population = store.expected(recipe, seeds)
    data = store.data(recipe.data)
    inputs, labels = points_of(data, "train", min(POINTS, len(data.train_x)))
    epoch, work = population.epochs[-1], partial(_answered, recipe.loss)
    seen = per_point(population, epoch, inputs, work, labels=labels, device=store.device, copies=4)
    with np.errstate(all="ignore"):
        worse = seen["loss"].mean(-1) / seen["nothing"].mean(-1)
    classes = not labels.is_floating_point() and bool((labels != labels[0]).any())
    return list(zip(seen["logits"], worse.tolist(), strict=True)), classes


def _answered(loss: Loss, given: Given) -> dict[str, torch.Tensor]:
    """Outputs, (row, class, point), their loss, and that of the answer 0, (row, point)."""
    from harness.networks import loss_and_pull

    logits = given.program.logits(given.parameters, given.inputs)
    losses = [loss_and_pull(each, given.targets, loss, pull=False)[0] for each in (logits.clone(), logits * 0)]
    return {"logits": logits, "loss": losses[0], "nothing": losses[1]}


def _place(problem: Exception) -> str:
    """The last line of the project's own, or of a library's, at which it was raised."""
    frames = traceback.extract_tb(problem.__traceback__)
    own = [frame for frame in frames if "site-packages" not in Path(frame.filename).parts] or list(frames)
    return f", in {Path(own[-1].filename).name}:{own[-1].lineno}" if own else ""
