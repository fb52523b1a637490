"""`flotilla-NAME --http HOST:PORT`: what must be right before anything listens; then one process serves, or several."""

import gc
import logging
import os
import socket
from collections.abc import Callable
from contextlib import nullcontext

from fastmcp import FastMCP

from ..event_loop import run
from ..server import guard_of
from ..settings import MANDATE_VARIABLE, ServerSettings, SettingsError
from ..storage import Store
from ..telemetry.metrics import shared_counts
from ..terminal.invocation import command_of
from .addresses import is_loopback, listen, parse_address
from .serving import serve_http, serve_worker

logger = logging.getLogger(__name__)

Create = Callable[[], tuple[Store, FastMCP]]
"""A store, not open, and a server over it."""


def serve(
    create: Create, settings: ServerSettings, address: str, *, ask_for_tokens: bool, exit_with_stdin: bool
) -> int:
    """Serve at `HOST:PORT` until told to stop.

    Returns:
        The exit code.

    Raises:
        SettingsError: with these settings nobody or everybody could call, or they cannot be used.
        OSError: the address cannot be bound.
    """
    host, port = parse_address(address)
    store, server = create()
    configured = guard_of(server).authority.configured
    if problem := _problem(settings.server, configured, ask_for_tokens, is_loopback(host)):
        raise SettingsError(problem)
    if settings.mandate is not None:
        raise SettingsError(f"{MANDATE_VARIABLE} is for stdio; over HTTP each caller presents its own token")
    if settings.workers > 1:
        return _serve_by_workers(
            create, settings, host, port, ask_for_tokens=ask_for_tokens, exit_with_stdin=exit_with_stdin
        )
    run(serve_http(server, store, settings, host, port, ask_for_tokens=ask_for_tokens, exit_with_stdin=exit_with_stdin))
    return 0


def _serve_by_workers(
    create: Create, settings: ServerSettings, host: str, port: int, *, ask_for_tokens: bool, exit_with_stdin: bool
) -> int:
    if not hasattr(os, "fork"):
        raise SettingsError("setting workers: this system cannot fork; let one process serve")
    from ..guard.shared_rate_limit import SharedRateLimit
    from .workers import Supervisor

    rate = SharedRateLimit(settings.calls_per_second)
    listener, address = listen(host, port)

    def serve_as_one(channel: socket.socket, ended: "memoryview[int]", number: int) -> None:
        store, server = create()  # a process's own: stores may know themselves by a name drawn at random
        guard_of(server).rate = rate
        guard_of(server).serves_metrics = number == 0
        run(
            serve_worker(
                server,
                store,
                settings,
                address,
                ask_for_tokens=ask_for_tokens,
                channel=channel,
                ended=ended,
                number=number,
            )
        )

    def listening() -> None:
        logger.info("listening", extra={"url": f"{address}/mcp", "workers": settings.workers})

    gc.collect()
    gc.freeze()  # or the first collection of each worker would copy all pages that they share
    with shared_counts() if settings.metrics_http else nullcontext():
        return Supervisor(settings.workers, listener, serve_as_one, listening).run(exit_with_stdin=exit_with_stdin)


def _problem(server: str, configured: bool, ask_for_tokens: bool, loopback: bool) -> str | None:
    match configured, ask_for_tokens, loopback:
        case False, True, _:
            add = command_of(server, "approvers", "add", "NAME")
            return (
                f"HTTP needs to know who calls: give --mandate-keys (workers) or add an approver (`{add}`); or, on a "
                "loopback address only, let every local user in with --auth none"
            )
        case True, False, _:
            return "--auth none lets everyone in, but keys are configured; give one or the other"
        case _, False, False:
            return "--auth none lets everyone in: only on a loopback address"
        case _:
            return None
