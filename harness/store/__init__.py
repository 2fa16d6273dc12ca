"""The store: given a recipe and a seed, the trained member and its measured tables, made once and kept as files."""

from harness.store.files import Damaged, StoreError
from harness.store.shelf import Entry
from harness.store.store import Store

__all__ = ["Damaged", "Entry", "Store", "StoreError"]
