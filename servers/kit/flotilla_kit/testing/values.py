"""Values that are not what an argument wants, though some layer might take them for it."""

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, cast

from jsonschema import Draft202012Validator

from .wire import raw

Schema = Mapping[str, Any]
MARK = "quokka7391"
"""In texts that no error may repeat."""

# Each line is a class: of one, `make test` draws a value for each argument, `make prove` takes all.
SQL = (f"{MARK}'; DROP TABLE transactions; --", f'{MARK}" OR 1=1 --', f"{MARK}') UNION SELECT * FROM sqlite_master --")
PATHS = (
    *("../../../etc/passwd", "..\\..\\windows\\win.ini", "%2e%2e%2fetc%2fpasswd", "file:///etc/passwd", "/dev/zero"),
)
INJECTIONS: tuple[tuple[str, ...], ...] = (
    SQL,
    PATHS,
    ("$(id)", "`id`", "; cat /etc/passwd", "| id"),
    ("{{7*7}}", "${jndi:ldap://127.0.0.1/a}", "%s%n%x"),
    ("NEAR(a b)", "*", "title:x*", "-refund ^x"),
    ("<script>alert(1)</script>", "\r\nSet-Cookie: a=b"),
    ('"', "'", "(" * 99, "\\", "%", "_"),
)
ODD_TEXTS: tuple[tuple[str, ...], ...] = (
    ("", " ", "\t", "\n"),
    ("x" * 10_000,),
    ("\u202egnp.exe", "\ufeffx", "e\u0301", "\u200b", "💸" * 20, "ﬁ", "\x1b[31m"),
    ("null", "None", "undefined", "true", "NaN", "-1", "1e400", "2026-02-30", "٤"),
)
UNSENDABLE: tuple[tuple[str, ...], ...] = (
    ("\ud800", "a\udfffb"),
    ("\u0000", "a\u0000b"),
    (f"{MARK}" + "x" * 300_000,),
)
"""Text that no database could hold, and text beyond what arguments may have."""
NUMBERS: tuple[tuple[Any, ...], ...] = (
    (0, -1, 1),
    (2**31, 2**53 + 1, 2**63, 2**64, 10**30, -(10**30)),
    (0.5, -0.5, 1e300, 5e-324),
    (True, False),
    ("1", "9999", "1e1", "0x1", "1 ", "٤", "9" * 1000),
)
NO_NUMBERS = ((raw("1e400"), raw("-1e400")), (raw("NaN"),), (raw("Infinity"), raw("-Infinity")))
"""What Python's JSON reader takes for a number."""
OTHER_KINDS: tuple[tuple[Any, ...], ...] = (
    *((None,), (True,), (17, 1.5), (MARK,)),
    ([], [MARK], [[[[[[]]]]]]),
    ({}, {"$ne": None}, {MARK: MARK}, {"const": MARK}),
)
GARBAGE_CURSORS = (
    *("", MARK, "W10", "bnVsbA", "WyJhIiwgImIiLCAiYyJd", "A" * 400, "==", "x"),
    *("WyJhIiwgIlx1MDAwMCJd", "WyJcdWQ4MDAiLCAieCJd"),  # with a NUL, with a lone surrogate
)
EXTRA: tuple[dict[str, Any], ...] = (
    {"scope": {}},
    {"principal": "owner"},
    {"approved": True},
    {"approval_id": "apr_" + "0" * 20},
    {"tool_use_id": "toolu_1"},
    {"_meta": {"scope": {}}},
    {"": None},
    {"__class__": "x"},
    {"cursr": "x"},
    {"ctx": None},
    {"x" * 3000: 1},
)


def wide(text: str) -> str:
    """The first letter as its full-width twin, which Unicode's compatibility forms fold back."""
    return chr(ord(text[0]) + 0xFEE0) + text[1:] if text and text[0].isascii() else text + "\ufeff"


NO_NAMES = (
    *("", " ", ".", "*", "💸", "\u0000", "__proto__", "__class__", "x" * 2000),
    *("no_such_tool", "exec", "resources/read", "tools/list", "decide_approvals"),
)
"""Names of nothing, whatever the tools are called."""


def like(name: str, server: str = "server") -> list[str]:
    """Names that some layer might take for `name`, a tool of that server."""
    names = [
        *("../" + name, "tools/" + name, "/" + name),
        *(name + " ", " " + name, name + "\n", name + "\u0000", name + "\u200b", name.upper(), name.title()),
        *(name.replace("_", "-"), f"{server}_{name}", f"mcp__{server}__{name}", f"{name}?", f"{name};", f"{name}/"),
        *(f"{'0' * 12}_{name}", f"e3b0c44298fc_{name}", wide(name), name * 60, f"{name}%00", f"{name}@1"),
    ]
    return [other for other in names if other != name]  # some say the same of a name in one word


