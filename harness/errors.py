"""What is raised where a declaration or its evidence cannot be judged."""

from __future__ import annotations


class ClaimError(ValueError):
    """A claim that was declared, or that answered, in a way that the harness cannot judge."""


class Shortfall(Exception):  # noqa: N818 - a state of the world, not a fault
    """There is less than a claim needs: of data, or of memory.  The message says what is missing and what to do about it.

    A claim that meets it becomes INVALID with this text; it is never judged on less.
    """
