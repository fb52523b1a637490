"""The reviews: who am I, may I, and what may I."""

from ..kinds import Kind
from ..objects import Object, get
from ..storage import Storage
from .rules import Access, allows, rules_of
from .users import User, Users


def review(storage: Storage, users: Users, user: User, kind: Kind, namespace: str, body: Object) -> Object:
    """A review with its answer in `status`; none is stored."""
    answer: Object = {**kind.head(), "metadata": {"creationTimestamp": None}, "spec": body.get("spec", {})}
    match kind.kind:
        case "SelfSubjectReview":
            del answer["spec"]
            answer["status"] = {"userInfo": {"username": user.name, "groups": list(user.groups)}}
        case "SelfSubjectRulesReview":
            rules = list(rules_of(storage, user, get(body, "spec", "namespace", default="")))
            if user.is_master:
                rules = [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]
            answer["status"] = {"resourceRules": rules, "nonResourceRules": [], "incomplete": False}
        case "TokenReview":
            found = users.tokens.get(get(body, "spec", "token", default=""))
            info = {"username": found.name, "groups": list(found.groups)} if found else {}
            answer["status"] = {"authenticated": found is not None, "user": info}
        case _:
            subject = user
            if kind.kind != "SelfSubjectAccessReview":
                spec = answer["spec"]
                subject = User(spec.get("user", ""), tuple(spec.get("groups", ())))
            answer["status"] = _answered(storage, subject, answer["spec"], namespace)
    return answer


def _answered(storage: Storage, user: User, spec: Object, namespace: str) -> Object:
    asked = spec.get("resourceAttributes")
    if asked is None:
        return {"allowed": user.is_master or get(spec, "nonResourceAttributes", "verb") == "get"}
    part = f"/{asked['subresource']}" if asked.get("subresource") else ""
    access = Access(
        asked.get("verb", ""),
        asked.get("group", ""),
        asked.get("resource", "") + part,
        asked.get("namespace", namespace),
        asked.get("name", ""),
    )
    return {"allowed": True} if allows(storage, user, access) else {"allowed": False, "reason": ""}
