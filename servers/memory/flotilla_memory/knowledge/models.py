"""What the knowledge tools answer."""

from urllib.parse import quote, unquote

from pydantic import BaseModel

SCHEME = "knowledge://"


def uri_of(document_id: str) -> str:
    """A document's address. Quoted: a file's name may have what a URI may not, or reads as its port or query."""
    return SCHEME + quote(document_id)


def id_of(uri: str) -> str | None:
    """The document that an address means; None for an address of something else."""
    return unquote(uri.removeprefix(SCHEME)) if uri.startswith(SCHEME) else None


class Hit(BaseModel):
    """A section that fits a query, or with `truncated` the part of it that fits best. `lines` cites the file."""

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
