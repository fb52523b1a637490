"""Tools that read objects of any kind, and say what may be done with them."""

from fastmcp.tools import tool
from flotilla_kit.arguments import Limit
from flotilla_kit.tools import READ

from ..arguments import (
    Context,
    Fields,
    KindName,
    LabelSelector,
    ListCursor,
    ObjectName,
    OptionalNamespace,
    OptionalObjectName,
    OptionalSubresource,
    Verb,
)
from ..models import Access, Rows, Shown
from ..reading import access, lists
from ..reading.shown import shown
from .call import most_bytes, place, scope, store


@tool(annotations=READ)
async def list_resources(
    kind: KindName,
    namespace: OptionalNamespace = None,
    label_selector: LabelSelector = None,
    limit: Limit = 20,
    cursor: ListCursor = None,
    context: Context = None,
) -> Rows:
    """Objects of any kind, custom ones too, as rows; without namespace in all. For one object use get_resource."""
    where = await place("read", context, kind, namespace)
    return await lists.list_rows(where, label_selector, limit, cursor, most_bytes())


@tool(annotations=READ)
async def get_resource(
    kind: KindName,
    name: ObjectName,
    namespace: OptionalNamespace = None,
    fields: Fields = None,
    context: Context = None,
) -> Shown:
    """One object, terse; or the fields at paths such as spec.template.spec, * for all."""
    where = await place("read", context, kind, namespace, name)
    found = where.cluster.redactor.object(await where.cluster.get(where.kind, name, where.namespace))
    return Shown(shown(found, where.kind.group, fields, most_bytes()))


@tool(annotations=READ)
async def check_access(
    verb: Verb,
    kind: KindName,
    namespace: OptionalNamespace = None,
    name: OptionalObjectName = None,
    subresource: OptionalSubresource = None,
    context: Context = None,
) -> Access:
    """Whether this identity may do something, and which verb it lacks if not."""
    where = await place("read", context, kind, namespace, name)
    return await access.check_access(where, verb, subresource, store().policy, scope())
