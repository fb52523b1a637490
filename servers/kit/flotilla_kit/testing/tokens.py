"""The two issuers of tokens for a server under test, and claims that its servers accept."""

import secrets
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..identity.keys import SigningKey, write_jwks

CLERK = "clerk"
VICTIM = "victim"
"""Who calls from processes that are killed, and so may leave a call without a record."""
APPROVERS = ("ada", "grace", CLERK, VICTIM)
"""The third is also who asks: that one must not decide its own."""
LASTS_S = 3_500

Detail = Mapping[str, Any]


def granted(tool: str, bounds: Mapping[str, Any] | None = None, approval: str = "") -> dict[str, Any]:
    """An authorization detail for a tool, with a JSON Schema for each argument that is bounded."""
    detail: dict[str, Any] = {"type": "mcp_tool", "tool": tool}
    if bounds:
        detail["arguments"] = {"properties": dict(bounds)}
    return {**detail, "approval": approval} if approval else detail


class Issuers:
    """Signs tokens of workers and of approvers; `home` gets the public keys of both."""

    def __init__(self, home: Path, server: str) -> None:
        self._server = server
        home.mkdir(parents=True, exist_ok=True)
        self._workers = SigningKey.generate()
        self._approvers = {name: SigningKey.generate(name) for name in APPROVERS}
        self._files = home / "suite-workers.json", home / "suite-approvers.json"
        write_jwks(self._files[0], [self._workers.public_jwk()])
        write_jwks(self._files[1], [key.public_jwk() for key in self._approvers.values()])

    @property
    def settings(self) -> dict[str, str]:
        """What tells a server of them."""
        return {"mandate_keys": str(self._files[0]), "approver_keys": str(self._files[1])}

    def worker(
        self, details: Sequence[Detail], *, subject: str = CLERK, run: str = "", scope: Mapping[str, str] | None = None
    ) -> str:
        claims: dict[str, Any] = {"authorization_details": list(details), "run": run, "scope": dict(scope or {})}
        return self._workers.sign(self._claims("flotilla", subject) | claims)

    def approver(self, name: str = "ada") -> str:
        return self._approvers[name].sign(self._claims(f"flotilla-{self._server}-approvers", name))

    def _claims(self, issuer: str, subject: str) -> dict[str, Any]:
        now = int(time.time())
        times = {"iat": now, "nbf": now, "exp": now + LASTS_S, "jti": secrets.token_hex(16)}
        return {"iss": issuer, "sub": subject, "aud": self._server, **times}
