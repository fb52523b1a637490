"""A real billing server over HTTP that wants tokens, with a refund clerk's mandate and an approver beside it."""

import sqlite3
from collections.abc import Generator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import psycopg
from claude_agent_sdk.types import McpHttpServerConfig
from flotilla_kit.identity.approvers import mint
from flotilla_kit.identity.keys import SigningKey, write_jwks
from flotilla_orchestrator.fleet.approvals import Approval, Approvals, approvals_over_http
from flotilla_orchestrator.sessions.decisions import DecisionRequest

from . import programs
from .processes import http_server
from .tokens import worker_claims

REFUND = "mcp__billing__issue_refund"
CHARGE = "ch_maya_feb_2"
Decision = Literal["approve", "reject"]


@dataclass(frozen=True)
class Teller:
    url: str
    home: Path
    issuer: SigningKey
    """Signs mandates."""
    approver: SigningKey

    def mandate(self, *tools: str, run: str = "run_1", approval: str | None = None) -> str:
        """A refund clerk's token for these tools; with approval="required", every refund waits for one."""
        details = [{"type": "mcp_tool", "tool": tool} for tool in tools]
        for detail in details:
            if approval and detail["tool"] == "issue_refund":
                detail["approval"] = approval
        return self.issuer.sign(worker_claims(run=run, authorization_details=details))

    def config(self, mandate: str) -> McpHttpServerConfig:
        return {"type": "http", "url": self.url, "headers": {"Authorization": f"Bearer {mandate}"}}

    def asking(self, run: str = "run_1", approval: str | None = None) -> Approvals:
        """What the orchestrator asks with, in the clerk's place."""
        token = self.mandate("issue_refund", "request_approval", "get_approval", run=run, approval=approval)
        return approvals_over_http("billing", self.url, lambda: token, local=True)

    def deciding(self) -> Approvals:
        """What the approver decides with."""
        token = mint(self.approver, issuer="flotilla-billing-approvers", audience="billing")
        return approvals_over_http("billing", self.url, lambda: token, local=True)

    def refunds(self) -> list[tuple[str, int]]:
        """Charge and amount of each refund that is in the books, the sample's own left out."""
        return refunds_in(self.home / "billing.db")


def refunds_in(database: Path) -> list[tuple[str, int]]:
    """Charge and amount in minor units of each refund made since the sample was loaded."""
    with closing(sqlite3.connect(database)) as books:
        rows = books.execute("SELECT transaction_id, amount_minor FROM refunds ORDER BY created_at, refund_id")
        return [row for row in rows.fetchall() if row[0] != "ch_maya_domain"]


@contextmanager
def teller(home: Path, *flags: str) -> Generator[Teller]:
    """Runs with the sample company while the block lasts."""
    issuer, approver = SigningKey.generate(), SigningKey.generate("ada")
    home.mkdir(parents=True, exist_ok=True)
    write_jwks(home / "issuer.json", [issuer.public_jwk()])
    write_jwks(home / "ada.json", [approver.public_jwk()])
    keys = ("--mandate-keys", str(home / "issuer.json"), "--approver-keys", str(home / "ada.json"))
    with http_server("billing", home, "--demo-data", *keys, *flags, tokens=True) as server:
        yield Teller(server.url, home, issuer, approver)


def refund(amount_minor: int | str = 24500, transaction_id: str = CHARGE, **arguments: Any) -> dict[str, Any]:
    """A turn that refunds a charge."""
    given = {"transaction_id": transaction_id, "amount_minor": amount_minor, "currency": "USD", "reason": "duplicate"}
    return {"call": REFUND, "id": "refund", "arguments": {**given, **arguments}}


class Person:
    """An approver for servers that a run starts: put `command` into the fleet, hand the object to the run as `ask`.

    Args:
        verdict: what is decided about each request; None: nothing, somebody else may.
    """

    def __init__(self, folder: Path, verdict: Decision | None = "approve", reason: str = "") -> None:
        self._key, self._keys = SigningKey.generate("ada"), folder / "ada.json"
        self._verdict: Decision | None = verdict
        self._reason = reason
        self.asked: list[Approval] = []
        folder.mkdir(parents=True, exist_ok=True)
        write_jwks(self._keys, [self._key.public_jwk()])

    @property
    def command(self) -> list[str]:
        return [*programs.command("flotilla-billing"), "--demo-data", "--approver-keys", str(self._keys)]

    async def __call__(self, pending: DecisionRequest) -> None:
        self.asked.append(pending.approval)
        if self._verdict:
            token = mint(self._key, issuer="flotilla-billing-approvers", audience="billing")
            approvals = approvals_over_http("billing", pending.url, lambda: token, local=True)
            await approvals.decide(pending.approval.approval_id, self._verdict, self._reason)


def refunds_at(url: str) -> list[tuple[str, int]]:
    """The same of a PostgreSQL database, in any order."""
    with closing(psycopg.connect(url)) as books:
        rows = books.execute("SELECT transaction_id, amount_minor FROM refunds").fetchall()
    return [(str(charge), int(amount)) for charge, amount in rows if charge != "ch_maya_domain"]
