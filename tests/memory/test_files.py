"""What people put into a folder of documents, through an MCP client: odd names, odd Markdown, long sections."""

import os
import sys
from pathlib import Path
from typing import Any

import pytest
from fastmcp import Client
from fastmcp.client import FastMCPTransport
from flotilla_memory.server import create_server
from flotilla_memory.settings import Settings
from mcp_types import TextResourceContents
from support.answers import answer_of

MCP = Client[FastMCPTransport]
NAMES = [
    "Policies A/late fees",
    "ÉTÉ/Straße",
    "Cafe\u0301/日本語",
    "TEAM",
    "a[b]/c|d^e",
    "a:b",
    "host:80/x",
    "user@host/x",
    "100%",
    "a%2Fb",
    "%E9",
    "why?/how?x=1",
    "c#/f#",
    " lead/ trail ",
    "two\nlines",
    "back\\slash",
    "a+b&c=d;e,f'g(h)!*~$",
    "x../y..z",
    "long/" * 100 + "name",
]


async def call(client: MCP, tool: str, **arguments: Any) -> dict[str, Any]:
    return answer_of(await client.call_tool(tool, arguments, raise_on_error=False))


async def search(client: MCP, query: str) -> dict[str, Any]:
    hit: dict[str, Any] = (await call(client, "search_knowledge", query=query, limit=1))["items"][0]
    return hit


async def read(client: MCP, uri: str) -> str:
    (content,) = await client.read_resource(uri)
    assert isinstance(content, TextResourceContents)
    return content.text


async def test_whatever_its_name_a_document_is_listed_found_and_read(client: MCP, knowledge: Path) -> None:
    texts = {name: f"gadget {number}\n" for number, name in enumerate(NAMES)}
    for name, text in texts.items():
        path = knowledge / f"{name}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    listed = {resource.name: str(resource.uri) for resource in await client.list_resources()}
    assert set(listed) == {*NAMES, "refund-policy", "Team/Holidays"}
    found = (await call(client, "search_knowledge", query="gadget", limit=50))["items"]
    assert {hit["document_id"]: hit["uri"] for hit in found} == {name: listed[name] for name in NAMES}
    for name, text in texts.items():
        document = await call(client, "get_document", document_id=name)
        assert (document["text"], document["uri"]) == (text, listed[name])
        assert await read(client, listed[name]) == text


async def test_the_address_of_a_plain_name_is_the_name(client: MCP, knowledge: Path) -> None:
    (knowledge / "policies").mkdir()
    (knowledge / "policies" / "refunds.md").write_text("We refund.")
    assert "knowledge://policies/refunds" in {str(resource.uri) for resource in await client.list_resources()}
    assert await read(client, "knowledge://policies/refunds") == "We refund."


@pytest.mark.skipif(sys.platform == "darwin", reason="APFS refuses names that are not UTF-8")
async def test_a_name_that_is_not_utf8_is_skipped_and_logged_once(
    client: MCP, knowledge: Path, caplog: pytest.LogCaptureFixture
) -> None:
    latin = knowledge / os.fsdecode(b"caf\xe9.md")
    for text in ("gadget", "gadget, changed"):
        caplog.clear()
        latin.write_text(text)
        assert (await call(client, "search_knowledge", query="gadget"))["items"] == []
        assert len(await client.list_resources()) == 2
        assert [record.message for record in caplog.records] == ["document skipped: its name is not UTF-8"]
    latin.unlink()
    assert await search(client, "escalate")


async def test_a_link_to_itself_is_skipped(client: MCP, knowledge: Path) -> None:
    (knowledge / "loop.md").symlink_to(knowledge / "loop.md")
    assert (await search(client, "escalate"))["document_id"] == "refund-policy"


async def test_a_server_that_stopped_can_start_again(tmp_path: Path, knowledge: Path) -> None:
    server = create_server(Settings.load({"home": tmp_path, "knowledge": knowledge}))
    for _ in range(2):
        async with Client(server) as client:
            assert (await search(client, "escalate"))["document_id"] == "refund-policy"


