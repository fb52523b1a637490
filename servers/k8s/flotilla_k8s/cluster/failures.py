"""What an API server's refusals mean, as errors of this server: without secrets, and with what is missing."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import msgspec
from flotilla_kit.errors import Conflict, FlotillaError, InvalidArguments, InvalidCursor, NotFound

from ..errors import (
    AlreadyExists,
    ClusterUnavailable,
    FieldConflict,
    Forbidden,
    InvalidObject,
    QuotaExceeded,
    Unauthorized,
)
from ..objects import mappings
from ..redaction import HIDDEN, Redactor
from .kinds import Kind

LONGEST = 600  # characters of an API server's message
MOST_CAUSES = 10
_VERBS = {"GET": "get", "POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_MANAGER = re.compile(r'conflict with "([^"]{1,200})"')
_MISFIT = "failed to create typed patch object"
"""How an API server says, with status 500, that what is applied does not fit the schema of its kind."""
_QUOTED = re.compile(r'(Invalid value: |Duplicate value: |Unsupported value: )("(?:[^"\\]|\\.)*"|\S+)')


@dataclass(frozen=True)
class Asked:
    """What a request asked for, as RBAC names it."""

    method: str
    kind: Kind | None = None
    namespace: str | None = None
    name: str | None = None
    subresource: str | None = None
    watch: bool = False
    secrets: frozenset[str] = field(default_factory=frozenset[str])
    """Values in its body that no error may repeat."""

    @property
    def verb(self) -> str:
        if self.method == "GET" and self.name is None:
            return "watch" if self.watch else "list"
        return _VERBS[self.method]

    @property
    def resource(self) -> str:
        plural = self.kind.plural if self.kind else "this path"
        return f"{plural}/{self.subresource}" if self.subresource else plural


def permission(verb: str, resource: str, group: str, namespace: str | None) -> str:
    """What a Role has to grant: `the verb get on pods/log in the namespace team-a`."""
    in_group = f" of the API group {group}" if group else ""
    where = f"in the namespace {namespace}" if namespace is not None else "in the whole cluster"
    return f"the verb {verb} on {resource}{in_group} {where}"


def failure(status: int, body: bytes, asked: Asked, redactor: Redactor) -> FlotillaError:
    """The error that an answer of this HTTP status means."""
    said = _status(body)
    message = _message(said, asked, redactor)
    match status:
        case 401:
            return Unauthorized(
                "The API server does not accept this context's credentials.",
                suggestion="Whoever runs this server has to log in again or renew them; other contexts may work.",
            )
        case 403 if "exceeded quota" in message:
            return QuotaExceeded(message, suggestion="get_resource_usage shows the namespace's quotas; ask for less.")
        case 403 if "failed quota" in message:
            return InvalidObject(
                message,
                suggestion="The namespace's quota wants this said of each container: set it under resources.",
            )
        case 403:
            return _forbidden(message, asked)
        case 404:
            return _not_found(asked)
        case 409:
            return _conflict(said, message)
        case 410:
            return InvalidCursor(
                "That cursor is too old for the API server.", suggestion="Leave it out and start the list over."
            )
        case 400 | 422 | 500 if status != 500 or _MISFIT in message:
            return InvalidObject(
                message,
                suggestion="Correct what it names and call again; nothing was changed.",
                details={"causes": _causes(said, asked, redactor)},
            )
        case 405 | 406 | 413 | 415:
            return InvalidArguments(message, suggestion="The API server does not do this for that kind or size.")
        case _:
            return unavailable(f"It answered with HTTP status {status}.")


def unavailable(why: str) -> ClusterUnavailable:
    """No definite answer."""
    return ClusterUnavailable(
        f"The API server did not answer as expected. {why}",
        suggestion="Try again in a while; if it goes on, whoever runs the cluster should look at the API server.",
    )


def _status(body: bytes) -> Mapping[str, Any]:
    try:
        said = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return {}
    return cast("dict[str, Any]", said) if isinstance(said, dict) else {}


def _message(said: Mapping[str, Any], asked: Asked, redactor: Redactor) -> str:
    return _clean(str(said.get("message") or "The API server refused it."), asked, redactor)[:LONGEST]


def _clean(text: str, asked: Asked, redactor: Redactor) -> str:
    if asked.kind is not None and asked.kind.kind == "Secret":
        text = _QUOTED.sub(rf"\1{HIDDEN}", text)
    return redactor.text(text, asked.secrets)


def _causes(said: Mapping[str, Any], asked: Asked, redactor: Redactor) -> list[dict[str, str]]:
    causes = mappings(said, "details", "causes")
    return [
        {
            "field": str(cause.get("field", ""))[:200],
            "problem": _clean(str(cause.get("message", "")), asked, redactor)[:200],
        }
        for cause in causes[:MOST_CAUSES]
    ]


def _forbidden(message: str, asked: Asked) -> Forbidden:
    group = asked.kind.group if asked.kind else ""
    details = {"verb": asked.verb, "resource": asked.resource, "group": group, "namespace": asked.namespace}
    if "cannot" not in message:  # an admission rule, not RBAC
        return Forbidden(message, suggestion="A rule of the cluster forbids it; whoever runs the cluster can say why.")
    missing = permission(asked.verb, asked.resource, group, asked.namespace)
    role = "ClusterRole" if asked.namespace is None else "Role"
    return Forbidden(
        message,
        suggestion=f"It takes a {role} with {missing}. Ask whoever runs the cluster for it; check_access says what is "
        "allowed.",
        details={key: value for key, value in details.items() if value is not None},
    )


def _not_found(asked: Asked) -> NotFound:
    if asked.kind is None or asked.name is None:
        return NotFound("The API server has no such thing.", suggestion="list_resources shows what there is.")
    where = f" in the namespace {asked.namespace}" if asked.namespace is not None else ""
    return NotFound(
        f"There is no {asked.kind.kind} {asked.name}{where}.", suggestion="list_resources shows what there is."
    )


def _conflict(said: Mapping[str, Any], message: str) -> Conflict:
    causes = mappings(said, "details", "causes")
    conflicts: list[dict[str, str]] = []
    for cause in causes:
        if cause.get("reason") == "FieldManagerConflict":
            manager = _MANAGER.search(str(cause.get("message", "")))
            conflicts.append({"manager": manager[1] if manager else "", "field": str(cause.get("field", ""))[:200]})
    if conflicts:
        managers = ", ".join(sorted({each["manager"] for each in conflicts}))
        return FieldConflict(
            f"Fields that were to be applied belong to {managers}."[:LONGEST],
            suggestion="Leave these fields out, change them where their manager has them, or ask for force.",
            details={"conflicts": conflicts[:50]},
        )
    if said.get("reason") == "AlreadyExists":
        return AlreadyExists(message, suggestion="Read it, and change it instead.")
    return Conflict(message, suggestion="It was changed meanwhile: read it again and decide anew.")
