"""Whether a stack computes what a freshly built module with the same parameters computes, checked on the first points given."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch

from harness.spec import RecipeError

POINTS = 16  # that are looked at
INPUTS = "(inputs)"  # among what forward writes into
ROUNDING = 1e-4  # how far outputs may be apart in single precision, in units of the largest
WIRING = 0.05
"""How far gradients may be apart, relative to themselves.  They show what is connected to what; by rounding alone a unit that
stands on the kink of its ReLU counts or does not."""


def near(one: torch.Tensor, other: torch.Tensor, tolerance: float) -> bool:
    """Whether outputs are the same to ``tolerance``, in units of the largest."""
    if one.shape != other.shape:
        return False
    difference, size = (one.double() - other.double()).abs(), other.double().abs()
    return bool((difference <= tolerance * size.amax().clamp_min(1e-30)).all())


def wired(one: torch.Tensor, other: torch.Tensor, floor: float) -> bool:
    """Whether two gradients are the same up to rounding; sizes up to ``floor`` do not count."""
    distance, size = (one.double() - other.double()).norm(), max(float(one.norm()), float(other.norm()))
    return bool(distance <= WIRING * size + floor)


class NotStackableError(ValueError):
    """A module that cannot be run for many members at once, only for one after the other."""


def require_itself(
    build: Callable[[], torch.nn.Module], copy_of: torch.nn.Module, state: Mapping[str, torch.Tensor], free: tuple[str, ...],
    points: torch.Tensor, call: Callable[[dict[str, torch.Tensor], torch.Tensor], torch.Tensor],
) -> frozenset[str]:  # fmt: skip
    """Compare a program's outputs and gradients with those of a freshly built module that is given the same state.

    Whatever ``build`` draws, or takes from elsewhere, without keeping it as a parameter or a buffer differs between the modules
    that it makes: a stack, which has one module for all members, would then not compute what its members compute.

    Args:
        build: makes a module.
        copy_of: the program's own module with this state.
        state: of one member, by name.
        free: names of the parameters that are trained.
        points: shape (point, *input).
        call: the program's outputs, shape (point, class), of a state and the points.

    Returns:
        What forward writes into in place: names of buffers, and INPUTS.

    Raises:
        NotStackableError: the program cannot be run, or does not compute what the module computes.
        RecipeError: the module cannot be run, or computes something different each time it is built.
    """
    with torch.random.fork_rng(devices=[]), torch.enable_grad():
        torch.manual_seed(int(torch.randint(2**31, ())) + 1)  # a build that draws draws others than the program's
        module = build().to(points.device).eval()
        name, held, given = type(module).__name__, _state(module), points.clone()
        with torch.no_grad():
            for key, value in state.items():
                held[key].copy_(value)
        versions = {key: value._version for key, value in module.named_buffers()}
        expected = _steady(module, copy_of, given, points)
        written = {key for key, value in module.named_buffers() if value._version != versions.get(key, value._version)}
        own = {key: value.detach().clone() for key, value in state.items()}
        mine = [own[key].requires_grad_() for key in free]
        try:
            found = call(own, points.clone())
            same = near(found.detach(), expected.detach(), ROUNDING)
            if same and mine and expected.requires_grad:
                same = _same_wiring(found, mine, expected, [held[key] for key in free])
        except Exception as problem:
            raise NotStackableError(
                f"{name} cannot be run for a stack of members ({type(problem).__name__}: {_first(problem)}); measure it with "
                "llc and the attacks, which run such networks one by one, or use operations that torch.func.vmap can run"
            ) from problem
    if not same:
        raise NotStackableError(
            f"{name} computes something different in a stack of members than by itself; measure it with llc and the attacks, "
            "which run such networks one by one, or keep everything that its forward uses in its own parameters and buffers"
        )
    return frozenset(written | ({INPUTS} if given._version else set()))


def _steady(
    module: torch.nn.Module, copy_of: torch.nn.Module, given: torch.Tensor, points: torch.Tensor
) -> torch.Tensor:  # fmt: skip
    """What a module computes at the points, checked to be the same when it is called again and when a copy is called.

    Args:
        module: freshly built.
        copy_of: the program's own, with the same state.
        given: the points that the module is given first, into which it may write.
        points: shape (point, *input).

    Raises:
        RecipeError: it is not the same, or is not a tensor, or the module cannot be run.
    """
    name = type(module).__name__
    try:
        expected = module(given)
        again = module(points.clone())
        copied = copy_of.eval()(points.clone())
    except Exception as problem:
        raise RecipeError(
            f"{name} cannot be run on the recipe's points, of shape {tuple(points.shape[1:])} and type "
            f"{points.dtype} ({type(problem).__name__}: {_first(problem)}); build a network that takes such points"
        ) from problem
    if not isinstance(expected, torch.Tensor):
        raise RecipeError(f"{name} returned {type(expected).__name__}; members of a recipe return a tensor (point, class)")
    if not near(again.detach(), expected.detach(), ROUNDING):
        raise RecipeError(
            f"{name} gives different outputs for the same points from call to call, even in eval mode: draw random numbers "
            "only where self.training is True, and keep nothing from one call to the next"
        )
    if not near(copied.detach(), expected.detach(), ROUNDING):
        raise RecipeError(
            f"{name} computes something different each time it is built, even with the same parameters: what its build draws, "
            "caches or takes from elsewhere has to be a parameter or a buffer (register_buffer) of the module itself"
        )
    return expected


def _same_wiring(
    found: torch.Tensor, mine: Sequence[torch.Tensor], expected: torch.Tensor, theirs: Sequence[torch.Tensor]
) -> bool:  # fmt: skip
    """Whether two outputs have the same gradients with respect to the parameters."""
    weight = torch.linspace(-1, 1, expected.numel(), device=expected.device).reshape(expected.shape)
    one, other = (
        [torch.zeros_like(value) if slope is None else slope.to_dense()
         for value, slope in zip(free, torch.autograd.grad((z * weight).sum(), free, allow_unused=True), strict=True)]
        for z, free in ((found, mine), (expected, theirs))
    )  # fmt: skip
    floor = 1e-4 * max(float(slope.norm()) for slope in other)
    return all(wired(left, right, floor) for left, right in zip(one, other, strict=True))


def _state(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {**dict(module.named_parameters()), **dict(module.named_buffers())}


def _first(problem: Exception) -> str:
    return next(iter(str(problem).splitlines()), "")
