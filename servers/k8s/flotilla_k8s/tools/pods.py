"""Tools that say what pods wrote, what happened, and what is used."""

from fastmcp.tools import tool
from flotilla_kit.arguments import Cursor, Limit, OptionalInstant
from flotilla_kit.paging import Page
from flotilla_kit.times import instant
from flotilla_kit.tools import READ

from ..arguments import (
    Context,
    Namespace,
    ObjectName,
    OptionalKindName,
    OptionalNamespace,
    OptionalObjectName,
    Pattern,
    Tail,
)
from ..models import EventInfo, Log, Usage
from ..reading import events, logs, usage
from ..reading.events import EventFilter
from ..reading.logs import LogFilter
from .call import most_bytes, place


@tool(annotations=READ)
async def get_pod_logs(
    name: ObjectName,
    namespace: Namespace,
    container: OptionalObjectName = None,
    tail: Tail = 100,
    since: OptionalInstant = None,
    until: OptionalInstant = None,
    pattern: Pattern = None,
    previous: bool = False,
    context: Context = None,
) -> Log:
    """Last lines of a pod's log; pattern is a regular expression, previous the container that crashed."""
    where = await place("read", context, "v1/Pod", namespace, name)
    moments = [None if said is None else instant(said) for said in (since, until)]
    which = LogFilter(tail, moments[0], moments[1], pattern)
    return await logs.read_log(where, container, previous, which, most_bytes())


@tool(annotations=READ)
async def list_events(
    namespace: OptionalNamespace = None,
    kind: OptionalKindName = None,
    name: OptionalObjectName = None,
    warnings: bool = False,
    since: OptionalInstant = None,
    limit: Limit = 20,
    cursor: Cursor = None,
    context: Context = None,
) -> Page[EventInfo]:
    """What happened, newest first; to one object by kind and name. Why a rollout stalls: get_rollout."""
    where = await place("read", context, "v1/Event", namespace)
    about = None if kind is None else (await where.cluster.kinds.find(kind)).kind
    which = EventFilter(about, name, warnings, None if since is None else instant(since)[:19] + "Z")
    return await events.list_events(where.cluster, namespace, which, limit, cursor, most_bytes())


@tool(annotations=READ)
async def get_resource_usage(namespace: OptionalNamespace = None, limit: Limit = 20, context: Context = None) -> Usage:
    """CPU and memory: of a namespace its quotas and largest pods, without one of the nodes."""
    where = await place("read", context, "v1/Node" if namespace is None else "v1/Pod", namespace)
    if namespace is None:
        return await usage.cluster_usage(where.cluster, limit)
    return await usage.namespace_usage(where.cluster, namespace, limit)
