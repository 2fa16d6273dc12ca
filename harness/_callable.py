"""Modules that carry the name of their one main function, and can be called as it.

``harness.claim`` is the decorator, and ``import harness.claim as hc`` is the module with all that a declaration is made of.
Whichever of both was meant, the name gives it: the module object is callable.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any


class _Callable(ModuleType):
    def __call__(self, *arguments: Any, **named: Any) -> Any:
        return getattr(self, self.__name__.rpartition(".")[2])(*arguments, **named)


def as_its_function(module: str) -> None:
    """Let a module be called as the function of its own name.

    Args:
        module: its ``__name__``, once the function is defined.
    """
    own = sys.modules[module]
    function = getattr(own, module.rpartition(".")[2])
    own.__class__ = _Callable
    own.__dict__["__wrapped__"] = function  # where inspect and notebooks look for signature and documentation
