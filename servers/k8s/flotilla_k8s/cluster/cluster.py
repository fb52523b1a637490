"""One cluster: requests to its API server, with retries, time limits and errors that say what is missing."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from http import HTTPStatus
from typing import Any, cast
from urllib.parse import urlencode

import httpx2
import msgspec
from flotilla_kit.errors import InvalidCursor
from lightkube.config import client_adapter
from lightkube.config.models import User

from ..errors import ClusterUnavailable
from ..objects import Object
from ..redaction import Redactor, secret_values
from ..settings import Settings
from .credentials import PluginAuth
from .failures import Asked, failure, unavailable
from .kinds import Kind, Kinds
from .kubeconfig import Context
from .names import FIELD_MANAGER
from .tables import ACCEPT as TABLE
from .tables import Table, read_table

JSON = "application/json"
TRIES = 4
SEARCHES = 4  # at once
_BACKOFF_S = (0.1, 0.4, 1.0)
_LONGEST_WAIT_S = 5.0  # that an API server may ask for with Retry-After
_WATCH_SLACK_S = 5.0
_TOO_MANY = 429


class Cluster:
    """The API server of one context, as the identity of that context."""

    def __init__(self, context: Context, settings: Settings, redactor: Redactor) -> None:
        self.context, self.redactor = context, redactor
        self.kinds = Kinds(self._discover)
        self.searches = asyncio.Semaphore(SEARCHES)
        """Of logs, each of which takes a process."""
        self._change_timeout = f"{round(settings.request_timeout_s * 1000)}ms"
        config = context.config._replace(user=context.config.user or User())
        parameters = client_adapter.ConnectionParams(timeout=httpx2.Timeout(settings.request_timeout_s))
        self._http = client_adapter.AsyncClient(config, parameters)
        self._address = str(self._http.base_url).rstrip("/")
        if context.plugin is not None:
            self._http.auth = PluginAuth(context.plugin, settings.credential_timeout_s, redactor)

    @property
    def name(self) -> str:
        return self.context.name

    async def close(self) -> None:
        await self._http.aclose()

    async def get(self, kind: Kind, name: str, namespace: str | None = None) -> Object:
        """One object as the API server has it, secrets and all: what is shown of it goes through the redactor.

        Raises:
            NotFound, Forbidden, ClusterUnavailable: also of the other methods.
        """
        asked = Asked("GET", kind, namespace, name)
        return _object(await self._send(asked, kind.path(namespace, name)))

    async def list_objects(
        self,
        kind: Kind,
        namespace: str | None = None,
        *,
        labels: str | None = None,
        fields: str | None = None,
        limit: int | None = None,
        token: str | None = None,
    ) -> Object:
        """A list of objects with its `metadata`; `token` is `metadata.continue` of the list before."""
        params = {"labelSelector": labels, "fieldSelector": fields, "limit": limit, "continue": token}
        return _object(await self._send(Asked("GET", kind, namespace), kind.path(namespace), params))

    async def table(
        self,
        kind: Kind,
        namespace: str | None = None,
        *,
        labels: str | None = None,
        limit: int | None = None,
        token: str | None = None,
        metadata: bool = False,
    ) -> Table:
        """A list as the API server prints it, far cheaper than the objects; with their metadata if asked for."""
        include = "Metadata" if metadata else "None"
        params = {"labelSelector": labels, "limit": limit, "continue": token, "includeObject": include}
        answer = await self._send(Asked("GET", kind, namespace), kind.path(namespace), params, accept=TABLE)
        return read_table(answer.content)

    async def apply(
        self,
        kind: Kind,
        name: str,
        body: Mapping[str, Any],
        namespace: str | None = None,
        *,
        force: bool = False,
        dry_run: bool = False,
    ) -> tuple[Object, bool]:
        """Server-side apply: the object after it, and whether it was not there before. Raises `FieldConflict`."""
        params = {"fieldManager": FIELD_MANAGER, "fieldValidation": "Strict", "force": "true" if force else "false"}
        params |= {"dryRun": "All"} if dry_run else {}
        asked, path = Asked("PATCH", kind, namespace, name), kind.path(namespace, name)
        content = "application/apply-patch+yaml"  # of which JSON is a part
        answer = await self._send(asked, path, params, body=body, content_type=content, repeatable=dry_run)
        return _object(answer), answer.status_code == HTTPStatus.CREATED

    async def patch(
        self, kind: Kind, name: str, patch: Mapping[str, Any], namespace: str | None = None
    ) -> tuple[Object, bool]:
        """JSON merge patch; answers as `apply`, never that it was not there.

        Give `metadata.resourceVersion` in it to change only what was read.
        """
        asked, path = Asked("PATCH", kind, namespace, name), kind.path(namespace, name)
        params, content = {"fieldManager": FIELD_MANAGER}, "application/merge-patch+json"
        return _object(await self._send(asked, path, params, body=patch, content_type=content)), False

    async def delete(self, kind: Kind, name: str, namespace: str | None = None, *, uid: str | None = None) -> Object:
        """Delete an object, if it still has this uid. Answers the object, or a Status."""
        body: Object = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background"}
        body["preconditions"] = {} if uid is None else {"uid": uid}
        return _object(await self._send(Asked("DELETE", kind, namespace, name), kind.path(namespace, name), body=body))

    async def review(self, kind: Kind, body: Mapping[str, Any]) -> Object:
        """Ask the API server a question that is put like an object, such as a SelfSubjectAccessReview."""
        return _object(await self._send(Asked("POST", kind), kind.path(), body=body, repeatable=True))

    async def watch(
        self, kind: Kind, namespace: str | None, *, name: str, version: str, timeout_s: float
    ) -> AsyncGenerator[Object]:
        """What happens to one object after a resource version. It ends in time, when the API server closes it, or when
        that version is too old: read again and begin anew."""
        params = {"watch": "true", "fieldSelector": f"metadata.name={name}", "resourceVersion": version}
        params["timeoutSeconds"] = str(max(1, int(timeout_s)))
        asked, read = Asked("GET", kind, namespace, watch=True), timeout_s + _WATCH_SLACK_S
        with suppress(InvalidCursor):  # 410
            async with self._stream(asked, kind.path(namespace), params, httpx2.Timeout(10, read=read)) as response:
                async for line in response.aiter_lines():
                    event = cast(Object, msgspec.json.decode(line)) if line.strip() else {}
                    if event.get("type") == "ERROR":
                        return
                    if event.get("type") != "BOOKMARK" and "object" in event:
                        yield event["object"]

    @asynccontextmanager
    async def logs(self, pod: Kind, name: str, namespace: str, params: Mapping[str, Any]) -> AsyncGenerator[Any]:
        """The bytes of a container's log as they come, in chunks."""
        asked = Asked("GET", pod, namespace, name, "log")
        async with self._stream(asked, pod.path(namespace, name, "log"), params) as response:
            yield _chunks(response)

    @asynccontextmanager
    async def _stream(
        self, asked: Asked, path: str, params: Mapping[str, Any], timeout: httpx2.Timeout | None = None
    ) -> AsyncGenerator[httpx2.Response]:
        limit = timeout if timeout is not None else self._http.timeout
        try:
            async with self._http.stream("GET", self._url(path, params), timeout=limit) as response:
                if response.is_error:
                    raise failure(response.status_code, await response.aread(), asked, self.redactor)
                yield response
        except httpx2.HTTPError as error:
            raise unavailable(_why(error)) from None

    def _url(self, path: str, params: Mapping[str, Any]) -> str:
        """Of a path with those of the parameters that are given; whole, or httpx would parse it three times."""
        given = {name: value for name, value in params.items() if value is not None}
        return f"{self._address}{path}?{urlencode(given)}" if given else f"{self._address}{path}"

    async def _discover(self, path: str, accept: str) -> Any:
        return msgspec.json.decode((await self._send(Asked("GET"), path, accept=accept)).content)

    async def _send(
        self,
        asked: Asked,
        path: str,
        params: Mapping[str, Any] | None = None,
        *,
        body: Any = None,
        content_type: str = JSON,
        accept: str = JSON,
        repeatable: bool = False,
    ) -> httpx2.Response:
        """The answer, read. A read is repeated when there was no answer; a change only when it was turned away
        before anything happened (429)."""
        headers, content = {"Accept": accept}, None
        if body is not None:
            headers["Content-Type"], content = content_type, msgspec.json.encode(body)
            asked = replace(asked, secrets=frozenset(secret_values(body)))
        repeatable = repeatable or asked.method == "GET"
        if asked.method != "GET":  # or a change could still happen after nobody waits for it any more
            params = {**(params or {}), "timeout": self._change_timeout}
        url = self._url(path, params or {})
        for number in range(TRIES):
            wait = _BACKOFF_S[min(number, len(_BACKOFF_S) - 1)]
            try:
                response = await self._http.request(asked.method, url, content=content, headers=headers)
            except httpx2.HTTPError as error:
                problem: Exception = unavailable(_why(error))
                again = repeatable or isinstance(error, httpx2.ConnectError)
            else:
                if not response.is_error:
                    return response
                problem = failure(response.status_code, response.content, asked, self.redactor)
                again = response.status_code == _TOO_MANY or (repeatable and isinstance(problem, ClusterUnavailable))
                wait = _retry_after(response, wait)
            if not again or number == TRIES - 1:
                raise problem
            await asyncio.sleep(wait)
        raise AssertionError("the last try returns or raises")


def _object(answer: httpx2.Response) -> Object:
    return cast(Object, msgspec.json.decode(answer.content))


async def _chunks(response: httpx2.Response) -> AsyncIterator[bytes]:
    try:
        async for chunk in response.aiter_bytes():
            yield chunk
    except httpx2.HTTPError as error:
        raise unavailable(_why(error)) from None


def _retry_after(response: httpx2.Response, otherwise: float) -> float:
    said = response.headers.get("Retry-After", "")
    return min(float(said), _LONGEST_WAIT_S) if said.isdigit() else otherwise


def _why(error: httpx2.HTTPError) -> str:
    """What went wrong, without the request in it."""
    if isinstance(error, httpx2.TimeoutException):
        return "It did not answer in time."
    return "It cannot be reached." if isinstance(error, httpx2.ConnectError) else "The connection broke off."
