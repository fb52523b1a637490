"""What the model sees of the knowledge."""

from fastmcp.tools import tool
from flotilla_kit.arguments import Cursor, Limit
from flotilla_kit.paging import Page, piece_within
from flotilla_kit.tools import READ, declare, store_of

from ..arguments import DocumentId, Offset, Words
from .models import Document, Hit, uri_of
from .store import KnowledgeStore

OF_NO_ACCOUNT = "documents are the company's own, of no account"
PIECE = 8_000  # bytes of a document at once


def _store() -> KnowledgeStore:
    return store_of().knowledge


@tool(annotations=READ)
@declare(scoped=OF_NO_ACCOUNT)
async def search_knowledge(
    query: Words,
    limit: Limit = 5,
    cursor: Cursor = None,
) -> Page[Hit]:
    """Search policies, templates and notes by words; the best sections with their place, to cite."""
    return await _store().search(query, limit, cursor)


@tool(annotations=READ)
@declare(scoped=OF_NO_ACCOUNT)
async def get_document(
    document_id: DocumentId,
    offset: Offset = 0,
) -> Document:
    """Read a document whole, in pieces from next_offset on."""
    title, text = await _store().get_document(document_id)
    piece, next_offset = piece_within(text, offset, PIECE)
    return Document(document_id=document_id, title=title, uri=uri_of(document_id), text=piece, next_offset=next_offset)
