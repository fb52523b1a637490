"""Writes of the memory store: plain records in, in the caller's transaction."""

from .bulk import Written, write

__all__ = ["Written", "write"]
