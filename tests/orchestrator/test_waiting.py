"""A run whose worker waits for a person: nothing runs, no slot and no clock is held, and then it goes on."""

import asyncio
from pathlib import Path

import pytest
from flotilla_orchestrator.cli.approver_process import demo_approver
from flotilla_orchestrator.sessions.decisions import DecisionRequest
from support.processes import clean_environment
from support.stage import Stage, answer, delegate
from support.teller import CHARGE, REFUND, Person, refund, refunds_in

pytestmark = pytest.mark.cli_double

REPORT = answer("{{ results.delegate.reports[0].report }}")


@pytest.fixture
def person(tmp_path: Path) -> Person:
    return Person(tmp_path / "person")


def with_clerk(stage: Stage, command: list[str], **limits: float) -> Stage:
    """A lead with a clerk, who may refund at a billing server of the run's own."""
    stage.fleet["servers"] = {"billing": {"command": command}}
    stage.worker("lead", delegates=["clerk"])
    stage.worker("clerk", tools=[REFUND], limits=limits)
    return stage


def paid(stage: Stage) -> list[tuple[str, int]]:
    return refunds_in(stage.home / "billing.db")


async def test_a_refund_is_approved_by_another_process_and_executed_once(stage: Stage) -> None:
    jwks = stage.home / "approver.json"
    with_clerk(stage, ["flotilla-billing", "--demo-data", "--approver-keys", str(jwks)])
    clerk = [refund(), {"say": "{{ last.status }}"}]
    async with demo_approver(jwks, clean_environment(stage.home)) as ask:
        played = await stage.play({"lead": [delegate(("clerk", "pay")), REPORT], "clerk": clerk}, ask=ask)
    assert played.run.output == {"answer": "succeeded"}, played.run.error
    assert paid(stage) == [(CHARGE, 24500)]
    span = played.span("issue_refund")
    assert span.status == "ok"
    approval = span.attributes["approval"]
    assert isinstance(approval, dict)
    assert (approval["of"], approval["state"], approval["by"]) == ("245.00 USD", "approved", "demo-approver")
    session = played.span("clerk")
    assert (session.status, session.turns) == ("ok", 2)
    assert session.cost_usd
    assert [request.answer for request in played.requests if request.agent == "clerk"] == ["turn 1", "turn 2"]


async def test_the_worker_hears_why_a_person_refused(stage: Stage, tmp_path: Path) -> None:
    person = Person(tmp_path / "person", "reject", "the invoice is disputed")
    with_clerk(stage, person.command)
    clerk = [refund(), {"say": "{{ errors.refund }}"}]
    played = await stage.play({"lead": [delegate(("clerk", "pay")), REPORT], "clerk": clerk}, ask=person)
    assert played.run.output
    assert "the invoice is disputed" in str(played.run.output["answer"])
    assert played.span("issue_refund").status == "denied"
    assert paid(stage) == []


async def test_what_nobody_approves_in_time_is_not_done(stage: Stage, tmp_path: Path) -> None:
    person = Person(tmp_path / "person", None)
    with_clerk(stage, [*person.command, "--approval-expires-hours", "0.0003"])  # a second
    clerk = [refund(), {"say": "{{ errors.refund }}"}]
    played = await stage.play({"lead": [delegate(("clerk", "pay")), REPORT], "clerk": clerk}, ask=person)
    assert played.run.output
    assert "approval_expired" in str(played.run.output["answer"])
    assert paid(stage) == []


async def test_who_waits_holds_no_slot_and_two_can_wait_at_once(stage: Stage, person: Person) -> None:
    with_clerk(stage, person.command)
    stage.fleet["concurrency"] = 1
    both = asyncio.Barrier(2)

    async def ask(pending: DecisionRequest) -> None:
        await both.wait()  # each is asked while the other waits, and the one slot is free
        await person(pending)

    tasks = [("clerk", f"pay {charge}") for charge in (CHARGE, "ch_maya_feb_1")]
    clerk = [refund(10000, "{{ task | regex('ch_\\w+') }}"), {"say": "{{ last.status }}"}]
    reports = answer("{{ results.delegate.reports | map(attribute='report') | join(' ') }}")
    played = await stage.play({"lead": [delegate(*tasks), reports], "clerk": clerk}, ask=ask)
    assert played.run.output == {"answer": "succeeded succeeded"}, played.run.error
    assert sorted(paid(stage)) == [("ch_maya_feb_1", 10000), (CHARGE, 10000)]


async def test_a_person_may_think_longer_than_the_clocks_of_worker_lead_and_run(stage: Stage, person: Person) -> None:
    with_clerk(stage, person.command, wall_clock_s=9)
    stage.playbook["limits"] = {"wall_clock_s": 10}

    async def ask(pending: DecisionRequest) -> None:
        await asyncio.sleep(10)
        await person(pending)

    clerk = [refund(), {"say": "{{ last.status }}"}]
    played = await stage.play({"lead": [delegate(("clerk", "pay")), REPORT], "clerk": clerk}, ask=ask)
    assert played.run.output == {"answer": "succeeded"}, played.run.error


async def test_several_waits_in_one_session_and_one_ledger_over_them(stage: Stage, person: Person) -> None:
    with_clerk(stage, person.command)
    clerk = [refund(9000), refund(9100), {"say": "{{ last.status }}"}]
    played = await stage.play({"lead": [delegate(("clerk", "pay")), REPORT], "clerk": clerk}, ask=person)
    assert played.run.output == {"answer": "succeeded"}, played.run.error
    assert [approval.confirmation_text for approval in person.asked] == ["90.00 USD", "91.00 USD"]
    assert sorted(paid(stage)) == [(CHARGE, 9000), (CHARGE, 9100)]
    assert played.span("clerk").turns == 3


async def test_turns_are_counted_over_the_wait(stage: Stage, person: Person) -> None:
    with_clerk(stage, person.command, max_turns=2)
    clerk = [refund(9000), refund(9100), {"say": "Never said."}]
    failed = answer("{{ results.delegate.reports[0].error.code }}")
    played = await stage.play({"lead": [delegate(("clerk", "pay")), failed], "clerk": clerk}, ask=person)
    assert played.run.output == {"answer": "turns_exceeded"}
    assert [approval.confirmation_text for approval in person.asked] == ["90.00 USD"], "nobody is asked in vain"
    assert paid(stage) == [(CHARGE, 9000)]
