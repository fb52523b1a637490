"""The ASGI application: one request, from its path to its answer."""

from collections.abc import Mapping
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from . import changes, deletion, discovery, faults, logs, metrics, openapi, reading, tables, watch
from .access import reviews, rules
from .access.users import User, Users
from .cluster import Cluster
from .faults import Fault, Faults
from .objects import Object, members
from .requests import Target, decoded, options_of, target_of, verb_of, write_of
from .status import ApiError, forbidden, method_not_allowed, no_such_resource, not_found
from .storage import Stored
from .write import Write, scale_of

_HEALTH = ("healthz", "livez", "readyz")
_REVIEWS = ("authentication.k8s.io", "authorization.k8s.io")


class App:
    """Answers requests over one cluster."""

    def __init__(self, cluster: Cluster, users: Users, faults: Faults) -> None:
        self.cluster, self.users, self.faults = cluster, users, faults
        self._documents: dict[tuple[str, str], bytes] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        try:
            response = await self._answer(request)
        except ApiError as error:
            response = _json(error.status(), error.code)
            if error.retry_after_s is not None:
                response.headers["retry-after"] = str(error.retry_after_s)
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        parts = request.url.path.strip("/").split("/")
        if parts[0] in _HEALTH:
            return Response("ok")
        user = self.users.caller(request.headers)
        if self.cluster.options.faults and parts == ["sandbox", "faults"]:
            return await self._arrange(request)
        fault = self.faults.take(request.method, request.url.path)
        if fault is not None and fault.failure != "lost":
            await faults.fail(fault)
        response = self._describe(parts, request) or await self._operate(parts, request, user)
        if fault is not None and fault.failure == "lost":
            raise faults.internal()
        return response

    async def _arrange(self, request: Request) -> Response:
        """Take the failures that are to come; an empty list clears them."""
        wanted = msgspec.json.decode(await request.body(), type=list[Fault])
        if not wanted:
            self.faults.clear()
        for each in wanted:
            if each.failure == "forget":
                self.cluster.storage.forget()
            else:
                self.faults.add(each)
        return _json({})

    def _describe(self, parts: list[str], request: Request) -> Response | None:
        """Discovery and OpenAPI; None for everything else."""
        kinds = self.cluster.kinds
        wants_all = "apidiscovery.k8s.io" in request.headers.get("accept", "")
        match parts:
            case ["version"]:
                return _json(discovery.VERSION)
            case ["api" | "apis" as root] if wants_all:
                answer = discovery.aggregated(kinds, root == "api")
                return Response(msgspec.json.encode(answer), media_type=discovery.AGGREGATED)
            case ["api"]:
                return _json(discovery.versions())
            case ["apis"]:
                return _json(discovery.groups(kinds))
            case ["apis", group]:
                return _json(discovery.group(group, kinds))
            case ["api", version]:
                return _json(discovery.resources("", version, kinds))
            case ["apis", group, version]:
                return _json(discovery.resources(group, version, kinds))
            case ["openapi", "v3"]:
                return _json(openapi.index(kinds))
            case ["openapi", "v3", "api", version]:
                return self._document("", version)
            case ["openapi", "v3", "apis", group, version]:
                return self._document(group, version)
            case ["api" | "apis", *_]:
                return None
            case _:
                raise no_such_resource()

    def _document(self, group: str, version: str) -> Response:
        key, custom = (group, version), [kind for kind in self.cluster.kinds.of(group, version) if kind.model is None]
        if key not in self._documents or custom:
            self._documents[key] = msgspec.json.encode(openapi.document(group, version, self.cluster.kinds))
        return Response(self._documents[key], media_type="application/json")

    async def _operate(self, parts: list[str], request: Request, user: User) -> Response:
        """A verb on a kind's objects."""
        target, query = target_of(parts, self.cluster.kinds), request.query_params
        verb = verb_of(request.method, target, query)
        self._authorize(user, target, verb)
        if target.kind.group == "metrics.k8s.io":
            return _json(metrics.usage(self.cluster.storage, target.kind, target.namespace, target.name, query))
        if verb in ("get", "list", "watch"):
            return self._read(target, verb, request)
        content_type = request.headers.get("content-type", "")
        body = decoded(await request.body(), content_type, verb)
        if target.kind.group in _REVIEWS:
            answer = reviews.review(
                self.cluster.storage, self.users, user, target.kind, target.namespace or "", members(body)
            )
            return _json(answer, 201)
        write = write_of(target, verb, query, request.headers.get("user-agent", ""), content_type)
        if members(body).get("dryRun") == ["All"]:
            write.dry_run = True
        answer, code = self._write(write, verb, content_type.partition(";")[0], body, query)
        response = _json(_shown(target, answer), code)
        for warning in write.warnings:
            response.headers.append("warning", f'299 - "{warning}"'.replace('\\"', '"'))
        return response

    def _authorize(self, user: User, target: Target, verb: str) -> None:
        kind = target.kind
        namespace = target.namespace or (target.name if kind.qualified == "namespaces" else "")
        access = rules.Access(verb, kind.group, target.resource, namespace, target.name)
        if not rules.allows(self.cluster.storage, user, access):
            raise forbidden(kind, target.name, rules.refusal(user, access))

    def _read(self, target: Target, verb: str, request: Request) -> Response:
        kind, query, storage = target.kind, request.query_params, self.cluster.storage
        accept = request.headers.get("accept", "")
        if verb == "get":
            stored = storage.collection(kind.qualified).get(target.namespace or "", target.name)
            if stored is None:
                raise not_found(kind, target.name)
            if target.subresource == "log":
                return logs.response(stored.object, query)
            if target.subresource == "scale":
                return _json(scale_of(stored.object))
            return Response(_encoded(target, stored, accept, query), media_type="application/json")
        if verb == "watch":
            if target.name:
                query = {**query, "fieldSelector": f"metadata.name={target.name}"}
            first = True

            def encode(stored: Stored) -> bytes:
                nonlocal first
                definitions, first = first, False
                return _encoded(target, stored, accept, query, definitions=definitions)

            lines = watch.events(self.cluster, kind, target.namespace, query, encode)
            return StreamingResponse(lines, media_type="application/json")
        reading.check_version(storage, query)
        found, metadata = reading.page(storage, kind, target.namespace, query)
        if "as=Table" in accept:
            return Response(tables.table(kind, found, metadata, query.get("includeObject", "Metadata")),
                            media_type="application/json")  # fmt: skip
        head = kind.list_head(metadata)
        if "as=PartialObjectMetadataList" in accept:
            head |= {"kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1"}
            return _json({**head, "items": [tables.partial(stored.object) for stored in found]})
        items = b",".join([_item(target, stored) for stored in found])
        return Response(msgspec.json.encode(head)[:-1] + b',"items":[' + items + b"]}", media_type="application/json")

    def _write(
        self, write: Write, verb: str, content_type: str, body: Any, query: Mapping[str, str]
    ) -> tuple[Object, int]:
        match verb:
            case "create" if write.subresource == "eviction":
                pod = Write(write.kind, write.namespace, write.name, dry_run=write.dry_run)
                return deletion.delete(self.cluster, pod, body.get("deleteOptions") or {}), 201
            case "create":
                return changes.create(self.cluster, write, body), 201
            case "update":
                return changes.replace(self.cluster, write, body), 200
            case "patch":
                answer, created = changes.patch(self.cluster, write, content_type, body)
                return answer, 201 if created else 200
            case "delete":
                return deletion.delete(self.cluster, write, options_of(body, query)), 200
            case "deletecollection":
                return self._delete_all(write, options_of(body, query), query), 200
            case _:
                raise method_not_allowed()

    def _delete_all(self, write: Write, options: Object, query: Mapping[str, str]) -> Object:
        found, metadata = reading.page(self.cluster.storage, write.kind, write.namespace or None, query)
        for stored in found:
            one = Write(write.kind, write.namespace, stored.object["metadata"]["name"], dry_run=write.dry_run)
            deletion.delete(self.cluster, one, options)
        return {**write.kind.list_head(metadata), "items": [stored.object for stored in found]}


def _shown(target: Target, value: Object) -> Object:
    """An object in the version that it was asked for in."""
    served = target.kind.api_version
    if value.get("kind") == target.kind.kind and value.get("apiVersion") != served:
        return {**value, "apiVersion": served}
    return value


def _item(target: Target, stored: Stored) -> bytes:
    shown = _shown(target, stored.object)
    return stored.encoded if shown is stored.object else msgspec.json.encode(shown)


def _encoded(
    target: Target, stored: Stored, accept: str, query: Mapping[str, str], *, definitions: bool = True
) -> bytes:
    """One object in the form that was asked for."""
    if "as=Table" in accept:
        metadata: Object = {"resourceVersion": str(stored.revision)}
        include = query.get("includeObject", "Metadata")
        return tables.table(target.kind, [stored], metadata, include, definitions=definitions)
    if "as=PartialObjectMetadata" in accept:
        return msgspec.json.encode(tables.partial(stored.object))
    return _item(target, stored)


def _json(value: Any, code: int = 200) -> Response:
    return Response(msgspec.json.encode(value), code, media_type="application/json")
