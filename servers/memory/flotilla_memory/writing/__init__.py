"""Writes of the memory store: plain records in, in the caller's transaction."""

from .records import Written, write

__all__ = ["Written", "write"]
