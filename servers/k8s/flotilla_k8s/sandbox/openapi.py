"""The OpenAPI v3 documents: one for each group and version, and the index of them."""

from typing import Any

from . import definitions
from .discovery import RELEASE
from .kinds import Kind, Kinds
from .objects import Object
from .schemas import document_of
from .status import no_such_resource

_METHODS = {"get": "get", "create": "post", "update": "put", "patch": "patch", "delete": "delete", "list": "get"}
_ON_COLLECTION = ("list", "create")
_PARAMETERS = {
    "create": ["dryRun", "fieldManager", "fieldValidation"],
    "update": ["dryRun", "fieldManager", "fieldValidation"],
    "patch": ["dryRun", "fieldManager", "fieldValidation", "force"],
    "delete": ["dryRun", "propagationPolicy"],
}


def index(kinds: Kinds) -> Object:
    """`/openapi/v3`."""
    paths = [_path_of(group, version) for group, versions in kinds.groups().items() for version in versions]
    return {"paths": {path: {"serverRelativeURL": f"/openapi/v3/{path}"} for path in paths}}


def document(group: str, version: str, kinds: Kinds) -> Object:
    """`/openapi/v3/apis/GROUP/VERSION` or `/openapi/v3/api/v1`.

    Raises:
        ApiError: 404.
    """
    found = kinds.of(group, version)
    if not found:
        raise no_such_resource()
    schemas = definitions.closure(*(kind.model for kind in found if kind.model is not None))
    for kind in found:
        name, schema = _named(kind)
        schemas[name] = {**schema, "x-kubernetes-group-version-kind": [_identity(kind)]}
        if kind.model is None and kind.schema is not None:
            schemas |= definitions.closure(definitions.metadata())
    return {
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": RELEASE},
        "paths": {path: item for kind in found for path, item in _paths(kind).items()},
        "components": {"schemas": schemas},
    }


def _path_of(group: str, version: str) -> str:
    return f"apis/{group}/{version}" if group else f"api/{version}"


def _named(kind: Kind) -> tuple[str, Any]:
    if kind.model is not None:
        return definitions.name_of(kind.model), document_of(kind)
    return ".".join([*reversed(kind.group.split(".")), kind.version, kind.kind]), document_of(kind)


def _identity(kind: Kind) -> Object:
    return {"group": kind.group, "version": kind.version, "kind": kind.kind}


def _paths(kind: Kind) -> Object:
    base = f"/{_path_of(kind.group, kind.version)}" + ("/namespaces/{namespace}" if kind.namespaced else "")
    collection = {_METHODS[verb]: _operation(kind, verb) for verb in kind.verbs if verb in _ON_COLLECTION}
    single = {
        _METHODS[verb]: _operation(kind, verb) for verb in kind.verbs if verb in _METHODS and verb not in _ON_COLLECTION
    }
    return {f"{base}/{kind.plural}": collection, f"{base}/{kind.plural}/{{name}}": single}


def _operation(kind: Kind, verb: str) -> Object:
    action = {"create": "post", "update": "put"}.get(verb, verb)
    content = {"application/json": {"schema": {"$ref": definitions.reference(_named(kind)[0])}}}
    parameters = [
        {
            "name": name,
            "in": "query",
            "schema": {"type": "boolean" if name == "force" else "string", "uniqueItems": True},
        }
        for name in _PARAMETERS.get(verb, [])
    ]
    return {
        "operationId": f"{verb}_{kind.group}_{kind.version}_{kind.plural}",
        "parameters": parameters,
        "responses": {"200": {"description": "OK", "content": content}},
        "x-kubernetes-action": action,
        "x-kubernetes-group-version-kind": _identity(kind),
    }
