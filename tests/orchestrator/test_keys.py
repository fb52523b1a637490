"""`flotilla keys` and `flotilla mandate`: who says what workers may do, and what that is."""

import json
from pathlib import Path
from typing import Any

import pytest
from flotilla_kit.identity.keys import KeyRing
from flotilla_orchestrator.fleet.connection import ServerConnection
from flotilla_orchestrator.mandates.claims import Minter, tool_details
from support import programs
from support.commands import flotilla
from support.processes import clean_environment, http_server
from support.stage import Stage

CONFIGS = Path(__file__).parents[2] / "configs"
CASE = ("--configs", CONFIGS, "--playbook", "billing-dispute", "--input", "customer_id=cust_12345")


def keys(home: Path, *arguments: str) -> dict[str, Any]:
    done = flotilla(home, "keys", *arguments, "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def shown(home: Path, worker: str, *more: str | Path) -> dict[str, Any]:
    done = flotilla(home, "mandate", worker, *more, "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def test_the_first_key_is_made_on_request_and_its_public_half_is_for_servers(tmp_path: Path) -> None:
    assert "There is no key yet" in flotilla(tmp_path, "keys").stdout
    assert not (tmp_path / "keys").exists()
    (made,) = keys(tmp_path, "rotate")["keys"]
    listed = keys(tmp_path)
    assert listed["keys"] == [made]
    assert made["current"] is True
    published = Path(listed["public_file"])
    assert published == tmp_path / "keys" / "public.json"
    assert [key["kid"] for key in json.loads(published.read_text())["keys"]] == [made["kid"]]
    said = flotilla(tmp_path, "keys").stdout
    for word in (made["kid"], made["created_at"], "current", str(published)):
        assert word in said


def test_a_retired_key_is_gone_and_an_unknown_one_is_named(tmp_path: Path) -> None:
    (old,) = keys(tmp_path, "rotate")["keys"]
    new = keys(tmp_path, "rotate")["keys"][-1]
    assert keys(tmp_path, "retire", old["kid"])["keys"] == [new]
    again = flotilla(tmp_path, "keys", "retire", old["kid"])
    assert again.returncode == 2
    assert old["kid"] in again.stderr
    assert new["kid"] in again.stderr


@pytest.mark.parametrize("arguments", [["retire"], ["rotate", "some-kid"], ["list", "some-kid"]])
def test_only_retire_names_a_key(tmp_path: Path, arguments: list[str]) -> None:
    done = flotilla(tmp_path, "keys", *arguments)
    assert done.returncode == 2
    assert "retire KID" in done.stderr


async def test_keys_rotate_under_a_running_server(tmp_path: Path) -> None:
    ring = KeyRing(tmp_path / "keys")
    old = keys(tmp_path, "rotate")["keys"][0]["kid"]
    with http_server("billing", tmp_path, "--mandate-keys", str(ring.public_file), tokens=True) as server:
        first = billing(server.url, ring)
        assert await lists(first)
        new = keys(tmp_path, "rotate")["keys"][-1]["kid"]
        second = billing(server.url, ring)
        assert (kid(first), kid(second)) == (old, new)
        assert await lists(second), "a new key is known by its kid at once"
        assert await lists(first), "and what the old one signs is still good"


def billing(url: str, ring: KeyRing) -> ServerConnection:
    """The server, with mandates signed by the key that is current now."""
    header = {"Authorization": "Bearer ${FLOTILLA_MANDATE_BILLING}"}
    return ServerConnection(
        "billing", url, header, {}, local=True, audience="billing", minter=Minter(ring.current(), "run_1")
    )


def kid(server: ServerConnection) -> str:
    assert server.minter
    return server.minter.key.kid


async def lists(server: ServerConnection) -> bool:
    listed = await server.list_tools(server.mandate("clerk", tool_details(["get_refund"])))
    return [tool.name for tool in listed] == ["get_refund"]


def test_mandate_shows_at_a_glance_what_a_researcher_can_do(tmp_path: Path) -> None:
    done = flotilla(tmp_path, "mandate", "researcher", *CASE)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert "billing  only records of customer_id=cust_12345" in done.stdout
    (transactions,) = [line.split() for line in lines if line.startswith("find_transactions")]
    assert [transactions[1], transactions[2], transactions[4]] == ["reads", "never", "customer_id=cust_12345"]
    assert int(transactions[3]) > 300
    assert "not: check_refund_eligibility, get_refund, issue_refund" in lines
    assert not [line for line in lines if line.startswith("issue_refund")]
    assert lines[-2].endswith("bytes of context for 10 tools")
    assert lines[-1] == "no tool of: crm, k8s"


def test_mandate_says_the_same_as_data(tmp_path: Path) -> None:
    record = shown(tmp_path, "refund-clerk", *CASE)
    (server,) = record["servers"]
    assert (record["worker"], record["playbook"], record["unreached"]) == (
        "refund-clerk",
        "billing-dispute",
        ["crm", "k8s", "memory"],
    )
    assert (server["server"], server["mandates"]) == ("billing", True)
    assert server["scope"] == {"customer_id": "cust_12345"}
    assert {tool["tool"]: (tool["effect"], tool["approval"]) for tool in server["tools"]} == {
        "check_refund_eligibility": ("reads", "never"),
        "issue_refund": ("changes", "server's rule"),
        "get_refund": ("reads", "never"),
    }
    assert record["bytes"] == sum(tool["bytes"] for tool in server["tools"])


def test_mandate_shows_what_the_rules_of_the_fleet_change(stage: Stage) -> None:
    stage.fleet["servers"] = {"billing": {"command": ["flotilla-billing"]}}
    stage.fleet["rules"] = [
        {"tools": ["mcp__billing__issue_refund"], "effect": "approve"},
        {"tools": ["mcp__billing__list_*"], "effect": "deny"},
    ]
    tools = [f"mcp__billing__{tool}" for tool in ("issue_refund", "list_invoices")]
    stage.worker("lead", tools=tools, resources=["knowledge://policies/*"])
    stage.write_all({})
    (server,) = shown(stage.home, "lead", "--configs", stage.configs)["servers"]
    assert {tool["tool"]: tool["approval"] for tool in server["tools"]} == {"issue_refund": "always"}
    assert server["denied"] == ["list_invoices"]
    assert server["resources"] == ["knowledge://policies/*"]


def test_a_narrowed_tool_costs_fewer_bytes(tmp_path: Path) -> None:
    tools = {tool["tool"]: tool for tool in shown(tmp_path, "researcher", *CASE)["servers"][0]["tools"]}
    listed = flotilla_billing_tools(tmp_path)
    prefix = len("mcp__billing__")
    assert tools["get_invoice"]["bytes"] == listed["get_invoice"] + prefix, "without bounds it is the server's own"
    assert tools["list_invoices"]["bytes"] < listed["list_invoices"] + prefix


def flotilla_billing_tools(home: Path) -> dict[str, int]:
    """`flotilla-billing tools`: the bytes of each tool as it is."""
    done = programs.run("flotilla-billing", "tools", environ=clean_environment(home), folder=home)
    rows = [line.split() for line in done.stdout.splitlines()[1:-1]]
    return {row[2]: int(row[0]) for row in rows}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["reseacher"], "did you mean `researcher`?"),
        (["researcher", "--playbook", "billing-dispute"], "'customer_id' is a required property"),
        (["data-scout", "--playbook", "account-review", "--input", "account_id=a b"], "does not match"),
        (["researcher", "--playbook", "billing"], "There is no playbook `billing`"),
    ],
)
def test_wrong_use_of_mandate_says_what_to_correct(tmp_path: Path, arguments: list[str], said: str) -> None:
    done = flotilla(tmp_path, "mandate", *arguments, "--configs", CONFIGS)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_worker_of_several_playbooks_wants_one_to_be_named(stage: Stage) -> None:
    stage.worker("lead", "get_ticket")
    stage.worker("stranger", "get_ticket")
    stage.write_all({})
    stage.write(
        "playbooks/other.yaml", (stage.configs / "playbooks" / "case.yaml").read_text().replace("case", "other")
    )
    done = flotilla(stage.home, "mandate", "lead", "--configs", stage.configs)
    assert "Give --playbook: case, other." in done.stderr
    assert shown(stage.home, "lead", "--playbook", "other", "--configs", stage.configs)["playbook"] == "other"
    assert shown(stage.home, "stranger", "--configs", stage.configs)["playbook"] is None
    foreign = flotilla(stage.home, "mandate", "stranger", "--playbook", "case", "--configs", stage.configs)
    assert "stranger is not in the team of case" in foreign.stderr
