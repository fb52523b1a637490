"""What the model sees of the knowledge."""

from typing import Annotated

from fastmcp.tools import tool
from flotilla_kit.paging import Cursor, Limit, Page, piece_within
from flotilla_kit.tools import READ, declare, store_of
from pydantic import Field

from .models import Document, DocumentId, Hit, uri_of
from .store import KnowledgeStore

OF_NO_ACCOUNT = "documents are the company's own, of no account"
PIECE = 8_000  # bytes of a document at once


def _store() -> KnowledgeStore:
    return store_of().knowledge


@tool(annotations=READ)
@declare(scoped=OF_NO_ACCOUNT)
async def search_knowledge(
    query: Annotated[str, Field(min_length=1, max_length=500, description="Words, not a question")],
    limit: Limit = 5,
    cursor: Cursor | None = None,
) -> Page[Hit]:
    """Search policies, templates and notes; returns the best sections with their place, to cite."""
    return await _store().search(query, limit, cursor)


@tool(annotations=READ)
@declare(scoped=OF_NO_ACCOUNT)
async def get_document(
    document_id: DocumentId,
    offset: Annotated[int, Field(ge=0, description="next_offset of the last piece")] = 0,
) -> Document:
    """Read a document whole, in pieces. When one section is enough, search_knowledge shows it."""
    title, text = await _store().get_document(document_id)
    piece, next_offset = piece_within(text, offset, PIECE)
    return Document(document_id=document_id, title=title, uri=uri_of(document_id), text=piece, next_offset=next_offset)
