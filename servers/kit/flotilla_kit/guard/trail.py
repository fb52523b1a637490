"""The audit trail of one server: a record for each call, begun before it and ended after."""

import asyncio
import hashlib
import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from fastmcp.server.middleware import MiddlewareContext

from ..audit import Committer, Record
from ..audit.redaction import Parameters, redacted
from ..errors import RateLimited, StoreUnavailable
from ..identity.principal import Principal
from .call import Call

_TOOL_USE_ID = "claudecode/toolUseId"  # Claude Code names each call there, over stdio and HTTP, also after a resume
_LONGEST_NAME = 64
_LONGEST_ID = 255
_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode
_TOGETHER_S = 1.0  # calls beyond a caller's rate are counted together: else they would be a way to fill the audit


class Trail:
    """Writes what callers do through a group commit.

    Args:
        parameters: of each tool; filled in when the server is up.
    """

    committer: Committer
    """While the server is up."""

    def __init__(self, parameters: Mapping[str, Parameters]) -> None:
        self._parameters = parameters
        self._limited: dict[tuple[str, ...], Record] = {}
        self.observers: list[Callable[[Record], None]] = []
        """Called with the record of each call once it has ended."""

    def begin(self, principal: Principal, context: MiddlewareContext[Any], name: str) -> Call:
        """A call of `name`, with its record."""
        request = context.fastmcp_context and context.fastmcp_context.request_context
        meta: Mapping[str, Any] = (request.meta if request else None) or {}
        use = tool_use_id_of(meta)
        record = Record(
            tool=name[:_LONGEST_NAME],
            principal=principal.kind,
            subject=principal.subject,
            run=principal.run,
            token_id=principal.token_id,
            tool_use_id=use,
        )
        return Call(principal, record, self._parameters.get(name, {}), use)

    def end(self, call: Call, arguments: Mapping[str, Any]) -> None:
        """Hand the record to the group commit, unless its effect's transaction has it already.

        Raises:
            StoreUnavailable: too many records wait.
        """
        record = call.record
        for observe in self.observers:
            observe(record)
        if record.in_effect and record.outcome == "ok":
            return
        if record.outcome == RateLimited.code:
            self._count(record)
            return
        if not record.arguments:
            record.arguments = redacted(arguments, call.parameters, understood=call.understood)
        if not record.arguments_digest:
            record.arguments_digest = _digest(arguments)
        self.committer.add(record)

    async def close(self) -> None:
        """Write what is left."""
        for caller in list(self._limited):
            self._write(caller)
        await self.committer.close()

    def _count(self, record: Record) -> None:
        caller = (record.principal, record.subject, record.run, record.token_id)
        if caller in self._limited:
            self._limited[caller].count += 1
            return
        self._limited[caller] = record
        asyncio.get_running_loop().call_later(_TOGETHER_S, self._write, caller)

    def _write(self, caller: tuple[str, ...]) -> None:
        if record := self._limited.pop(caller, None):
            with suppress(StoreUnavailable):  # they were refused already; there is nothing left to refuse
                self.committer.add(record)


def tool_use_id_of(meta: Mapping[str, Any]) -> str:
    """How a call is named in its `_meta`; empty if it is not."""
    use = meta.get(_TOOL_USE_ID)
    return use if isinstance(use, str) and len(use) <= _LONGEST_ID and use.isprintable() else ""


def _digest(arguments: Mapping[str, Any]) -> str:
    """Of what a caller sent, as it is; the one of a mutation is of its canonical form (effects.digest) instead."""
    try:
        said = _encode(arguments)
    except (ValueError, RecursionError):
        return "none"
    return hashlib.sha256(said.encode()).hexdigest()
