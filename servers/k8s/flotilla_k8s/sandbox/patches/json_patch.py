"""JSON patches (RFC 6902)."""

from typing import Any

from ..objects import copied, is_list
from ..status import ApiError, bad_request


def patched(value: Any, operations: Any) -> Any:
    """The value after every operation.

    Raises:
        ApiError: 400, this is no patch; 422, an operation cannot be done or a test failed.
    """
    if not is_list(operations):
        raise bad_request("json: cannot unmarshal object into Go value of type jsonpatch.Patch")
    value = copied(value)
    for each in operations:
        try:
            value = _operate(value, each)
        except (KeyError, IndexError, ValueError, TypeError, AttributeError):
            raise _refused(f"the server rejected our request due to an error in our request: {each}") from None
    return value


def _operate(value: Any, operation: dict[str, Any]) -> Any:
    path = _parts(operation["path"])
    match operation["op"]:
        case "test":
            if _at(value, path) != operation["value"]:
                raise _refused(f"testing value {operation['path']} failed")
        case "add":
            return _add(value, path, copied(operation["value"]))
        case "replace":
            _at(value, path)
            return _add(_remove(value, path), path, copied(operation["value"]))
        case "remove":
            return _remove(value, path)
        case "move":
            source = _parts(operation["from"])
            moved = _at(value, source)
            return _add(_remove(value, source), path, moved)
        case "copy":
            return _add(value, path, copied(_at(value, _parts(operation["from"]))))
        case _:
            raise _refused(f"unknown operation {operation['op']}")
    return value


def _parts(pointer: str) -> list[str]:
    if pointer and not pointer.startswith("/"):
        raise ValueError(pointer)
    return [each.replace("~1", "/").replace("~0", "~") for each in pointer.split("/")[1:]]


def _at(value: Any, path: list[str]) -> Any:
    for part in path:
        value = value[int(part)] if is_list(value) else value[part]
    return value


def _add(value: Any, path: list[str], new: Any) -> Any:
    if not path:
        return new
    parent = _at(value, path[:-1])
    if is_list(parent):
        index = len(parent) if path[-1] == "-" else int(path[-1])
        if index > len(parent):
            raise IndexError(index)
        parent.insert(index, new)
    else:
        parent[path[-1]] = new
    return value


def _remove(value: Any, path: list[str]) -> Any:
    if not path:
        return None
    parent = _at(value, path[:-1])
    del parent[int(path[-1]) if is_list(parent) else path[-1]]
    return value


def _refused(message: str) -> ApiError:
    return ApiError(422, "Invalid", message, {})
