"""A user's own networks and a user's own training: given weights as populations, and functions that train as recipes."""

from harness.own.checkpoints import Checkpoints
from harness.own.training import Trained

__all__ = ["Checkpoints", "Trained"]
