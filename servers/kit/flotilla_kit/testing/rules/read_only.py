"""What reads changes nothing, and a read-only server offers nothing else and writes nothing."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from fastmcp import Client
from fastmcp.client import FastMCPTransport

from ..harness import Harness
from ..rule import rule, rule_for_each
from ..server import Read

_NONE: dict[str, Any] = {}


@rule_for_each(lambda server: server.reads)
async def a_read_answers_and_changes_nothing(harness: Harness, sample: Read) -> None:
    async with harness.unchanged():
        answer = await harness.worker(sample.tool).call(sample.tool, harness.fresh(sample))
    assert answer.code == "ok", f"the sample does not work: {answer.text}"


@rule
async def a_read_only_server_offers_no_change(harness: Harness) -> None:
    """Neither to its owner nor to a worker who was granted all; what reads answers as ever."""
    reads = {name for name, tool in harness.tools.items() if (tool["annotations"] or _NONE).get("readOnlyHint")}
    for mandate in (None, harness.worker(*harness.tools, subject="reader").token):
        async with harness.unchanged(), harness.beside(read_only=True, mandate=mandate) as client:
            assert {tool.name for tool in await client.list_tools()} == reads
            for sample in harness.server.samples:
                result = await _called(client, sample.tool, harness.fresh(sample))
                if sample.tool in reads:
                    assert not result.is_error, f"{sample.tool}: {result.content}"
                else:
                    assert "unknown_tool" in str(result.content), f"{sample.tool}: {result.content}"


@rule
async def a_read_only_server_writes_nothing_but_its_audit(harness: Harness) -> None:
    """In an empty home: no store is made there, whatever is called."""
    with TemporaryDirectory(dir=harness.home) as folder:
        home = Path(folder)
        harness.server.given(home)
        before = _files(home)
        async with harness.beside(home, read_only=True) as client:
            for sample in harness.server.samples:
                await _called(client, sample.tool, harness.fresh(sample))
        after = _files(home)
        audit = f"{harness.settings.server}-audit.db"
        written = {name for name in after if after[name] != before.get(name)} | set(before) - set(after)
        assert {name for name in written if not name.startswith(audit)} == set(), written


async def _called(client: Client[FastMCPTransport], tool: str, arguments: dict[str, Any]) -> Any:
    return await client.call_tool(tool, arguments, raise_on_error=False, meta={"claudecode/toolUseId": "read-only"})


def _files(home: Path) -> dict[str, bytes]:
    return {str(path.relative_to(home)): path.read_bytes() for path in sorted(home.rglob("*")) if path.is_file()}


RULES = [
    a_read_answers_and_changes_nothing,
    a_read_only_server_offers_no_change,
    a_read_only_server_writes_nothing_but_its_audit,
]
