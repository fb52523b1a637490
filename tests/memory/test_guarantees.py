"""What every server guarantees, of memory: over a folder of documents."""

from pathlib import Path
from typing import Any

import pytest
from flotilla_kit.testing import Guarantees, Read, ServerUnderTest
from flotilla_memory.server import SPEC
from flotilla_memory.settings import Settings

DOCUMENTS = {
    "policies/refunds": "# Refunds\n\nWe refund.\n\n## Late\n\nA late refund is refunded too.",
    "policies/returns": "# Returns\n\nA return is a refund without the parcel.",
    "private/quillfeather": "# Quillfeather\n\nOwes us 7391846 dollars.",
}


def _documents(home: Path) -> dict[str, Any]:
    for name, text in DOCUMENTS.items():
        path = home / "knowledge" / f"{name}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return {"knowledge": home / "knowledge"}


async def _listed(store: Any) -> object:
    return await store.list_documents()


@pytest.mark.prove
class TestMemory(Guarantees):
    server = ServerUnderTest(
        SPEC,
        Settings,
        samples=[
            Read("search_knowledge", {"query": "refund"}),
            Read("get_document", {"document_id": "policies/refunds"}),
        ],
        given=_documents,
        state=_listed,
        snapshot=Path(__file__).parent / "tools.json",
    )
