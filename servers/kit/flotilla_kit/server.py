"""Builds a server: its tools over its store, with the fleet's rules for errors, read-only mode and selection."""

import gc
import inspect
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, Protocol

from fastmcp import FastMCP
from fastmcp.decorators import get_fastmcp_meta
from fastmcp.server.dependencies import get_context
from fastmcp.server.lifespan import lifespan
from fastmcp.server.providers import Provider
from fastmcp.tools.function_tool import ToolMeta
from mcp_types import ToolAnnotations

from . import __version__
from .guard import ErrorsAsData
from .settings import ServerSettings, SettingsError, closest

READ = ToolAnnotations(read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False)
DESTROY = ToolAnnotations(read_only_hint=False, destructive_hint=True, idempotent_hint=True, open_world_hint=False)

Function = Callable[..., Any]


class Store(Protocol):
    """What a server keeps its data in. The server opens it when it starts and closes it when it ends."""

    async def open(self) -> None:
        """Connect, bring the schema up to date, finish what an earlier process left in the middle."""
        ...

    async def close(self) -> None:
        """Finish what is under way and let go."""
        ...

    async def ping(self) -> None:
        """Return if the store answers.

        Raises:
            StoreUnavailable: it does not.
        """
        ...


def store_of() -> Any:
    """The server's store, for a tool's body. (FastMCP's `Depends` would cost a sixth of a read on every call.)"""
    return get_context().lifespan_context["store"]


def build_server(
    settings: ServerSettings,
    store: Store,
    *,
    instructions: str,
    tools: Sequence[Function],
    providers: Sequence[Provider] = (),
) -> FastMCP:
    """A FastMCP server named after the settings, offering those of `tools` that the settings allow.

    Args:
        tools: functions decorated with `fastmcp.tools.tool`; each carries all four annotations.
        providers: where resources come from that change while the server runs.

    Raises:
        SettingsError: the settings select a tool that does not exist.
    """
    schemas: dict[str, Mapping[str, Any]] = {}

    @lifespan
    async def life(server: FastMCP) -> AsyncIterator[dict[str, Any]]:
        await store.open()
        schemas.update({tool.name: tool.parameters for tool in await server.list_tools(run_middleware=False)})
        # Full collections over the modules' objects are what a slow call's p99 was made of (field/fastmcp.md C).
        gc.freeze()
        gc.enable()
        try:
            yield {"store": store}
        finally:
            await store.close()

    server = FastMCP(
        settings.server,
        version=__version__,
        instructions=instructions,
        lifespan=life,
        mask_error_details=True,
        strict_input_validation=True,
        middleware=[ErrorsAsData()],
        cache_ttl=300,
        cache_scope="private",
        providers=providers,
    )
    for function in _selected(settings, tools):
        server.add_tool(function)
    _answer_schema_lookups_from(server, schemas)
    return server


def tool_meta(function: Function) -> tuple[str, ToolAnnotations]:
    """A decorated tool's name and annotations.

    Raises:
        TypeError: the function is no tool, or does not set all four annotations.
    """
    meta = get_fastmcp_meta(inspect.unwrap(function))
    annotations = meta.annotations if isinstance(meta, ToolMeta) else None
    if not isinstance(meta, ToolMeta) or not isinstance(annotations, ToolAnnotations):
        raise TypeError(f"{function} is not a tool with annotations")
    return meta.name or function.__name__, annotations


def _selected(settings: ServerSettings, tools: Sequence[Function]) -> list[Function]:
    described = [(function, *tool_meta(function)) for function in tools]
    names = [name for _, name, _ in described]
    for wanted in settings.tools or ():
        if wanted not in names:
            raise SettingsError(f"setting tools: there is no tool {wanted}{closest(wanted, names)}")
    return [
        function
        for function, name, annotations in described
        if (settings.tools is None or name in settings.tools)
        # An allow-list: a tool that forgot to say it only reads is not offered.
        and (annotations.read_only_hint is True or not settings.read_only)
    ]


def _answer_schema_lookups_from(server: FastMCP, schemas: Mapping[str, Mapping[str, Any]]) -> None:
    """Answer the SDK's header check from a table: without it each call over HTTP first runs a whole tools/list.

    FastMCP 4.1 offers no public way; tests/kit/test_speed_hook.py says when it does.
    """
    server._mcp_server.get_tool_input_schema = schemas.get  # pyright: ignore[reportPrivateUsage]
