"""Writes of the memory store: plain records in, in the caller's transaction."""
