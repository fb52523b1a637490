"""Tools that scale a workload, restart it and take it back."""

from fastmcp.tools import tool
from flotilla_kit.arguments import IdempotencyKey
from flotilla_kit.tools import DESTROY, WRITE, declare

from ..arguments import Context, KindName, Namespace, ObjectName, OptionalRevision, Replicas
from ..models import Changed
from ..writing import rollouts, scaling
from .call import BY_POLICY, place
from .changing import make


@tool(annotations=DESTROY)
@declare(approval="rule", scoped=BY_POLICY)
async def scale_workload(
    kind: KindName,
    name: ObjectName,
    namespace: Namespace,
    replicas: Replicas,
    context: Context = None,
    idempotency_key: IdempotencyKey = None,
) -> Changed:
    """Set the replicas of a Deployment, StatefulSet or ReplicaSet. To 0 a person approves it first."""
    del idempotency_key  # it is in the effect
    target = await place("change", context, kind, namespace, name)
    because = ["it stops everything"] if replicas == 0 else []
    return await make("scale", target, scaling.prepare(target, replicas), because=because)


@tool(annotations=WRITE)
@declare(approval="rule", scoped=BY_POLICY)
async def restart_rollout(
    kind: KindName,
    name: ObjectName,
    namespace: Namespace,
    context: Context = None,
    idempotency_key: IdempotencyKey = None,
) -> Changed:
    """Replace the pods of a Deployment, StatefulSet or DaemonSet one by one. Follow it with get_rollout."""
    del idempotency_key
    target = await place("change", context, kind, namespace, name)
    return await make("restart", target, rollouts.prepare_restart(target))


@tool(annotations=WRITE)
@declare(approval="rule", scoped=BY_POLICY)
async def undo_rollout(
    kind: KindName,
    name: ObjectName,
    namespace: Namespace,
    revision: OptionalRevision = None,
    context: Context = None,
    idempotency_key: IdempotencyKey = None,
) -> Changed:
    """Take a workload back to its previous revision, or to a named one; answers what changes."""
    del idempotency_key
    target = await place("change", context, kind, namespace, name)
    return await make("undo", target, rollouts.prepare_undo(target, revision))
