"""The tool that says which clusters there are."""

from fastmcp.tools import tool
from flotilla_kit.tools import READ, declare

from ..models import ContextInfo, Contexts
from .call import BY_POLICY, scope, store


@tool(annotations=READ)
@declare(scoped=BY_POLICY)
async def list_contexts() -> Contexts:
    """Clusters that are served; where there are several, every other call names its context."""
    only = scope().context
    return Contexts(
        items=[
            ContextInfo(
                name=context.name,
                cluster=context.config.context.cluster,
                namespace=context.config.context.namespace,
                current=context.current or None,
            )
            for context in store().clusters.contexts.values()
            if only is None or context.name == only
        ][:100]
    )