@pytest.mark.parametrize(
    ("opening", "inside", "closing"),
    [
        ("````markdown", "```", "````"),
        ("```", "~~~", "```"),
        ("~~~", "```", "~~~~"),
        ("```", "```python", "```  "),
        ("~~~ a`b", "~~", "~~~"),
        ("  - x\n    ```", "    # indented", "    ```"),
    ],
)
async def test_only_its_own_closing_ends_a_code_fence(
    client: MCP, knowledge: Path, opening: str, inside: str, closing: str
) -> None:
    code = f"{opening}\n{inside}\n# code\n{closing}"
    (knowledge / "new.md").write_text(f"# New\n\n## First\n{code}\n\n## Second\nA gadget.\n")
    assert (await search(client, "code"))["section"] == "First"
    assert (await search(client, "gadget"))["section"] == "Second"


async def test_code_in_one_line_is_no_fence(client: MCP, knowledge: Path) -> None:
    (knowledge / "new.md").write_text("``` a gadget ```\n\n## Second\nA gizmo.\n")
    assert (await search(client, "gizmo"))["section"] == "Second"


@pytest.mark.parametrize(
    ("line", "section"),
    [
        ("## A gadget ##", "A gadget"),
        ("## Gadgets in C#", "Gadgets in C#"),
        ("##\tGadget \t", "Gadget"),
        ("#" + " " * 300_000 + "gadget", "gadget"),
        ("## gadget" + " " * 300_000 + "x", "gadget" + " " * 300_000 + "x"),
        ("## gadget " + "#" * 300_000 + "x", "gadget " + "#" * 300_000 + "x"),
        ("## gadget" + " #" * 150_000 + "x", "gadget" + " #" * 150_000 + "x"),
        ("##gadget", ""),
        ("####### gadget", ""),
        ("## ##\ngadget", ""),
    ],
    ids=lambda text: text[:16],
)
async def test_a_heading_is_its_words(client: MCP, knowledge: Path, line: str, section: str) -> None:
    (knowledge / "new.md").write_text(f"# New\n{line}\nText.\n")
    assert (await search(client, "gadget"))["section"] == section[:500]


@pytest.mark.parametrize("front", ["---\nowner: finance\n---\n", "--- \r\nowner: finance\r\n\r\nteam: x\r\n...\r\n"])
async def test_front_matter_is_neither_description_nor_text(client: MCP, knowledge: Path, front: str) -> None:
    (knowledge / "refund-policy.md").write_text(f"{front}# Refund policy\n\nWe refund.\n", newline="")
    described = {resource.name: resource.description for resource in await client.list_resources()}
    assert described["refund-policy"] == "We refund."
    assert (await call(client, "search_knowledge", query="owner finance"))["items"] == []


@pytest.mark.parametrize("text", ["---\n\nA gadget.\n\n---\nMore.\n", "---\nA gadget.\n"])
async def test_a_rule_at_the_start_hides_nothing(client: MCP, knowledge: Path, text: str) -> None:
    (knowledge / "new.md").write_text(text)
    assert (await search(client, "gadget"))["document_id"] == "new"


async def test_a_hit_in_a_long_section_shows_and_cites_the_lines_around_the_match(client: MCP, knowledge: Path) -> None:
    lines = [f"Line {number} says nothing much." for number in range(1, 1001)]
    for wanted in (1, 5, 500, 999, 1000):
        text = "\n".join([*lines[: wanted - 1], "Here is a gadget.", *lines[wanted:]])
        (knowledge / "long.md").write_text(f"# Long\n\n{text}\n\n\n# Next\n")
        hit = await search(client, "gadget")
        first, last = map(int, hit["lines"].split("-"))
        file = (knowledge / "long.md").read_text().splitlines()
        assert hit["text"] == "\n".join(file[first - 1 : last]) and "gadget" in hit["text"]
        assert hit["truncated"] and 1_900 < len(hit["text"]) <= 2_000


async def test_a_match_far_into_one_long_line_is_shown(client: MCP, knowledge: Path) -> None:
    (knowledge / "long.md").write_text("# Long\n\n" + "word " * 5_000 + "gadget " + "word " * 5_000)
    hit = await search(client, "gadget")
    assert "gadget" in hit["text"] and len(hit["text"]) == 2_000 and hit["lines"] == "3-3"
