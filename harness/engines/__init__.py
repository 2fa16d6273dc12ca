"""Engines: who trains and measures, where this process does not do it itself.

One protocol (:class:`Engine`, in the manner of ``concurrent.futures``) for processes on this machine, Ray and SLURM.  What goes
there is a :class:`~harness.engines.job.Job`, a pure function of a recipe or a measurement and seeds; what it makes are entries
of the store, which lies in a folder that all of them see; what comes back are plain words.
"""

from harness.engines.base import Engine, EngineError, Lost
from harness.engines.chosen import ENGINES, engine_of, read_options

__all__ = ["ENGINES", "Engine", "EngineError", "Lost", "engine_of", "read_options"]
