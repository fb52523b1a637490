"""What a mandate does not name does not exist: its answers are those of what is not there, byte for byte."""

import json
import re
import socket
import subprocess
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import IO, Any
from urllib.parse import urlsplit

import httpx2
import pytest
from fastmcp import Client
from fastmcp.client.transports import StreamableHttpTransport
from mcp_types import Tool
from support.forbidden import BILLING, CHARGE, HIDDEN, MEMORY, granted
from support.forbidden_http import LEGACY, META, MODERN, body, headers
from support.mandated import ALLOWED, FORBIDDEN, OURS, Served, served
from support.processes import BIN

ERAS = (MODERN, LEGACY)
CLIENT_MODES = ("legacy", MODERN)
NOWHERE = {"type": "mcp_tool", "tool": "granted_but_not_there"}

# What comes with a call besides its name; a tool that exists could show in how any of it is refused.
_GIVEN: dict[str, dict[str, Any]] = {
    "no arguments": {"arguments": None},
    "null arguments": {"arguments": {}},
    "good arguments": {"arguments": {"customer_id": OURS}},
    "wrong arguments": {"arguments": {"customer_id": [1], "approval_id": 7, "": None}},
    "arguments that are no object": {"arguments": [1]},
    "a number that is no JSON": {"arguments": {"customer_id": float("inf")}},
    "a progress token": {"arguments": {}, "_meta": {**META, "progressToken": "p"}},
    "a version": {"arguments": {}, "_meta": {**META, "fastmcp": {"version": "9"}}},
    "a task": {"arguments": {}, "task": {"ttl": 1000}},
    "an answer to a question": {"arguments": {}, "requestState": "s", "inputResponses": {"ok": {"action": "accept"}}},
}


