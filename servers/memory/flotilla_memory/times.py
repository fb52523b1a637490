"""Times: ISO 8601 in UTC with milliseconds, so that they sort as text; or a day."""

from datetime import UTC, date, datetime
from typing import Annotated

from pydantic import AfterValidator, Field


def now() -> str:
    return _text(datetime.now(UTC))


def today() -> str:
    return datetime.now(UTC).date().isoformat()


def instant(said: str) -> str:
    """A time as the store has it; one without a zone is UTC, a day is its beginning.

    Raises:
        ValueError: it is none, or in no year from 1 to 9999 in UTC.
    """
    try:
        given = datetime.fromisoformat(said)
        return _text((given if given.tzinfo else given.replace(tzinfo=UTC)).astimezone(UTC))
    except (ValueError, OverflowError):
        raise ValueError("an ISO 8601 time, such as 2026-03-01 or 2026-03-01T09:30:00Z") from None


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
    raise ValueError("a day, such as 2026-03-01")


def _text(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z").zfill(len("2026-03-01T09:30:00.000Z"))


Instant = Annotated[str, Field(max_length=40, description="ISO 8601"), AfterValidator(instant)]
InstantOrDay = Annotated[str, Field(max_length=40, description="ISO 8601"), AfterValidator(instant_or_day)]
Day = Annotated[str, Field(max_length=40, description="YYYY-MM-DD"), AfterValidator(day)]
