"""10,000 calls that a mandate forbids, on each server: nothing happens, nothing of others is told, all are recorded."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import httpx2
import pytest
from fastmcp import Client
from fastmcp.client.transports import ClientTransport, StreamableHttpTransport
from mcp.shared.exceptions import MCPError
from support.answers import answer_of
from support.forbidden import BILLING, CHARGE, MEMORY, Call, Theirs, billing_calls, granted, memory_calls
from support.forbidden_http import Hostile
from support.mandated import ALLOWED, FORBIDDEN, OURS, SECRET, THEIRS, Served, served
from support.proofs import draw, share

ERAS = ("legacy", "2026-07-28")
CALLS, REQUESTS = 1875, 2500  # by each client, and over HTTP without one: 10,000 in all on each server
AT_ONCE = 4


@dataclass(frozen=True)
class World:
    """A server with what a worker may do on it, and what that worker may not find out."""

    served: Served
    details: Sequence[Mapping[str, Any]]
    scope: Mapping[str, str] | None
    call: Callable[[Random], Call]
    allowed: tuple[str, dict[str, Any]]
    canaries: Sequence[str]

    def token(self, subject: str) -> str:
        return self.served.token(subject, self.details, scope=self.scope)

    def leaked(self, answer: str, said: str) -> list[str]:
        """What of others an answer tells that the call did not say itself."""
        return [canary for canary in self.canaries if canary in answer and canary not in said]


@dataclass
class Sent:
    """What was sent by whom, and everything that went wrong."""

    calls: "Counter[str]" = field(default_factory=Counter[str])
    """By subject; by nobody under the empty one."""
    uses: list[str] = field(default_factory=list[str])
    problems: list[str] = field(default_factory=list[str])


async def call_all(world: World, transport: ClientTransport, era: str, calls: Iterable[Call], sent: Sent) -> None:
    """All calls, some at once, by one client."""
    waiting = iter(enumerate(calls))

    async def work(client: Client[Any], subject: str) -> None:
        for number, call in waiting:
            use = f"{subject}:{number}"
            sent.calls[subject] += 1
            sent.uses.append(use)
            refused, answer = await tried(client, call, {"claudecode/toolUseId": use})
            if leaked := world.leaked(answer, call.said):
                sent.problems.append(f"{subject} {call}: told {leaked}: {answer[:500]}")
            if not refused and not call.may_answer:
                sent.problems.append(f"{subject} {call}: answered {answer[:500]}")

    subject = f"{type(transport).__name__} {era}"
    async with Client(transport, mode=era) as client, asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(work(client, subject))


async def tried(client: Client[Any], call: Call, meta: dict[str, Any]) -> tuple[bool, str]:
    """Whether it was refused, and all that was said."""
    try:
        match call.method:
            case "resources/read":
                return False, str(await client.read_resource_mcp(call.name, meta=meta))
            case "prompts/get":
                return False, str(await client.get_prompt_mcp(call.name, call.arguments, meta=meta))
            case _:
                result = await client.call_tool_mcp(call.name, call.arguments, meta=meta)
                return bool(result.is_error), result.model_dump_json()
    except MCPError as error:
        return True, f"{error} {error.error}"


async def send_all(world: World, hostile: Hostile, random: Random, count: int, sent: Sent) -> None:
    """Requests that no client would send."""
    remaining = iter(range(count))

    async def work(http: httpx2.AsyncClient) -> None:
        for _ in remaining:
            request = hostile.draw(random)
            sent.calls[request.kind if request.known else ""] += 1
            lines = [(name.encode(), value) for name, value in request.headers.items()]
            answer = await http.request(request.method, world.served.url, content=request.content, headers=lines)
            said = request.content.decode() + str(request.headers)
            if leaked := world.leaked(answer.text, said):
                sent.problems.append(f"{request}: told {leaked}")
            if answered(answer):
                sent.problems.append(f"{request}: answered {answer.status_code} {answer.text[:500]}")

    async with httpx2.AsyncClient(timeout=60) as http, asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(work(http))


def answered(answer: httpx2.Response) -> bool:
    """Whether it has the result of anything, an error's apart."""
    return answer.status_code < 400 and '"result"' in answer.text and '"isError":true' not in answer.text


