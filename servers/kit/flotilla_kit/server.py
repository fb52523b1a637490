"""Builds a server: its tools over its store, with the fleet's rules for errors, read-only mode and selection."""

import gc
import json
import os
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from typing import Any

from fastmcp import FastMCP
from fastmcp.server.lifespan import lifespan
from fastmcp.server.providers import Provider

from . import __version__
from .audit import Committer
from .audit.redaction import Parameters, parameters_of
from .effects import ExternalEffects, ExternalSystem
from .guard.approval_tools import approval_tools
from .guard.body import Bodies, Function, ToolFunction
from .guard.middleware import Guard
from .guard.observation import check_observation, observed
from .guard.trail import Trail
from .identity.auth import Authority
from .identity.principal import Principal
from .identity.tokens import TokenRefused
from .schemas import inlined
from .settings import MANDATE_VARIABLE, ServerSettings, SettingsError, closest
from .storage import Database, KitStore, Store
from .storage.records import open_records

GC_THRESHOLD = (10_000, 20, 20)
"""A call makes thousands of objects and hardly any circle of them: at Python's 700, looking for some took a tenth."""


def build_server(
    settings: ServerSettings,
    store: Store | None,
    *,
    instructions: str,
    tools: Sequence[Function],
    system: ExternalSystem | None = None,
    providers: Sequence[Provider] = (),
    scope_keys: Collection[str] = (),
) -> FastMCP:
    """A FastMCP server named after the settings, offering those of `tools` that the settings allow.

    Args:
        store: None for a server that keeps nothing of its own; the kit's records then have `settings`' database.
        system: the other system in which its tools' effects happen, by `tools.perform`.
        tools: functions decorated with `fastmcp.tools.tool`; each carries all four annotations (see `ToolFunction`).
        providers: where resources come from that change while the server runs.
        scope_keys: what a mandate's scope can narrow here, such as `customer_id`; the store applies it.

    Raises:
        SettingsError: the settings select a tool that does not exist, or contradict each other.
    """
    check_observation(settings)
    store = store or KitStore(settings)
    bodies = Bodies(settings)
    offered = _selected(settings, [ToolFunction.of(function, tuple(scope_keys)) for function in tools])
    mutating = frozenset(tool.name for tool in offered if tool.has_effect)  # others would run when only evaluated
    asking = approval_tools(bodies, mutating, settings.server, settings.approval_expires_hours) if mutating else []
    offered += [ToolFunction.of(function, tuple(scope_keys)) for function in asking]
    parameters: dict[str, Parameters] = {}
    schemas: dict[str, dict[str, Any]] = {}
    authority = Authority(settings, scope_keys)
    trail = Trail(parameters)
    timeouts = {tool.name: tool.declared.timeout_s for tool in offered if tool.declared.timeout_s is not None}
    guard = Guard(settings, authority, trail, timeouts)

    @lifespan
    async def life(server: FastMCP) -> AsyncIterator[dict[str, Any]]:
        if settings.mandate is not None and guard.local is not None:
            guard.local = await _presented(authority, settings.mandate.get_secret_value())
        await store.open()
        try:
            async with open_records(settings, store) as records:
                bodies.database = records
                trail.committer = Committer(records, anchor=settings.audit_anchor)
                await trail.committer.start()
                guard.tools = {tool.name: tool for tool in await server.list_tools(run_middleware=False)}
                parameters.update({name: parameters_of(tool.parameters) for name, tool in guard.tools.items()})
                # The others declare no header, so there is nothing to check against them.
                schemas.update(
                    {
                        name: tool.parameters
                        for name, tool in guard.tools.items()
                        if "x-mcp-header" in json.dumps(tool.parameters)
                    }
                )
                # Full collections over the import-time heap made the p99 of slow calls (field/fastmcp.md C).
                gc.freeze()
                gc.set_threshold(*GC_THRESHOLD)
                gc.enable()
                try:
                    async with (
                        observed(settings, guard, records),
                        _external(settings, store.database, system) as effects,
                    ):
                        yield {"store": store, "system": system, "effects": effects}
                finally:
                    await trail.close()
        finally:
            await store.close()

    server = FastMCP(
        settings.server,
        version=__version__,
        instructions=instructions,
        lifespan=life,
        mask_error_details=True,
        strict_input_validation=True,
        middleware=[guard],
        cache_ttl=300,
        cache_scope="private",
        dereference_schemas=False,  # at each tools/list; here it is done once
        providers=providers,
    )
    for tool in offered:
        added = server.add_tool(bodies.wrap(tool))
        added.parameters = _without_null_defaults(inlined(added.parameters))
        added.output_schema = added.output_schema and inlined(added.output_schema)
    _answer_schema_lookups(server, lambda name: schemas[name] if name in schemas and guard.exists(name) else None)
    return server


@asynccontextmanager
async def _external(
    settings: ServerSettings, database: Database | None, system: ExternalSystem | None
) -> AsyncGenerator[ExternalEffects | None]:
    """The external effects of a server, driven on while the block lasts; None if it has none."""
    if system is None or settings.read_only:
        yield None
        return
    if database is None:
        raise TypeError("effects elsewhere need a store with a database")
    effects = ExternalEffects(settings.server, database, system)
    await effects.start()
    try:
        yield effects
    finally:
        await effects.close()


def guard_of(server: FastMCP) -> Guard:
    """The guard of a server that `build_server` made."""
    return next(middleware for middleware in server.middleware if isinstance(middleware, Guard))


async def _presented(authority: Authority, token: str) -> Principal:
    try:
        principal = await authority.principal(token)
    except TokenRefused as refused:
        raise SettingsError(f"{MANDATE_VARIABLE} is refused ({refused.reason}); nothing is served without it") from None
    os.environ.pop(MANDATE_VARIABLE, None)  # not for whatever this process starts
    return principal


def _selected(settings: ServerSettings, tools: Sequence[ToolFunction]) -> list[ToolFunction]:
    names = [tool.name for tool in tools]
    for wanted in settings.tools or ():
        if wanted not in names:
            raise SettingsError(f"setting tools: there is no tool {wanted}{closest(wanted, names)}")
    chosen = [tool for tool in tools if settings.tools is None or tool.name in settings.tools]
    return [tool for tool in chosen if not (tool.mutates and settings.read_only)]


def _without_null_defaults(parameters: dict[str, Any]) -> dict[str, Any]:
    """An input schema that does not say of what may be left out that it is null then: a model reads every byte."""
    properties: dict[str, dict[str, Any]] = parameters.get("properties", {})
    said = {
        name: {key: value for key, value in schema.items() if key != "default" or value is not None}
        for name, schema in properties.items()
    }
    return {**parameters, "properties": said} if said else parameters


def _answer_schema_lookups(server: FastMCP, lookup: Callable[[str], dict[str, Any] | None]) -> None:
    """Answer the SDK's header check from a table: without it each call over HTTP first runs a whole tools/list.

    FastMCP 4.1 offers no public way; tests/kit/test_speed_hook.py says when it does.
    """
    server._mcp_server.get_tool_input_schema = lookup  # pyright: ignore[reportPrivateUsage]
