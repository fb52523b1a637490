"""The guardrails that are shipped: nothing in production is deleted, whoever calls, whatever a model was told."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from flotilla_orchestrator.config.files import load
from flotilla_orchestrator.fleet.run_mandates import RunMandates
from flotilla_orchestrator.fleet.server_pool import running_fleet
from flotilla_orchestrator.mandates.claims import RunFacts
from support.answers import answer_of
from support.processes import clean_environment
from support.stage import Stage, answer

pytestmark = pytest.mark.cli_double

DELETE = "mcp__k8s__delete_resource"
SHIPPED = Path(__file__).parents[2] / "configs" / "guardrails"


@pytest.fixture
def cluster(stage: Stage) -> Stage:
    """A case whose lead may delete in a cluster, with the guardrails that are shipped."""
    shutil.copytree(SHIPPED, stage.configs / "guardrails")
    stage.fleet["servers"] = {"k8s": {"command": ["flotilla-k8s", "--demo-data"]}}
    stage.playbook["inputs"] = {"type": "object", "properties": {"environment": {"type": "string"}}}
    stage.worker("lead", tools=[DELETE, "mcp__k8s__list_namespaces"])
    return stage


def deployment(name: str, namespace: str) -> dict[str, Any]:
    return {"kind": "Deployment", "name": name, "namespace": namespace}


async def answers(case: Stage, environment: str, *calls: dict[str, Any]) -> tuple[set[str], list[str]]:
    """The tools that the lead's mandate shows, and what the server itself says to these deletes, past any session."""
    case.write_all({})
    config = load(case.configs)
    async with running_fleet(
        config,
        ["k8s"],
        run_id="run_1",
        logs=case.home / "runs",
        keys=case.home / "keys",
        environ=clean_environment(case.home),
    ) as fleet:
        lead, facts = config.workers["lead"], RunFacts({"environment": environment})
        tokens = RunMandates(config, fleet, facts, config.playbooks["case"], [lead]).tokens(lead)
        async with fleet.servers["k8s"].client(tokens["FLOTILLA_MANDATE_K8S"]) as client:
            listed = {tool.name for tool in (await client.list_tools()).tools}
            said: list[Any] = [await client.call_tool("delete_resource", call) for call in calls]
            return listed, [answer_of(result)["code"] for result in said]


async def test_the_server_refuses_deletes_in_production_and_without_a_namespace(cluster: Stage) -> None:
    listed, codes = await answers(
        cluster,
        "staging",
        deployment("web", "shop-production"),
        deployment("web", "prod"),
        {"kind": "Namespace", "name": "production", "namespace": "team-a"},
        {"kind": "Deployment", "name": "web"},
        deployment("no-such", "products"),
    )
    assert "delete_resource" in listed
    assert codes[:4] == ["out_of_bounds"] * 4
    assert codes[4] == "not_found", "what is not in production is another question"


async def test_in_a_run_for_production_there_is_no_tool_that_deletes(cluster: Stage) -> None:
    listed, codes = await answers(cluster, "production", deployment("web", "team-a"))
    assert listed == {"list_namespaces"}
    assert codes == ["unknown_tool"]


async def test_a_model_that_tries_is_told_by_the_guardrails_name_and_the_trace_has_it(cluster: Stage) -> None:
    delete = {"call": DELETE, "id": "delete", "arguments": deployment("web", "shop-production")}
    played = await cluster.play({"lead": [delete, answer("{{ errors.delete }}")]}, inputs={"environment": "staging"})
    assert "no-production-deletes: Nothing in a production namespace" in str((played.run.output or {})["answer"])
    refused = played.span("delete_resource")
    assert refused.status == "denied"
    assert refused.attributes["guardrails"] == [
        {"name": "no-production-deletes", "effect": "deny", "applies_to": "call"}
    ]
