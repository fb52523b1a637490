"""Around each tool's body: bounds on the arguments it receives, and, if it changes something, effect and approval.

It sits at the body and not in a middleware because only here the arguments are what the tool will act on: validated,
coerced, defaults filled in.
"""

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fastmcp.decorators import get_fastmcp_meta
from fastmcp.exceptions import NotFoundError
from fastmcp.tools.function_tool import ToolMeta
from mcp_types import ToolAnnotations
from pydantic_core import to_jsonable_python

from .. import approvals
from ..approvals import ApprovalNeeded
from ..audit.redaction import redacted
from ..effects import Effect, digest, faults, outcome_unknown
from ..errors import InvalidArguments, OutOfBounds, StoreUnavailable
from ..settings import ServerSettings
from ..storage.database import Database
from .answer import answering
from .call import CURRENT, Call
from .declaration import Declaration

Function = Callable[..., Any]
_KEY = "idempotency_key"
_TRIES = 3  # a decision can come between the body's refusal and the request that follows from it


@dataclass(frozen=True)
class ToolFunction:
    """A decorated tool, read once."""

    function: Function
    name: str
    annotations: ToolAnnotations
    declared: Declaration
    signature: inspect.Signature

    @property
    def mutates(self) -> bool:
        # An allow-list: a tool that forgot to say it only reads is taken to change something.
        return self.annotations.read_only_hint is not True

    @property
    def has_effect(self) -> bool:
        return self.mutates and self.declared.effect

    @classmethod
    def of(cls, function: Function, scope_keys: Sequence[str] = ()) -> "ToolFunction":
        """Read a function decorated with `fastmcp.tools.tool`, all four annotations set.

        Raises:
            TypeError: it is no such function, changes something without declaring its approval, or neither takes the
                arguments that a scope narrows nor declares how its store narrows them.
        """
        meta = get_fastmcp_meta(inspect.unwrap(function))
        annotations = meta.annotations if isinstance(meta, ToolMeta) else None
        if not isinstance(meta, ToolMeta) or not isinstance(annotations, ToolAnnotations):
            raise TypeError(f"{function} is not a tool with annotations")
        declared = Declaration.of(function)
        tool = cls(function, meta.name or function.__name__, annotations, declared, inspect.signature(function))
        if tool.mutates and declared.approval is None:
            raise TypeError(f"{tool.name} changes something and does not declare when that needs an approval")
        unscoped = [key for key in scope_keys if key not in tool.signature.parameters]
        if unscoped and not declared.scoped:
            raise TypeError(f"{tool.name} takes no {unscoped[0]} and does not declare how its store applies the scope")
        return tool

    def received(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments as JSON, with the defaults of those not given."""
        bound = self.signature.bind(**given)
        bound.apply_defaults()
        return to_jsonable_python(bound.arguments)


class Bodies:
    """Wraps the tool bodies of one server. `database` is set while the server is up."""

    database: Database

    def __init__(self, settings: ServerSettings) -> None:
        self._settings = settings

    def wrap(self, tool: ToolFunction) -> Function:
        """The function to offer in the tool's place; its signature is the same."""
        function, properties = answering(tool.function), tuple(tool.signature.parameters)

        @functools.wraps(function)
        async def body(**given: Any) -> Any:
            call = CURRENT.get()
            call.understood = True
            mandate = call.principal.mandate
            if mandate is None and not tool.has_effect:
                return await function(**given)
            grant = None
            if mandate is not None:
                grant = mandate.within(tool.name, properties)
                if grant is None:
                    raise NotFoundError(tool.name)
            received = tool.received(given) if tool.has_effect or (grant and grant.bounds) else {}
            if grant and (breach := grant.breach(received)):
                raise OutOfBounds(
                    f"{tool.name}: this mandate bounds {breach.argument}: {breach.bound}.",
                    suggestion="Stay within the case you were given; nothing was done.",
                    details={"argument": breach.argument, "bound": breach.bound},
                )
            required = grant is not None and grant.approval_required
            if not tool.has_effect:
                if required:
                    raise OutOfBounds(f"{tool.name}: this mandate wants an approval of what has no effect.")
                return await function(**given)
            key = received.pop(_KEY, None) or ""
            if key.startswith(approvals.PREFIX):
                raise InvalidArguments(f"An idempotency_key must not start with {approvals.PREFIX}.")
            call.effect = self._effect(call, tool, key, received, required or tool.declared.approval == "always")
            return await self._once(call.effect, lambda: function(**given))

        return body

    def _effect(self, call: Call, tool: ToolFunction, key: str, arguments: dict[str, Any], required: bool) -> Effect:
        # Now: the record of an effect is written in the effect's own transaction.
        call.record.arguments = redacted(arguments, call.parameters, understood=True)
        call.record.arguments_digest = digest(arguments)
        return Effect(
            principal=call.principal.subject,
            run=call.principal.run,
            tool=tool.name,
            key=key or call.tool_use_id,
            digest=call.record.arguments_digest,
            arguments=arguments,
            server=self._settings.server,
            mode="evaluating" if call.evaluating else "asked",
            approval_required=required,
            record=call.record,
        )

    async def _once(self, effect: Effect, run: Callable[[], Any]) -> Any:
        for _ in range(_TRIES):
            try:
                return await run()
            except ApprovalNeeded as needed:
                expires_h = self._settings.approval_expires_hours
                approval = await ask(self.database, effect, needed.facts, expires_h, bound=needed.bound)
            except StoreUnavailable as error:
                if effect.record and effect.record.in_effect:  # its transaction may have been committed
                    raise outcome_unknown(effect.key) from error
                raise
            if approval.state != "approved":
                raise approvals.refusal(approval)
        raise StoreUnavailable(f"{effect.tool} met the same approval again and again.", suggestion="Try again.")


async def ask(
    database: Database,
    effect: Effect,
    facts: Mapping[str, Any],
    expires_h: float,
    *,
    anew: bool = False,
    bound: str = "",
) -> approvals.Approval:
    """`approvals.ask` in a transaction of its own; of two callers that ask at once the second finds the first's."""
    approval = await database.write_unique(approvals.ask, effect, facts, expires_h, anew=anew, bound=bound)
    faults.point("requested")
    return approval
