"""What a worker may do in a run, as the claims of a token (RFC 9396) that each server verifies and enforces for itself.

    {"iss": "flotilla", "sub": WORKER, "aud": SERVER, "run": RUN, "iat", "nbf", "exp", "jti",
     "authorization_details": [
        {"type": "mcp_tool", "tool": "find_transactions",
         "arguments": {"properties": {"customer_id": {"const": "cust_12345"}}, "required": ["customer_id"]}}],
     "scope": {"customer_id": "cust_12345"}}

A tool that is not listed does not exist for the worker. Nothing here calls a server.
"""

import secrets
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, cast

from flotilla_kit.identity.keys import SigningKey
from flotilla_kit.identity.mandate import MandateError, check_bound
from flotilla_rehearsal import template
from pydantic import JsonValue

from ..config.fleet import Rule
from ..config.guardrails import Guardrail
from ..config.playbooks import Playbook
from ..config.workers import Worker
from ..errors import Failure
from .guardrails import Guardrails

ISSUER = "flotilla"
MAX_LIFETIME_S = 59 * 60  # servers refuse a lifetime above an hour
APPROVAL_TOOLS = ("request_approval", "get_approval")
_MAX_CONST_CHARS = 200  # characters; all arguments together have to fit into a header
_MAX_TOKEN_BYTES = 12 * 1024  # servers take 16 KiB of headers in all

AuthorizationDetail = dict[str, JsonValue]


@dataclass(frozen=True)
class Tool:
    """A tool as its server lists it."""

    schema: Mapping[str, Any]
    read_only: bool
    """Its server declares that it changes nothing (`readOnlyHint`)."""


@dataclass(frozen=True)
class RunFacts:
    """The values for templates of mandates: a run's inputs, and the results of the playbook's lookups."""

    inputs: Mapping[str, JsonValue]
    lookups: Mapping[str, JsonValue] = field(default_factory=dict[str, JsonValue])

    def render(self, value: JsonValue) -> JsonValue:
        """Render the templates in `value`; raises TemplateError."""
        return template.render(value, {"inputs": dict(self.inputs), "lookups": dict(self.lookups)})

    def is_known(self, value: JsonValue) -> bool:
        """Whether all that templates in `value` read is known."""
        return True


class PlannedFacts(RunFacts):
    """What is known of a run that is only planned: its inputs. What reads anything else stays the template it is."""

    def render(self, value: JsonValue) -> JsonValue:
        match value:
            case list():
                return [self.render(item) for item in value]
            case dict():
                return {name: self.render(item) for name, item in value.items()}
            case _:
                return super().render(value) if self.is_known(value) else value

    def is_known(self, value: JsonValue) -> bool:
        return all(path[0] == "inputs" for path in template.reads(value))


def worker_details(
    worker: Worker,
    server: str,
    facts: RunFacts,
    rules: Sequence[Rule],
    tools: Mapping[str, Tool],
    guardrails: Guardrails | None = None,
) -> list[AuthorizationDetail]:
    """The `authorization_details` of a worker for one of its servers.

    A bounded argument is required: left out, a call would reach further than the bound. Rules only tighten: `deny`
    leaves a tool out, `approve` has every call of it wait for a person.

    Args:
        tools: what the server lists, all of the worker's among them.

    Raises:
        Failure: `bad_bound`: a bound cannot be filled, or no tool takes its argument. `bad_rule`: an approval is wanted
            of a tool that changes nothing. `bad_guardrail`: no tool that it is for takes an argument that it names.
    """
    bounds = _bounds_by_tool(worker, server, facts, tools)
    _tighten(bounds, server, tools, guardrails or Guardrails())
    found: list[AuthorizationDetail] = []
    for name in worker.tools_on(server):
        effect = rule_effect(f"mcp__{server}__{name}", facts, rules, reads=tools[name].read_only)
        if effect == "deny":
            continue
        detail: AuthorizationDetail = {"type": "mcp_tool", "tool": name}
        if argument_bounds := bounds[name]:
            detail["arguments"] = {"properties": argument_bounds, "required": list(argument_bounds)}
        if effect == "approve":
            detail["approval"] = "required"
        found.append(detail)
    return found + [{"type": "mcp_resource", "uri": uri} for uri in worker.resources]


