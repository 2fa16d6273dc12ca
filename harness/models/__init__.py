"""Stacks of networks of one shape as tensor programs."""

from harness.models.base import Parameters, Program, PullBack, Restriction, take_points
from harness.models.layout import Layout
from harness.models.losses import Loss, encode, loss_and_pull
from harness.models.memory import keep_freed_memory
from harness.models.mlp import MLPProgram
from harness.models.module import ModuleProgram

__all__ = [
    "Layout", "Loss", "MLPProgram", "ModuleProgram", "Parameters", "Program", "PullBack", "Restriction", "encode",
    "keep_freed_memory", "loss_and_pull", "take_points",
]  # fmt: skip
