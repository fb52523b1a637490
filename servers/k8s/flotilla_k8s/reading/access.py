"""What the identity of a context may do, by the API server's own answer."""

from typing import Any

from flotilla_kit.errors import FlotillaError

from ..cluster.failures import permission
from ..cluster.kinds import Kind
from ..cluster.place import Place
from ..models import Access
from ..objects import at, text
from ..policy.policy import Policy, Scope

REVIEW = Kind(
    "authorization.k8s.io", "v1", "SelfSubjectAccessReview", "selfsubjectaccessreviews", False, frozenset({"create"})
)
READING = ("get", "list", "watch")


async def check_access(place: Place, verb: str, subresource: str | None, policy: Policy, scope: Scope) -> Access:
    """Whether RBAC allows it, and whether this server's own policy does; what is missing is named."""
    asked: dict[str, Any] = {
        "verb": verb,
        "group": place.kind.group,
        "resource": place.kind.plural,
        "namespace": place.namespace,
        "name": place.name,
        "subresource": subresource,
    }
    attributes = {key: value for key, value in asked.items() if value is not None}
    body = {
        "apiVersion": REVIEW.api_version,
        "kind": REVIEW.kind,
        "spec": {"resourceAttributes": attributes},
    }
    said = await place.cluster.review(REVIEW, body)
    allowed = bool(at(said, "status", "allowed"))
    what = f"{place.kind.plural}/{subresource}" if subresource else place.kind.plural
    missing = permission(verb, what, place.kind.group, place.namespace)
    return Access(
        allowed=allowed,
        verb=verb,
        resource=what,
        namespace=place.namespace,
        reason=place.cluster.redactor.text(text(said, "status", "reason"))[:300] or None,
        missing=None if allowed else f"{missing}; whoever runs the cluster grants it in a Role or ClusterRole",
        refused_by_policy=_refusal(place, verb, policy, scope),
    )


def _refusal(place: Place, verb: str, policy: Policy, scope: Scope) -> str | None:
    """Why this server would not do it, whatever the cluster allows."""
    if verb in READING:
        return None
    try:
        policy.check("change", place.target, scope)
    except FlotillaError as refused:
        return f"{refused.code}: {refused.message}"
    return None
