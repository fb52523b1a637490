"""Reads of the memory store, in one view of it each."""
