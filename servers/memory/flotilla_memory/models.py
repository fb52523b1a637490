"""What the knowledge tools answer."""

from typing import Annotated

from pydantic import BaseModel, Field

DocumentId = Annotated[str, Field(min_length=1, max_length=300, description="Such as policies/refunds")]


class Hit(BaseModel):
    """A section that fits a query. `lines` cites the file, `truncated` says that the document has more of it."""

    document_id: str
    title: str
    section: str
    text: str
    truncated: bool
    score: float
    uri: str
    lines: str


class Document(BaseModel):
    """A piece of a document. `next_offset` is null at its end."""

    document_id: str
    title: str
    uri: str
    text: str
    next_offset: int | None


class Listed(BaseModel):
    """A document by name, with what its first words say it is."""

    document_id: str
    title: str
    summary: str
