"""Dates and amounts as people quote them. What can be read in two ways is read in both, and said."""

import calendar
import re
from dataclasses import dataclass
from datetime import date, timedelta

from flotilla_kit import money
from flotilla_kit.errors import InvalidArguments

_MONTHS = {name.lower(): number for number, name in enumerate(calendar.month_abbr) if name}
_SYMBOLS = {"$": None, "€": "EUR", "£": "GBP", "¥": "JPY", "₹": "INR", "us$": "USD"}  # $ is many currencies
_YEARS = range(1970, 2200)  # no card was charged outside, and every day has neighbours
_ISO = re.compile(r"(\d{4})-(\d{1,2})(?:-(\d{1,2}))?")
_NUMBERS = re.compile(r"(\d{1,2})[/.](\d{1,2})(?:[/.](\d{4}|\d{2}))?")
_WORDS = re.compile(
    r"(?:(\d{1,2})(?:st|nd|rd|th)?\.?\s+(?:of\s+)?)?([a-z]{3,9})\.?(?:\s+(\d{1,2})(?:st|nd|rd|th)?)?(?:,?\s+(\d{4}))?"
)


@dataclass(frozen=True)
class Days:
    """An inclusive range of days."""

    first: date
    last: date

    def __str__(self) -> str:
        return self.first.isoformat() if self.first == self.last else f"{self.first} to {self.last}"


@dataclass(frozen=True)
class Amount:
    """A quoted amount: plain decimal text and the currency, if one was named."""

    decimal: str
    currency: str | None

    def minor_units(self) -> dict[int, set[int]]:
        """What the amount is in minor units, for each number of decimals (0, 2, 3) a currency can have."""
        sample = {0: "JPY", 2: "USD", 3: "KWD"}
        wanted = {money.exponent(self.currency): self.currency} if self.currency else sample
        found: dict[int, set[int]] = {}
        for exponent, currency in wanted.items():
            try:
                found.setdefault(exponent, set()).add(money.to_minor(self.decimal, currency))
            except ValueError:
                continue
        return found


def read_date(text: str, today: date) -> list[Days]:
    """Every reading of a quoted date; one without a year is the latest such day that is not in the future.

    Raises:
        InvalidArguments: it cannot be read.
    """
    plain = " ".join(text.lower().split())
    found = _read_date(plain, today)
    if not found:
        raise InvalidArguments(
            "That date cannot be read.", suggestion="Give it like 2026-02-03, Feb 3 2026 or 02/03/2026."
        )
    return sorted(set(found), key=lambda days: days.first)


def _read_date(text: str, today: date) -> list[Days]:
    if text in ("today", "yesterday"):
        day = today - timedelta(days=text == "yesterday")
        return [Days(day, day)]
    if match := _ISO.fullmatch(text):
        year, month, day = int(match[1]), int(match[2]), match[3]
        return _days(year, month, int(day) if day else None)
    if match := _NUMBERS.fullmatch(text):
        first, second = int(match[1]), int(match[2])
        year = int(match[3]) + (2000 if len(match[3]) == 2 else 0) if match[3] else None
        return [days for month, day in {(first, second), (second, first)} for days in _in_year(year, month, day, today)]
    match = _WORDS.fullmatch(text)
    month = _MONTHS.get(match[2][:3]) if match else None
    if not match or month is None or (match[1] and match[3]):
        return []
    number = match[1] or match[3]
    return _in_year(int(match[4]) if match[4] else None, month, int(number) if number else None, today)


def _in_year(year: int | None, month: int, day: int | None, today: date) -> list[Days]:
    if year is not None:
        return _days(year, month, day)
    past = [days for year in range(today.year - 4, today.year + 1) for days in _days(year, month, day)]
    return [days for days in past if days.first <= today][-1:]


def _days(year: int, month: int, day: int | None) -> list[Days]:
    if year not in _YEARS:
        return []
    try:
        first = date(year, month, day or 1)
        last = date(year, month, day or calendar.monthrange(year, month)[1])
    except (ValueError, calendar.IllegalMonthError):
        return []
    return [Days(first, last)]


def read_amount(text: str) -> Amount:
    """A quoted amount such as `$49`, `1.234,56 EUR` or `¥5000`.

    Raises:
        InvalidArguments: it cannot be read, is zero, or no such currency has so many decimals.
    """
    match = re.fullmatch(r"([^\d\s.,-]*)\s*(\d[\d.,' ]*?)\s*([^\d\s.,]*)", text.strip())
    words = [word for word in (match[1], match[3]) if word] if match else []
    if not match or len(words) > 1:
        raise _unreadable()
    currency = None
    if words:
        word = words[0]
        currency = _SYMBOLS.get(word.lower(), word.upper())
        if currency is not None and not money.is_currency(currency):
            raise _unreadable()
    amount = Amount(_decimal(match[2].replace("'", "").replace(" ", ""), currency), currency)
    if not any(minor for found in amount.minor_units().values() for minor in found):
        raise _unreadable()
    return amount


def _decimal(number: str, currency: str | None) -> str:
    """Plain decimal text: the last separator is the decimal point unless it sets off exactly three digits of a currency
    that has not three decimals."""
    last = max(number.rfind("."), number.rfind(","))
    if last < 0:
        return number
    whole, fraction = number[:last], number[last + 1 :]
    mixed = {"." in number, "," in number} == {True}
    repeated = number.count(number[last]) > 1
    thousands = len(fraction) == 3 and not mixed and money.exponent(currency or "USD") != 3
    if repeated or thousands:
        return re.sub(r"[.,]", "", number)
    return f"{re.sub(r'[.,]', '', whole) or '0'}.{fraction or '0'}"


def _unreadable() -> InvalidArguments:
    return InvalidArguments("That amount cannot be read.", suggestion="Give it like 49.00 USD, $49 or 1.234,56 EUR.")
