"""Which code decides a number: the number's name in the store has to change when that code does."""

from harness.code.canonical import does, folder_digest
from harness.code.closure import Closure, closure, code_digest
from harness.code.loaded import CodeError
from harness.code.reached import ReachedCode

__all__ = ["Closure", "CodeError", "ReachedCode", "closure", "code_digest", "does", "folder_digest"]
