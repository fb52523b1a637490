"""Kubernetes quantities: amounts of CPU and memory such as `500m`, `2`, `4Gi`, read exactly and compared by value."""

import re
from decimal import Decimal

from .refusals import InvalidQuantity

_QUANTITY = re.compile(r"([+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+))([EPTGMk]i?|[num]|Ki|[eE][+-]?[0-9]{1,2})?")
_SCALE = {
    **{"n": Decimal("1e-9"), "u": Decimal("1e-6"), "m": Decimal("1e-3"), "k": Decimal(1000)},
    **{unit: Decimal(1000) ** power for power, unit in enumerate("MGTPE", start=2)},
    **{f"{unit}i": Decimal(1024) ** power for power, unit in enumerate("KMGTPE", start=1)},
}
_LONGEST = 30
_MOST = Decimal(2**63 - 1)  # what an API server can hold of one
_WORDS = {
    **dict.fromkeys(("", "core", "cores", "cpu", "cpus", "vcpu", "vcpus", "b", "byte", "bytes"), ""),
    **dict.fromkeys(("m", "millicore", "millicores", "mcpu"), "m"),
    **{f"{unit}b": "k" if unit == "k" else unit.upper() for unit in "kmgtpe"},
    **{f"{unit}i{b}": f"{unit.upper()}i" for unit in "kmgtpe" for b in ("", "b")},
    **{unit: unit.upper() for unit in "gtp"},
}
"""What people write for a unit, in lower case."""


def value(text: str) -> Decimal | None:
    """The amount in cores or bytes; None if the text is no quantity."""
    found = _QUANTITY.fullmatch(text) if len(text) <= _LONGEST else None
    if found is None or found[2] == "ki":
        return None
    number, unit = Decimal(found[1]), found[2] or ""
    if unit[:1] in ("e", "E") and len(unit) > 1 and unit != "Ei":
        return number.scaleb(int(unit[1:]))
    return number * _SCALE.get(unit, Decimal(1))


def same(one: str, other: str) -> bool:
    """Whether two texts are the same amount, as `1000m` and `1` are."""
    return one == other or (value(one) is not None and value(one) == value(other))


def cpu(text: str, name: str = "cpu_limit") -> str:
    """The text, which is an amount of CPU: at least `1m`, and no finer.

    Raises:
        InvalidQuantity: it is not.
    """
    return _checked(text, name, "CPU", Decimal("0.001"), "such as 500m, 2 or 1.5 cores")


def memory(text: str, name: str = "memory_limit") -> str:
    """The text, which is an amount of memory: whole bytes, at least one.

    Raises:
        InvalidQuantity: it is not.
    """
    return _checked(text, name, "memory", Decimal(1), "such as 512Mi, 4Gi or 2G (bytes)")


def least(text: str, other: str) -> str:
    """Whichever of two quantities is less."""
    one, two = value(text), value(other)
    assert one is not None and two is not None
    return text if one <= two else other


def part_of(text: str, part: Decimal, unit: str) -> str:
    """A part of a quantity, rounded down to a whole number of `unit`, but not to none."""
    amount = value(text)
    assert amount is not None
    count = int(amount * part / _SCALE[unit])
    return f"{count}{unit}" if count else text


def _checked(text: str, name: str, what: str, step: Decimal, form: str) -> str:
    amount = value(text)
    suggested = _meant(text, step)
    if amount is None:
        hint = f"Did you mean {suggested}? " if suggested else ""
        raise InvalidQuantity(
            f"{name} is no amount of {what}.",
            suggestion=f"{hint}Write a Kubernetes quantity, {form}.",
            details={"argument": name, **({"suggested": suggested} if suggested else {})},
        )
    if not _allowed(amount, step):
        raise InvalidQuantity(
            f"{name} must be more than nothing, in whole steps of {'1m' if step < 1 else 'one byte'}.",
            suggestion=f"Write a Kubernetes quantity, {form}.",
            details={"argument": name},
        )
    return text


def _allowed(amount: Decimal, step: Decimal) -> bool:
    return 0 < amount <= _MOST and not amount % step


def _meant(text: str, step: Decimal) -> str:
    """What somebody who wrote `8 GB` or `2 cores` probably meant; empty if that cannot be said."""
    found = re.fullmatch(r"\s*([0-9]{1,12}(?:[.,][0-9]{1,3})?)\s*([A-Za-z]{1,10})?\s*", text[:_LONGEST])
    unit = found and _WORDS.get((found[2] or "").lower())
    if found is None or unit is None:
        return ""
    meant = found[1].replace(",", ".") + unit
    amount = value(meant)
    return meant if amount is not None and _allowed(amount, step) else ""
