"""What the tools answer. What is unknown or empty is absent."""

from typing import Any, Literal

from flotilla_kit.paging import Page
from pydantic import BaseModel, RootModel, SerializerFunctionWrapHandler, model_serializer

Record = dict[str, Any]


class Answer(BaseModel):
    """An object whose absent values are left out."""

    @model_serializer(mode="wrap")
    def _without_absent(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: value for name, value in dump(self).items() if value is not None}


class ContextInfo(Answer):
    """A context of the kubeconfig. Nothing of its credentials is told."""

    name: str
    cluster: str
    namespace: str | None = None
    current: bool | None = None


class Contexts(BaseModel):
    """The contexts that are served."""

    items: list[ContextInfo]


class Rows(Page[list[Any]]):
    """A list: every item has a value for each of `columns`. `remaining`: how many follow, if the API server says."""

    columns: list[str]
    remaining: int | None = None


class NamespaceInfo(Answer):
    """A namespace. `protected`: nothing is changed in it here; `production`: every change waits for a person."""

    name: str
    status: str
    created: str | None = None
    protected: bool | None = None
    production: bool | None = None


class Namespaces(Page[NamespaceInfo]):
    """Namespaces that the caller is served."""


class Log(Answer):
    """Lines of a log, each with its timestamp, oldest first. `earlier`: pass it as until for those before."""

    pod: str
    container: str | None = None
    log: str
    lines: int
    earlier: str | None = None


class EventInfo(Answer):
    """What happened to an object, `count` times."""

    last_seen: str
    type: str
    reason: str
    object: str
    namespace: str | None = None
    count: int | None = None
    message: str


class Shown(RootModel[Record]):
    """An object of the cluster, without secrets."""


class Reason(Answer):
    """Why a rollout does not go on: a cause, what shows it, and on which objects."""

    cause: str
    evidence: str
    objects: list[str]
    last_seen: str | None = None


class Revision(Answer):
    """A revision of a Deployment; undo_rollout goes back to one."""

    revision: str
    images: list[str]
    replicas: int
    created: str | None = None


class Rollout(Answer):
    """How far a rollout is. `stalled`: one of the reasons does not pass by itself."""

    kind: str
    name: str
    namespace: str
    status: Literal["complete", "progressing", "stalled", "paused"]
    desired: int
    updated: int
    ready: int
    available: int
    old: int | None = None
    revision: str | None = None
    images: list[str]
    reasons: list[Reason] | None = None
    revisions: list[Revision] | None = None
    waited_s: int | None = None


class Quota(Answer):
    """A ResourceQuota: of each resource how much is used."""

    name: str
    used_of_hard: dict[str, str]


class Used(Answer):
    """What a pod or node uses (`usage`, if it is measured), wants and may have."""

    name: str
    usage: str | None = None
    requests: str | None = None
    limits: str | None = None
    allocatable: str | None = None


class Usage(Answer):
    """What is used. `metrics` false: the cluster measures nothing, or does not tell this identity."""

    quotas: list[Quota] | None = None
    pods: list[Used] | None = None
    more_pods: int | None = None
    nodes: list[Used] | None = None
    more_nodes: int | None = None
    metrics: bool


class Access(Answer):
    """Whether the identity of the context may do something, and what it lacks if not."""

    allowed: bool
    verb: str
    resource: str
    namespace: str | None = None
    reason: str | None = None
    missing: str | None = None
    refused_by_policy: str | None = None


class FieldChange(Answer):
    """A field that changes. What is not there before, or after, is left out."""

    path: str
    before: Any = None
    after: Any = None


class ChangedObject(Answer):
    """One of the objects of a namespace that was provisioned."""

    kind: str
    name: str
    result: str


class Changed(Answer):
    """What a change did to an object; with `dry_run`, what it would do. `left_out`: so many more `changes`."""

    result: Literal["created", "updated", "unchanged", "terminating", "deleted"]
    context: str
    kind: str
    namespace: str | None = None
    name: str
    dry_run: bool | None = None
    uid: str | None = None
    changes: list[FieldChange] | None = None
    left_out: int | None = None
    takes: list[dict[str, str]] | None = None
    """What `force` takes from other managers: each `manager` and `field`."""
    objects: list[ChangedObject] | None = None
    replicas_before: int | None = None
    replicas: int | None = None
    revision_before: int | None = None
    revision: int | None = None
    restarted_at: str | None = None
    note: str | None = None
