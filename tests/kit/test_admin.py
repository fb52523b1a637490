"""Sub-commands beside a server: deciding approvals at a terminal, and looking at the audit."""

import asyncio
import json
import os
import pwd
import sqlite3
import subprocess
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from fastmcp import Client
from fastmcp.client import FastMCPTransport
from flotilla_billing.server import create_server
from flotilla_billing.settings import Settings
from flotilla_kit import approvals, audit, effects
from flotilla_kit.storage import KIT_MIGRATIONS, Database
from flotilla_memory import server as memory
from flotilla_memory.settings import Settings as MemorySettings
from support import programs
from support.answers import answer_of
from support.processes import BIN, clean_environment
from support.terminal import at_terminal

BILLING = BIN / "flotilla-billing"
REFUND = {"transaction_id": "ch_maya_feb_2", "amount_minor": 24500, "currency": "USD", "reason": "charged twice"}
ME = f"local:{pwd.getpwuid(os.getuid()).pw_name}"


@dataclass(frozen=True)
class Host:
    """A home with the sample company, in one database or the other."""

    home: Path
    url: str

    @property
    def environment(self) -> dict[str, str]:
        return clean_environment(self.home, {"DATABASE_URL": self.url})

    @asynccontextmanager
    async def client(self) -> AsyncGenerator[Client[FastMCPTransport]]:
        settings = Settings.load({"home": self.home, "database_url": self.url, "demo_data": True})
        async with Client(create_server(settings)) as connected:
            yield connected

    def run(self, *arguments: str | Path) -> "subprocess.CompletedProcess[str]":
        return command(BILLING, self.environment, *arguments)

    async def decide(self, *arguments: str, typed: str | None = None) -> tuple[int, str]:
        """At a terminal; the server in this process goes on meanwhile, since it may hold the audit's lock."""
        words = [*programs.command(BILLING.name), "approvals", *arguments]
        return await asyncio.to_thread(at_terminal, words, self.environment, typed)


def command(
    program: Path, environment: dict[str, str], *arguments: str | Path, typed: str = ""
) -> "subprocess.CompletedProcess[str]":
    folder = Path(environment["HOME"])
    given = folder if folder.exists() else folder.parent
    return programs.run(program.name, *arguments, environ=environment, folder=given, typed=typed)


@pytest.fixture
def host(tmp_path: Path, database_url: str) -> Host:
    return Host(tmp_path, database_url)


@pytest.fixture
def sqlite_host(tmp_path: Path) -> Host:
    return Host(tmp_path, f"sqlite:///{tmp_path / 'billing.db'}")


async def call(client: Client[FastMCPTransport], tool: str, **arguments: Any) -> dict[str, Any]:
    return answer_of(await client.call_tool(tool, arguments, raise_on_error=False))


async def waiting(client: Client[FastMCPTransport]) -> str:
    refused = await call(client, "issue_refund", **REFUND, idempotency_key="one")
    assert refused["code"] == "approval_required"
    return str(refused["details"]["approval_id"])


async def recorded(host: Host) -> list[dict[str, Any]]:
    return [json.loads(line) for line in host.run("audit", "export").stdout.splitlines()]


async def test_a_refund_happens_once_a_person_typed_its_amount(host: Host) -> None:
    async with host.client() as client:
        approval_id = await waiting(client)
        wrong, shown = await host.decide("approve", approval_id, typed="24.50 USD")
        assert wrong == 1 and "amount: 245.00 USD" in shown and "Nothing was changed" in shown
        assert (await call(client, "issue_refund", **REFUND, idempotency_key="one"))["code"] == "approval_required"
        right, shown = await host.decide("approve", approval_id, typed="  245.00 usd ")
        assert right == 0 and f"{approval_id} is approved by {ME}" in shown
        assert (await call(client, "issue_refund", **REFUND, idempotency_key="one"))["amount_minor"] == 24500
        again, shown = await host.decide("approve", approval_id)
        assert again == 1 and "consumed already" in shown and "back:" not in shown
    (decision,) = [row for row in await recorded(host) if row["tool"] == "decide_approval"]
    assert (decision["principal"], decision["subject"], decision["outcome"]) == ("approver", ME, "ok")
    assert json.loads(decision["arguments"])["approval_id"] == approval_id
    assert host.run("audit", "verify").returncode == 0


