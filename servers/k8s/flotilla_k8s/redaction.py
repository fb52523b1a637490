"""Secret material is taken out of what an API server says: one function for objects, one for text.

Whatever an answer, an error, an approval's facts or a log says of a cluster has gone through one of them.
"""

import base64
import binascii
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any, NamedTuple, cast

from .settings import Settings

HIDDEN = "[redacted]"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
SHORTEST = 6  # characters of a value that is looked for in other text
_WORDS = (
    r"pass(?:word|wd|phrase|code)|pwd|secret|token|credential|api[-_.]?key|access[-_.]?key|private[-_.]?key"
    r"|client[-_.]?key|signing[-_.]?key|encryption[-_.]?key|key[-_.]data|certificate[-_.]data|authorization|cookie"
    r"|connection[-_.]?string|dsn|kubeconfig"
)
_NAME = re.compile(rf"{_WORDS}|(?:^|[-_.])(?:pass|auth|pw)$", re.IGNORECASE)
_FIELD = re.compile(rf"(?:{_WORDS})s?$", re.IGNORECASE)
_SECRET_MANIFEST = re.compile(r"""\bkind\\?["']?\s*:\s*\\?["']?Secret\b""")
_VALUE = r"""(?:\\?"[^"\\]*\\?"|'[^']*'|[^\s,;&"'}\]\\]+)"""
_SHAPES = re.compile(
    r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]{0,30}PRIVATE KEY-----|\Z)"
    r"|\b(?:eyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)?"
    r"|(?:AKIA|ASIA)[A-Z0-9]{16}\b"
    r"|gh[pousr]_\w{20,}|github_pat_\w{20,}|glpat-[\w-]{16,}|hvs\.[\w-]{20,}|AIza[\w-]{30,}"
    r"|xox[abeprs]-[\w-]{10,}|[rs]k_(?:live|test)_\w{10,}|sk-[\w-]{20,}"
    r"|[a-z0-9]{6}\.[a-z0-9]{16}\b)"
)
_HEADER = re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{8,}")
_ADDRESS = re.compile(r"(?i)\b([a-z][a-z0-9+.-]{1,20}://[^\s:/@\"']{0,200}:)[^\s@/\"']{1,200}(?=@)")
_ASSIGNMENT = re.compile(
    rf"""(?i)(?<![\w.-])(\\?["']?[\w.-]{{0,40}}?(?:{_WORDS})[\w.-]{{0,40}}\\?["']?\s{{0,4}}(?::|=>?)\s{{0,4}}){_VALUE}"""
)
_ASSIGNED = re.compile(rf"""(?:{_WORDS})[\w.-]{{0,40}}\\?["']?\s{{0,4}}[:=]""")
"""In lower case, a part of whatever `_ASSIGNMENT` finds, and far quicker to look for."""
_SHAPE_SIGNS = (
    *("PRIVATE KEY-----", "eyJ", "AKIA", "ASIA", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-"),
    *("hvs.", "AIza", "xox", "k_live_", "k_test_", "sk-"),
)
_SHORTEST_SHAPE = 15  # characters: a `xoxb-` token
_BOOTSTRAP_TOKEN = re.compile(r"\.[a-z0-9]{16}\b")
"""This or one of the signs before is in whatever `_SHAPES` finds."""
_SIGNS = (
    *("pass", "pwd", "secret", "token", "credential", "key", "certificate", "authorization", "cookie", "string"),
    *("dsn", "kubeconfig", "bearer", "basic", "@"),
)
"""One of these, in lower case, is in whatever the other patterns find. To look for them first takes a tenth of the
time."""


class Redactor:
    """What takes secrets out, as the settings say which ConfigMaps are secret."""

    def __init__(self, settings: Settings) -> None:
        self._config_maps = settings.secret_config_maps
        self._known: set[str] = set()

    def remember(self, *secrets: str | None) -> None:
        """Hide these values in every text from now on: credentials that this process uses itself."""
        for secret in secrets:
            if secret and len(secret) >= SHORTEST:
                self._known |= {secret, base64.b64encode(secret.encode()).decode()}

    def text(self, text: str, secrets: Collection[str] = ()) -> str:
        """A text without secrets.

        Args:
            secrets: further values to hide, such as those of the object that an error is about.
        """
        return _hiding(text, (*self._known, *sorted(secrets, key=len, reverse=True)), _EVERY_SIGN)

    def texts(self, texts: Iterable[Any]) -> list[Any]:
        """Many short values at once, those that are no text as they are: looked at together first, which is cheap."""
        values = list(texts)
        together = "\n".join([value for value in values if isinstance(value, str)])
        return self._each(values, together, _signs_in(together))

    def rows(self, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[list[Any]]:
        """Rows of short values; those of a column whose name is a secret's are hidden."""
        hidden = {number for number, column in enumerate(columns) if _FIELD.search(column)}
        cells = self.texts(
            HIDDEN if number in hidden and isinstance(cell, str) else cell
            for row in rows
            for number, cell in enumerate(row)
        )
        width = len(columns)
        return [cells[start : start + width] for start in range(0, len(cells), width)]

    def lines(self, text: str) -> str:
        """Lines that different hands may have written, such as those of a log: keys that span some are hidden, and in
        each line what `text` hides."""
        signs = _signs_in(text)
        if signs.shapes or signs.bootstrap_token:
            text, signs = _SHAPES.sub(HIDDEN, text), _EVERY_SIGN
        return "\n".join(self._each(text.split("\n"), text, signs))

    def _each(self, values: list[Any], together: str, signs: "_Signs") -> list[Any]:
        """The values without secrets, in whose texts there are no other signs."""
        known = [each for each in self._known if each in together]
        if known:  # to hide one can make another recognisable
            signs = _EVERY_SIGN
        elif not any(signs):
            return values
        return [_hiding(value, known, signs) if isinstance(value, str) else value for value in values]

    def object(self, value: Mapping[str, Any]) -> dict[str, Any]:
        """An object of an API server without secrets, managed fields and the last applied configuration."""
        return self._mapping(value)

    def _mapping(self, value: Mapping[str, Any]) -> dict[str, Any]:
        kind = value.get("kind")
        hidden: Collection[str] = ()
        if kind == "Secret":
            hidden = ("data", "stringData")
        elif kind == "ConfigMap":
            hidden = ("data", "binaryData") if self._is_secret(value.get("metadata")) else ("binaryData",)
        named = value.get("name")
        secret_value = "value" in value and isinstance(named, str) and bool(_NAME.search(named))
        shown: dict[str, Any] = {}
        for key, inner in value.items():
            if key in hidden:
                shown[key] = _hidden(inner)
            elif key == "metadata" and isinstance(inner, dict):
                shown[key] = self._metadata(cast("dict[str, Any]", inner))
            elif key == "value" and secret_value:
                shown[key] = HIDDEN
            elif key == "data" and kind == "ConfigMap" and isinstance(inner, dict):
                shown[key] = self._named_values(cast("dict[str, Any]", inner))
            elif isinstance(inner, str) and _is_secret_field(key):
                shown[key] = HIDDEN
            else:
                shown[key] = self._any(inner)
        return shown

    def _any(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return self._mapping(cast("dict[str, Any]", value))
        if isinstance(value, list):
            return self._items(cast("list[Any]", value))
        return value

    def _items(self, values: list[Any]) -> list[Any]:
        """A list; of a command line, what follows a flag such as `--password` is hidden."""
        shown: list[Any] = []
        after_flag = False
        for value in values:
            is_text = isinstance(value, str)
            shown.append(HIDDEN if is_text and after_flag else self._any(value))
            after_flag = is_text and value.startswith("-") and "=" not in value and bool(_NAME.search(value))
        return shown

    def _metadata(self, metadata: Mapping[str, Any]) -> dict[str, Any]:
        kept = {key: value for key, value in metadata.items() if key != "managedFields"}
        annotations = kept.get("annotations")
        if isinstance(annotations, dict):
            said = self._named_values(cast("dict[str, Any]", annotations))
            said.pop(LAST_APPLIED, None)
            kept["annotations"] = said
        return {key: value if key == "annotations" else self._any(value) for key, value in kept.items() if value}

    def _named_values(self, values: Mapping[str, Any]) -> dict[str, Any]:
        return {
            name: HIDDEN if isinstance(value, str) and _NAME.search(name) else self._any(value)
            for name, value in values.items()
        }

    def _is_secret(self, metadata: Any) -> bool:
        said = cast("dict[str, Any]", metadata) if isinstance(metadata, dict) else {}
        name, namespace = str(said.get("name", "")), str(said.get("namespace", ""))
        return any(
            fnmatchcase(f"{namespace}/{name}" if "/" in pattern else name, pattern) for pattern in self._config_maps
        )


@lru_cache(1_000)
def _is_secret_field(name: str) -> bool:
    """Whether a text in a field of this name is secret. Objects have the same few names over and over."""
    return _FIELD.search(name) is not None


class _Signs(NamedTuple):
    """What a pattern finds has one of these in it: `_SHAPES` of the first two, the others of the last."""

    shapes: Sequence[str]
    bootstrap_token: bool
    names: Sequence[str]


_EVERY_SIGN = _Signs(_SHAPE_SIGNS, True, _SIGNS)


def _signs_in(text: str) -> _Signs:
    folded = _folded(text)
    return _Signs(
        [sign for sign in _SHAPE_SIGNS if sign in text],
        _BOOTSTRAP_TOKEN.search(text) is not None,
        [sign for sign in _SIGNS if sign in folded],
    )


def _hiding(text: str, known: Iterable[str], signs: _Signs) -> str:
    """A text without secrets, of which it has none but known ones and such as have one of the signs."""
    for each in known:
        if each in text:
            text = text.replace(each, HIDDEN)
    shapes, names = _may_have_shapes(text, signs), _may_have_names(text, signs)
    if names and _SECRET_MANIFEST.search(text):
        return HIDDEN
    if shapes:
        text = _SHAPES.sub(HIDDEN, text)
    if names:
        text = _HEADER.sub(rf"\1 {HIDDEN}", text)
        text = _ADDRESS.sub(rf"\1{HIDDEN}", text)
        if not text.isascii() or _ASSIGNED.search(text.lower()):
            text = _ASSIGNMENT.sub(rf"\1{HIDDEN}", text)
    return text


def _may_have_shapes(text: str, signs: _Signs) -> bool:
    if len(text) < _SHORTEST_SHAPE:
        return False
    signed = any(sign in text for sign in signs.shapes)
    return signed or (signs.bootstrap_token and _BOOTSTRAP_TOKEN.search(text) is not None)


def _may_have_names(text: str, signs: _Signs) -> bool:
    folded = _folded(text)
    return any(sign in folded for sign in signs.names)


def _folded(text: str) -> str:
    """In lower case. Where case is ignored, other letters match some of a to z, too."""
    return text.lower() if text.isascii() else text.replace("İ", "i").replace("ı", "i").casefold()  # noqa: RUF001


def secret_values(value: Any) -> set[str]:
    """What an error about this object might repeat: values of Secrets in it, of environment variables and fields with
    secret-looking names, plain and in base64."""
    found: set[str] = set()
    if isinstance(value, dict):
        said = cast("dict[str, Any]", value)
        for key in ("data", "stringData"):
            if said.get("kind") == "Secret" and isinstance(said.get(key), dict):
                found |= _both_forms(cast("dict[str, Any]", said[key]).values())
        if isinstance(name := said.get("name"), str) and _NAME.search(name):
            found |= _both_forms([said.get("value")])
        found |= _both_forms(inner for key, inner in said.items() if _FIELD.search(key))
        for inner in said.values():
            found |= secret_values(inner)
    elif isinstance(value, list):
        for inner in cast("list[Any]", value):
            found |= secret_values(inner)
    return found


def _both_forms(values: Iterable[Any]) -> set[str]:
    found: set[str] = set()
    for value in values:
        if isinstance(value, str) and len(value) >= SHORTEST:
            found |= {value, base64.b64encode(value.encode()).decode()}
            try:
                decoded = base64.b64decode(value, validate=True).decode()
            except (binascii.Error, ValueError):
                continue
            if len(decoded) >= SHORTEST:
                found.add(decoded)
    return found


def _hidden(value: Any) -> Any:
    """The keys of a map, without any value."""
    return dict.fromkeys(cast("dict[str, Any]", value), HIDDEN) if isinstance(value, dict) else HIDDEN