def filled_bounds(worker: Worker, server: str, facts: RunFacts) -> dict[str, JsonValue]:
    """By argument: the JSON Schema that its values must satisfy, on each of the worker's tools that takes it.

    Raises:
        Failure: `bad_bound`: a bound cannot be filled.
    """
    filled: dict[str, JsonValue] = {}
    for argument, bound in worker.bounds.get(server, {}).items():
        try:
            schema = cast("dict[str, JsonValue]", facts.render(bound))  # as it was: a mapping
            if facts.is_known(bound):
                check_bound(schema)
        except template.TemplateError as error:
            raise _bad_bound(worker, argument, str(error)) from error
        except MandateError as error:
            raise _bad_bound(worker, argument, f"filled in, it is no bound that servers enforce: {error}") from error
        filled[argument] = schema
    return filled


def rule_effect(tool: str, facts: RunFacts, rules: Sequence[Rule], *, reads: bool) -> Literal["approve", "deny"] | None:
    """The strictest of the rules that hold. An approval is of an effect: a pattern passes over tools that have none.

    Raises:
        Failure: `bad_rule`: an approval is wanted of a tool that changes nothing.
    """
    holding = [rule for rule in rules if rule.matches(tool) and rule.holds(facts.inputs)]
    if any(rule.effect == "deny" for rule in holding):
        return "deny"
    if reads and any(tool in rule.tools for rule in holding):
        message = f"{tool} changes nothing, so there is nothing to approve."
        raise Failure("bad_rule", message, "Take it out of the rule in fleet.yaml, or deny it.")
    return "approve" if holding and not reads else None


def call_detail(
    call: str, arguments: Mapping[str, JsonValue], facts: RunFacts, rules: Sequence[Rule]
) -> AuthorizationDetail:
    """The `authorization_details` of a call that a run makes itself: its short values are the only ones.

    Args:
        call: the tool's full name.

    Raises:
        Failure: `denied_by_rule`: a rule takes the tool away, or wants an approval, and nobody is asked here.
    """
    if effect := rule_effect(call, facts, rules, reads=False):
        message = f"A rule of fleet.yaml {'takes' if effect == 'deny' else 'wants an approval of'} {call}."
        raise Failure("denied_by_rule", message, "Nobody is asked for it: correct the rule, or the playbook's `after`.")
    argument_bounds: dict[str, JsonValue] = {
        name: {"const": value}
        for name, value in arguments.items()
        if isinstance(value, bool | int | float) or (isinstance(value, str) and len(value) <= _MAX_CONST_CHARS)
    }
    tool = call.rpartition("__")[2]
    return {
        "type": "mcp_tool",
        "tool": tool,
        "arguments": {"properties": argument_bounds, "required": list(argument_bounds)},
    }


def approval_details(given: Sequence[AuthorizationDetail]) -> list[AuthorizationDetail]:
    """The same and the approval tools: for the orchestrator's own calls on behalf of the worker."""
    named = [detail.get("tool") for detail in given]
    return [*given, *tool_details(name for name in APPROVAL_TOOLS if name not in named)]


def tool_details(names: Iterable[str]) -> list[AuthorizationDetail]:
    """Tools without bounds."""
    return [{"type": "mcp_tool", "tool": name} for name in names]


def resolve_scopes(playbook: Playbook, facts: RunFacts) -> dict[str, dict[str, str]]:
    """By server: the scope of every mandate of the run.

    Raises:
        Failure: `bad_scope` or, if it comes from a lookup, `lookup_failed`: it is no text, or empty.
    """
    return {
        server: {key: _resolve_scope(playbook, f"scope.{server}.{key}", value, facts) for key, value in keys.items()}
        for server, keys in playbook.scope.items()
    }


