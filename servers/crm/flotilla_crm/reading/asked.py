"""What a caller asks a list for."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Asked:
    """Which fields of how many records, from where on, in how many bytes. `fields` None is a few that suffice."""

    fields: Sequence[str] | None
    limit: int
    cursor: str | None
    max_bytes: int


@dataclass(frozen=True)
class ActivityFilter:
    """Which activities: of these kinds, from `since` on and before `until`, with that contact."""

    kinds: Sequence[str] | None = None
    since: str | None = None
    until: str | None = None
    contact_id: str | None = None