def odd_names(name: str, server: str = "server") -> list[str]:
    """Names like that of a tool of that server, and names of nothing."""
    return [*like(name, server), *NO_NAMES]


def not_quite(value: Any, other: str = "x") -> list[Any]:
    """Values that are not `value`, though somebody might take them for it; some have `other` in them as well."""
    others: list[Any] = [None, 12345, 0.5, 1e308, [value], [value, other], {"const": value}, {"$ne": None}, {}]
    match value:
        case bool():
            others += [not value, str(value), int(value)]
        case int() | float():
            others += [value + 1, value - 1, -value - 1, value * 10 + 1, str(value), f"{value} ", True, 2**63, 10**30]
        case str():
            others += [value.swapcase(), value + " ", " " + value, value + "\u200b", wide(value), value + "\n", ""]
            others += [
                f"{value}' OR '1'='1",
                f"{value},{other}",
                "*",
                "%",
                value * 500,
                f"{value}%00",
                0,
                True,
                value + "\0",
            ]
        case _:
            others += [str(value)]
    return [each for each in others if each != value or type(each) is not type(value)]


def invalid(schema: Schema, value: Any) -> bool:
    """Whether the value breaks the schema that the tool lists for an argument."""
    return not _validator(json.dumps(schema)).is_valid(value)  # pyright: ignore[reportUnknownMemberType]  # stub


@lru_cache(maxsize=1024)
def _validator(schema: str) -> Draft202012Validator:
    return Draft202012Validator(json.loads(schema), format_checker=Draft202012Validator.FORMAT_CHECKER)


def unsayable(value: Any) -> bool:
    """Whether it is refused before anybody asks what the argument may be."""
    return isinstance(value, str) and any(value in values for values in (*NO_NUMBERS, *UNSENDABLE))


def bad_values(schema: Schema) -> list[Sequence[Any]]:
    """What an argument of this schema might be sent, by class: other kinds, ends of its ranges, huge, hostile text."""
    kinds = kinds_of(schema)
    classes: list[Sequence[Any]] = [*OTHER_KINDS, *UNSENDABLE, *NO_NUMBERS]
    if "string" in kinds:
        classes += [*INJECTIONS, *ODD_TEXTS]
    if kinds & {"integer", "number"}:
        classes += NUMBERS
    return [*classes, *([end] for part in parts_of(schema) for end in _ends(part))]


def _ends(schema: Schema) -> Iterator[Any]:
    """One beyond each end of a range."""
    if "minimum" in schema:
        yield schema["minimum"] - 1
    if "maximum" in schema:
        yield schema["maximum"] + 1
    if "exclusiveMinimum" in schema:
        yield schema["exclusiveMinimum"]
    if "exclusiveMaximum" in schema:
        yield schema["exclusiveMaximum"]
    if "maxLength" in schema:
        yield "x" * (schema["maxLength"] + 1)
    if schema.get("minLength"):
        yield "x" * (schema["minLength"] - 1)
    if "maxItems" in schema:
        yield [MARK] * (schema["maxItems"] + 1)
    yield from (f"{member}x" for member in schema.get("enum", []) if isinstance(member, str))


def parts_of(schema: Schema) -> list[Schema]:
    """The schema, and those it is any or all of."""
    inner = [part for key in ("anyOf", "oneOf", "allOf") for part in cast("list[Schema]", schema.get(key, []))]
    return [schema, *(each for part in inner for each in parts_of(part))]


def kinds_of(schema: Schema) -> set[str]:
    """The JSON types that it allows."""
    kinds = [part["type"] for part in parts_of(schema) if "type" in part]
    return {each for kind in kinds for each in ([kind] if isinstance(kind, str) else cast("list[str]", kind))}


def other_values(schema: Schema, value: Any) -> list[Any]:
    """Values other than `value` that the schema allows: what an approval or a key must tell apart from it."""
    others: list[Any] = []
    match value:
        case bool():
            others = [not value]
        case int():
            others = [value + 1, value - 1, value * 2, value + 99]
        case float():
            others = [value + 1, value / 2]
        case str():
            others = [
                value + "x",
                value + " ",
                value[:-1],
                value + "\u0301",
                value.upper(),
                value.replace(" ", "  ", 1),
            ]
            others += [member for part in parts_of(schema) for member in part.get("enum", [])]
            others += [wide(value), "xyz", "EUR", "2026-01-01"]
        case list():
            items = cast("list[Any]", value)
            others = [[*items, *items], items[:-1]]
        case _:
            pass
    return [other for other in others if other != value and not invalid(schema, other)]