@dataclass(frozen=True)
class Minter:
    """Signs the mandates of one run."""

    key: SigningKey
    run_id: str

    def mint(
        self,
        audience: str,
        subject: str,
        details: Sequence[AuthorizationDetail],
        scope: Mapping[str, str] | None = None,
        lifetime_s: float = MAX_LIFETIME_S,
    ) -> str:
        """A token for one server and one worker, valid from now for at most 59 minutes.

        Raises:
            Failure: `mandate_too_large` for a request's headers.
        """
        now = int(time.time())
        claims: dict[str, JsonValue] = {
            "iss": ISSUER,
            "sub": subject,
            "aud": audience,
            "iat": now,
            "nbf": now,
            "exp": now + max(1, min(int(lifetime_s), MAX_LIFETIME_S)),
            "jti": secrets.token_hex(16),
            "run": self.run_id,
            "authorization_details": list(details),
            "scope": dict(scope or {}),
        }
        token = self.key.sign(claims)
        if len(token) > _MAX_TOKEN_BYTES:
            message = (
                f"The mandate of {subject} for {audience} has {len(token)} bytes; {_MAX_TOKEN_BYTES} are the most."
            )
            raise Failure("mandate_too_large", message, "Split the worker, or say its bounds in fewer words.")
        return token


def _bounds_by_tool(
    worker: Worker, server: str, facts: RunFacts, tools: Mapping[str, Tool]
) -> dict[str, dict[str, JsonValue]]:
    bounds: dict[str, dict[str, JsonValue]] = {name: {} for name in worker.tools_on(server)}
    for argument, schema in filled_bounds(worker, server, facts).items():
        matching = [name for name in bounds if argument in tools[name].schema.get("properties", {})]
        if not matching:
            raise _bad_bound(worker, argument, f"none of its tools of {server} takes this argument")
        for name in matching:
            bounds[name][argument] = schema
    return bounds


def _tighten(
    bounds: dict[str, dict[str, JsonValue]], server: str, tools: Mapping[str, Tool], guardrails: Guardrails
) -> None:
    """Bound what guardrails deny of arguments; one that is bounded has to be given, as any."""
    for name, argument_bounds in bounds.items():
        for guardrail, argument, schema in guardrails.denied_arguments(f"mcp__{server}__{name}"):
            if argument in tools[name].schema.get("properties", {}):
                known, denied = argument_bounds.get(argument), cast("dict[str, JsonValue]", {"not": schema})
                bound = known if isinstance(known, dict) else {}
                argument_bounds[argument] = {"allOf": [bound, denied]} if "not" in bound else {**bound, **denied}
            elif not _takes(argument, guardrail, server, tools):
                message = f"{guardrail.name}: no tool of {server} that it is for takes an argument `{argument}`."
                raise Failure("bad_guardrail", message, "Correct `arguments` in the guardrail's file.")


def _takes(argument: str, guardrail: Guardrail, server: str, tools: Mapping[str, Tool]) -> bool:
    matched = (tool for name, tool in tools.items() if guardrail.matches(f"mcp__{server}__{name}"))
    return any(argument in tool.schema.get("properties", {}) for tool in matched)


def _resolve_scope(playbook: Playbook, place: str, value: str, facts: RunFacts) -> str:
    code = "lookup_failed" if template.attributes(value, "lookups") else "bad_scope"
    try:
        filled = facts.render(value)
    except template.TemplateError as error:
        raise _bad_scope(code, playbook, place, str(error)) from error
    if not isinstance(filled, str) or not filled.strip():
        raise _bad_scope(code, playbook, place, f"it must be a text that is not empty, and is {filled!r:.100}")
    return filled


def _bad_bound(worker: Worker, argument: str, why: str) -> Failure:
    return Failure("bad_bound", f"{worker.name}: bound `{argument}`: {why}.", "Correct `bounds` in the worker's file.")


def _bad_scope(code: str, playbook: Playbook, place: str, why: str) -> Failure:
    message = f"{playbook.name}: `{place}`: {why}."
    return Failure(code, message, "Nothing was started; correct the input, the record it names, or the playbook.")
