"""What every tool finds out about its call: the clusters, what may be done there, how long an answer may be."""

from flotilla_kit import tools
from flotilla_kit.errors import InvalidArguments
from flotilla_kit.tools import store_of

from ..cluster.cluster import Cluster
from ..cluster.place import Place
from ..policy.policy import Act, Scope
from ..store import ClusterStore

BY_POLICY = "the policy looks at the context and the namespace of whatever is named"
DEFAULT_BYTES = 16_000  # of an answer


def store() -> ClusterStore:
    return store_of()


def scope() -> Scope:
    """What the caller is narrowed to."""
    return Scope(**tools.scope())


def most_bytes() -> int:
    return min(DEFAULT_BYTES, tools.most_bytes())


def cluster(context: str | None) -> Cluster:
    """The cluster that a call is about. Raises `ContextRequired`, `NoCluster`."""
    return store().clusters.pick(context)


async def place(
    act: Act, context: str | None, kind: str, namespace: str | None = None, name: str | None = None
) -> Place:
    """What a call is about, once the policy lets the caller read or change it.

    Raises:
        UnknownKind: the API server has no such kind.
        InvalidArguments: one object of a namespaced kind, without its namespace.
        NamespaceNotAllowed, ProtectedNamespace, ProtectedKind: see `Policy.check`.
    """
    reached = cluster(context)
    found = await reached.kinds.find(kind)
    if found.namespaced and namespace is None and name is not None:
        raise InvalidArguments(
            f"A {found.kind} is in a namespace.", suggestion="Pass namespace; list_namespaces has their names."
        )
    about = Place(reached, found, namespace if found.namespaced else None, name)
    store().policy.check(act, about.target, scope())
    return about
