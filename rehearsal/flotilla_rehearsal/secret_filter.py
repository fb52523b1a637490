"""Removes credentials, card numbers and e-mail addresses from text, by their values or by their shapes.

Shapes are what vendors publish: Anthropic, OpenAI and Stripe keys (`sk-…`, `sk_live_…`), GitHub, GitLab, Slack, AWS and
Google tokens, JWTs (RFC 7519), `Authorization` values (RFC 9110), passwords in URLs, PEM private keys; card numbers are
13 to 19 digits with a valid check digit (ISO/IEC 7812). A secret without such a shape goes only if its value is known.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Self

from pydantic import JsonValue

EMAIL = r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+"
REMOVED = re.compile(r"\[removed:\w+\]")
_SECRET_VARIABLE = re.compile(
    r"(?:KEY|TOKEN|SECRET|PASSWD|PASSWORD|CREDENTIALS?|MANDATE(?:_[A-Z0-9_]+)?)$|^DATABASE_URL$", re.IGNORECASE
)
_SECRET_ARGUMENT = re.compile(
    r"(?:^|[_-])(?:passwd|password|secret|token|credentials?|(?:api|access|private)_?key)$", re.I
)
_MIN_CHARS = 6  # a value as short as that is a word, and would be removed from every sentence
_SHAPES = {
    "private_key": r"-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)",
    "jwt": r"\beyJ[\w-]{8,}\.[\w-]+(?:\.[\w-]*)?",
    "bearer": r"(?<=\bBearer )[\w.~+/=-]{8,}|(?<=\bBasic )[\w+/=-]{8,}",
    "api_key": r"\b(?:sk|pk|rk|whsec)[-_](?:[A-Za-z]+[-_])*[\w-]{16,}|\bgh[oprsu]_\w{20,}|\bgithub_pat_\w{20,}"
    r"|\bglpat-[\w-]{20,}|\bxox[a-z]-[\w-]{10,}|\bA(?:KIA|SIA)[A-Z0-9]{16}\b|\bAIza[\w-]{30,}",
    "password": r"(?<=://)[^/\s:@]+:[^/\s@]+(?=@)"
    r"|(?i:(?<=password=)|(?<=password: )|(?<=api_key=)|(?<=secret=)|(?<=token=))[^\s&'\",;\[]{6,}",
    "card": r"(?<![\w-])\d(?:[ -]?\d){12,18}(?![\w-])",
}
_SHAPE = re.compile("|".join(f"(?P<{name}>{shape})" for name, shape in _SHAPES.items()))
_EMAIL = re.compile(EMAIL)
KINDS = (*_SHAPES, "email")  # what can be looked for by its shape


def replaced(text: str, placeholder: str, patterns: Iterable[str] = (), kinds: Iterable[str] = ()) -> str:
    """The text with a placeholder for all that matches one of these regular expressions, or has one of these shapes."""
    for pattern in patterns:
        text = re.sub(pattern, lambda _: placeholder, text)
    for kind in kinds:
        shape = EMAIL if kind == "email" else _SHAPES[kind]
        text = re.sub(shape, lambda match, kind=kind: placeholder if _is(kind, match[0]) else match[0], text)
    return text


class SecretFilter:
    """Removes secrets from text and counts them.

    Args:
        values: secrets known by value, wherever they occur.
    """

    def __init__(self, values: Iterable[str] = ()) -> None:
        self._found: set[tuple[str, str]] = set()
        # The longest first: one can be a part of another.
        known = sorted({value for value in values if len(value) >= _MIN_CHARS}, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, known))) if known else None

    @classmethod
    def from_environment(cls, environ: Mapping[str, str], names: Iterable[str] = ()) -> Self:
        """A filter for the values of these variables and of all whose names say so (`…_KEY`, `…_TOKEN`, …)."""
        named = set(names)
        return cls(value for name, value in environ.items() if name in named or _SECRET_VARIABLE.search(name))

    @property
    def removed(self) -> str:
        """How many different secrets of each kind there were: `api_key 1, email 2`."""
        kinds = Counter(kind for kind, _ in self._found)
        return ", ".join(f"{kind} {count}" for kind, count in sorted(kinds.items())) or "nothing"

    def without_credentials(self, text: str) -> str:
        """The text with `[removed:KIND]` for everything but e-mail addresses."""
        if self._known:
            text = self._known.sub(lambda match: self._placeholder("variable", match[0]), text)
        return _SHAPE.sub(self._replace_shape, text)

    def without_secrets(self, text: str) -> str:
        """The text with `[removed:KIND]` for all of them."""
        return _EMAIL.sub(lambda match: self._placeholder("email", match[0]), self.without_credentials(text))

    def argument(self, key: str, value: JsonValue) -> JsonValue:
        """The value, unless it is text under a name that says it is a secret."""
        if isinstance(value, str) and value and _SECRET_ARGUMENT.search(key) and not REMOVED.fullmatch(value):
            return self._placeholder("named", value)
        return value

    def _replace_shape(self, match: re.Match[str]) -> str:
        kind = str(match.lastgroup)
        return self._placeholder(kind, match[0]) if _is(kind, match[0]) else match[0]

    def _placeholder(self, kind: str, value: str) -> str:
        self._found.add((kind, value))
        return f"[removed:{kind}]"


def _is(kind: str, text: str) -> bool:
    """Whether a text with the shape of a kind is of that kind."""
    return kind != "card" or _has_card_check_digit(text)


def _has_card_check_digit(text: str) -> bool:
    """The check digit of ISO/IEC 7812 (Luhn)."""
    digits = [int(digit) for digit in text if digit.isdigit()]
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[-2::-2]]
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0
