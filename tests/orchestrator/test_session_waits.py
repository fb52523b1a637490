"""A session whose call waits keeps its process while that is cheap: it goes on at once, or ends before the call."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from flotilla_orchestrator.fleet import run_mandates
from flotilla_orchestrator.sessions.decisions import DecisionRequest
from support.stage import Stage, answer, call, delegate
from support.teller import CHARGE, REFUND, Person, refund, refunds_in

pytestmark = pytest.mark.cli_double

REPORT = answer("{{ results.delegate.reports[0].report }}")
HELPER = [call("get_ticket", ticket_id="t_1"), {"say": "of {{ last.customer_id }}"}]
SLOW_HELPER = [HELPER[0], {**HELPER[1], "delay_s": 1.5}]


@pytest.fixture
def case(stage: Stage) -> Stage:
    """A lead with a helper."""
    stage.worker("lead", delegates=["helper"])
    stage.worker("helper", "get_ticket")
    return stage


def starts(stage: Stage) -> int:
    """How often the CLI was started."""
    with closing(sqlite3.connect(stage.home / "engine.db")) as store:
        return store.execute("SELECT count(*) FROM workflow_status WHERE name = 'session'").fetchone()[0]


@pytest.mark.real_cli
async def test_a_lead_whose_worker_ends_soon_goes_on_in_the_same_session(case: Stage) -> None:
    played = await case.play({"lead": [delegate(("helper", "look")), REPORT], "helper": HELPER})
    assert played.run.output == {"answer": "of cust_1"}, played.run.error
    assert played.span("helper").parent_id == played.span("delegate").span_id
    assert starts(case) == 2


async def test_a_lead_delegates_twice_in_one_session(case: Stage) -> None:
    again = {**delegate(("helper", "look again")), "id": "again"}
    played = await case.play({"lead": [delegate(("helper", "look")), again, REPORT], "helper": HELPER})
    assert played.run.output == {"answer": "of cust_1"}, played.run.error
    assert starts(case) == 3


async def test_after_the_wait_a_lead_ends_in_front_of_its_call_and_its_worker_goes_on(case: Stage) -> None:
    case.fleet["limits"]["session_wait_s"] = 0.3
    played = await case.play({"lead": [delegate(("helper", "look")), REPORT], "helper": SLOW_HELPER})
    assert played.run.output == {"answer": "of cust_1"}, played.run.error
    assert [request.answer for request in played.requests if request.agent == "helper"] == ["turn 1", "turn 2"]
    assert starts(case) == 3


async def test_with_one_slot_a_lead_makes_room_for_its_worker(case: Stage) -> None:
    case.fleet["concurrency"] = 1
    played = await case.play({"lead": [delegate(("helper", "look")), REPORT], "helper": HELPER})
    assert played.run.output == {"answer": "of cust_1"}, played.run.error
    assert starts(case) == 3


async def test_a_worker_that_fails_is_reported_in_the_same_session(case: Stage) -> None:
    case.worker("helper", "get_ticket", attempts=1)
    failed = answer("{{ results.delegate.reports[0].error.code }}")
    played = await case.play({"lead": [delegate(("helper", "look")), failed], "helper": [{"misbehave": 500}]})
    assert played.run.output == {"answer": "model_error"}, played.run.error
    assert starts(case) == 2


class TestApprovals:
    """A clerk refunds at a billing server of the run's own; a person decides."""

    @pytest.fixture
    def clerk(self, stage: Stage) -> Stage:
        stage.worker("lead", delegates=["clerk"])
        return stage

    def hire(self, stage: Stage, person: Person, **limits: float) -> None:
        stage.fleet["servers"] = {"billing": {"command": person.command}}
        stage.worker("clerk", tools=[REFUND], limits=limits)

    async def test_a_call_that_is_approved_soon_is_made_in_the_same_session(self, clerk: Stage, tmp_path: Path) -> None:
        person = Person(tmp_path / "person")
        self.hire(clerk, person)
        turns = [refund(), {"say": "{{ last.status }}"}]
        played = await clerk.play({"lead": [delegate(("clerk", "pay")), REPORT], "clerk": turns}, ask=person)
        assert played.run.output == {"answer": "succeeded"}, played.run.error
        assert refunds_in(clerk.home / "billing.db") == [(CHARGE, 24500)]
        approval = played.span("issue_refund").attributes["approval"]
        assert isinstance(approval, dict)
        assert (approval["state"], bool(approval["asked_at"]), bool(approval["decided_at"])) == ("approved", True, True)
        assert starts(clerk) == 2

    async def test_a_refusal_is_heard_in_the_same_session(self, clerk: Stage, tmp_path: Path) -> None:
        person = Person(tmp_path / "person", "reject", "the invoice is disputed")
        self.hire(clerk, person)
        turns = [refund(), {"say": "{{ errors.refund }}"}]
        played = await clerk.play({"lead": [delegate(("clerk", "pay")), REPORT], "clerk": turns}, ask=person)
        assert played.run.output
        assert "the invoice is disputed" in str(played.run.output["answer"])
        assert played.span("issue_refund").status == "denied"
        assert refunds_in(clerk.home / "billing.db") == []
        assert starts(clerk) == 2

    @pytest.mark.real_cli
    async def test_two_calls_of_one_turn_are_asked_for_and_made_one_after_the_other(
        self, clerk: Stage, tmp_path: Path
    ) -> None:
        person = Person(tmp_path / "person")
        self.hire(clerk, person)
        both = {"calls": [{**refund(9000), "id": "first"}, {**refund(9100), "id": "second"}]}
        turns = [both, {"say": "{{ results.first.status }} {{ results.second.status }}"}]
        played = await clerk.play({"lead": [delegate(("clerk", "pay")), REPORT], "clerk": turns}, ask=person)
        assert played.run.output == {"answer": "succeeded succeeded"}, played.run.error
        assert [approval.confirmation_text for approval in person.asked] == ["90.00 USD", "91.00 USD"]
        assert sorted(refunds_in(clerk.home / "billing.db")) == [(CHARGE, 9000), (CHARGE, 9100)]
        assert starts(clerk) == 2

    async def test_the_time_that_a_person_takes_is_nobodys(self, clerk: Stage, tmp_path: Path) -> None:
        person = Person(tmp_path / "person")
        self.hire(clerk, person, wall_clock_s=8)
        clerk.playbook["limits"] = {"wall_clock_s": 9}

        async def ask(pending: DecisionRequest) -> None:
            await asyncio.sleep(9)
            await person(pending)

        turns = [refund(), {"say": "{{ last.status }}"}]
        played = await clerk.play({"lead": [delegate(("clerk", "pay")), REPORT], "clerk": turns}, ask=ask)
        assert played.run.output == {"answer": "succeeded"}, played.run.error
        assert starts(clerk) == 2

    async def test_who_is_being_asked_when_the_session_ends_is_not_asked_again(
        self, clerk: Stage, tmp_path: Path
    ) -> None:
        person, asked = Person(tmp_path / "person"), list[str]()
        self.hire(clerk, person)
        clerk.fleet["limits"]["session_wait_s"] = 0.5

        async def ask(pending: DecisionRequest) -> None:
            asked.append(pending.approval.confirmation_text)
            await asyncio.sleep(2)
            await person(pending)

        turns = [refund(), {"say": "{{ last.status }}"}]
        played = await clerk.play({"lead": [delegate(("clerk", "pay")), REPORT], "clerk": turns}, ask=ask)
        assert played.run.output == {"answer": "succeeded"}, played.run.error
        assert asked == ["245.00 USD"]
        assert refunds_in(clerk.home / "billing.db") == [(CHARGE, 24500)]


async def test_a_session_goes_on_with_new_mandates_before_its_own_expire(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_mandates, "MAX_LIFETIME_S", 8)
    stage.worker("lead", "get_ticket")
    look = call("get_ticket", ticket_id="t_1")
    played = await stage.play(
        {"lead": [look, {**look, "id": "again", "delay_s": 8.5}, answer("{{ last.customer_id }}")]}
    )
    assert played.run.output == {"answer": "cust_1"}, played.run.error
    assert [span.status for span in played.spans if span.name == "get_ticket"] == ["ok", "ok"]
    assert starts(stage) == 2
