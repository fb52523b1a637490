"""Objects of an API server as JSON, and reading what may be missing in them."""

from collections.abc import Mapping
from typing import Any, cast

Object = dict[str, Any]
SERVER_METADATA = ("uid", "resourceVersion", "generation", "creationTimestamp", "selfLink", "managedFields")
"""What an API server writes into `metadata` of its own accord."""


def at(value: Any, *path: str) -> Any:
    """What is at a path of keys, None if that is nowhere."""
    for key in path:
        value = cast(Object, value).get(key) if isinstance(value, Mapping) else None
    return value


def mapping(value: Any, *path: str) -> Object:
    """The object at a path, an empty one if there is none."""
    found = at(value, *path)
    return cast(Object, found) if isinstance(found, dict) else {}


def mappings(value: Any, *path: str) -> list[Object]:
    """The objects in the list at a path."""
    found = at(value, *path)
    return [cast(Object, each) for each in cast("list[Any]", found) if isinstance(each, dict)] if found else []


def text(value: Any, *path: str) -> str:
    """The text at a path, an empty one if there is none."""
    found = at(value, *path)
    return found if isinstance(found, str) else ""
