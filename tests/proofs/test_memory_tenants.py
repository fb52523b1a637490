"""Two tenants write and ask at random: the other never hears of it, in no answer, error, cursor or log line."""

import base64
import json
import logging
import random
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from fastmcp import Client
from fastmcp.client import FastMCPTransport
from flotilla_kit.testing.tokens import Issuers, granted
from flotilla_memory.server import create_server
from flotilla_memory.settings import Settings
from flotilla_memory.tools import TOOLS
from mcp_types import TextContent
from support.proofs import FULL, draw

STORES, STEPS = (20, 5_000) if FULL else (1, 200)  # steps in each store
ACCOUNTS = ("acct_1", "acct_2", "")
WORDS = ("invoice", "warehouse", "renewal", "printer", "offer", "Dana", "Omar")


@dataclass
class Tenant:
    """A tenant's agent, and what it wrote: every text of it has the canary, and no text of the other has."""

    name: str
    canary: str
    client: Client[FastMCPTransport]
    ids: list[str] = field(default_factory=list[str])
    cursors: list[str] = field(default_factory=list[str])
    heard: int = 0
    """Answers with its own canary: or it would prove nothing."""


class Log(logging.Handler):
    """The lines since it was last asked."""

    def __init__(self) -> None:
        super().__init__()
        self._lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.append(str(record.__dict__))

    def taken(self) -> str:
        lines, self._lines = self._lines, []
        return "".join(lines)


class Steps:
    """Calls drawn at random, with ids and cursors of either tenant."""

    def __init__(self, source: random.Random) -> None:
        self._random = source
        self._number = 0

    def draw(self, own: Tenant, other: Tenant) -> tuple[str, dict[str, Any]]:
        self._number += 1
        make: Callable[[Tenant, Tenant], tuple[str, dict[str, Any]]] = self._random.choice(
            [self._remember, self._remember, self._record, self._ask, self._ask, self._list, self._forget]
        )
        return make(own, other)

    def _key(self) -> dict[str, Any]:
        return {"account_id": self._random.choice(ACCOUNTS), "idempotency_key": f"key-{self._number}"}

    def _words(self) -> str:
        return " ".join(self._random.choices(WORDS, k=3))

    def _id(self, own: Tenant, other: Tenant) -> str:
        known = self._random.choice([own.ids, other.ids])
        return self._random.choice(known or ["mem_" + "0" * 20])

    def _remember(self, own: Tenant, other: Tenant) -> tuple[str, dict[str, Any]]:
        subject = f"{self._random.choice(WORDS)} of {own.canary}"
        said: dict[str, Any] = {
            "text": f"{self._words()} {own.canary} {self._number}",
            "subject": subject,
            "kind": self._random.choice(["fact", "note", "commitment"]),
            "attribute": self._random.choice(["price", f"{own.canary} owner"]),
            "relations": [{"subject": subject, "predicate": f"knows {own.canary}", "object": "Dana"}],
        }
        if self._random.random() < 0.3:
            said[self._random.choice(["sources", "supersedes"])] = [self._id(own, other)]
        return "remember", {**said, **self._key()}

    def _record(self, own: Tenant, other: Tenant) -> tuple[str, dict[str, Any]]:
        turns = [
            {"speaker": f"{self._random.choice(WORDS)} {own.canary}", "text": f"{self._words()} {own.canary}"}
            for _ in range(3)
        ]
        # Both use the same external ids: what the other recorded by one must not be there.
        external = f"call-{self._random.randrange(50)}"
        at = f"2026-02-{self._random.randrange(1, 29):02}"
        said = {"channel": "call", "occurred_at": at, "turns": turns, "title": own.canary, "external_id": external}
        return "record_episode", {**said, **self._key()}

    def _ask(self, own: Tenant, other: Tenant) -> tuple[str, dict[str, Any]]:
        asked: dict[str, Any] = {"query": self._random.choice([self._words(), other.canary, f"what of {other.canary}"])}
        asked |= self._cursor(own, other)
        if self._random.random() < 0.5:
            return "recall", asked
        asked["account_id"] = self._random.choice(ACCOUNTS)
        if self._random.random() < 0.3:
            asked["entity"] = self._random.choice(["Dana", f"Dana of {other.canary}", self._id(own, other)])
        return "search_account_history", asked

    def _list(self, own: Tenant, other: Tenant) -> tuple[str, dict[str, Any]]:
        tool = self._random.choice(["get_account_timeline", "get_related_entities", "list_commitments"])
        asked = {"account_id": self._random.choice(ACCOUNTS), **self._cursor(own, other)}
        if tool == "get_related_entities":
            entity = self._random.choice(["Dana", f"Dana of {other.canary}", self._id(own, other)])
            asked |= {"entity": entity, "depth": self._random.choice([1, 2])}
        return tool, asked

    def _forget(self, own: Tenant, other: Tenant) -> tuple[str, dict[str, Any]]:
        target = self._random.choice([self._id(own, other), "account"]).partition("#")[0]
        said = {"target_id": target, "mode": "expire", "dry_run": self._random.random() < 0.7}
        return "forget", {**said, **self._key()}

    def _cursor(self, own: Tenant, other: Tenant) -> dict[str, Any]:
        known = self._random.choice([own.cursors, other.cursors])
        limit = {"limit": self._random.choice([1, 3, 20])}
        return {**limit, "cursor": self._random.choice(known)} if known and self._random.random() < 0.3 else limit


