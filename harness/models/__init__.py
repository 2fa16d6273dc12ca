"""Stacks of networks of one shape as tensor programs."""

from harness.models.base import Parameters, Program, PullBack, Restriction, take_points
from harness.models.chunks import rows_at_a_time
from harness.models.grouped import GroupedProgram
from harness.models.layout import Layout
from harness.models.losses import Loss, encode, loss_and_pull
from harness.models.memory import keep_freed_memory
from harness.models.mlp import MLPProgram
from harness.models.module import ModuleProgram
from harness.models.two_layer import TwoLayer, TwoLayerProgram, program_of

__all__ = [
    "GroupedProgram", "Layout", "Loss", "MLPProgram", "ModuleProgram", "Parameters", "Program", "PullBack", "Restriction",
    "TwoLayer", "TwoLayerProgram", "encode", "keep_freed_memory", "loss_and_pull", "program_of", "rows_at_a_time",
    "take_points",
]  # fmt: skip
