"""Runs that somebody has already made: read from what other tools wrote, reduced by rules that the user names."""

from harness.runs.runs import Runs

__all__ = ["Runs"]
