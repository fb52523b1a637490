"""What a field's value must be, and how the store keeps it: e-mail and phone in one form, money in minor units."""

import re
from collections.abc import Callable, Mapping, Sequence

import phonenumbers
from email_validator import EmailNotValidError, validate_email
from flotilla_kit import money, times
from phonenumbers import NumberParseException, PhoneNumberFormat

from .records import Field, FieldKind, Type

Value = str | int | None
MOST_MINOR = 10**15  # exact in every JSON reader (2^53)
ID = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
_DOMAIN = re.compile(r"(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.)+[^\W\d_][\w-]{1,62}")
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")


class BadValue(ValueError):
    """Why a value is none of a field's: `problem`, without the value."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}")
        self.field, self.problem = field, problem


def stored(kind: Type, given: Mapping[str, object], region: str | None = None) -> dict[str, Value]:
    """Fields of a record as the store keeps them; an empty text is none.

    Args:
        region: of phone numbers without a country, such as `NO`.

    Raises:
        BadValue: there is no such field, or the value is none of it.
    """
    found: dict[str, Value] = {}
    for name, value in given.items():
        field = kind.by_name.get(name)
        if field is None:
            raise BadValue("a field", f"is none of a {kind.name}; its fields: {', '.join(kind.by_name)}")
        found[name] = stored_value(field, value, region)
        if field.required and found[name] is None:
            raise BadValue(name, "cannot be empty")
    return found


def stored_value(field: Field, value: object, region: str | None = None) -> Value:
    """One value. Raises `BadValue`."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    try:
        match field.kind:
            case "money" | "number":
                return _integer(value, 100 if field.kind == "number" else MOST_MINOR)
            case "flag":
                return _flag(value)
            case "phone":
                return phone(_text(value, NAME_LIKE), region)
            case "choice":
                return _choice(_text(value, field.longest), field.choices)
            case _:
                return _READ[field.kind](_text(value, field.longest))
    except ValueError as error:
        raise BadValue(field.name, str(error)) from None


def email(said: str) -> str:
    """An address in its usual form, without asking the network. Raises `ValueError`."""
    try:
        return validate_email(said.strip(), check_deliverability=False, test_environment=True).normalized
    except EmailNotValidError:
        raise ValueError("must be an e-mail address such as ada@example.com") from None


def email_key(address: str) -> str:
    """By which two addresses are one: case is no difference, in fact if not by the standard."""
    return address.casefold()


def email_domain(address: str) -> str:
    """What stands behind its `@`, as `email_key` has it."""
    return email_key(address).rpartition("@")[2]


def phone(said: str, region: str | None = None) -> str:
    """A number in E.164, an extension behind it as RFC 3966 has it. Raises `ValueError`."""
    try:
        number = phonenumbers.parse(said, region)
    except NumberParseException:
        number = None
    if number is None or not phonenumbers.is_possible_number(number):
        raise ValueError("must be a phone number with its country, such as +47 22 12 34 56")
    e164 = phonenumbers.format_number(number, PhoneNumberFormat.E164)
    return f"{e164};ext={number.extension}" if number.extension else e164


NAME_LIKE = 60  # characters of a phone number as people write it


def _text(value: object, longest: int) -> str:
    if not isinstance(value, str):
        raise ValueError("must be a text")
    if len(value) > longest:
        raise ValueError(f"has {len(value)} characters; {longest} are the most")
    if _UNSTORABLE.search(value):
        raise ValueError("has characters that no text can have")
    return value.strip()


def _integer(value: object, most: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= most:
        raise ValueError(f"must be a whole number from 0 to {most}")
    return value


def _flag(value: object) -> int:
    if not isinstance(value, bool):
        raise ValueError("must be true or false")
    return int(value)


def _domain(said: str) -> str:
    bare = re.sub(r"^https?://(?:www\.)?", "", said.lower()).split("/")[0]
    if not _DOMAIN.fullmatch(bare):
        raise ValueError("must be a domain such as example.com")
    return bare


def _currency(said: str) -> str:
    if not money.is_currency(said.upper()):
        raise ValueError("must be an ISO 4217 currency code such as USD")
    return said.upper()


def _choice(said: str, choices: Sequence[str]) -> str:
    if said not in choices:
        raise ValueError(f"must be one of {', '.join(choices)}")
    return said


def _identifier(said: str) -> str:
    if not ID.fullmatch(said):
        raise ValueError("must be an id: letters, digits and _ . : -")
    return said


_READ: Mapping[FieldKind, Callable[[str], str]] = {
    "text": str,
    "email": email,
    "domain": _domain,
    "currency": _currency,
    "day": times.day,
    "instant": times.instant,
    "user": _identifier,
    "id": _identifier,
}
