"""Exports of a store into files: all that it holds at one moment, in a new file or folder that is whole or not there.

A server's author writes one function: from a read transaction into a path that does not exist yet.
"""

from .exporter import Exporter, Progress, export_to

__all__ = ["Exporter", "Progress", "export_to"]
