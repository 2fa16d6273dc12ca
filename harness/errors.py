"""What is raised where a declaration or its evidence cannot be judged."""

from __future__ import annotations


class ClaimError(ValueError):
    """A claim that was declared, or that answered, in a way that the harness cannot judge."""
