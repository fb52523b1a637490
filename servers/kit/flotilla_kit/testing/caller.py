"""Who calls a server under test: whoever holds a token, over HTTP."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from .connections import Connections
from .wire import META, MODERN, Answer, encoded, headers, listing, request

SETTLES_S = 20


class Caller:
    """Whoever holds a token, as the server's callers over HTTP do."""

    def __init__(self, connections: Connections, sent: Counter[str], token: str, subject: str) -> None:
        self.token, self.subject = token, subject
        self._connections, self._sent = connections, sent

    async def call(
        self, tool: str, arguments: object, *, use: str = "", era: str = MODERN, method: str = "tools/call"
    ) -> Answer:
        """Call once; `use` is how Claude Code would name the call, which makes it a key."""
        meta = {**META, **({"claudecode/toolUseId": use} if use else {})}
        content = encoded(request(tool, arguments, method=method, _meta=meta))
        return await self.send(content, headers(era, tool, method, token=self.token))

    async def send(self, content: bytes, said: dict[str, bytes]) -> Answer:
        """Send a call as these bytes."""
        self._sent[self.subject] += 1
        return await self._connections.post(content, said)

    async def exchange(self, content: bytes, said: dict[str, bytes]) -> bytes:
        """Send a call as these bytes, for all the bytes of the answer."""
        self._sent[self.subject] += 1
        return await self._connections.exchange(content, said)

    async def listed(self, method: str = "tools/list", era: str = MODERN) -> list[dict[str, Any]]:
        """Everything in a list, all its pages."""
        items: list[dict[str, Any]] = []
        cursor: str | None = None
        kind = {"tools/list": "tools", "resources/list": "resources", "prompts/list": "prompts"}.get(method, "")
        kind = kind or "resourceTemplates"
        while True:
            content = encoded(listing(method, cursor))
            said = headers(era, method=method, token=self.token)
            answer = await self._connections.post(content, said)
            items += answer.result[kind]
            if (cursor := answer.result.get("nextCursor")) is None:
                return items


async def insisted(caller: Caller, tool: str, arguments: Mapping[str, Any], use: str = "") -> Answer:
    """The answer to a call that is made again while it is refused as `retryable`, as a killed effect is settled."""
    async with asyncio.timeout(SETTLES_S):
        answer = await caller.call(tool, arguments, use=use)
        while answer.data.get("retryable") is True:
            await asyncio.sleep(0.05)
            answer = await caller.call(tool, arguments, use=use)
    return answer


def shown(tools: Sequence[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """Listed tools by name."""
    return {tool["name"]: tool for tool in tools}
