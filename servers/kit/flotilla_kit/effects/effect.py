"""Effects: one mutation under one key, recorded with its outcome in the mutation's own transaction.

The promise is Stripe's: the same key with the same arguments answers what was recorded, with other arguments it is an
error, and nothing happens either way.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import rfc8785
from pydantic import Field
from sqlalchemy import Column, Connection, MetaData, Table, Text, insert, select

from .. import audit, times
from ..errors import FlotillaError, IdempotencyMismatch, InvalidArguments, OutcomeUnknown

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


@dataclass(frozen=True)
class Effect:
    """What a caller asked for, once: keys are scoped to principal, run and tool; `digest` binds the arguments.

    The tool's body makes it, the store's transaction takes it through `recorded`, `approvals.require` and `record`.
    """

    principal: str
    run: str
    tool: str
    key: str
    """Empty where the caller gave none: then the approval, once used, is the key."""
    digest: str
    arguments: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """The validated ones with defaults filled in, without the key."""
    server: str = ""
    mode: Literal["asked", "evaluating", "cleared"] = "asked"
    """`evaluating`: only find out whether it needs an approval. `cleared`: it may happen in this transaction."""
    approval_required: bool = False
    """Whatever the server's rule says."""
    record: "audit.Record | None" = None


class Evaluated(FlotillaError):
    """How an evaluation ends, instead of an effect: what the rule says, or the outcome that is recorded already."""

    code = "evaluated"

    def __init__(
        self, *, needed: bool, facts: Mapping[str, Any], bound: str = "", outcome: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__("Evaluated; nothing was done.")
        self.needed, self.facts, self.bound, self.outcome = needed, facts, bound, outcome


REPEAT = (
    "Repeat exactly this call with idempotency_key as in details: that answers what became of this one and does "
    "nothing twice. Under another key it is another effect."
)


def outcome_unknown(key: str, **details: Any) -> OutcomeUnknown:
    """What a caller hears of an effect under that key, if it has one, of which nobody knows yet whether it happened."""
    if not key:
        return OutcomeUnknown(details=details)
    return OutcomeUnknown(suggestion=REPEAT, details={**details, "idempotency_key": key})


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
        Evaluated: it has happened, and was only being evaluated.
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
    if effect.record and effect.record.in_effect:
        # Its transaction ran before, and lost its connection: was that one committed, or another call's with this key?
        effect.record.in_effect = audit.is_written(connection, effect.record)
    outcome = json.loads(row.outcome)
    if effect.mode == "evaluating":
        raise Evaluated(needed=False, facts={}, outcome=outcome)
    return outcome


def record(connection: Connection, effect: Effect, outcome: Mapping[str, Any]) -> None:
    """Write the effect, its outcome and its audit record; the last thing a mutation's own transaction does.

    Raises:
        sqlalchemy.exc.IntegrityError: another transaction recorded it first; read it with `recorded` in a new one.
    """
    if effect.mode != "cleared":
        raise RuntimeError(f"{effect.tool} did not ask approvals.require before it took effect")
    connection.execute(
        insert(_effects).values(
            principal=effect.principal,
            run=effect.run,
            tool=effect.tool,
            key=effect.key,
            digest=effect.digest,
            outcome=json.dumps(outcome),
            recorded_at=times.now(),
        )
    )
    if effect.record:
        effect.record.ended("ok")
        audit.append_in_effect(connection, effect.record)
