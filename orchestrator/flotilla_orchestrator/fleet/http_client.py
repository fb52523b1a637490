"""The MCP client of a server over HTTP."""

import ssl
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from mcp import Client


@asynccontextmanager
async def mcp_client(
    url: str, headers: Mapping[str, str], *, timeout_s: float, local: bool
) -> "AsyncGenerator[Client]":
    """A client that sends these headers. Connection errors and refusals are raised as they are.

    Args:
        local: not behind a proxy; httpx2 would take one from the environment.
    """
    import httpx2
    from mcp import Client
    from mcp.client.streamable_http import streamable_http_client

    # Reading the trusted authorities takes 40 ms at each connection; plain HTTP needs none.
    verify = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) if urlsplit(url).scheme == "http" else True
    http = httpx2.AsyncClient(headers=dict(headers), timeout=timeout_s, trust_env=not local, verify=verify)
    async with http, Client(streamable_http_client(url, http_client=http)) as client:
        yield client
