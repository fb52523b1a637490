"""Pages of runs and of what they have used, in this process; what runs have said stays text."""

import re
from typing import Any

import pytest
from flotilla_orchestrator.journal.journal import Journal, Run, Span, now
from flotilla_orchestrator.journal.steering import events_of
from support.console import browser
from support.service import Desk

HOSTILE = "</script></style></title><script>alert(1)</script><img src=x onerror=alert(1)>\u202e \"'`&"


async def ended_run(journal: Journal, run_id: str, said: str, **fields: Any) -> None:
    """A run whose every text is this one."""
    given: dict[str, Any] = {"playbook": said, "model": "claude", "task": said, "inputs": {said: said}, **fields}
    run = Run(run_id, output={said: said, "customer_email": f"Subject: {said}"}, **given)
    await journal.begin_run(run)
    top = Span(run_id, None, "run", said, {"requested_by": said})
    await journal.begin(top)
    session = Span(run_id, top.span_id, "session", said, {"task": said, "model": said}, turns=3, cost_usd=0.25)
    await journal.begin(session)
    approval = {"approval_id": "apr_1", "of": said, "state": "rejected", "by": said, "reason": said}
    about: dict[str, Any] = {"tool": said, "arguments": {said: said}, "error": said, "approval": approval}
    await journal.begin(call := Span(run_id, session.span_id, "tool", said, about))
    await journal.end(call, "failed")
    await journal.begin(plain := Span(run_id, session.span_id, "tool", said, {"tool": said, "arguments": {}}))
    await journal.end(plain, "ok")
    await journal.end(session, "ok")
    await journal.end(top, "ok")
    run.status = "ok"
    await journal.end_run(run)


async def test_nothing_that_was_said_in_a_run_becomes_markup(api: Desk) -> None:
    await ended_run(api.resources.journal, "run_hostile", HOSTILE)
    waiting = Run("run_waits", HOSTILE, "claude", HOSTILE, {})
    await api.resources.journal.begin_run(waiting)
    approval: dict[str, Any] = {"approval_id": HOSTILE, "of": HOSTILE, "state": "pending", "asked_at": now()}
    call = Span(
        "run_waits", None, "tool", HOSTILE, {"tool": f"mcp__desk__{HOSTILE}", "approval": approval}, status="waiting"
    )
    await api.resources.journal.begin(call)
    call.status = "waiting"
    await api.resources.journal.change(call)
    async with browser(api, api.token("maya", "run", "read")) as person:
        for path in ("/", "/runs", "/runs/run_hostile", "/runs/run_waits", "/stats"):
            page = await person.get(path)
            assert page.status_code == 200, page.text
            assert "&lt;script&gt;alert(1)" in page.text, path
            assert page.text.count("<script") == 1, path
            assert not re.search(r"<img(?! src=\"/console/static)", page.text), path
        for path in (f"/runs?state={HOSTILE[:15]}", f"/runs?playbook={HOSTILE[:50]}", f"/start/{HOSTILE[2:]}"):
            assert "<script>alert" not in (await person.get(path)).text


async def test_drafts_of_mails_say_that_nobody_has_sent_them(api: Desk) -> None:
    await ended_run(api.resources.journal, "run_1", "case")
    async with browser(api, api.token("maya", "read")) as person:
        page = (await person.get("/runs/run_1")).text
        assert re.search(r"customer email<br><span class=\"draft\">a draft: nobody has sent it", page)


async def test_runs_are_filtered_and_paged_without_repeats(api: Desk) -> None:
    maya = api.token("maya", "run", "read")
    started = {(await api.start(maya, task=f"Do {number}."))["run_id"] for number in range(28)}
    await ended_run(api.resources.journal, "run_other", "other")
    async with browser(api, maya) as person:
        assert "run_other" in (await person.get("/runs?state=ok")).text
        seen: list[str] = []
        path = "/runs?state=queued&playbook=case"
        while path:
            page = (await person.get(path)).text
            seen += re.findall(r'href="/console/runs/(run_\w+)"', page)
            older = re.search(r'href="/console(/runs\?[^"]*cursor=[^"]*)">Older', page)
            path = older[1].replace("&amp;", "&") if older else ""
        assert (len(seen), set(seen)) == (28, started)
        assert "None is like that" in (await person.get("/runs?state=failed")).text
        assert (await person.get("/runs?cursor=nonsense")).status_code == 422


async def test_a_run_is_steered_from_its_page(api: Desk) -> None:
    maya = api.token("maya", "run", "read")
    run_id = (await api.start(maya))["run_id"]
    async with browser(api, maya) as person:
        path = f"/runs/{run_id}"
        assert (await person.post(f"{path}/message", text="Hear this.")).status_code == 303
        empty = await person.post(f"{path}/message", text=" ")
        assert (empty.status_code, "The task is empty" in empty.text) == (422, True)
        assert (await person.post(f"{path}/resume")).status_code == 422, "it is not paused"
        assert (await person.post(f"{path}/follow-up", text="One more.")).status_code == 422, "it has not ended"
        assert "One more." in (person.page.text if person.page else "")
        assert (await person.post(f"{path}/nothing")).status_code == 422
        assert (await person.post(f"{path}/cancel")).status_code == 303
        given = await api.resources.journal.query(events_of, run_id)
        assert [(event.kind, event.text) for event in given] == [("message", "Hear this."), ("cancel", "")]
        assert (await person.post("/runs/run_none/pause")).status_code == 404


async def test_statistics_have_a_table_for_each_plot(api: Desk) -> None:
    for number in range(3):
        await ended_run(api.resources.journal, f"run_{number}", "case")
    async with browser(api, api.token("maya", "read")) as person:
        page = (await person.get("/stats?days=7")).text
        plots = re.findall(r"<figcaption>([^<]*)<", page)
        assert plots == [
            "Runs a day",
            "Calls a day",
            "Cost a day, at list prices",
            "Turns per run",
            "Handoffs a day",
            "Calls by tool",
            "Success by tool",
            "Latency by tool, p95",
            "Success by playbook",
            "Turns in a session, by worker",
        ]
        for plot in plots:
            assert f'<caption class="hidden">{plot}</caption>' in page, plot
        today = now()[:10]
        rows = re.findall(rf'<th scope="row">{today}</th><td class="n">([^<]*)</td>', page)
        assert rows == ["3", "6", "$0.75", "3.0", "0"]
        assert "<dd><b>100 %</b></dd>" in page
        assert (await person.get("/stats?days=0")).status_code == 422
        assert '"Nothing' not in (await person.get("/stats?playbook=none")).text


@pytest.mark.parametrize("path", ["/nowhere", "/runs/run_none", "/start/none", "/fleet/workers/none", "/static/x.css"])
async def test_what_is_not_there_is_a_page_that_says_so(api: Desk, path: str) -> None:
    async with browser(api, api.token("maya", "run", "read")) as person:
        answer = await person.get(path)
        assert (answer.status_code, "That did not work" in answer.text) == (404, True)


async def test_the_fleet_is_shown_although_no_server_answers(api: Desk) -> None:
    async with browser(api, api.token("maya", "read")) as person:
        page = (await person.get("/fleet")).text
        assert re.search(r"desk.*down.*No process is at work here", page, re.S)
        assert "helper" in page
        worker = await person.get("/fleet/workers/helper")
        assert (worker.status_code, "server_unavailable" in worker.text) == (200, True)
