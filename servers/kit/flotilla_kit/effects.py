"""Effects: one mutation under one key, recorded with its outcome in the mutation's own transaction.

The promise is Stripe's: the same key with the same arguments answers what was recorded, with other arguments it is an
error, and nothing happens either way.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import rfc8785
from fastmcp.server.context import Context
from pydantic import Field
from sqlalchemy import Column, Connection, MetaData, Table, Text, insert, select

from .database import Migrations
from .errors import IdempotencyKeyRequired, IdempotencyMismatch, InvalidArguments

MIGRATIONS = Migrations("kit", Path(__file__).parent / "migrations")

IdempotencyKey = Annotated[
    str,
    Field(min_length=1, max_length=255, description="Repeating a call with the same key has no second effect"),
]

_effects = Table(
    "effects",
    MetaData(),
    *(Column(name, Text, primary_key=True) for name in ("principal", "run", "tool", "key")),
    *(Column(name, Text) for name in ("digest", "outcome", "recorded_at")),
)
_TOOL_USE_ID = "claudecode/toolUseId"  # Claude Code names each call there, over stdio and HTTP, also after a resume


@dataclass(frozen=True)
class Effect:
    """What a caller asked for, once: keys are scoped to principal, run and tool; `digest` binds the arguments."""

    principal: str
    run: str
    tool: str
    key: str
    digest: str

    @classmethod
    def of(cls, tool: str, arguments: Mapping[str, Any], idempotency_key: str | None, context: Context) -> "Effect":
        """The effect of this call. `arguments` are the validated ones with defaults filled in, without the key.

        Raises:
            IdempotencyKeyRequired: no key was given, and the caller's client names no tool use.
        """
        key = idempotency_key or _tool_use_id(context)
        if not key:
            raise IdempotencyKeyRequired(
                f"{tool} changes something and this call carries no key that makes it safe to repeat.",
                suggestion="Pass idempotency_key: any text of your own, the same one when you repeat the call.",
            )
        return cls(principal="owner", run="", tool=tool, key=key, digest=digest(arguments))


def digest(arguments: Mapping[str, Any]) -> str:
    """SHA-256 of the canonical JSON (RFC 8785) of the arguments, in hex.

    Raises:
        InvalidArguments: they have no canonical form (lone surrogates, integers beyond 2^53).
    """
    try:
        return hashlib.sha256(rfc8785.dumps(dict(arguments))).hexdigest()
    except (rfc8785.CanonicalizationError, UnicodeEncodeError):
        raise InvalidArguments("The arguments have no canonical JSON form.") from None


def recorded(connection: Connection, effect: Effect) -> dict[str, Any] | None:
    """The outcome recorded for this effect, or None if it has not happened.

    Raises:
        IdempotencyMismatch: the key was used with other arguments.
    """
    row = connection.execute(
        select(_effects.c.digest, _effects.c.outcome).where(
            _effects.c.principal == effect.principal,
            _effects.c.run == effect.run,
            _effects.c.tool == effect.tool,
            _effects.c.key == effect.key,
        )
    ).one_or_none()
    if row is None:
        return None
    if row.digest != effect.digest:
        raise IdempotencyMismatch(
            "That idempotency_key was already used with other arguments; nothing was done.",
            suggestion="Use a new key for a new effect, or the exact earlier arguments to hear their outcome.",
        )
    return json.loads(row.outcome)


def record(connection: Connection, effect: Effect, outcome: Mapping[str, Any]) -> None:
    """Write the effect and its outcome; call it in the mutation's own transaction.

    Raises:
        sqlalchemy.exc.IntegrityError: another transaction recorded it first; read it with `recorded` in a new one.
    """
    connection.execute(
        insert(_effects).values(
            principal=effect.principal,
            run=effect.run,
            tool=effect.tool,
            key=effect.key,
            digest=effect.digest,
            outcome=json.dumps(outcome),
            recorded_at=datetime.now(UTC).isoformat(timespec="milliseconds"),
        )
    )


def _tool_use_id(context: Context) -> str | None:
    request = context.request_context
    meta: Mapping[str, Any] = (request.meta if request else None) or {}
    value = meta.get(_TOOL_USE_ID)
    return value if isinstance(value, str) and value else None
