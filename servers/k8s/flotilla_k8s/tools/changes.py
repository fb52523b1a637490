"""Tools that apply a manifest and delete an object."""

from fastmcp.tools import tool
from flotilla_kit import tools
from flotilla_kit.arguments import IdempotencyKey
from flotilla_kit.effects import Evaluated
from flotilla_kit.tools import DESTROY, WRITE, declare

from ..arguments import Context, KindName, ManifestText, ObjectName, OptionalNamespace
from ..models import Changed
from ..writing import deletion, manifest_changes, manifests
from ..writing.refusals import InvalidManifest
from .call import BY_POLICY, place
from .changing import make


@tool(annotations=WRITE)
@declare(approval="rule", scoped=BY_POLICY)
async def apply_manifest(
    manifest: ManifestText,
    namespace: OptionalNamespace = None,
    context: Context = None,
    dry_run: bool = False,
    force: bool = False,
    idempotency_key: IdempotencyKey = None,
) -> Changed:
    """Apply one object (YAML or JSON) server-side; answers what changes. With dry_run nothing is changed. force takes
    fields from other managers; a person approves it."""
    del idempotency_key  # it is in the effect
    read = manifests.read(manifest)
    if namespace is not None and read.namespace not in (None, namespace):
        raise InvalidManifest(
            "The manifest names another namespace than the call.", "Name the same in both.", path="metadata.namespace"
        )
    kind = f"{read.api_version}/{read.kind}"
    target = await place("change", context, kind, namespace or read.namespace, read.name)
    if target.namespace is None and read.namespace is not None:
        raise InvalidManifest(
            f"A {read.kind} is in no namespace.", "Leave out metadata.namespace.", path="metadata.namespace"
        )
    read = manifests.within(read, target.namespace)
    preparing = manifest_changes.prepare(target, read, force=force)
    if dry_run:
        _, facts = await preparing
        if tools.effect().mode == "evaluating":
            raise Evaluated(needed=False, facts=facts)
        return Changed.model_validate({**facts, "dry_run": True})
    labels = read.body["metadata"].get("labels") if read.kind == "Namespace" else None
    because = ["it takes fields from other managers"] if force else []
    return await make("apply", target, preparing, because=because, labels=labels)


@tool(annotations=DESTROY)
@declare(approval="always", scoped=BY_POLICY)
async def delete_resource(
    kind: KindName,
    name: ObjectName,
    namespace: OptionalNamespace = None,
    context: Context = None,
    idempotency_key: IdempotencyKey = None,
) -> Changed:
    """Delete one object after a person approved it. terminating: not gone yet; get_resource shows what holds it."""
    del idempotency_key
    target = await place("change", context, kind, namespace, name)
    return await make("delete", target, deletion.prepare(target))
