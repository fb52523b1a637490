"""Quantities such as `500m` and `2Gi`."""

import re
from fractions import Fraction

_SUFFIXES = {"n": "1e-9", "u": "1e-6", "m": "1e-3", "": "1", "k": "1e3", "M": "1e6", "G": "1e9", "T": "1e12",
             "P": "1e15", "E": "1e18"}  # fmt: skip
_BINARY = {"Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4, "Pi": 5, "Ei": 6}
_QUANTITY = re.compile(r"([+-]?[0-9]+(?:\.[0-9]*)?|[+-]?\.[0-9]+)(?:([eE][+-]?[0-9]+)|([a-zA-Z]*))")
RULE = r"quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"


def parse(text: str) -> Fraction:
    """The exact amount.

    Raises:
        ValueError: this is no quantity.
    """
    match = _QUANTITY.fullmatch(text)
    if match is None:
        raise ValueError(RULE)
    number, exponent, suffix = match.groups()
    if exponent:
        return Fraction(number + exponent.lower())
    if suffix in _BINARY:
        return Fraction(number) * 1024 ** _BINARY[suffix]
    if suffix not in _SUFFIXES:
        raise ValueError(RULE)
    return Fraction(number) * Fraction(_SUFFIXES[suffix or ""])


def show(amount: Fraction, like: str = "") -> str:
    """An amount, with a binary suffix if `like` has one, in thousandths where it is no whole number."""
    if amount.denominator != 1:
        return f"{-(-amount.numerator * 1000 // amount.denominator)}m"
    value = amount.numerator
    powers = _BINARY.items() if like[-1:] == "i" else ()
    for suffix, power in reversed(list(powers)):
        if value and value % 1024**power == 0:
            return f"{value // 1024**power}{suffix}"
    return str(value)
