"""Days before and after a day that a review is made for."""

from datetime import date, datetime, timedelta

from flotilla_kit import times


def days_before(today: date, days: int) -> str:
    """The beginning of the day so many days before `today`, as the store keeps times."""
    earliest = max(today.toordinal() - days, 1)
    return times.utc(datetime.fromordinal(earliest))


def days_between(earlier: str, today: date) -> int:
    """Whole days from a time or day to `today`; 0 for what is later."""
    return max((today - date.fromisoformat(earlier[:10])) // timedelta(days=1), 0)
