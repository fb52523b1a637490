"""The documents as resources `knowledge://…`, listed as they are now."""

from collections.abc import Sequence

from fastmcp.resources import Resource, ResourceTemplate
from fastmcp.resources.types import TextResource
from fastmcp.server.providers import Provider
from fastmcp.utilities.versions import VersionSpec
from flotilla_kit.errors import FlotillaError
from pydantic import AnyUrl

from .models import id_of, uri_of
from .store import KnowledgeStore

MARKDOWN = "text/markdown"


class KnowledgeProvider(Provider):
    """Lists and reads documents; what is not in the folder does not exist."""

    def __init__(self, store: KnowledgeStore) -> None:
        super().__init__()
        self._store = store

    async def _list_resources(self) -> Sequence[Resource]:
        return [
            TextResource(
                uri=AnyUrl(uri_of(listed.document_id)),
                name=listed.document_id,
                title=listed.title,
                description=listed.summary,
                mime_type=MARKDOWN,
                text="",
            )
            for listed in await self._store.list_documents()
        ]

    async def _get_resource(self, uri: str, version: VersionSpec | None = None) -> Resource | None:
        document_id = id_of(uri)
        if document_id is None:
            return None
        try:
            title, text = await self._store.get_document(document_id)
        except FlotillaError:
            return None
        return TextResource(
            uri=AnyUrl(uri_of(document_id)),
            name=document_id,
            title=title,
            description=title,
            mime_type=MARKDOWN,
            text=text,
        )

    async def _list_resource_templates(self) -> Sequence[ResourceTemplate]:
        return []
