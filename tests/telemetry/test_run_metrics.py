"""What Prometheus reads of `flotilla serve` and `flotilla work`."""

import json

import pytest
from support.promql import metric_names, queries
from support.scrape import Scrape, metrics_url, scrape
from support.service import Served, until

pytestmark = pytest.mark.cli_double
PAY = {"playbook": "pay", "task": "amount: 500", "inputs": {"amount": 500}, "model": "rehearsal"}


def served(case: Served) -> Scrape:
    """What the service tells now, at the address that it has logged."""
    lines = (case.home / "serve-local.log").read_text().splitlines()
    return scrape([json.loads(line)["url"] for line in lines if '"event": "metrics"' in line][-1])


def test_the_service_tells_of_runs_calls_approvals_and_requests(case: Served) -> None:
    case.environment["FLOTILLA_BILLING_METRICS_HTTP"] = "127.0.0.1:0"
    case.add_approver()
    maya = case.token("maya", "run", "read")
    case.serve("--metrics", "127.0.0.1:0")
    with case.client(maya) as client:
        pays = client.post("/v1/runs", json=PAY).json()["run_id"]
        until(client, pays, "waiting", "failed")
        waiting = served(case)
        case.approve_all()
        assert until(client, pays, "ok", "failed")["state"] == "ok"
        client.get("/v1/runs/run_unknown")
        client.get("/v1/nowhere")
        client.get("/healthz")  # a request is counted once it is answered: those before this one are then
        told, server = served(case), scrape(metrics_url(case.home / "workers" / "local" / "billing.log"))
    assert case.stop() == 0

    assert waiting.value("flotilla_runs", state="waiting") == 1
    assert waiting.value("flotilla_run_approvals_waiting") == 1
    assert 0 < waiting.value("flotilla_run_approval_oldest_seconds") < 60
    assert waiting.value("flotilla_queue_depth") == 0
    assert waiting.value("flotilla_circuit_open", server="billing") == 0

    assert told.value("flotilla_runs", state="waiting") == told.value("flotilla_run_approvals_waiting") == 0
    assert told.value("flotilla_sessions_live") == 0
    assert told.value("flotilla_runs_ended_total", playbook="pay", status="ok") == 1
    assert told.value("flotilla_run_seconds_count", playbook="pay") == 1
    for tool in ("get_transaction", "issue_refund"):
        assert told.value("agent_tool_usage_total", agent="single", tool=tool) == 1
        assert told.value("agent_tool_latency_seconds_count", agent="single", tool=tool) == 1
    assert told.value("flotilla_cost_usd_total", playbook="pay", agent="single") == 0, "it was a rehearsal"
    requests = "flotilla_http_requests_total"
    assert told.value(requests, method="POST", route="/v1/runs", status="202") == 1
    assert told.value(requests, method="GET", route="/v1/runs/{run_id}", status="404") == 1
    assert told.value(requests, route="other", status="404") == 1
    assert told.value("flotilla_http_request_seconds_count", method="POST", route="/v1/runs") == 1

    assert server.value("flotilla_tool_calls_total", tool="issue_refund", principal="single", outcome="ok") == 1
    there = told.names | server.names | {"up"}
    missing = {title: names for title, query in queries() if (names := metric_names(query) - there)}
    assert not missing, "every alert and panel asks for metrics that there are"


def test_a_worker_tells_how_long_the_queue_is(case: Served) -> None:
    case.order("pay", "--input", "amount=500")
    process = case.worker("--metrics", "127.0.0.1:0")
    assert process.stdout
    line = next(line for line in process.stdout if line.startswith("metrics: "))
    told = scrape(line.removeprefix("metrics: ").strip())
    assert sum(told.value("flotilla_runs", state=state) for state in ("queued", "running", "waiting")) == 1
    case.kill(process)
