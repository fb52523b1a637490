"""The dates that a question names: a day, month, quarter or year, with or without its year, or relative to today."""

import re
from dataclasses import dataclass
from datetime import date, timedelta

from . import words

_NAMES = "january february march april may june july august september october november december".split()  # noqa: SIM905  # shorter so
_MONTHS = {name: number for number, name in enumerate(_NAMES, 1)} | {
    name[:3]: number for number, name in enumerate(_NAMES, 1)
}
_MONTHS["sept"] = 9
_MONTH = "|".join(sorted(_MONTHS, key=len, reverse=True))
_ISO = re.compile(r"\b((?:19|20)\d\d)-(\d\d)(?:-(\d\d))?\b")
_QUARTER = re.compile(r"\bq([1-4])\b(?:\s*(?:of\s*)?((?:19|20)\d\d))?", re.I)
_DAY_FIRST = re.compile(rf"\b(\d{{1,2}})(?:st|nd|rd|th)?(?:\s+of)?\s+({_MONTH})\b", re.I)
_MONTH_FIRST = re.compile(rf"\b({_MONTH})\b\.?(?:\s+(\d{{1,2}})(?:st|nd|rd|th)?\b(?!\d))?", re.I)
_YEAR = re.compile(r"\b((?:19|20)\d\d)\b")
_PARTS = frozenset(words.terms(" ".join([*_MONTHS, "q1 q2 q3 q4 last past today yesterday week month quarter year"])))
# "may", "march", "mar" and the like are months only where they are written like one.
_AMBIGUOUS = {"may", "march", "mar", "jan", "jun", "dec", "sep"}
_RELATIVE = re.compile(r"\b(today|yesterday|(?:last|past|this) (?:week|month|quarter|year))\b", re.I)


@dataclass(frozen=True)
class Named:
    """What a question says of dates. Without a year, a month is that of any year."""

    months: frozenset[int]
    years: frozenset[int]
    days: frozenset[int]  # of a month, only with months
    spans: tuple[tuple[date, date], ...] = ()  # first and last day, both inclusive

    def __bool__(self) -> bool:
        return bool(self.months or self.years or self.spans)

    def has_period(self, day: date) -> bool:
        """Whether the day is in a month (of the years named, if any), a year or a span that is named."""
        if any(first <= day <= last for first, last in self.spans):
            return True
        if not self.months and not self.years:
            return False
        return (not self.months or day.month in self.months) and (not self.years or day.year in self.years)

    def is_near(self, day: date) -> bool:
        """Whether the day is within two days of one that is named."""
        if not self.days or not self.has_period(day):
            return False
        return any(abs(day.day - named) <= 2 for named in self.days)


def is_part(term: str) -> bool:
    """Whether a term may be of a date: a number, or a month or a period by its name."""
    return term.isdigit() or term in _PARTS


def named(text: str, today: date) -> Named:
    """The dates in a text."""
    months: set[int] = set()
    years: set[int] = set()
    days: set[int] = set()
    for year, month, day in _ISO.findall(text):
        if 1 <= int(month) <= 12:
            years.add(int(year))
            months.add(int(month))
            days |= {int(day)} if day else set()
    for quarter, _ in _QUARTER.findall(text):
        months |= {int(quarter) * 3 - 2, int(quarter) * 3 - 1, int(quarter) * 3}
    for day, month in _DAY_FIRST.findall(text):
        if 1 <= int(day) <= 31:
            days.add(int(day))
            months.add(_MONTHS[month.lower()])
    for month, day in _MONTH_FIRST.findall(text):
        if month.lower() in _AMBIGUOUS and not day and not month[0].isupper():
            continue
        months.add(_MONTHS[month.lower()])
        if day and 1 <= int(day) <= 31:
            days.add(int(day))
    years |= {int(year) for year in _YEAR.findall(text)}
    spans = [_span(relative.lower(), today) for relative in _RELATIVE.findall(text)]
    return Named(frozenset(months), frozenset(years), frozenset(days), tuple(spans))


def _span(relative: str, today: date) -> tuple[date, date]:
    if relative == "today":
        return today, today
    if relative == "yesterday":
        return today - timedelta(days=1), today - timedelta(days=1)
    which, unit = relative.split()
    if unit == "week":
        monday = today - timedelta(days=today.weekday())
        start, length = (monday, timedelta(days=7))
        return (start, today) if which == "this" else (start - length, start - timedelta(days=1))
    if unit == "year":
        year = today.year - (which != "this")
        return date(year, 1, 1), date(year, 12, 31)
    months = 1 if unit == "month" else 3
    first = date(today.year, (today.month - 1) // months * months + 1, 1)
    if which == "this":
        return first, today
    last = first - timedelta(days=1)
    return date(last.year, (last.month - 1) // months * months + 1, 1), last