async def test_a_rejection_reaches_whoever_asked(host: Host) -> None:
    async with host.client() as client:
        approval_id = await waiting(client)
        assert (await host.decide("reject", approval_id, "--reason", "not a duplicate"))[0] == 0
        refused = await call(client, "issue_refund", **REFUND, idempotency_key="one")
    assert refused["code"] == "approval_rejected" and refused["details"]["reason"] == "not a duplicate"
    assert (await host.decide("approve", approval_id))[0] == 1


async def test_no_terminal_no_decision(sqlite_host: Host) -> None:
    async with sqlite_host.client() as client:
        approval_id = await waiting(client)
    for decision in ("approve", "reject"):
        refused = sqlite_host.run("approvals", decision, approval_id)
        assert refused.returncode == 2 and "terminal" in refused.stderr and refused.stdout == ""
    piped = command(BILLING, sqlite_host.environment, "approvals", "approve", approval_id, typed="245.00 USD\n")
    assert piped.returncode == 2
    assert json.loads(sqlite_host.run("approvals", "show", approval_id, "--json").stdout)["state"] == "pending"


async def test_requests_are_listed_by_state(sqlite_host: Host) -> None:
    async with sqlite_host.client() as client:
        approval_id = await waiting(client)
    listed = sqlite_host.run("approvals", "list").stdout
    assert approval_id in listed and "245.00 USD" in listed and "issue_refund" in listed
    assert json.loads(sqlite_host.run("approvals", "list", "--state", "approved", "--json").stdout) == []
    assert len(json.loads(sqlite_host.run("approvals", "list", "--state", "all", "--json").stdout)) == 1
    assert "amount: 245.00 USD" in sqlite_host.run("approvals", "show", approval_id).stdout


async def test_nothing_in_a_request_can_move_the_cursor(sqlite_host: Host) -> None:
    hostile = "\x1b[2J\x1b[1;1Hok\r\n  amount: 1.00 USD\x9b1A\u202e\u2028\x7f"
    effect = effects.Effect(f"w{hostile}", "run", "drop_table", "", "d" * 64, {f"t{hostile}": hostile}, "billing")
    database = await Database.open(sqlite_host.url, [KIT_MIGRATIONS])
    approval = await database.write(approvals.ask, effect, {"customer_name": hostile, hostile: 1}, 24)
    await database.close()
    for shown in (
        sqlite_host.run("approvals", "list").stdout,
        sqlite_host.run("approvals", "show", approval.approval_id).stdout,
        (await sqlite_host.decide("approve", approval.approval_id, typed="something else"))[1].replace("\r\n", "\n"),
    ):
        assert "\\u001b[2J" in shown and all(c.isprintable() for c in shown.replace("\n", ""))
        assert not [line for line in shown.splitlines() if line.startswith("  amount:")]
    assert (await sqlite_host.decide("approve", approval.approval_id, typed="drop_table"))[0] == 0


@pytest.mark.parametrize("approval_id", ["apr_1", "apr_" + "g" * 20, "apr_" + "0" * 20 + "\n", "' OR 1=1"])
def test_an_odd_id_is_refused_before_anything_is_looked_up(sqlite_host: Host, approval_id: str) -> None:
    refused = sqlite_host.run("approvals", "show", approval_id)
    assert refused.returncode == 2 and "20 of 0-9" in refused.stderr


async def test_a_read_only_server_lists_and_decides_nothing(sqlite_host: Host) -> None:
    async with sqlite_host.client() as client:
        approval_id = await waiting(client)
    command = [*programs.command(BILLING.name), "--read-only", "approvals", "approve", approval_id]
    code, shown = at_terminal(command, sqlite_host.environment)
    assert code == 2 and "read-only" in shown
    assert approval_id in sqlite_host.run("--read-only", "approvals", "list").stdout


async def test_an_audit_that_was_tampered_with_names_the_record(sqlite_host: Host) -> None:
    async with sqlite_host.client() as client:
        for transaction_id in ("ch_maya_feb_1", "ch_maya_feb_2", "nope"):
            await call(client, "get_transaction", transaction_id=transaction_id)
    sound = sqlite_host.run("audit", "verify", "--json")
    assert sound.returncode == 0 and json.loads(sound.stdout)["records"] == 3
    with sqlite3.connect(sqlite_host.home / "billing.db") as store:
        for (name,) in store.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            store.execute(f"DROP TRIGGER {name}")
        store.execute("UPDATE audit SET outcome = 'ok' WHERE seq = 3")
    store.close()
    found = sqlite_host.run("audit", "verify")
    assert found.returncode == 1 and "NOT sound" in found.stdout
    assert "record 3: its contents do not match its hash" in found.stdout


