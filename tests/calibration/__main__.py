"""Simulate all cells and write their rates into docs/method/error-rates.md."""

from . import zone
from .table import rewrite

rewrite()
zone.rewrite()
