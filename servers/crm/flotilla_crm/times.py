"""Times: ISO 8601 in UTC with milliseconds, so that they sort as text; or a day."""

from datetime import UTC, date, datetime, timedelta


def now() -> str:
    """This moment."""
    return utc(datetime.now(UTC))


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
        raise ValueError("an ISO 8601 time, such as 2026-03-01 or 2026-03-01T09:30:00Z") from None


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
    raise ValueError("a day, such as 2026-03-01")


def days_before(today: date, days: int) -> str:
    """The beginning of the day so many days before `today`, as the store keeps times."""
    earliest = max(today.toordinal() - days, 1)
    return utc(datetime.fromordinal(earliest))


def days_between(earlier: str, today: date) -> int:
    """Whole days from a time or day to `today`; 0 for what is later."""
    return max((today - date.fromisoformat(earlier[:10])) // timedelta(days=1), 0)
