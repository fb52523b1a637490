"""What a knowledge backend promises."""

from typing import Protocol

from flotilla_kit.paging import Page

from .models import Hit, Listed


class KnowledgeStore(Protocol):
    """Answers follow the documents as they are now. Every read raises `StoreEmpty` while there is none."""

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def search(self, query: str, limit: int, cursor: str | None) -> Page[Hit]:
        """The sections that fit best first. Raises `InvalidArguments` for a query without words, `InvalidCursor`."""
        ...

    async def get_document(self, document_id: str) -> tuple[str, str]:
        """A document's title and its text. Raises `NotFound`."""
        ...

    async def list_documents(self) -> list[Listed]:
        """Every document by id; empty when there is none."""
        ...
