"""What a tool's function is written with: annotations, `declare`, and what it finds out about its call."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from fastmcp.server.dependencies import get_context
from sqlalchemy import Connection

from . import approvals
from .effects import Effect
from .errors import FlotillaError
from .guard.call import effect, most_bytes, scope
from .guard.declaration import DESTROY, READ, WRITE, declare
from .guard.progress import progress

__all__ = [
    "DESTROY",
    "READ",
    "WRITE",
    "declare",
    "effect",
    "external_system",
    "most_bytes",
    "perform",
    "progress",
    "scope",
    "store_of",
]


def store_of() -> Any:
    """The server's store, for a tool's body. (FastMCP's `Depends` would cost a sixth of a read on every call.)"""
    return get_context().lifespan_context["store"]


def external_system() -> Any:
    """The other system that the server was built with, to read from it."""
    return get_context().lifespan_context["system"]


async def perform(
    request: Mapping[str, Any],
    *,
    facts: Mapping[str, Any],
    needed: bool = False,
    bound: str = "",
    refused: FlotillaError | None = None,
) -> dict[str, Any]:
    """Have the other system do what the running tool is called for, once, and answer its outcome.

    Args:
        request: what its `perform` is told, as JSON.
        facts: what a person needs in order to decide, read by the server; nothing that the caller wrote.
        needed: what the tool's own rule says about an approval (`@declare(approval="rule")`).
        bound: the fact that an approval is of, such as the uid of an object: with another one it takes another.
        refused: what the tool found against it. A repeat of what was performed hears its outcome all the same: what
            it deleted, say, is not there any more.

    Raises:
        ApprovalNeeded: a person has to approve it first (the guard asks). Nothing happened.
        OutcomeUnknown: nobody knows yet whether it happened; it is being found out.
        FlotillaError: the other system refused. Nothing happened, and a repeat hears the same.
        IdempotencyMismatch: the key was used with other arguments. Nothing happened.
    """
    effects = get_context().lifespan_context["effects"]
    return await effects.perform(
        effect(), request, partial(_clear, needed=needed, facts=facts, bound=bound, refused=refused)
    )


def _clear(
    connection: Connection,
    asked: Effect,
    *,
    needed: bool,
    facts: Mapping[str, Any],
    bound: str,
    refused: FlotillaError | None,
) -> Effect:
    if refused is not None:
        if asked.mode == "asked" and approvals.was_used(connection, asked):
            raise approvals.ApprovalNeeded(facts)  # of which the caller hears that it was done once
        raise refused
    return approvals.require(connection, asked, needed=needed, facts=facts, bound=bound)
