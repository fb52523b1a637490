"""Tools' schemas have no references, and otherwise say what pydantic's say."""

from collections.abc import Callable
from typing import Annotated, Any, Literal, TypeAlias

import pytest
from fastmcp.tools import Tool
from fastmcp.utilities.json_schema import dereference_refs
from flotilla_kit.schemas import inlined
from pydantic import BaseModel, Field, TypeAdapter


class Money(BaseModel):
    amount_minor: int = Field(ge=1)
    currency: Literal["EUR", "USD"]


class Card(BaseModel):
    kind: Literal["card"] = "card"
    price: Money


class Transfer(BaseModel):
    kind: Literal["transfer"] = "transfer"
    price: Annotated[Money | None, Field(description="If it is known.")] = None


class Order(BaseModel):
    """With fields that are called like keywords of schemas."""

    discriminator: str
    ways: list[Annotated[Card | Transfer, Field(discriminator="kind")]] = Field(description="How it was paid.")
    by_name: dict[str, Money]


class Folder(BaseModel):
    folders: list["Folder"] = []


def pay(order: Annotated[Order, Field(description="What for.")], tip: Money | None = None) -> Order:
    raise NotImplementedError


def plain(order_id: str, limit: Annotated[int, Field(ge=1, le=100)] = 20) -> dict[str, int]:
    raise NotImplementedError


Function: TypeAlias = Callable[..., Any]


@pytest.mark.parametrize("function", [pay, plain])
def test_references_are_replaced_as_fastmcp_would(function: Function) -> None:
    tool = Tool.from_function(function)
    for schema in (tool.parameters, tool.output_schema):
        assert schema is not None
        assert inlined(schema) == dereference_refs(schema)
        assert "$ref" not in str(inlined(schema))


def test_a_definition_that_contains_itself_stays_a_reference() -> None:
    schema = TypeAdapter(Folder).json_schema()
    assert inlined(schema) == schema
