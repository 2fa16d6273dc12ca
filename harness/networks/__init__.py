"""Stacks of networks of one shape as tensor programs."""

from harness.networks.combined import GroupedProgram
from harness.networks.layout import Layout
from harness.networks.losses import Loss, encode, loss_and_pull
from harness.networks.memory import keep_freed_memory
from harness.networks.mlp import MLPProgram
from harness.networks.module import ModuleProgram
from harness.networks.program import Parameters, Program, PullBack, Restriction, rows_at_a_time, take_points
from harness.networks.two_layer import TwoLayer, TwoLayerProgram, program_of

__all__ = [
    "GroupedProgram", "Layout", "Loss", "MLPProgram", "ModuleProgram", "Parameters", "Program", "PullBack", "Restriction",
    "TwoLayer", "TwoLayerProgram", "encode", "keep_freed_memory", "loss_and_pull", "program_of", "rows_at_a_time",
    "take_points",
]  # fmt: skip
