"""What the tools answer. What is unknown or empty is absent."""

from typing import Any, Literal

from flotilla_kit.paging import Page
from pydantic import BaseModel, SerializerFunctionWrapHandler, model_serializer

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
