"""Times: ISO 8601 in UTC with milliseconds, so that they sort as text; or a day."""

from datetime import UTC, date, datetime


def now() -> str:
    """This moment."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def utc(moment: datetime) -> str:
    """A time as the store keeps it; one without a zone is UTC."""
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC).isoformat(timespec="milliseconds")


def instant(said: str) -> str:
    """A time as the store has it; one without a zone is UTC, a day is its beginning.

    Raises:
        ValueError: it is none, or in no year from 1 to 9999 in UTC.
    """
    try:
        return utc(datetime.fromisoformat(said))
    except (ValueError, OverflowError):
        raise ValueError("must be an ISO 8601 time, such as 2026-03-01 or 2026-03-01T09:30:00Z") from None


def instant_or_day(said: str) -> str:
    """As `instant`, but a day stays one: it means the whole of it.

    Raises:
        ValueError: it is neither.
    """
    if len(said) == len("2026-03-01"):
        return day(said)
    return instant(said)


def day(said: str) -> str:
    """A day.

    Raises:
        ValueError: it is none.
    """
    try:
        if len(said) == len("2026-03-01"):
            return date.fromisoformat(said).isoformat()
    except ValueError:
        pass
    raise ValueError("must be a day, such as 2026-03-01")
