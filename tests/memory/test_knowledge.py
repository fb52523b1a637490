"""The knowledge tools and resources, through an MCP client, over real files."""

from pathlib import Path
from typing import Any

import pytest
from fastmcp import Client
from fastmcp.client import FastMCPTransport
from fastmcp.exceptions import McpError
from flotilla_memory.server import create_server
from flotilla_memory.settings import Settings
from mcp_types import TextResourceContents
from support.answers import answer_of

MCP = Client[FastMCPTransport]


async def call(client: MCP, tool: str, **arguments: Any) -> dict[str, Any]:
    return answer_of(await client.call_tool(tool, arguments, raise_on_error=False))


async def test_search_finds_the_section_by_stemmed_words_and_cites_it(client: MCP) -> None:
    hit = (await call(client, "search_knowledge", query="customers charging duplicates"))["items"][0]
    assert (hit["document_id"], hit["title"], hit["section"]) == ("refund-policy", "Refund policy", "Duplicate charges")
    assert hit["lines"] == "8-13" and hit["uri"] == "knowledge://refund-policy"
    nested = (await call(client, "search_knowledge", query="escalate"))["items"][0]
    assert nested["section"] == "Duplicate charges > Large amounts"


async def test_answers_follow_edits_renames_and_deletions(client: MCP, knowledge: Path) -> None:
    assert (await call(client, "search_knowledge", query="zebra"))["items"] == []
    (knowledge / "new.md").write_text("# Zoo\n\nA zebra.")
    assert (await call(client, "search_knowledge", query="zebra"))["items"][0]["document_id"] == "new"
    (knowledge / "new.md").rename(knowledge / "moved.md")
    assert [hit["document_id"] for hit in (await call(client, "search_knowledge", query="zebra"))["items"]] == ["moved"]
    (knowledge / "moved.md").write_text("# Zoo\n\nA giraffe, long.")
    assert (await call(client, "search_knowledge", query="zebra"))["items"] == []
    (knowledge / "moved.md").unlink()
    assert (await call(client, "get_document", document_id="moved"))["code"] == "not_found"


async def test_pages_return_each_hit_once(client: MCP, knowledge: Path) -> None:
    for number in range(25):
        (knowledge / f"note-{number:02}.md").write_text(f"# Note {number}\n\nabout gadgets\n")
    seen: list[str] = []
    cursor = None
    while True:
        page = await call(client, "search_knowledge", query="gadgets", limit=10, cursor=cursor)
        seen += [hit["document_id"] for hit in page["items"]]
        if (cursor := page["next_cursor"]) is None:
            break
    assert len(seen) == len(set(seen)) == 25


async def test_a_cursor_from_before_a_change_is_refused(client: MCP, knowledge: Path) -> None:
    for number in range(3):
        (knowledge / f"n{number}.md").write_text("gadgets")
    page = await call(client, "search_knowledge", query="gadgets", limit=1)
    (knowledge / "n9.md").write_text("gadgets")
    refused = await call(client, "search_knowledge", query="gadgets", limit=1, cursor=page["next_cursor"])
    assert refused["code"] == "invalid_cursor"


@pytest.mark.parametrize(
    "query",
    [
        '"',
        'refund" OR 1=1 --',
        "NEAR(a b)",
        "title:x*",
        "-refund ^x",
        "'; DROP TABLE sections; --",
        "x" * 500,
        "(" * 99,
    ],
)
async def test_a_query_is_only_words(client: MCP, query: str) -> None:
    answer = await call(client, "search_knowledge", query=query)
    assert "items" in answer or answer["code"] == "invalid_arguments"
    assert (await call(client, "search_knowledge", query="refund"))["items"]


@pytest.mark.parametrize("document_id", ["../secret", "/etc/passwd", "..%2fsecret", "link", ".hidden", "secret.md"])
async def test_what_is_not_in_the_folder_does_not_exist(client: MCP, knowledge: Path, document_id: str) -> None:
    (knowledge.parent / "secret.md").write_text("secret")
    (knowledge / ".hidden.md").write_text("secret")
    (knowledge / "link.md").symlink_to(knowledge.parent / "secret.md")
    assert (await call(client, "get_document", document_id=document_id))["code"] == "not_found"
    assert (await call(client, "search_knowledge", query="secret"))["items"] == []
    with pytest.raises(McpError):
        await client.read_resource(f"knowledge://{document_id}")


async def test_odd_files_are_skipped_or_read_as_text(client: MCP, knowledge: Path) -> None:
    (knowledge / "binary.md").write_bytes(b"gadget\0\xff")
    (knowledge / "huge.md").write_text("gadget " * 200_000)
    (knowledge / "latin.md").write_bytes("# Café\n\ngadget caf\xe9".encode("latin-1"))
    (knowledge / "empty.md").write_text("")
    found = await call(client, "search_knowledge", query="gadget")
    assert [hit["document_id"] for hit in found["items"]] == ["latin"]


async def test_a_long_document_comes_in_pieces_that_join(client: MCP, knowledge: Path) -> None:
    text = "# Long\n\n" + "word " * 10_000
    (knowledge / "long.md").write_text(text)
    pieces, offset = "", 0
    while offset is not None:
        piece = await call(client, "get_document", document_id="long", offset=offset)
        assert len(piece["text"]) <= 8_000
        pieces, offset = pieces + piece["text"], piece["next_offset"]
    assert pieces == text
    hit = (await call(client, "search_knowledge", query="word"))["items"][0]
    assert hit["truncated"] and len(hit["text"]) == 2_000


async def test_documents_are_resources_as_they_are_now(client: MCP, knowledge: Path) -> None:
    listed = {resource.name: resource for resource in await client.list_resources()}
    assert set(listed) == {"refund-policy", "Team/Holidays"}
    assert all(resource.description for resource in listed.values())
    for name, words in (("refund-policy", "We refund."), ("Team/Holidays", "closes in August")):
        (content,) = await client.read_resource(str(listed[name].uri))
        assert isinstance(content, TextResourceContents) and words in content.text
    (knowledge / "new.md").write_text("# New\n\nBrand new.")
    assert "new" in {resource.name for resource in await client.list_resources()}


@pytest.mark.parametrize("folder", [None, "missing", "empty"])
async def test_no_documents_explains_itself(tmp_path: Path, folder: str | None) -> None:
    (tmp_path / "empty").mkdir()
    flags = {"home": tmp_path, **({"knowledge": tmp_path / folder} if folder else {})}
    async with Client(create_server(Settings.load(flags))) as client:
        for tool, arguments in (("search_knowledge", {"query": "x"}), ("get_document", {"document_id": "x"})):
            refused = await call(client, tool, **arguments)
            assert refused["code"] == "store_empty" and "--knowledge" in refused["suggestion"]


async def test_the_sample_answers_out_of_the_box(tmp_path: Path) -> None:
    async with Client(create_server(Settings.load({"home": tmp_path, "demo_data": True}))) as client:
        hits = (await call(client, "search_knowledge", query="duplicate charge refund"))["items"]
        assert "refund-policy" in {hit["document_id"] for hit in hits}


BAD: list[object] = [True, 17, None, "", [], {"a": 1}, "x" * 10_000_000, "\u0000", "'; DROP TABLE sections; --", -1]