async def connected(stack: AsyncExitStack, home: Path, issuers: Issuers, tenant_id: str) -> Client[FastMCPTransport]:
    """A client whose token says which tenant's it is, of a server over the one store."""
    details = [granted(tool.__name__) for tool in TOOLS]
    token = issuers.worker(
        details, subject=f"agent of {tenant_id}", run=f"run of {tenant_id}", scope={"tenant_id": tenant_id}
    )
    settings = Settings.load({"home": home, "mandate": token, "calls_per_second": 1e6, **issuers.settings})
    return await stack.enter_async_context(Client(create_server(settings)))


@pytest.mark.prove
@pytest.mark.parametrize("number", range(STORES))
async def test_what_one_tenant_wrote_the_other_never_hears_of(tmp_path: Path, number: int) -> None:
    source, log = draw(f"memory tenants {number}"), Log()
    steps, issuers = Steps(source), Issuers(tmp_path, "memory")
    logging.getLogger().addHandler(log)
    try:
        async with AsyncExitStack() as stack:
            tenants = [
                Tenant(name, canary, await connected(stack, tmp_path, issuers, name))
                for name, canary in (("blue", "xqblue7zvk"), ("red", "xqred7zvk"))
            ]
            for _ in range(STEPS):
                own, other = source.sample(tenants, 2)
                await take(own, other, *steps.draw(own, other), log)
    finally:
        logging.getLogger().removeHandler(log)
    assert all(tenant.heard > STEPS / 20 and tenant.ids and tenant.cursors for tenant in tenants), tenants


async def take(own: Tenant, other: Tenant, tool: str, said: dict[str, Any], log: Log) -> None:
    """Make a call and look at everything that came of it."""
    log.taken()
    result = await own.client.call_tool(tool, said, raise_on_error=False)
    # What the call said itself may come back, as an error does not repeat a canary either.
    heard = str(result)
    cursor = (result.structured_content or {}).get("next_cursor")
    decoded = str(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))) if cursor else ""
    for text in (heard, decoded, log.taken()):
        assert other.canary not in text, f"{tool} {json.dumps(said)}: {text[:2000]}"
    if own.canary in heard:
        own.heard += 1
    if result.is_error:
        (content,) = result.content
        assert isinstance(content, TextContent)
        assert "internal_error" not in content.text, f"{tool} {said}: {content.text}"
        return
    if cursor:
        own.cursors = [*own.cursors[-20:], cursor]
    found = result.structured_content or {}
    for name in ("memory_id", "episode_id"):
        if found.get(name):
            own.ids = [*own.ids[-50:], str(found[name])]
