"""Lists: filtered by selectors, and in pages that a token continues."""

import base64
import binascii
from collections.abc import Mapping
from itertools import islice

import msgspec

from . import selectors
from .kinds import Kind
from .objects import Object, name_of, namespace_of
from .selectors import Matches, match_all
from .status import bad_request, expired
from .storage import Storage, Stored


def filters(kind: Kind, query: Mapping[str, str]) -> list[Matches]:
    """What the query's selectors ask of an object.

    Raises:
        ApiError: 400.
    """
    found: list[Matches] = []
    if text := query.get("labelSelector"):
        found.append(selectors.labels(text))
    if text := query.get("fieldSelector"):
        found.append(selectors.fields(text, kind))
    return found


def page(storage: Storage, kind: Kind, namespace: str | None, query: Mapping[str, str]) -> tuple[list[Stored], Object]:
    """The objects of one page of a list, and the list's metadata.

    Raises:
        ApiError: 400, a selector or number cannot be read; 410, the token to continue with is none.
    """
    collection = storage.collection(kind.qualified)
    wanted, limit = filters(kind, query), whole(query, "limit")
    after, revision = _continued(query["continue"]) if query.get("continue") else (("", ""), storage.revision)
    found = collection.items(namespace, after)
    if wanted:
        found = (stored for stored in found if match_all(wanted, stored.object))
    metadata: Object = {"resourceVersion": str(revision)}
    if not limit:
        return list(found), metadata
    items = list(islice(found, limit))
    if len(items) == limit and next(found, None) is not None:
        last = namespace_of(items[-1].object), name_of(items[-1].object)
        metadata["continue"] = _token(*last, revision)
        if not wanted:
            metadata["remainingItemCount"] = collection.count(namespace, last)
    return items, metadata


def whole(query: Mapping[str, str], name: str) -> int:
    """A whole number of the query; 0 if it is not there.

    Raises:
        ApiError: 400.
    """
    text = query.get(name, "0") or "0"
    try:
        return int(text)
    except ValueError:
        raise bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax') from None


def _token(namespace: str, name: str, revision: int) -> str:
    start = msgspec.json.encode({"v": "meta.k8s.io/v1", "rv": revision, "start": [namespace, name]})
    return base64.urlsafe_b64encode(start).decode().rstrip("=")


def _continued(token: str) -> tuple[tuple[str, str], int]:
    try:
        said = msgspec.json.decode(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        namespace, name = said["start"]
        return (namespace, name), int(said["rv"])
    except (binascii.Error, msgspec.DecodeError, KeyError, TypeError, ValueError):
        raise bad_request("continue key is not valid") from None


def check_version(storage: Storage, query: Mapping[str, str]) -> None:
    """Raise that a list was asked for at a revision that is not there.

    Raises:
        ApiError: 410 for an exact revision that is not the present one.
    """
    version = whole(query, "resourceVersion")
    if query.get("resourceVersionMatch") == "Exact" and version != storage.revision:
        raise expired(f"The provided resource version is too old or not there: {version}")
