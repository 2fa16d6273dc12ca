"""What goes wrong in a network of the user's own while the store works on it, said in a sentence.

A stack runs through ``torch.func.vmap``, so whatever in a forward depends on values (``if``, ``.item()``, ``one_hot``), leaves
torch (NumPy) or has no rule for stacks fails deep inside torch, and in training often only at the first gradient.  Training and
instruments look at networks before they use them; what gets past them passes through here.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

from harness.errors import ClaimError, Shortfall
from harness.spec import RecipeError
from harness.store.halving import MemoryExhausted, is_exhausted

STACKABLE = (
    "write its forward with operations that torch.func.vmap can run (torch.where in place of if, comparing with torch.arange "
    "in place of one_hot, no .item() and no numpy), or train it by a loop of your own with Trained(…) and measure it with llc "
    "and the attacks, which run such networks one by one"
)
Frame = tuple[FrameType, int]
_SAID_WELL = (ClaimError, Shortfall, MemoryExhausted)
_LONGEST = 200  # characters of what torch said
_OURS = Path(__file__).parents[1]


@contextmanager
def explained() -> Iterator[None]:
    """Let errors through, but say in one sentence what a forward cannot do, where, and what to do about it.

    Raises:
        RecipeError: a forward of the user's failed, or cannot be run for many networks at once.
    """
    try:
        yield
    except RecipeError as problem:  # found by a check, which says what to do; where it was is in what caused it
        root: BaseException = problem
        while (before := root.__cause__ or root.__context__) is not None:
            root = before
        own = [] if root is problem else _of_the_user(list(_frames(root.__traceback__)))
        if not own:
            raise
        raise RecipeError(f"{problem} [{_place(own[-1])}]") from None  # else a reader scrolls through all of torch's frames
    except Exception as problem:
        said = None if isinstance(problem, _SAID_WELL) or is_exhausted(problem) else _explanation(problem)
        if said is None:
            raise
        raise RecipeError(said) from None


def _explanation(problem: Exception) -> str | None:
    """A sentence for what a forward raised; None for whatever else went wrong."""
    frames = list(_frames(problem.__traceback__))
    func = _torch() / "_functorch"
    inside = next((at for at, (frame, _) in enumerate(frames) if _file(frame).is_relative_to(func)), None)
    if inside is None or _file(frames[-1][0]).is_relative_to(_OURS):
        return None
    stacked = any(_file(frame) == func / "vmap.py" for frame, _ in frames)
    own = _of_the_user(frames[inside:])
    if not stacked and not own:
        return None
    name = next((type(self).__name__ for frame, _ in reversed(own) if _is_module(self := _first_argument(frame))), None)
    what = f"{type(problem).__name__}: {_first_line(problem)}{f' [{_place(own[-1])}]' if own else ''}"
    if stacked:
        return f"{name or 'the network'} cannot be run for many networks at once ({what}); {STACKABLE}"
    return f"{name or 'the network'} cannot be run ({what}); mend its forward: it has to run in eval mode and in train mode"


def _of_the_user(frames: list[Frame]) -> list[Frame]:
    """Those in files of neither torch nor the harness."""
    return [each for each in frames if not any(_file(each[0]).is_relative_to(folder) for folder in (_OURS, _torch()))]


def _torch() -> Path:
    import torch

    return Path(torch.__file__).parent


def _file(frame: FrameType) -> Path:
    return Path(frame.f_code.co_filename)


def _frames(trace: TracebackType | None) -> Iterator[Frame]:
    while trace is not None:
        yield trace.tb_frame, trace.tb_lineno
        trace = trace.tb_next


def _first_argument(frame: FrameType) -> Any:
    names = frame.f_code.co_varnames[: frame.f_code.co_argcount]
    return frame.f_locals.get(names[0]) if names else None


def _is_module(value: Any) -> bool:
    import torch

    return isinstance(value, torch.nn.Module)


def _place(frame: Frame) -> str:
    return f"{_file(frame[0]).name}:{frame[1]}"


def _first_line(problem: Exception) -> str:
    line = next(iter(str(problem).splitlines()), "")
    return line if len(line) <= _LONGEST else line[:_LONGEST] + " …"
