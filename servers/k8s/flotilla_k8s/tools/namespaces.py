"""The tool that provisions a namespace."""

from fastmcp.tools import tool
from flotilla_kit.arguments import IdempotencyKey
from flotilla_kit.tools import WRITE, declare

from ..arguments import Context, Labels, NewNamespace, OptionalGroup, OptionalWord, Quantity
from ..models import Changed
from ..writing import names, provisioning
from ..writing.provisioning_plan import Wanted
from .call import BY_POLICY, place, store
from .changing import make


@tool(annotations=WRITE)
@declare(approval="rule", scoped=BY_POLICY)
async def provision_namespace(
    name: NewNamespace,
    cpu_limit: Quantity,
    memory_limit: Quantity,
    owner_group: OptionalGroup = None,
    environment: OptionalWord = None,
    labels: Labels = None,
    context: Context = None,
    idempotency_key: IdempotencyKey = None,
) -> Changed:
    """Make a namespace, or bring one up to this: quota (cpu_limit "4", memory_limit "8Gi"), default limits, labels, and
    a RoleBinding for owner_group. A repeat changes nothing."""
    del idempotency_key  # it is in the effect
    names.namespace(name)
    target = await place("change", context, "v1/Namespace", None, name)
    wanted = Wanted(name, cpu_limit, memory_limit, owner_group, environment, labels)
    preparing = provisioning.prepare(target, wanted, store().settings.owner_role)
    return await make("provision", target, preparing, labels=wanted.namespace_labels)
