"""Simulate all cells and write their rates into docs/method.md."""

from .table import rewrite

rewrite()