async def is_served(world: World, sent: Sent) -> None:
    """The same mandate's allowed call has its answer."""
    sent.calls["honest"] += 1
    async with Client(StreamableHttpTransport(world.served.url, auth=world.token("honest"))) as client:
        assert not (await client.call_tool(*world.allowed, raise_on_error=False)).is_error


async def billing_world(server: Served, sent: Sent) -> World:
    """Another customer has charges, a refund, and an approval that waits."""
    theirs = [granted(tool) for tool in ("find_transactions", "issue_refund")]
    token = server.token("their clerk", theirs, scope={"customer_id": THEIRS})
    refund = {"transaction_id": "ch_quillfeather_1", "currency": "USD", "reason": "goodwill"}
    async with Client(StreamableHttpTransport(server.url, auth=token)) as client:

        async def call(tool: str, **arguments: Any) -> dict[str, Any]:
            sent.calls["their clerk"] += 1
            return answer_of(await client.call_tool(tool, arguments, raise_on_error=False))

        page = await call("find_transactions", customer_id=THEIRS, limit=1)
        small = await call("issue_refund", **refund, amount_minor=1234, idempotency_key="small")
        large = await call("issue_refund", **refund, amount_minor=5_000_001, idempotency_key="large")
    assert small["status"] == "succeeded" and large["code"] == "approval_required"
    others = server.rows("SELECT transaction_id, invoice_id FROM transactions WHERE customer_id != ?", OURS)
    return World(
        server,
        BILLING,
        {"customer_id": OURS},
        billing_calls(
            Theirs(
                charges=[charge for charge, _ in others],
                invoices=sorted({invoice for _, invoice in others if invoice}),
                refund_id=small["refund_id"],
                approval_id=large["details"]["approval_id"],
                cursor=page["next_cursor"],
            )
        ),
        ("get_transaction", {"transaction_id": CHARGE}),
        [*others_alone(server), large["details"]["approval_id"], SECRET],
    )


def others_alone(server: Served) -> list[str]:
    """Every name, address, id and unmistakable amount in other customers' records that is in none of ours."""
    columns = {
        "customers": "customer_id, name, email",
        "transactions": "customer_id, customer_name, transaction_id, invoice_id, card_id",
        "refunds": "customer_id, transaction_id, refund_id, gateway_refund_id",
    }

    def values(where: str) -> set[str]:
        found = [row for table, names in columns.items() for row in server.rows(f"SELECT {names} FROM {table} {where}")]
        return {value for row in found for value in row if value}

    amounts = server.rows("SELECT amount_minor FROM transactions WHERE customer_id = ?", THEIRS)
    only_theirs = values(f"WHERE customer_id != '{OURS}'") - values(f"WHERE customer_id = '{OURS}'")
    return sorted({*only_theirs, *(str(amount) for (amount,) in amounts)})


async def memory_world(server: Served, sent: Sent) -> World:
    del sent
    allowed = ("get_document", {"document_id": ALLOWED})
    return World(server, MEMORY, None, memory_calls, allowed, [SECRET, FORBIDDEN, "7391846"])


@pytest.mark.prove
@pytest.mark.parametrize("name", ["billing", "memory"])
async def test_forbidden_calls_do_nothing_tell_nothing_and_are_recorded_once(name: str, tmp_path: Path) -> None:
    random, sent = draw(f"forbidden calls {name}"), Sent()
    with served(name, tmp_path) as server:
        world = await (billing_world if name == "billing" else memory_world)(server, sent)
        hostile = Hostile(server, world.details, world.scope, world.allowed)
        contents = server.contents()
        async with asyncio.TaskGroup() as group:
            for era in ERAS:
                for transport in (
                    StreamableHttpTransport(server.url, auth=world.token(f"StreamableHttpTransport {era}")),
                    server.stdio(world.token(f"StdioTransport {era}"), f"stdio {era}.log"),
                ):
                    calls = [world.call(random) for _ in range(share(CALLS))]
                    group.create_task(call_all(world, transport, era, calls, sent))
            group.create_task(send_all(world, hostile, random, share(REQUESTS), sent))
        assert not sent.problems, f"{len(sent.problems)}, such as: " + "\n".join(sent.problems[:10])
        await is_served(world, sent)
        assert server.contents() == contents
    assert server.recorded() == sent.calls
    uses = server.rows("SELECT tool_use_id FROM audit WHERE tool_use_id != ''")
    assert Counter(use for (use,) in uses) == Counter(sent.uses)
    server.verify()
