"""Tools that say which clusters there are, and which namespaces in them."""

from fastmcp.tools import tool
from flotilla_kit.arguments import Limit
from flotilla_kit.tools import READ, declare

from ..arguments import Context, LabelSelector, ListCursor
from ..cluster.place import Place
from ..models import ContextInfo, Contexts, Namespaces
from ..reading import namespaces
from .call import BY_POLICY, cluster, most_bytes, scope, store


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


@tool(annotations=READ)
@declare(scoped=BY_POLICY)
async def list_namespaces(
    label_selector: LabelSelector = None, limit: Limit = 50, cursor: ListCursor = None, context: Context = None
) -> Namespaces:
    """Namespaces, and which of them are protected from changes or production."""
    where = Place(cluster(context), namespaces.NAMESPACE, None)
    return await namespaces.list_namespaces(where, store().policy, scope(), label_selector, limit, cursor, most_bytes())
