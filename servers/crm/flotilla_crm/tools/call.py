"""What every tool finds out about its call: the store, the caller's scope, and how long an answer may be."""

from collections.abc import Sequence

from flotilla_kit import tools
from flotilla_kit.tools import store_of

from ..reading.asked import Asked
from ..store import Caller, CrmStore

BY_ACCOUNT = "the store looks at the record's account, and at its fields"
DEFAULT_BYTES = 8_000  # of an answer


def store() -> CrmStore:
    return store_of()


def caller() -> Caller:
    return Caller(**tools.scope())


def most_bytes() -> int:
    return min(DEFAULT_BYTES, tools.most_bytes())


def asked(fields: Sequence[str] | None, limit: int, cursor: str | None) -> Asked:
    return Asked(fields, limit, cursor, most_bytes())
