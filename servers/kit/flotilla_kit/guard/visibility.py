"""What exists for a caller: the tools, resources and prompts that it may call, read and see in lists."""

from fastmcp.prompts import Prompt
from fastmcp.resources import Resource, ResourceTemplate
from fastmcp.tools import Tool

from ..identity.principal import Principal

# The approval tools by who may call them; an owner has a sub-command instead.
WORKER_TOOLS = frozenset({"request_approval", "get_approval"})
APPROVER_TOOLS = frozenset({"list_approvals", "get_approval", "decide_approval"})


def may_call(principal: Principal, tool: str) -> bool:
    """Whether a tool exists for this caller."""
    match principal.kind:
        case "owner":
            return tool not in WORKER_TOOLS | APPROVER_TOOLS
        case "approver":
            return tool in APPROVER_TOOLS
        case "worker":
            granted = principal.mandate is not None and tool in principal.mandate.tools
            return granted and tool not in APPROVER_TOOLS - WORKER_TOOLS


def may_read(principal: Principal, uri: str) -> bool:
    """Whether a resource exists for this caller."""
    return principal.kind == "owner" or (principal.mandate is not None and principal.mandate.may_read(uri))


def may_prompt(principal: Principal, name: str) -> bool:
    """Whether a prompt exists for this caller."""
    return principal.kind == "owner" or (principal.mandate is not None and name in principal.mandate.prompts)


def tool_as_seen(principal: Principal, tool: Tool) -> Tool | None:
    """A tool as this caller sees it in a list: narrowed to its bounds, or not at all."""
    if not may_call(principal, tool.name):
        return None
    properties = list(tool.parameters.get("properties", {}))
    grant = principal.mandate.within(tool.name, properties) if principal.mandate else None
    return tool.model_copy(update={"parameters": grant.narrowed(tool.parameters)}) if grant and grant.bounds else tool


def may_see(principal: Principal, item: Resource | ResourceTemplate | Prompt) -> bool:
    """Whether this caller sees a resource, template or prompt in a list."""
    match item:
        case Resource():
            return may_read(principal, str(item.uri))
        case ResourceTemplate():
            return may_read(principal, item.uri_template)
        case Prompt():
            return may_prompt(principal, item.name)
