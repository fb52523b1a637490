"""Reads the API's protobuf, which clients built from typed Go code send; answers are JSON, which they take too.

`protobuf.txt`, written by `scripts/k8s_protobuf.py` from the API's own `generated.proto` files, has a line for each
message: its name, and `number:name:type` of each field. A field without a name is embedded. Types: `s` string,
`b` bytes, `i` integer, `t` boolean, `d` double, `T` time, `Q` quantity, `I` number or string, `R` raw JSON, or a
message; `*` before it: repeated, `%`: a map from strings.
"""

import base64
import struct
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from .objects import Object, timestamp
from .status import bad_request

MEDIA_TYPE = "application/vnd.kubernetes.protobuf"
_MAGIC = b"k8s\x00"
_ZERO_MATTERS = {"replicas", "completions", "parallelism", "backoffLimit", "gracePeriodSeconds"}
"""A number that the sender left out is not there; other zeros, empty texts and false are sent for what was left out."""

Value = int | bytes


def decoded(body: bytes) -> Object:
    """The object that a body holds.

    Raises:
        ApiError: 400, it is of a kind that cannot be read here, or broken.
    """
    if not body.startswith(_MAGIC):
        raise bad_request("the object provided is unrecognized (must have the protobuf prefix)")
    try:
        envelope = dict(_fields(body[len(_MAGIC) :]))
        head = {number: _bytes(value).decode() for number, value in _fields(_bytes(envelope[1]))}
        api_version, kind = head.get(1, ""), head.get(2, "")
        group, _, version = api_version.rpartition("/")
        package = "meta.v1" if kind == "DeleteOptions" else f"{group.partition('.')[0] or 'core'}.{version}"
        return {"apiVersion": api_version, "kind": kind, **_message(f"{package}.{kind}", _bytes(envelope[2]))}
    except KeyError as error:
        raise bad_request(f"this server reads no protobuf of {error}; send JSON") from None
    except (IndexError, ValueError, struct.error):
        raise bad_request("the protobuf ends too early") from None


@cache
def _messages() -> dict[str, dict[int, tuple[str, str]]]:
    lines = Path(__file__).with_suffix(".txt").read_text().splitlines()
    found: dict[str, dict[int, tuple[str, str]]] = {}
    for name, *fields in map(str.split, lines):
        split = (each.split(":") for each in fields)
        found[name] = {int(number): (field, kind) for number, field, kind in split}
    return found


def _message(name: str, data: bytes) -> Object:
    known, value = _messages()[name], Object()
    for number, raw in _fields(data):
        if number not in known:
            continue
        field, kind = known[number]
        if kind[0] == "*":
            value.setdefault(field, []).append(_value(kind[1:], raw))
        elif kind[0] == "%":
            pair = dict(_fields(_bytes(raw)))
            value.setdefault(field, {})[_bytes(pair[1]).decode()] = _value(kind[1:], pair.get(2, b""))
        elif not field:
            value |= _message(kind, _bytes(raw))
        else:
            each = _value(kind, raw)
            if each or (each == 0 and field in _ZERO_MATTERS):
                value[field] = each
    return value


def _value(kind: str, raw: Value) -> Any:
    match kind:
        case "i":
            return raw if isinstance(raw, int) and raw < 1 << 63 else int(raw) - (1 << 64)  # two's complement
        case "t":
            return bool(raw)
        case "d":
            return struct.unpack("<d", _bytes(raw))[0]
        case "s":
            return _bytes(raw).decode()
        case "b":
            return base64.b64encode(_bytes(raw)).decode()
        case "T":
            seconds = dict(_fields(_bytes(raw))).get(1)
            return timestamp(int(seconds)) if seconds else None
        case "Q":
            return _bytes(dict(_fields(_bytes(raw))).get(1, b"")).decode()
        case "I":
            parts = dict(_fields(_bytes(raw)))
            return _bytes(parts.get(3, b"")).decode() if parts.get(1) else _value("i", parts.get(2, 0))
        case "R":
            return msgspec.json.decode(_bytes(dict(_fields(_bytes(raw)))[1]))
        case _:
            return _message(kind, _bytes(raw))


def _fields(data: bytes) -> Iterator[tuple[int, Value]]:
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        number, wire = tag >> 3, tag & 7
        if wire == 0:
            value, at = _varint(data, at)
            yield number, value
            continue
        length, at = _varint(data, at) if wire == 2 else ({1: 8, 5: 4}[wire], at)
        if at + length > len(data):
            raise ValueError(number)
        yield number, data[at : at + length]
        at += length


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at


def _bytes(value: Value) -> bytes:
    if isinstance(value, int):
        raise ValueError(value)
    return value
