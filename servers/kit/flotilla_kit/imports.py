"""Imports of files into a store."""

from collections.abc import Sequence


class ImportRefused(Exception):
    """Nothing was imported; `problems` has a line for each reason."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = list(problems)
