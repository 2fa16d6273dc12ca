"""A CUDA card: inner steps as graphs, and how much of its memory may be used.

The samplers, trainings and attacks are the same on every device.  Here are the forms that their inner steps take on a card,
where what a step costs is mostly the launch of its kernels.  A store on a card uses them (:func:`capture_steps`); on a CPU
nothing of this is imported.  Why they are not written into the samplers: docs/decisions/0045.
"""

from harness.cuda.memory import bound_by_card
from harness.cuda.steps import capture_steps, steps_digest

__all__ = ["bound_by_card", "capture_steps", "steps_digest"]