@pytest.fixture(scope="module", params=["billing", "memory"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Generator[Served]:
    with served(request.param, tmp_path_factory.mktemp(request.param)) as running:
        yield running


def mandate(server: Served, *left_out: str) -> str:
    """A clerk's, with all that the proofs grant but that."""
    details = [detail for detail in (*MEMORY, NOWHERE) if detail.get("tool") not in left_out]
    if server.name == "memory":
        return server.token("clerk", details)
    return server.token("clerk", [*BILLING, NOWHERE], scope={"customer_id": OURS})


def hidden(server: Served) -> Sequence[str]:
    """Tools that are there for others. Some of billing's are named in the mandate, but not for workers."""
    return HIDDEN["billing"] if server.name == "billing" else ("get_document",)


def twin(name: str) -> str:
    """A name of the same length that nothing has."""
    return name[:-1] + ("q" if name[-1] != "q" else "p")


def request_of(name: str, given: dict[str, Any], method: str = "tools/call") -> bytes:
    changes = {key: value for key, value in given.items() if key != "arguments"}
    request = body(name, given["arguments"], method=method, **changes)
    if given["arguments"] is None:
        del request["params"]["arguments"]
    if method == "resources/read":
        request["params"]["uri"] = request["params"].pop("name")
    return json.dumps(request).encode()


def exchange(url: str, content: bytes, said: dict[str, bytes]) -> bytes:
    """All the bytes of an answer, its date apart."""
    address = urlsplit(url)
    assert address.hostname and address.port
    lines = [b"POST /mcp HTTP/1.1", b"Host: " + address.netloc.encode(), b"Connection: close"]
    lines += [b"Content-Length: %d" % len(content), *(name.encode() + b": " + value for name, value in said.items())]
    with socket.create_connection((address.hostname, address.port), timeout=30) as connection:
        connection.sendall(b"\r\n".join([*lines, b"", content]))
        received = b"".join(iter(lambda: connection.recv(65536), b""))
    answer, dates = re.subn(rb"(?im)^date: .*\r\n", b"", received, count=1)
    assert dates == 1 and answer.startswith(b"HTTP/1.1 ")
    return answer


@pytest.mark.prove
@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("given", list(_GIVEN))
def test_a_hidden_tool_answers_with_the_bytes_of_an_unknown_one(server: Served, era: str, given: str) -> None:
    token = mandate(server, "get_document").encode()
    for name in hidden(server):
        for more in ({}, {"Mcp-Param-customer_id": b"cust_1"}, {"Mcp-Param-Region": b"eu"}):
            answers = [
                exchange(server.url, request_of(said, _GIVEN[given]), headers(era, said, token=token) | more).replace(
                    said.encode(), b"NAME"
                )
                for said in (name, twin(name))
            ]
            assert answers[0] == answers[1]
            assert b"HTTP/1.1 200" in answers[0] or b'"error"' in answers[0]


@pytest.mark.prove
@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("given", list(_GIVEN))
def test_names_of_other_lengths_change_nothing_but_the_name(server: Served, era: str, given: str) -> None:
    token = mandate(server, "get_document").encode()
    with httpx2.Client() as http:

        def answer(name: str) -> tuple[int, list[tuple[bytes, bytes]], str]:
            lines = [(key.encode(), value) for key, value in headers(era, name, token=token).items()]
            said = http.post(server.url, content=request_of(name, _GIVEN[given]), headers=lines)
            assert said.headers.get("content-length", str(len(said.content))) == str(len(said.content))
            kept = [line for line in said.headers.raw if line[0].lower() not in (b"date", b"content-length")]
            return said.status_code, kept, said.text.replace(name, "NAME")

        for name in hidden(server):
            assert answer(name) == answer("no_such_tool_at_all_here") == answer("zz")


@pytest.mark.prove
@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("given", ["no arguments", "good arguments", "arguments that are no object"])
def test_a_tool_that_is_granted_and_not_there_answers_like_any_other(server: Served, era: str, given: str) -> None:
    token = mandate(server).encode()
    answers = [
        exchange(server.url, request_of(said, _GIVEN[given]), headers(era, said, token=token)).replace(
            said.encode(), b"NAME"
        )
        for said in (str(NOWHERE["tool"]), twin(str(NOWHERE["tool"])))
    ]
    assert answers[0] == answers[1]


@pytest.mark.prove
@pytest.mark.parametrize("era", ERAS)
def test_what_workers_may_call_is_unknown_to_an_approver(server: Served, era: str) -> None:
    token = server.approver_token().encode()
    for name in ("get_transaction", "issue_refund", "request_approval", "search_knowledge", "get_document"):
        answers = [
            exchange(server.url, request_of(said, _GIVEN["good arguments"]), headers(era, said, token=token)).replace(
                said.encode(), b"NAME"
            )
            for said in (name, twin(name))
        ]
        assert answers[0] == answers[1] and b"unknown_tool" in answers[0]


@pytest.mark.prove
@pytest.mark.parametrize("era", ERAS)
def test_hidden_resources_and_prompts_answer_like_unknown_ones(server: Served, era: str) -> None:
    details = [*MEMORY[2:], {"type": "mcp_resource", "uri": "knowledge://policies/granted-but-not-there"}]
    token = server.token("reader", [*details, {"type": "mcp_prompt", "prompt": "granted"}]).encode()
    uris = [f"knowledge://{path}" for path in (FORBIDDEN, "policies/granted-but-not-there", "private")]
    for method, names in {"resources/read": uris, "prompts/get": ["granted", "hidden"]}.items():
        for name in names:
            for given in (_GIVEN["no arguments"], _GIVEN["a progress token"]):
                answers = [
                    exchange(
                        server.url, request_of(said, given, method), headers(era, said, method, token=token)
                    ).replace(said.encode(), b"NAME")
                    for said in (name, twin(name))
                ]
                assert answers[0] == answers[1] and b'"error"' in answers[0]


@contextmanager
def on_stdio(server: Served, era: str) -> Generator[tuple[IO[str], IO[str]]]:
    """The standard input and output of a process that serves this mandate, its greeting over."""
    with (server.home / "stdio.log").open("a") as log:
        process = subprocess.Popen(
            [BIN / f"flotilla-{server.name}", *server.flags()],
            env=server.environment(mandate(server, "get_document")),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    assert process.stdin and process.stdout
    with process:
        try:
            if era == LEGACY:
                client = {"protocolVersion": LEGACY, "capabilities": {}, "clientInfo": {"name": "raw", "version": "1"}}
                hello = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": client}
                assert '"result"' in line(process.stdin, process.stdout, json.dumps(hello))
                print('{"jsonrpc": "2.0", "method": "notifications/initialized"}', file=process.stdin, flush=True)
            yield process.stdin, process.stdout
            process.stdin.close()
            process.wait(20)
        finally:
            process.kill()


def line(to: IO[str], back: IO[str], sent: str) -> str:
    print(sent, file=to, flush=True)
    return back.readline()


@pytest.mark.prove
@pytest.mark.parametrize("era", ERAS)
def test_a_hidden_tool_answers_like_an_unknown_one_over_stdio(server: Served, era: str) -> None:
    tools = [(name, "tools/call") for name in hidden(server)]
    with on_stdio(server, era) as (to, back):
        for name, method in [*tools, (f"knowledge://{FORBIDDEN}", "resources/read"), ("hidden", "prompts/get")]:
            for given in _GIVEN.values():
                sent = {
                    said: as_era(request_of(said, given, method).decode(), era)
                    for said in (name, twin(name), "no_such_thing_anywhere")
                }
                answers = {line(to, back, request).replace(said, "NAME") for said, request in sent.items()}
                assert len(answers) == 1, answers
        allowed = "search_knowledge" if server.name == "memory" else "get_transaction"
        arguments = {"query": "refund", "limit": 1} if server.name == "memory" else {"transaction_id": CHARGE}
        answer = line(to, back, as_era(json.dumps(body(allowed, arguments)), era))
        assert '"isError":false' in answer


def as_era(request: str, era: str) -> str:
    """Over stdio the modern era's envelope is what tells the eras apart."""
    if era == MODERN:
        return request
    said = json.loads(request)
    for key in META:
        said["params"]["_meta"].pop(key)
    return json.dumps(said)


def properties(tool: Tool) -> dict[str, Any]:
    return tool.input_schema["properties"]


@pytest.mark.prove
@pytest.mark.parametrize("mode", CLIENT_MODES)
@pytest.mark.parametrize("transport", ["http", "stdio"])
async def test_the_list_has_what_is_granted_narrowed_to_its_bounds(server: Served, mode: str, transport: str) -> None:
    token = mandate(server)
    over = StreamableHttpTransport(server.url, auth=token) if transport == "http" else server.stdio(token, "list.log")
    async with Client(over, mode=mode) as client:
        tools = {tool.name: tool for tool in await client.list_tools()}
        resources = [str(resource.uri) for resource in await client.list_resources()]
        assert await client.list_resource_templates() == [] and await client.list_prompts() == []
    if server.name == "memory":
        assert set(tools) == {"search_knowledge", "get_document"}
        assert resources == [f"knowledge://{ALLOWED}"]
        assert properties(tools["search_knowledge"])["query"]["enum"] == ["refund"]
        assert tools["search_knowledge"].input_schema["required"] == ["query", "limit"]
        assert properties(tools["get_document"])["document_id"]["pattern"] == "^policies/"
        return
    assert set(tools) == {str(detail["tool"]) for detail in BILLING} - {"list_approvals", "decide_approval"}
    assert resources == []
    for name in ("get_customer_billing", "find_transactions", "check_payment_gateway"):
        assert properties(tools[name])["customer_id"]["const"] == OURS
        assert "customer_id" in tools[name].input_schema["required"]
    assert properties(tools["find_transactions"])["limit"]["maximum"] == 100
    assert {"maximum": 5} in properties(tools["find_transactions"])["limit"]["allOf"]
    refund = properties(tools["issue_refund"])
    assert (refund["transaction_id"]["const"], refund["currency"]["const"]) == (CHARGE, "USD")
    assert FORBIDDEN not in str(tools) and "pattern" not in refund["transaction_id"]


@pytest.mark.prove
@pytest.mark.parametrize("mode", CLIENT_MODES)
async def test_a_mandate_over_nothing_sees_nothing(server: Served, mode: str) -> None:
    async with Client(StreamableHttpTransport(server.url, auth=server.token("idle")), mode=mode) as client:
        assert await client.list_tools() == [] and await client.list_resources() == []


@pytest.mark.prove
@pytest.mark.parametrize("mode", CLIENT_MODES)
async def test_an_approver_sees_what_approving_takes_and_nothing_else(server: Served, mode: str) -> None:
    async with Client(StreamableHttpTransport(server.url, auth=server.approver_token()), mode=mode) as client:
        seen = {tool.name for tool in await client.list_tools()}
        assert await client.list_resources() == []
    approving = {"get_approval", "list_approvals", "decide_approval"}
    assert seen == (approving if server.name == "billing" else set())


@pytest.mark.prove
async def test_a_granted_tool_is_not_hidden(server: Served) -> None:
    """Or all the others would prove nothing."""
    detail = granted("get_document") if server.name == "memory" else granted("get_transaction")
    wanted = {"document_id": FORBIDDEN} if server.name == "memory" else {"transaction_id": "ch_kenji_jan_2"}
    token = server.token("auditor", [detail])
    async with Client(StreamableHttpTransport(server.url, auth=token)) as client:
        result = await client.call_tool(detail["tool"], wanted, raise_on_error=False)
        assert not result.is_error
