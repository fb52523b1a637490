"""Lineages of schema versions: each server has one, the kit has one for effects, approvals and the audit."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Migrations:
    """A folder of Alembic versions (`NNNN_name.py`) with a version table of its own, `{name}_version`."""

    name: str
    folder: Path

    @property
    def head(self) -> str:
        """The newest revision: the number its file name starts with (so Alembic loads only when one is due)."""
        return max(path.name.split("_")[0] for path in self.folder.glob("[0-9]*_*.py"))


KIT_MIGRATIONS = Migrations("kit", Path(__file__).parent / "migrations")
