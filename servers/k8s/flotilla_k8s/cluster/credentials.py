"""Credentials that a program gives: `exec` of a kubeconfig, in both versions that clusters use."""

import asyncio
import json
import os
from collections.abc import AsyncGenerator, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import PurePath
from typing import Any, cast

import httpx2

from ..errors import CredentialsUnavailable
from ..objects import mappings
from ..redaction import Redactor

VERSIONS = ("client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1")
_EARLY = timedelta(seconds=30)
_UNAUTHORIZED = 401


class PluginAuth(httpx2.Auth):
    """The bearer token of a credential plugin, fetched anew when it expires or is refused.

    The program gets no stdin and a time limit, and nothing that it prints is ever told or logged.
    """

    def __init__(self, plugin: Mapping[str, Any], timeout_s: float, redactor: Redactor) -> None:
        self._plugin, self._timeout_s, self._redactor = plugin, timeout_s, redactor
        self._token = ""
        self._until: datetime | None = None
        self._lock = asyncio.Lock()

    async def async_auth_flow(self, request: httpx2.Request) -> AsyncGenerator[httpx2.Request, httpx2.Response]:
        token = await self._current(refused="")
        request.headers["Authorization"] = f"Bearer {token}"
        response = yield request
        if response.status_code == _UNAUTHORIZED:
            request.headers["Authorization"] = f"Bearer {await self._current(refused=token)}"
            yield request

    async def _current(self, refused: str) -> str:
        async with self._lock:
            expired = self._until is not None and datetime.now(UTC) > self._until - _EARLY
            if not self._token or expired or self._token == refused:
                self._read(await self._run())
            return self._token

    async def _run(self) -> bytes:
        version = str(self._plugin.get("apiVersion"))
        if version not in VERSIONS:
            raise self._failed(f"asks for {version[:80]}, which is not supported")
        given = {str(pair["name"]): str(pair["value"]) for pair in mappings(self._plugin, "env")}
        told = {"apiVersion": version, "kind": "ExecCredential", "spec": {"interactive": False}}
        try:
            process = await asyncio.create_subprocess_exec(
                str(self._plugin["command"]),
                *map(str, self._plugin.get("args") or []),
                env={**os.environ, **given, "KUBERNETES_EXEC_INFO": json.dumps(told)},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
            )
        except (OSError, ValueError, KeyError):
            raise self._failed("cannot be started") from None
        try:
            output, _ = await asyncio.wait_for(process.communicate(), self._timeout_s)
        except TimeoutError:
            raise self._failed(f"took more than {self._timeout_s:g} s") from None
        finally:
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        if process.returncode:
            raise self._failed(f"ended with exit code {process.returncode}")
        return output

    def _read(self, output: bytes) -> None:
        try:
            status = cast("dict[str, Any]", json.loads(output)["status"])
            until = status.get("expirationTimestamp")
            self._until = datetime.fromisoformat(until) if until else None
            self._token = str(status.get("token") or "")
        except (ValueError, KeyError, TypeError, AttributeError):
            raise self._failed("did not print an ExecCredential") from None
        if not self._token:
            raise self._failed("gave no token; client certificates from plugins are not supported")
        self._redactor.remember(self._token)

    def _failed(self, why: str) -> CredentialsUnavailable:
        program = PurePath(str(self._plugin.get("command", ""))).name[:80]
        return CredentialsUnavailable(
            f"The credential plugin {program} {why}.",
            suggestion="Whoever runs this server can try `kubectl get namespaces` with the same context, and log in.",
        )
