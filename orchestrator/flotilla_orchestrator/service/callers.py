"""Who calls the API, and what they may."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Annotated, Literal, get_args

from fastapi import Depends, Request

from ..errors import Failure

Scope = Literal["run", "read", "approve"]
SCOPES: tuple[Scope, ...] = get_args(Scope)


@dataclass(frozen=True)
class Caller:
    """Whoever a request comes from.

    Attributes:
        subject: what they are called, in records and limits; None: the service asks nobody who they are.
        audiences: of the JWT that they came with, and `bearer` is that token; none for a token of the service's own.
    """

    subject: str | None
    scopes: frozenset[str]
    audiences: frozenset[str] = frozenset()
    bearer: str = field(default="", repr=False)


def unauthorized() -> Failure:
    """The same for every token that is not taken, whatever is wrong with it."""
    message = "This takes a valid bearer token."
    return Failure("unauthorized", message, "Send `Authorization: Bearer TOKEN`; `flotilla tokens add` makes one.")


def _needs(*scopes: Scope) -> Callable[[Request], Awaitable[Caller]]:
    """Whoever calls, if they have one of these scopes.

    Raises:
        Failure: `insufficient_scope`.
    """

    async def caller(request: Request) -> Caller:
        found: Caller = request.state.caller
        if found.scopes.isdisjoint(scopes):
            wanted = " or ".join(scopes)
            details = {"scope": " ".join(scopes)}
            raise Failure("insufficient_scope", f"This takes a token with the scope {wanted}.", details={**details})
        return found

    return caller


Reader = Annotated[Caller, Depends(_needs("read"))]
Runner = Annotated[Caller, Depends(_needs("run"))]
Approver = Annotated[Caller, Depends(_needs("approve"))]
ApprovalReader = Annotated[Caller, Depends(_needs("read", "approve"))]
