"""Where models come in: the fastest program that is shown to compute what the models themselves compute.

A user's models are run as a program (:mod:`harness.networks`), and a program is an assumption about a module.  So every module
is itself run, in evaluation mode, on a few of the given points (:mod:`harness.measure.reference`), and its outputs and its
gradients with respect to every free parameter and to the inputs have to agree with the program's.  Tried in this order:

1. the written-out program of a fully connected or two-layer ReLU network;
2. the module without its forward hooks, if they only observe, all rows at once (``torch.func.vmap``);
3. the module with its hooks;
4. 2 and 3 one row after the other, for operations that cannot be run for all rows at once (recurrent layers, custom functions).

If none of them agrees, nothing is measured.  If the models of a list are different functions, each is run with its own program.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias, Union

import torch

from harness.measure.arguments import require_finite
from harness.measure.reference import (
    TOLERANCE,
    Need,
    Reference,
    input_kind,
    plain_module,
    reference_of,
    require_ordinary,
    some_of,
    state_of,
)
from harness.networks import MLPProgram, Program, TwoLayer, program_of
from harness.networks.callers import batchable
from harness.networks.combined import MixedProgram
from harness.networks.given import GivenProgram, Output
from harness.networks.itself import NotStackableError, near, wired
from harness.networks.memory import activations_of
from harness.networks.untouched import CALLED, copied
from harness.population import Population

Models: TypeAlias = Union["torch.nn.Module", Sequence["torch.nn.Module"], Population]


@dataclass(frozen=True)
class Entered:
    """Models as instruments compute with them.

    Attributes:
        program: their program.
        theta: flat parameters, shape (model, parameter).
        inputs: the given points in the type that the program takes, shape as given.
    """

    program: Program
    theta: torch.Tensor
    inputs: torch.Tensor


def enter(
    models: Models, inputs: torch.Tensor, *, output: Output | None = None, need: Need = "inputs", per_model: bool = False
) -> Entered:
    """Find a program for models, and show that it computes what they compute.

    Args:
        models: one ``nn.Module``, a sequence of modules with the same parameters, or a population (its last epoch).
        inputs: points, shape (point, *input), or (model, point, *input) with ``per_model``.
        output: turns what a module returns into outputs of shape (point, class); None if it returns them itself.
        need: gradients that will be asked for: of "inputs", which then have to be real numbers, of "parameters", or, with
            "outputs", none.
        per_model: whether every model has its own points.

    Raises:
        TypeError: ``models`` is none of these, or cannot be copied.
        ValueError: parameters or inputs are not finite, the modules have no common shape, or no program computes what a module
            does, because it is random, looks at other points, or has no gradient; the message says what to do.
    """
    require_ordinary()
    if inputs.dim() <= int(per_model):
        raise ValueError(f"inputs have shape {tuple(inputs.shape)}; give (point, *input), or inputs[None] for a single point")
    if inputs.shape[int(per_model)] == 0:
        raise ValueError(f"inputs have shape {tuple(inputs.shape)}, which holds no point; give at least one")
    require_finite(inputs.flatten(0, 1) if per_model else inputs, "inputs of points")
    if isinstance(models, Population):
        if need != "parameters":  # a sampler says itself which member is not finite
            free = _free(models.program)
            bad = torch.stack([row[free].isfinite().all().logical_not() for row in models.final])  # one copy of a row at a time
            require_finite(torch.zeros(len(bad), 1).masked_fill(bad[:, None].cpu(), torch.nan), "parameters of models")
        if _stands(models, some_of(inputs[0] if per_model else inputs).float()):
            return Entered(models.program, models.final, inputs.float())
        models = [models.program.module(row).eval() for row in models.final]
    given = [plain_module(model) for model in _listed(models)]
    _require_common_shape(given)
    points = [some_of(inputs[number] if per_model else inputs) for number in range(len(given) if per_model else 1)]
    if need == "parameters" and not any(True for _ in given[0].parameters()):
        raise ValueError(f"model 0 ({type(given[0]).__name__}) has no parameters, so there is nothing to sample; what it "
                         "computes with has to be a torch.nn.Parameter that is not frozen")  # fmt: skip
    kind = input_kind(given[0], points[0], need)
    points = [each.to(kind) for each in points]
    references = [reference_of(model, points[number % len(points)], output, number, need) for number, model in enumerate(given)]
    program, theta = _program(given, references, output)
    return Entered(program, theta, inputs.to(_held_inputs(program, kind)))


def _listed(models: object) -> list[torch.nn.Module]:
    listed = [models] if isinstance(models, torch.nn.Module) else models
    if not isinstance(listed, Sequence) or not listed or not all(isinstance(m, torch.nn.Module) for m in listed):
        raise TypeError(
            f"models is {type(models).__name__}; give one torch.nn.Module, a non-empty list of modules of one shape, "
            "or a Population"
        )
    return list(listed)


def _free(program: Program) -> torch.Tensor:
    """The positions of the trained parameters in a flat vector; a buffer may contain infinities, as masks do."""
    marked = torch.zeros(1, program.layout.total)
    views = program.layout.views(marked)
    for name in program.scopes["all"]:
        views[name].fill_(1)
    return marked[0].nonzero()[:, 0]


def _require_common_shape(models: Sequence[torch.nn.Module]) -> None:
    first = None
    for number, model in enumerate(models):
        state = state_of(model)
        free = {name for name, value in model.named_parameters() if value.requires_grad}
        shape = {name: (tuple(value.shape), value.dtype) for name, value in state.items()}
        for name, value in model.named_parameters():  # a buffer may hold infinities, as the masks of attention do
            require_finite(value.detach().flatten()[:, None], f"model {number}: values of {name!r}")
        if first is None:
            first = (shape, free)
        if shape != first[0]:
            raise ValueError(f"model {number} has different parameters from model 0; a stack holds models of one shape")
        if free != first[1]:
            raise ValueError(f"model {number} has different frozen parameters from model 0; measure them in separate calls")


def _held_inputs(program: Program, kind: torch.dtype) -> torch.dtype:
    """Real inputs are held as precisely as parameters, so that a small step is not rounded away."""
    return program.dtype if kind.is_floating_point and isinstance(program, GivenProgram) else kind


def _program(
    models: Sequence[torch.nn.Module], references: Sequence[Reference], output: Output | None
) -> tuple[Program, torch.Tensor]:  # fmt: skip
    if output is None and (fast := _written_out(models, references)) is not None:
        return fast
    programs: list[GivenProgram] = []
    owner, theta = [], []
    for number, (model, reference) in enumerate(zip(models, references, strict=True)):
        place = next((place for place, program in enumerate(programs) if _same_constants(program.skeleton, model)
                      and _agrees(program, program.flat(model), reference)), None)  # fmt: skip
        if place is None:
            programs.append(_general(model, reference, output, number))
            place = len(programs) - 1
        owner.append(place)
        theta.append(programs[place].flat(model))
    if len(programs) == 1:
        return programs[0], torch.stack(theta)
    kinds = torch.tensor(owner, dtype=theta[0].dtype, device=theta[0].device)[:, None]
    return MixedProgram(programs), torch.cat([torch.stack(theta), kinds], 1)


def _written_out(models: Sequence[torch.nn.Module], references: Sequence[Reference]) -> tuple[Program, torch.Tensor] | None:
    """A program with written-out formulas that computes what each of the models does; None if there is none."""
    first: Program | None = MLPProgram.of(models[0])
    if isinstance(first, MLPProgram):
        if any(MLPProgram.of(model) is None for model in models):
            return None
        theta = torch.stack([first.flat(model) for model in models])
        names = {mine[0]: name for name, mine in first.scopes.items() if len(mine) == 1 and name.endswith((".weight", ".bias"))}
    else:
        if any(part._forward_hooks or part._forward_pre_hooks for model in models for part in model.modules()):
            return None
        if not isinstance(models[0], TwoLayer):
            return None
        twin = copied(models[0], hooks=False)
        if any(not value.is_floating_point() or value.dtype != torch.float32 for value in state_of(twin).values()):
            return None
        first = program_of(lambda: twin, classes=references[0].outputs.shape[1])
        if type(first).__name__ == "ModuleProgram":
            return None
        theta = torch.stack([torch.cat([state_of(m)[name].detach().flatten() for name in first.layout.names]) for m in models])
        names = {name: name for name in first.layout.names}
    same = all(_agrees(first, row, reference, names) for row, reference in zip(theta, references, strict=True))
    return (first, theta) if same else None


def _same_constants(one: torch.nn.Module, other: torch.nn.Module) -> bool:
    """Whether two modules have the same integer and boolean buffers; the count of batches is not compared."""
    mine, theirs = dict(one.named_buffers()), dict(other.named_buffers())
    return all(torch.equal(value, theirs[name]) for name, value in mine.items()
               if not value.is_floating_point() and not name.endswith("num_batches_tracked"))  # fmt: skip


def _general(model: torch.nn.Module, reference: Reference, output: Output | None, number: int) -> GivenProgram:
    """The module itself, run in the fastest way that computes what it computes."""
    classes = reference.outputs.shape[1]
    any_hook = any(part.__dict__[table] for part in model.modules() for table in CALLED)
    hooks = [False] if not any_hook else [False, True] if reference.looking else [True]
    for stacked in (True, False):
        for kept in hooks:
            make = partial(GivenProgram, model, output=output, classes=classes, hooks=kept, stacked=stacked,
                           drawing=reference.drawing, written=reference.written)  # fmt: skip
            program = make()
            if _agrees(program, program.flat(model), reference):
                size = _activations(program, model, reference)
                return make(activations=size)
    raise ValueError(
        f"model {number} ({type(model).__name__}) could not be run as a function of its parameters and inputs: "
        f"{reference.reasons[-1]}. Its forward (or a hook) may use only parameters, "
        "buffers and attributes of the module itself: no tensors of another object, no state that changes from call to call"
    )


def _activations(program: GivenProgram, model: torch.nn.Module, reference: Reference) -> tuple[int, int]:
    parameters = {name: value[0] for name, value in program.layout.views(program.flat(model)[None]).items()}
    free = {name: value.clone().requires_grad_() for name, value in parameters.items() if name in program.trainable}
    with batchable(), program._restored():
        call = program._call
        return activations_of(program.skeleton, lambda: call({**parameters, **free}, reference.points.movedim(0, -1)),
                              len(reference.points))  # fmt: skip


def _agrees(program: Program, theta: torch.Tensor, reference: Reference, names: dict[str, str] | None = None) -> bool:
    """Whether a program computes at the points what the module computed; if it does not, the reason is noted.

    Args:
        program: what is tried.
        theta: the module's parameters in the program's layout, shape (parameter,).
        reference: what the module computed at the points.
        names: the module's name of each of the program's parameters; None where they are the same.
    """
    many = [2, 1] if isinstance(program, GivenProgram) else [2]  # as a stack, and by itself
    reasons = [_difference(program, theta.expand(rows, -1).contiguous(), reference, names or {}) for rows in many]
    reference.reasons.extend(filter(None, reasons))
    return not any(reasons)


def _difference(program: Program, rows: torch.Tensor, reference: Reference, names: dict[str, str]) -> str:
    """How a program differs from the module, in words; empty if it does not."""
    parameters, gradient = program.layout.views(rows), torch.zeros_like(rows)
    named = program.layout.views(gradient)
    out = {name: named[name] for name in program.scopes["all"]}
    x = reference.points.movedim(0, -1)[None].to(_held_inputs(program, reference.points.dtype))
    pulled = None
    try:
        logits = program.logits(parameters, x)
        if out:
            program.loss_gradient(parameters, x, reference.weight.T[None], out, lambda z, weight: (z * weight).sum(2))
        if reference.slope is not None:
            moved = x.expand(len(rows), *x.shape[1:]).contiguous()
            pulled = program.pullback(parameters, moved)[1](reference.weight.T.expand(len(rows), -1, -1).contiguous())
    except Exception as problem:
        return f"{type(problem).__name__}: {next(iter(str(problem).splitlines()), '')}"
    floor = 1e-4 * float(torch.stack([g.norm() for g in reference.gradients.values()]).norm()) if out else 0.0
    for row in range(len(rows)):
        if not near(logits[row].T, reference.outputs, reference.tolerance):
            return "its outputs differ"
        for name, own in out.items():
            if not wired(own[row], reference.gradients[names.get(name, name)], floor):
                return f"the gradient of {name!r} comes out differently"
        if pulled is not None and reference.slope is not None and not wired(pulled[row].movedim(-1, 0), reference.slope, 1e-12):
            return "the gradient with respect to the inputs differs"
    return ""


def _stands(models: Population, points: torch.Tensor) -> bool:
    """Whether the program of a recipe computes what the module built by its architecture computes.

    The fully connected network's own program is not checked, nor is one whose first member is not finite.
    """
    program, theta = models.program, models.final
    if isinstance(program, MLPProgram) or not bool(theta[0].isfinite().all()):
        return True
    with torch.random.fork_rng(devices=[]), torch.no_grad(), batchable():
        try:
            found = program.logits(program.layout.views(theta[:1]), points.movedim(0, -1)[None].to(theta.device))[0].T
        except NotStackableError:
            return False
        expected = program.module(theta[0]).eval()(points.to(theta.device).clone())
    return near(found, expected, TOLERANCE[torch.float32])
