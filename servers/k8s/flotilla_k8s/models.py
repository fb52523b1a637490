"""What the tools answer. What is unknown or empty is absent."""

from typing import Any

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
