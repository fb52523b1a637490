"""Imports of files into a store: all of a file, once, or nothing of it, with every problem named by its place.

A server's author writes three functions: `read` (a file into rows with the line each starts in), `check` (one row into
what the store keeps, or `BadRow`) and `load` (rows into the store, in one transaction).
"""

from .csv_table import Cells, read_csv
from .importer import Format, Importer, Loaded, load
from .problems import BadRow, ImportRefused, ImportStopped, Problem
from .rows import Row, Rows, batches
from .source import Source

__all__ = [
    "BadRow",
    "Cells",
    "Format",
    "ImportRefused",
    "ImportStopped",
    "Importer",
    "Loaded",
    "Problem",
    "Row",
    "Rows",
    "Source",
    "batches",
    "load",
    "read_csv",
]
