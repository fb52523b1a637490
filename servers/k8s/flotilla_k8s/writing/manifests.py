"""A manifest: the text of one object as a caller wrote it, checked as far as that goes without asking the cluster."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

from ..cluster.names import OUR_PREFIX
from ..objects import SERVER_METADATA
from ..redaction import LAST_APPLIED
from . import names
from .documents import parsed
from .refusals import InvalidManifest

_VERSION = re.compile(r"(?:[a-z0-9](?:[-a-z0-9.]*[a-z0-9])?/)?v[0-9][a-z0-9]*")
_KIND = re.compile(r"[A-Z][A-Za-z0-9]{0,62}")
_BY_DELETION = ("deletionTimestamp", "deletionGracePeriodSeconds")


@dataclass(frozen=True)
class Manifest:
    """One object to apply. `body` is all of it, as JSON."""

    api_version: str
    kind: str
    name: str
    namespace: str | None
    """As the text says; None if it does not."""
    body: Mapping[str, Any]


def read(text: str) -> Manifest:
    """The only object in a YAML or JSON text.

    Raises:
        InvalidManifest: there is no such object, or it says what only an API server may say.
    """
    value = parsed(text)
    if isinstance(value, list):
        raise InvalidManifest(
            "The manifest is a list.", "Give one object a call, without the list around it.", path="$"
        )
    if not isinstance(value, dict):
        raise InvalidManifest(
            "The manifest is no object.", "Give one object with apiVersion, kind and metadata.name.", path="$"
        )
    body: dict[str, Any] = json.loads(json.dumps(value))  # what an alias stands for is one value in several places
    api_version = _api_version(body.get("apiVersion"))
    group = api_version.rpartition("/")[0]  # empty for the core API
    kind = _kind(body.get("kind"))
    if kind.endswith("List") and isinstance(body.get("items"), list):
        raise InvalidManifest(
            f"The manifest is a {kind}, which holds several objects.", "Apply each of its items by a call of its own."
        )
    metadata = _object(body, "metadata", "Add metadata with a name.")
    _drop_empty(body, metadata)
    _refuse_what_servers_say(body, metadata)
    name = _name(group, kind, metadata)
    namespace = _namespace(metadata)
    _texts(metadata, "labels")
    _texts(metadata, "annotations")
    if (group, kind) == ("", "Secret") and (body.get("data") or body.get("stringData")):
        raise InvalidManifest(
            "The manifest has the values of a Secret; those do not pass through here.",
            "Have it made where its values are kept, such as by External Secrets; manifests refer to it by name.",
            path="data" if body.get("data") else "stringData",
        )
    return Manifest(api_version, kind, name, namespace, body)


def _api_version(said: object) -> str:
    if not isinstance(said, str) or not _VERSION.fullmatch(said):
        raise InvalidManifest(
            "The manifest has no apiVersion." if said is None else "The manifest's apiVersion is none.",
            "Write apiVersion as v1 or GROUP/VERSION, such as apps/v1.",
            path="apiVersion",
        )
    return said


def _kind(said: object) -> str:
    if not isinstance(said, str) or not _KIND.fullmatch(said):
        raise InvalidManifest(
            "The manifest has no kind." if said is None else "The manifest's kind is none.",
            "Write kind as the API does, such as Deployment.",
            path="kind",
        )
    return said


def _object(parent: Mapping[str, Any], name: str, suggestion: str) -> dict[str, Any]:
    value = parent.get(name)
    if not isinstance(value, dict):
        what = f"The manifest has no {name}." if value is None else f"The manifest's {name} is no object."
        raise InvalidManifest(what, suggestion, path=name)
    return cast("dict[str, Any]", value)


def _drop_empty(body: dict[str, Any], metadata: dict[str, Any]) -> None:
    """Take out the empty fields that tools write into manifests and that say nothing."""
    for owner, keys in ((body, ("status",)), (metadata, (*SERVER_METADATA, *_BY_DELETION, "ownerReferences"))):
        for key in keys:
            if key in owner and not owner[key]:
                del owner[key]


def _refuse_what_servers_say(body: Mapping[str, Any], metadata: Mapping[str, Any]) -> None:
    surplus = [f"metadata.{key}" for key in (*SERVER_METADATA, *_BY_DELETION) if key in metadata]
    surplus += ["status"] if "status" in body else []
    if surplus:
        raise InvalidManifest(
            f"The manifest says what only the API server says: {', '.join(surplus)}.",
            f"Leave out {', '.join(surplus)}.",
            path=surplus[0],
        )
    if "ownerReferences" in metadata:
        raise InvalidManifest(
            "The manifest gives the object an owner, with whose deletion it would be deleted.",
            "Leave out metadata.ownerReferences; controllers set it.",
            path="metadata.ownerReferences",
        )


def _name(group: str, kind: str, metadata: Mapping[str, Any]) -> str:
    name = metadata.get("name")
    if name is None or name == "":
        generated = "generateName" in metadata
        raise InvalidManifest(
            "The manifest has generateName in place of a name; each apply would make another object."
            if generated
            else "The manifest has no metadata.name.",
            "Write metadata.name: an apply is of one object that its name identifies.",
            path="metadata.name",
        )
    if not isinstance(name, str):
        raise InvalidManifest("metadata.name is no text.", "Put the name into quotes.", path="metadata.name")
    if not names.is_name(group, kind, name):
        suggested = names.suggestion(name)
        raise InvalidManifest(
            f"metadata.name is no name that a {kind} may have: lower-case letters, digits and -.",
            f"Take {suggested}, or another such name." if suggested else "Take another name.",
            path="metadata.name",
        )
    return name


def _namespace(metadata: Mapping[str, Any]) -> str | None:
    said = metadata.get("namespace")
    if said is None or said == "":
        return None
    if not isinstance(said, str) or not names.LABEL.fullmatch(said):
        raise InvalidManifest(
            "metadata.namespace is no name of a namespace.",
            "Write the name of a namespace that is there; list_namespaces shows them.",
            path="metadata.namespace",
        )
    return said


def _texts(metadata: dict[str, Any], field: str) -> None:
    """Check labels or annotations: texts by keys that Kubernetes allows, none of them ours or kubectl's own."""
    value = metadata.get(field)
    if value is None:
        metadata.pop(field, None)
        return
    texts = _object(metadata, field, f"Write metadata.{field} as keys with texts.")
    for key, text in texts.items():
        path = f"metadata.{field}[{key[:80]}]"
        if not names.is_label_key(key):
            raise InvalidManifest(f"{path} is no key that Kubernetes allows.", "Write NAME or PREFIX/NAME.", path=path)
        if not isinstance(text, str):
            raise InvalidManifest(f"{path} is no text.", 'Put the value into quotes, such as "true".', path=path)
        if field == "labels" and not names.is_label_value(text):
            raise InvalidManifest(
                f"{path} is no value that a label may have.",
                "Write at most 63 letters, digits, -, _ and . in labels; other text belongs in annotations.",
                path=path,
            )
        if key.startswith(OUR_PREFIX) or key == LAST_APPLIED:
            raise InvalidManifest(f"{path} is not for manifests.", f"Leave out {key}.", path=path)


def within(manifest: Manifest, namespace: str | None) -> Manifest:
    """The manifest in that namespace, which it may leave unsaid."""
    if namespace is None or manifest.namespace == namespace:
        return manifest
    body = {**manifest.body, "metadata": {**manifest.body["metadata"], "namespace": namespace}}
    return replace(manifest, namespace=namespace, body=body)
