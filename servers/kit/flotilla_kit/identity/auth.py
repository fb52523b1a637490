"""Turns tokens into principals: workers' from one issuer, approvers' from another, kept apart by design.

A token that is good for one server is good for no other (audience), and none lives longer than an hour. What was
verified is remembered until it expires or the issuer's keys change.
"""

from collections import OrderedDict
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, Literal

from fastmcp.server.auth import AccessToken, TokenVerifier
from pydantic import ConfigDict
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ..settings import ServerSettings, SettingsError
from .mandate import Mandate, MandateError
from .principal import OWNER, Principal
from .tokens import Issuer, JwksSource, TokenRefused, claimed_issuer

_MOST_REMEMBERED = 1024


class Authority:
    """Who may call this server, by token.

    Args:
        scope_keys: what a mandate's scope can narrow here; one with another key is refused whole.
    """

    def __init__(self, settings: ServerSettings, scope_keys: Collection[str] = ()) -> None:
        approvers = settings.approver_keys or str(settings.approvers_file)
        _keep_apart(settings, approvers)
        self._scope_keys = frozenset(scope_keys)
        audience = settings.audience or settings.server
        built_in = settings.approver_issuer is None
        self._issuers: dict[str, tuple[Literal["worker", "approver"], Issuer]] = {
            settings.approvers_issuer: (
                "approver",
                Issuer(
                    settings.approvers_issuer,
                    audience,
                    JwksSource(approvers),
                    settings.token_algorithms,
                    subject_is_key=built_in,
                    subjects=None if built_in else frozenset(settings.approver_subjects),
                ),
            )
        }
        if settings.mandate_keys:
            workers = Issuer(
                settings.mandate_issuer, audience, JwksSource(settings.mandate_keys), settings.token_algorithms
            )
            self._issuers[settings.mandate_issuer] = ("worker", workers)
        self.configured = bool(settings.mandate_keys or settings.approver_keys or settings.approvers_file.exists())
        self._known: OrderedDict[str, tuple[Principal, Issuer, int]] = OrderedDict()

    @property
    def authorization_servers(self) -> list[str]:
        """The issuers that have an address."""
        return [name for name in self._issuers if name.startswith("https://")]

    async def principal(self, token: str) -> Principal:
        """Who presents this token.

        Raises:
            TokenRefused: nobody we know, or not any more.
        """
        if (known := self._known.get(token)) is not None:
            principal, issuer, generation = known
            await issuer.keys.refresh()
            if generation == issuer.keys.generation and not principal.expired:
                return principal
            self._known.pop(token, None)  # another call may have done so meanwhile
        kind, issuer = self._issuer(token)
        await issuer.keys.refresh()
        principal = self._of(kind, await issuer.verify(token))
        if kind == "approver":
            await self._refuse_shared_keys()
        self._known[token] = principal, issuer, issuer.keys.generation
        if len(self._known) > _MOST_REMEMBERED:
            self._known.popitem(last=False)
        return principal

    async def _refuse_shared_keys(self) -> None:
        """Nobody approves by a key that also mints mandates, wherever the two are kept."""
        sources = [issuer.keys for _, issuer in self._issuers.values()]
        for source in sources:
            await source.refresh()
        if len(sources) > 1 and sources[0].public & sources[1].public:
            raise TokenRefused("shared_key")

    def _issuer(self, token: str) -> tuple[Literal["worker", "approver"], Issuer]:
        claimed = claimed_issuer(token)
        if claimed not in self._issuers:
            raise TokenRefused("issuer")
        return self._issuers[claimed]

    def _of(self, kind: Literal["worker", "approver"], claims: dict[str, Any]) -> Principal:
        subject, token_id, expires_at = claims["sub"], claims["jti"], float(claims["exp"])
        if kind == "approver":
            return Principal(kind, subject, token_id=token_id, expires_at=expires_at)
        if subject == OWNER.subject:
            raise TokenRefused("subject")  # effects and approvals are kept by subject
        run = claims.get("run", "")
        if not isinstance(run, str) or len(run) > 200:
            raise TokenRefused("run")
        try:
            mandate = Mandate.of(claims)
        except MandateError:
            raise TokenRefused("mandate") from None
        if set(mandate.scope) - self._scope_keys:
            raise TokenRefused("scope")
        return Principal(kind, subject, run, token_id, mandate, expires_at)


class Caller(AccessToken):
    """The access token of a request that was let in, and whose it is."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    principal: Principal


class Bearer(TokenVerifier):
    """Lets in over HTTP whoever the authority knows; anyone else hears 401, and `refused` why.

    Args:
        base_url: where clients reach the server; its RFC 9728 metadata says so.
    """

    def __init__(self, authority: Authority, base_url: str, refused: Callable[[str], None]) -> None:
        super().__init__(base_url=base_url)
        self._authority, self._base_url, self._refused = authority, base_url.rstrip("/"), refused
        self._callers: OrderedDict[str, Caller] = OrderedDict()

    async def verify_token(self, token: str) -> Caller | None:
        try:
            principal = await self._authority.principal(token)
        except TokenRefused as refused:
            self._refused(refused.reason)
            return None
        caller = self._callers.get(token)
        if caller is None or caller.principal is not principal:
            expires_at = int(principal.expires_at or 0)
            caller = Caller(
                token=token, client_id=principal.subject, scopes=[], expires_at=expires_at, principal=principal
            )
            self._callers[token] = caller
            if len(self._callers) > _MOST_REMEMBERED:
                self._callers.popitem(last=False)
        return caller

    def get_routes(self, mcp_path: str | None = None) -> list[Route]:
        # FastMCP's own route wants an authorization server to name, and our built-in issuers have no address.
        metadata: dict[str, Any] = {"resource": f"{self._base_url}{mcp_path}", "bearer_methods_supported": ["header"]}
        if servers := self._authority.authorization_servers:
            metadata["authorization_servers"] = servers

        async def describe(_: Request) -> Response:
            return JSONResponse(metadata, headers={"cache-control": "public, max-age=3600"})

        return [Route(f"/.well-known/oauth-protected-resource{mcp_path}", describe, methods=["GET"])]


def _keep_apart(settings: ServerSettings, approvers: str) -> None:
    """Whoever mints mandates must not be able to mint an approver."""
    if settings.mandate_keys is None:
        return
    if settings.mandate_issuer == settings.approvers_issuer or _same(settings.mandate_keys, approvers):
        raise SettingsError(
            "mandates and approvers need issuers and keys of their own: one could approve for the other"
        )
    if settings.approver_issuer is not None and not settings.approver_subjects:
        raise SettingsError("setting approver_subjects: an issuer of your own needs the subjects that may approve")


def _same(one: str, other: str) -> bool:
    return one == other or Path(one).absolute().resolve() == Path(other).absolute().resolve()
