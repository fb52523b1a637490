"""The tool that says how a rollout goes."""

from fastmcp.tools import tool
from flotilla_kit.tools import READ, declare, progress

from ..arguments import MOST_WAIT_S, Context, Namespace, ObjectName, WaitSeconds, Workload
from ..models import Rollout
from ..reading import rollouts
from .call import place


@tool(annotations=READ)
@declare(timeout_s=MOST_WAIT_S + 30)
async def get_rollout(
    name: ObjectName,
    namespace: Namespace,
    kind: Workload = "Deployment",
    wait_s: WaitSeconds = 0,
    context: Context = None,
) -> Rollout:
    """How far a rollout is and why it stalls, with evidence; wait_s watches it until it ends."""
    where = await place("read", context, f"apps/v1/{kind}", namespace, name)
    return await rollouts.get_rollout(where, wait_s, progress)
