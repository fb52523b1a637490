"""The tokens by which a caller decides on servers: their own, forwarded to the server each is for, and kept nowhere."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import cast

from flotilla_kit.identity.tokens import TokenRefused, claimed

from ..errors import Failure
from .callers import Caller

HEADER = "Flotilla-Approver-Token"
_MOST = 20


@dataclass(frozen=True)
class ApproverToken:
    """A token as it describes itself; only its server can say whether that is true."""

    text: str = field(repr=False)
    subject: str
    audiences: frozenset[str]


def approver_tokens(header: str | None, caller: Caller) -> list[ApproverToken]:
    """Those of the header, one for each server, separated by commas; and the bearer token, if it is a JWT.

    Raises:
        Failure: `invalid_arguments`: the header has something else in it.
    """
    given = [part.strip() for part in (header or "").split(",") if part.strip()]
    try:
        return [_described(text) for text in [*given[:_MOST], *([caller.bearer] if caller.bearer else [])]]
    except TokenRefused:
        message = f"{HEADER} has something in it that is no token."
        suggestion = "Send what `flotilla-SERVER approvers token NAME` says, or a token of your issuer."
        raise Failure("invalid_arguments", message, suggestion) from None


def token_for(audience: str, tokens: Iterable[ApproverToken]) -> ApproverToken | None:
    """The one for a server: no other server is shown it."""
    return next((token for token in tokens if audience in token.audiences), None)


def _described(text: str) -> ApproverToken:
    claims = claimed(text)
    audience, subject = claims.get("aud"), claims.get("sub")
    named = cast("Sequence[object]", audience) if isinstance(audience, list) else [audience]
    return ApproverToken(text, str(subject), frozenset(name for name in named if isinstance(name, str)))
