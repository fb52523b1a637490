"""The owner's client of a memory server, in the words of its tests."""

from collections.abc import Mapping, Sequence
from typing import Any

from flotilla_memory.settings import Settings

from .owner_client import Answer, Owner

ACME, OTHER = "acct_acme", "acct_other"
CALL = [
    {"speaker": "Dana Whitfield", "text": "Before we start: did the invoice for the second warehouse arrive?"},
    {"speaker": "Omar", "text": "It did, on Monday. We will pay it this week."},
]


class Memory(Owner[Settings]):
    """The owner's client of a memory server."""

    async def change(self, tool: str, **arguments: Any) -> Answer:
        """A call with a key of its own, unless one is given."""
        return await self.call(tool, **{"idempotency_key": f"key-{next(self.keys)}", "account_id": ACME, **arguments})

    async def remember(self, text: str, **arguments: Any) -> Answer:
        return await self.change("remember", text=text, **arguments)

    async def fact(self, text: str, **arguments: Any) -> str:
        """The id of a memory that is new."""
        done = await self.remember(text, **arguments)
        assert done["outcome"] == "created", done
        return str(done["memory_id"])

    async def record(self, turns: Sequence[Mapping[str, Any]] = CALL, **arguments: Any) -> Answer:
        said = {"channel": "call", "occurred_at": "2026-02-03T10:00:00Z", "turns": turns, **arguments}
        return await self.change("record_episode", **said)

    async def hits(self, query: str, **arguments: Any) -> list[Answer]:
        found = await self.call("search_account_history", **{"account_id": ACME, "query": query, **arguments})
        return list(found["items"])

    async def texts(self, query: str, **arguments: Any) -> list[str]:
        return [hit["text"] for hit in await self.hits(query, **arguments)]

    async def timeline(self, **arguments: Any) -> list[Answer]:
        return list((await self.call("get_account_timeline", **{"account_id": ACME, **arguments}))["items"])

    async def forget(self, target: str, mode: str = "expire", **arguments: Any) -> Answer:
        """For good, with the approval that it may need."""
        said = {"target_id": target, "mode": mode, "dry_run": False, "account_id": ACME, **arguments}
        return await self.approved("forget", **said)
