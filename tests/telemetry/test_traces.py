"""A run is one trace, from the request that asks for it to the servers, whichever processes have worked on it."""

import json

import pytest
from flotilla_kit.telemetry.trace_context import trace_id_of
from support.otlp import Collector, Received
from support.service import Served, until

CASE = {"playbook": "case", "task": "Refund it.", "model": "rehearsal"}
CALLER = f"00-{'a' * 32}-{'b' * 16}-01"
WORKER = ["execute_tool delegate", "invoke_agent lead", "invoke_workflow case", "POST /v1/runs"]


def start(case: Served, token: dict[str, str]) -> str:
    with case.client(token) as client:
        return client.post("/v1/runs", json=CASE, headers={"traceparent": CALLER}).json()["run_id"]


def wait(case: Served, token: dict[str, str], run_id: str, state: str) -> None:
    with case.client(token) as client:
        assert until(client, run_id, state, "failed")["state"] == state


def joined(spans: Collector, run_id: str) -> list[Received]:
    """The spans of a run, each of which has its ancestors; one whose session was ended twice is the same span again."""
    found = {span.span_id: span for span in spans.of(trace_id_of(run_id))}
    assert len({(span.span_id, span.name) for span in spans.of(trace_id_of(run_id))}) == len(found)
    for span in found.values():
        spans.ancestors(span)
    return [*found.values()]


@pytest.mark.real_cli
def test_the_request_the_lead_the_worker_the_call_and_the_server_are_joined(case: Served, spans: Collector) -> None:
    case.environment |= spans.environment
    case.add_approver()
    maya = case.token("maya", "run", "read")
    case.serve()
    run_id = start(case, maya)
    wait(case, maya, run_id, "waiting")
    case.approve_all()
    wait(case, maya, run_id, "ok")
    assert case.stop() == 0

    found = joined(spans, run_id)
    assert len(found) == len(spans.of(trace_id_of(run_id))), "each is sent once"
    (request,) = [span for span in found if not span.parent_id]
    assert (request.name, request.service, request.kind) == ("POST /v1/runs", "flotilla", "SERVER")
    assert request.links == ["a" * 32], "the caller's trace is named"
    reads = [span for span in found if span.name == "tools/call get_transaction"]
    assert len(reads) == 3, "one of the clerk, two of the reader"
    for read in reads:
        assert (read.service, read.kind, read.failed) == ("flotilla-billing", "SERVER", False)
        call, worker, *rest = spans.ancestors(read)
        assert call == "execute_tool get_transaction" and worker in ("invoke_agent clerk", "invoke_agent reader")
        assert rest == WORKER
    (refund,) = [span for span in found if span.name == "execute_tool issue_refund"]
    assert refund.events == ["approval requested", "approval decided"]
    clerk = spans.named("invoke_agent clerk")
    assert clerk.attributes["gen_ai.operation.name"] == "invoke_agent"
    assert clerk.attributes["gen_ai.usage.output_tokens"] > 0
    log = [json.loads(line) for line in (case.home / "serve-local.log").read_text().splitlines()]
    (pending,) = [line for line in log if line["event"] == "approval_pending"]
    assert (pending["run_id"], pending["trace_id"]) == (run_id, trace_id_of(run_id))
    written = str([span.attributes for span in found])
    assert "Refund it" not in written and "ch_maya" not in written, "no text and no argument is sent"


@pytest.mark.cli_double
def test_a_run_that_was_killed_and_resumed_is_one_trace_all_the_same(case: Served, spans: Collector) -> None:
    case.environment |= spans.environment
    case.add_approver()
    maya = case.token("maya", "run", "read")
    process = case.serve()
    run_id = start(case, maya)
    wait(case, maya, run_id, "waiting")
    spans.wait_for("invoke_agent reader")
    case.kill(process)
    assert "invoke_agent clerk" not in {span.name for span in spans.spans}
    case.approve(run_id)
    case.serve()
    wait(case, maya, run_id, "ok")
    assert case.stop() == 0

    found = joined(spans, run_id)
    assert [span.name for span in found if not span.parent_id] == ["POST /v1/runs"]
    (refund,) = [span for span in found if span.name == "tools/call issue_refund"]
    assert spans.ancestors(refund) == ["execute_tool issue_refund", "invoke_agent clerk", *WORKER]
    of_clerk = [span for span in found if spans.ancestors(span)[:1] == ["invoke_agent clerk"]]
    assert [span.name for span in of_clerk] == ["execute_tool get_transaction", "execute_tool issue_refund"], (
        "the first was made before the kill"
    )
