"""A row of a CSV file as fields of a record, in the form in which the store keeps them."""

import re
from collections.abc import Mapping
from datetime import datetime

from flotilla_kit import money
from flotilla_kit.imports import BadRow, Cells

from ..records import Field
from ..values import ID, BadValue, Value, stored_value
from .columns import Table

DATES, CURRENCY, REGION = "dates", "currency", "phone_region"
"""Options of an import, handed to each row under names that no column has."""
_KINDS = {
    "logged call": "call",
    "phone call": "call",
    "logged email": "email",
    "e-mail": "email",
    "event": "meeting",
    "to-do": "task",
    "case": "ticket",
}
_TRUE = {"true", "yes", "1", "completed", "done", "closed"}
_FALSE = {"false", "no", "0", "open", "not started", "in progress", "deferred", "waiting on someone else"}
_GROUPED = re.compile(r"[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?")
_SLASHED = re.compile(r"([0-9]{1,2})[/.]([0-9]{1,2})[/.]([0-9]{4})(.*)")


def option(name: str) -> str:
    """The key of an option among the cells."""
    return f"--{name}"


def values_of(table: Table, cells: Cells) -> dict[str, Value]:
    """What a row says: fields, the id, and the table's own columns. What is empty is left out.

    Raises:
        BadRow: a cell is none of its field's values.
    """
    found: dict[str, Value] = {}
    for name, said in cells.items():
        if not said or name.startswith("--"):
            continue
        if (field := table.kind.by_name.get(name)) is not None and name != "merged_into":
            found[name] = _value(field, said, cells)
        elif name == table.kind.id:
            if not ID.fullmatch(said):
                raise BadRow("'{value}' is not an id: letters, digits and _ . : -", column=name, value=said)
            found[name] = said
        elif name in table.own:
            found[name] = said
    return found


def amount_of(values: Mapping[str, Value], cells: Cells) -> dict[str, Value]:
    """The money of a deal: from an amount in decimals with its currency, or as minor units."""
    currency = values.get("currency") or cells.get(option(CURRENCY)) or None
    said = values.get("amount")
    if said is None:
        return {}
    if currency is None:
        raise BadRow("the amount has no currency; --currency USD says which one", column="amount")
    if not money.is_currency(str(currency)):
        raise BadRow("'{value}' is not a currency", column="currency", value=str(currency))
    plain = str(said)
    if _GROUPED.fullmatch(plain):
        plain = plain.replace(",", "")
    try:
        minor = money.to_minor(plain, str(currency))
    except money.NotAnAmount as error:
        raise BadRow(f"amount: '{{value}}' {error.problem}", column="amount", value=plain) from None
    if minor < 0:
        raise BadRow("the amount is negative", column="amount")
    return {"amount_minor": minor, "currency": currency}


def _value(field: Field, said: str, cells: Cells) -> Value:
    given: object = said
    try:
        match field.kind:
            case "day" | "instant":
                given = _date(said, cells.get(option(DATES), ""))
                given = given[:10] if field.kind == "day" else given
            case "number" | "money":
                given = int(said) if re.fullmatch("[0-9]{1,18}", said) else said
            case "flag":
                given = {**dict.fromkeys(_TRUE, True), **dict.fromkeys(_FALSE, False)}.get(said.lower(), said)
            case "choice":
                given = _choice(field, said)
            case "user":
                return said  # a name, an e-mail address or an id: the store knows which
            case _:
                pass
        return stored_value(field, given, cells.get(option(REGION)) or None)
    except BadValue as bad:
        raise BadRow(f"{field.name} '{{value}}' {bad.problem}", column=field.name, value=said) from None


def _choice(field: Field, said: str) -> str:
    folded = said.lower().replace(" ", "_")
    known = {choice.lower(): choice for choice in field.choices}
    return known.get(folded) or (_KINDS.get(said.lower(), said) if field.name == "kind" else said)


def _date(said: str, order: str) -> str:
    """ISO 8601, or 3/31/2026 where an option says which of the two is the day."""
    slashed = _SLASHED.fullmatch(said)
    if slashed is None:
        return said.replace(" ", "T", 1) if re.match(r"\d{4}-\d\d-\d\d \d", said) else said
    first, second, year, rest = slashed.groups()
    if order not in ("dmy", "mdy"):
        raise BadRow("'{value}' can be read in two ways; --dates dmy or mdy says which", value=said)
    day, month = (first, second) if order == "dmy" else (second, first)
    try:
        at = datetime(int(year), int(month), int(day)).date().isoformat()
    except ValueError:
        raise BadRow("'{value}' is no date", value=said) from None
    time = re.fullmatch(r",? (\d{1,2}):(\d\d)(?::\d\d)? ?([AaPp][Mm])?", rest)
    if not time:
        return at
    hour = int(time[1]) % 12 + (12 if time[3].lower() == "pm" else 0) if time[3] else int(time[1])
    return f"{at}T{hour:02}:{time[2]}"
