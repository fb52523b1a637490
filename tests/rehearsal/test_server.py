"""The Messages API as a client without the CLI sees it."""

import asyncio
import json
from collections.abc import Mapping

import httpx2
import pytest
from flotilla_rehearsal.script import Scripts
from flotilla_rehearsal.server import Rehearsal

ASK = {"model": "haiku", "max_tokens": 1, "messages": [{"role": "user", "content": "Hello."}]}


def rehearsal(*turns: Mapping[str, object]) -> Rehearsal:
    return Rehearsal(Scripts.model_validate({"name": "test", "agents": {"worker": [{"turns": turns}]}}))


async def ask(url: str, **more: object) -> httpx2.Response:
    # trust_env=False: a proxy of the machine is not for loopback.
    async with httpx2.AsyncClient(trust_env=False) as client:
        return await client.post(f"{url}/v1/messages", json={**ASK, **more})


async def test_an_answer_without_streaming_is_one_message() -> None:
    async with rehearsal({"say": "Hi.", "call": "t", "arguments": {"n": 1}}) as played:
        answer = (await ask(played.url("worker"))).json()
    assert (answer["model"], answer["stop_reason"]) == ("rehearsal", "tool_use")
    assert answer["content"][0] == {"type": "text", "text": "Hi."}
    assert (answer["content"][1]["name"], answer["content"][1]["input"]) == ("t", {"n": 1})
    assert answer["usage"]["input_tokens"] > 10


async def test_a_stream_has_the_events_of_the_api_in_order() -> None:
    async with rehearsal({"say": "Hi."}) as played:
        answer = await ask(played.url("worker"), stream=True)
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert [line.removeprefix("event: ") for line in answer.text.splitlines() if line.startswith("event")] == [
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]


async def test_an_agent_the_rehearsal_does_not_have_is_refused_with_the_closest_name() -> None:
    async with rehearsal({"say": "Hi."}) as played:
        answer = await ask(played.url("wroker"))
    assert answer.status_code == 400
    assert answer.json()["error"]["type"] == "invalid_request_error"
    assert "no agent wroker; did you mean `worker`?" in answer.json()["error"]["message"]


async def test_a_request_that_is_not_one_is_refused() -> None:
    async with rehearsal({"say": "Hi."}) as played:
        answer = await ask(played.url("worker"), messages="Hello.")
    assert answer.status_code == 400
    assert "not a Messages API request" in answer.json()["error"]["message"]


async def test_times_counts_the_failures_of_that_turn() -> None:
    async with rehearsal({"say": "Hi.", "misbehave": 529, "times": 2}) as played:
        statuses = [(await ask(played.url("worker"))).status_code for _ in range(3)]
    assert statuses == [529, 529, 200]


async def test_tokens_are_counted() -> None:
    async with rehearsal({"say": "Hi."}) as played, httpx2.AsyncClient(trust_env=False) as client:
        answer = await client.post(f"{played.url('worker')}/v1/messages/count_tokens", json=ASK)
    assert answer.json()["input_tokens"] > 10


async def test_model_seconds_include_the_delay() -> None:
    async with rehearsal({"say": "Hi.", "delay_s": 0.05}) as played:
        await ask(played.url("worker"))
    assert played.model_seconds["worker"] >= 0.05
    assert "turn 1" in [request.answer for request in played.requests]


async def test_a_stream_that_takes_its_time_has_the_same_text_in_many_events() -> None:
    async with rehearsal({"say": "All that there is to say.", "stream_s": 0.2}) as played:
        answer = await ask(played.url("worker"), stream=True)
    data = [json.loads(line.removeprefix("data: ")) for line in answer.text.splitlines() if line.startswith("data")]
    pieces = [event["delta"]["text"] for event in data if event["type"] == "content_block_delta"]
    assert len(pieces) > 10
    assert "".join(pieces) == "All that there is to say."
    assert played.model_seconds["worker"] >= 0.2


async def test_closing_ends_a_request_that_would_never_be_answered() -> None:
    async with asyncio.timeout(10):
        async with rehearsal({"misbehave": "never"}) as played:
            url = played.url("worker")
            asked = asyncio.create_task(ask(url))
            while not played.requests:  # noqa: ASYNC110 -- a request's arrival is not an event
                await asyncio.sleep(0)
        assert (await asked).status_code == 500
    with pytest.raises(httpx2.ConnectError):
        await ask(url)
