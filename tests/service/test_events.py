"""A run's events: every span as it changes, whichever process works on it; a client that was cut off goes on."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
from flotilla_orchestrator.journal.journal import Span
from support.service import Desk, Served


async def begun(api: Desk, token: dict[str, str]) -> tuple[str, Span]:
    """A run with a session, as a worker elsewhere would begin them."""
    run_id = (await api.start(token))["run_id"]
    journal = api.resources.journal
    run = await journal.run(run_id)
    assert run
    await journal.begin_run(run)
    (top,) = await journal.spans(run_id)
    await journal.begin(top)
    return run_id, await journal.begin(Span(run_id, top.span_id, "session", "lead", {"task": "Do it."}))


async def end(api: Desk, run_id: str) -> None:
    journal = api.resources.journal
    run = await journal.run(run_id)
    assert run
    run.status = "ok"
    await journal.end_run(run)


def parsed(lines: Iterator[str]) -> Iterator[dict[str, Any]]:
    """The events of a stream: `id`, `event`, `data`."""
    event: dict[str, Any] = {}
    for line in lines:
        name, _, value = line.partition(": ")
        if not line and "data" in event:
            yield {**event, "data": json.loads(event["data"])}
        event = {**event, name: value} if line else {}


async def events(api: Desk, run_id: str, token: dict[str, str], after: str = "") -> list[dict[str, Any]]:
    """All of a run's events, to its end."""
    headers = {**token, **({"Last-Event-ID": after} if after else {})}
    answer = await api.client.get(f"/v1/runs/{run_id}/events", headers=headers)
    assert answer.headers["content-type"].startswith("text/event-stream")
    return list(parsed(iter(answer.text.splitlines())))


async def test_each_change_is_an_event_and_the_last_one_is_the_run(api: Desk) -> None:
    maya = api.token("maya", "run", "read")
    run_id, session = await begun(api, maya)
    await api.resources.journal.end(session, "ok")
    await end(api, run_id)
    found = await events(api, run_id, maya)
    assert [(event["event"], event["data"].get("kind")) for event in found] == [
        ("span", "run"),
        ("span", "session"),
        ("run", None),
    ]
    assert found[1]["data"]["status"] == "ok"
    assert (found[2]["data"]["run_id"], found[2]["data"]["status"]) == (run_id, "ok")


async def test_a_client_that_was_cut_off_goes_on_after_the_last_event_it_has(api: Desk) -> None:
    maya = api.token("maya", "run", "read")
    run_id, session = await begun(api, maya)
    following = asyncio.create_task(events(api, run_id, maya))
    await asyncio.sleep(0.5)
    await api.resources.journal.end(session, "ok")
    await asyncio.sleep(0.5)
    await end(api, run_id)
    whole = await following
    assert [event["data"].get("status") for event in whole] == ["running", "running", "ok", "ok"]
    for number, event in enumerate(whole[:-1]):
        rest = await events(api, run_id, maya, event["id"])
        assert {one["id"] for one in rest} <= {one["id"] for one in whole[number + 1 :]}
        assert rest[-1]["event"] == "run"
    headers = {**maya, "Last-Event-ID": whole[-1]["id"]}
    assert (await api.client.get(f"/v1/runs/{run_id}/events", headers=headers)).status_code == 204


async def test_an_id_that_is_none_is_refused(api: Desk) -> None:
    maya = api.token("maya", "run", "read")
    run_id = (await api.start(maya))["run_id"]
    answer = await api.client.get(f"/v1/runs/{run_id}/events", headers={**maya, "Last-Event-ID": "x"})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_arguments")


async def test_a_stream_ends_with_the_service(api: Desk) -> None:
    maya = api.token("maya", "run", "read")
    run_id = (await api.start(maya))["run_id"]
    following = asyncio.create_task(events(api, run_id, maya))
    await asyncio.sleep(0.3)
    api.resources.stopping.set()
    found = await asyncio.wait_for(following, 10)
    assert [event["event"] for event in found] == ["span"]


@pytest.mark.cli_double
def test_a_run_is_followed_while_it_works_and_after_the_service_was_restarted(case: Served) -> None:
    maya = case.token("maya", "run", "read")
    case.serve()
    body = {"playbook": "look", "task": "Do it.", "inputs": {"amount": 1}, "model": "rehearsal"}
    with case.client(maya) as client:
        run_id = client.post("/v1/runs", json=body).json()["run_id"]
        with client.stream("GET", f"/v1/runs/{run_id}/events") as answer:
            found = list(parsed(answer.iter_lines()))
    assert found[-1]["event"] == "run"
    assert found[-1]["data"]["output"] == {"answer": "looked"}
    assert {event["data"]["kind"] for event in found[:-1]} == {"run", "session", "tool"}
    assert case.stop() == 0
    case.serve()
    with case.client({**maya, "Last-Event-ID": found[-2]["id"]}) as client:
        rest = list(parsed(iter(client.get(f"/v1/runs/{run_id}/events").text.splitlines())))
    assert [event["event"] for event in rest] == ["run"]
