"""The audit trail of one server: a record for each call, begun before it and ended after."""

from collections.abc import Collection, Mapping
from typing import Any

from fastmcp.server.middleware import MiddlewareContext

from .audit import Committer, Record
from .call import Call
from .effects import digest
from .principal import Principal
from .redaction import redacted

_TOOL_USE_ID = "claudecode/toolUseId"  # Claude Code names each call there, over stdio and HTTP, also after a resume
_LONGEST_NAME = 64
_LONGEST_ID = 255
_NOT_UNDERSTOOD = ("invalid_arguments", "unknown_tool", "invalid_request")


class Trail:
    """Writes what callers do through a group commit.

    Args:
        kept: per tool, the parameters whose text is kept; filled in when the server is up.
        mutating: the tools whose record goes into their effect's transaction.
    """

    committer: Committer
    """While the server is up."""

    def __init__(self, kept: Mapping[str, frozenset[str]], mutating: Collection[str]) -> None:
        self._kept, self._mutating = kept, mutating

    def begin(self, principal: Principal, context: MiddlewareContext[Any], name: str) -> Call:
        """A call of `name`, with its record."""
        request = context.fastmcp_context and context.fastmcp_context.request_context
        meta: Mapping[str, Any] = (request.meta if request else None) or {}
        use = meta.get(_TOOL_USE_ID)
        use = use if isinstance(use, str) and len(use) <= _LONGEST_ID else ""
        record = Record(
            tool=name[:_LONGEST_NAME],
            principal=principal.kind,
            subject=principal.subject,
            run=principal.run,
            token_id=principal.token_id,
            tool_use_id=use,
        )
        return Call(principal, record, use)

    def describe(self, record: Record, arguments: Mapping[str, Any]) -> None:
        """Note the arguments, redacted, and their digest. Of a mutation before it happens: it writes its own record."""
        # Of a call that was not understood, no text is known to be what its parameter's pattern says.
        understood = record.outcome not in _NOT_UNDERSTOOD
        record.arguments = redacted(arguments, self._kept.get(record.tool, frozenset()) if understood else frozenset())
        if not record.arguments_digest:
            try:
                record.arguments_digest = digest(arguments)
            except Exception:  # noqa: BLE001  what has no canonical form was refused, and is recorded all the same
                record.arguments_digest = "none"

    def describe_mutation(self, record: Record, arguments: Mapping[str, Any]) -> None:
        if record.tool in self._mutating:
            self.describe(record, arguments)

    def end(self, record: Record, arguments: Mapping[str, Any]) -> None:
        """Hand the record to the group commit, unless its effect's transaction has it already.

        Raises:
            StoreUnavailable: too many records wait.
        """
        if record.in_effect and record.outcome == "ok":
            return
        if not record.arguments:
            self.describe(record, arguments)
        self.committer.add(record)
