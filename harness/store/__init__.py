"""Recipe and seed in, trained member and measured table out."""

from harness.store.files import Damaged, StoreError
from harness.store.shelf import Entry
from harness.store.store import Store

__all__ = ["Damaged", "Entry", "Store", "StoreError"]