async def test_an_export_verifies_without_the_database(host: Host) -> None:
    async with host.client() as client:
        await call(client, "get_transaction", transaction_id="ch_maya_feb_1")
        await waiting(client)
    lines = host.run("audit", "export").stdout.splitlines()
    head = json.loads(host.run("audit", "head").stdout)
    assert audit.verify_export(lines) == audit.Verdict(True, 2, head["seq"], head["hash"], ())
    assert host.run("audit", "export", "--after", "1").stdout.splitlines() == lines[1:]
    assert host.run("audit", "export", "--after", "-1").returncode == 2


async def test_anchors_are_compared_and_a_missing_file_is_no_proof(sqlite_host: Host) -> None:
    async with sqlite_host.client() as client:
        await call(client, "get_transaction", transaction_id="ch_maya_feb_1")
    anchors = sqlite_host.home / "anchors"
    missing = sqlite_host.run("audit", "verify", "--anchor", anchors)
    assert missing.returncode == 1 and "no anchor file" in missing.stdout
    audit.write_anchor(anchors, audit.Head(**json.loads(sqlite_host.run("audit", "head").stdout)))
    assert sqlite_host.run("--audit-anchor", str(anchors), "audit", "verify").returncode == 0
    audit.write_anchor(anchors, audit.Head(2, "f" * 64))
    cut = sqlite_host.run("audit", "verify", "--anchor", anchors)
    assert cut.returncode == 1 and "record 2: an anchor noted it" in cut.stdout
    anchors.write_text("nonsense\n")
    assert "line 1 is not an anchor" in sqlite_host.run("audit", "verify", "--anchor", anchors).stderr


def test_looking_at_a_store_that_is_not_there_creates_none(tmp_path: Path) -> None:
    environment = clean_environment(tmp_path / "home")
    for arguments in (["approvals", "list"], ["audit", "verify"], ["audit", "export"], ["approvers", "list"]):
        assert command(BILLING, environment, *arguments).returncode == 0
    assert not (tmp_path / "home").exists()


def test_a_file_that_is_no_database_proves_nothing(sqlite_host: Host) -> None:
    (sqlite_host.home / "billing.db").write_bytes(b"not a database " * 100)
    refused = sqlite_host.run("audit", "verify")
    assert refused.returncode == 1 and "Traceback" not in refused.stderr and refused.stdout == ""


async def test_the_audit_of_a_read_only_server_lies_apart(sqlite_host: Host) -> None:
    settings = Settings.load({"home": sqlite_host.home, "read_only": True})
    async with Client(create_server(settings)) as client:
        await call(client, "get_transaction", transaction_id="nope")
    environment = clean_environment(sqlite_host.home)
    assert json.loads(command(BILLING, environment, "--read-only", "audit", "head").stdout)["seq"] == 1
    assert json.loads(command(BILLING, environment, "audit", "head").stdout)["seq"] == 0


async def test_the_audit_of_a_server_without_a_database_lies_apart(tmp_path: Path) -> None:
    async with Client(memory.create_server(MemorySettings.load({"home": tmp_path, "demo_data": True}))) as client:
        await call(client, "search_knowledge", query="refund")
    verified = command(BIN / "flotilla-memory", clean_environment(tmp_path), "audit", "verify", "--json")
    assert verified.returncode == 0 and json.loads(verified.stdout)["records"] == 1
    assert (
        "None is pending" in command(BIN / "flotilla-memory", clean_environment(tmp_path), "approvals", "list").stderr
    )


async def test_a_reader_who_has_seen_enough_is_no_fault(sqlite_host: Host) -> None:
    async with sqlite_host.client():
        database = await Database.open(sqlite_host.url, [KIT_MIGRATIONS])
        await database.write(audit.append, [audit.Record("get_invoice", "owner", "owner") for _ in range(2_000)])
        await database.close()
    piped = ["sh", "-c", f"'{BILLING}' audit export | head -n 1"]
    run = partial(subprocess.run, piped, env=sqlite_host.environment, capture_output=True, text=True, check=True)
    ended = await asyncio.to_thread(run)
    assert json.loads(ended.stdout)["seq"] == 1 and ended.stderr == ""
