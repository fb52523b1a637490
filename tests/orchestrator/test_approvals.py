"""A session stops in front of a call that a person has to approve, and goes on with exactly that call, once."""

import os
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pytest
from claude_agent_sdk import project_key_for_directory
from claude_agent_sdk.types import SessionKey
from flotilla_orchestrator.fleet.approvals import approvals_over_http
from flotilla_orchestrator.journal.journal import Journal
from flotilla_orchestrator.sessions.session import run_session, work_folder
from flotilla_orchestrator.sessions.transcript_store import TranscriptStore
from flotilla_orchestrator.sessions.types import Session, SessionResult
from flotilla_rehearsal.server import Rehearsal
from support.sessions import Heard, claude_processes, scripted, session
from support.teller import CHARGE, REFUND, Teller, refund, teller

pytestmark = pytest.mark.cli_double

OTHER = "ch_maya_feb_1"
SAID = {"say": "{{ last }}"}


@pytest.fixture(scope="module")
def open_teller(tmp_path_factory: pytest.TempPathFactory) -> Generator[Teller]:
    with teller(tmp_path_factory.mktemp("teller")) as running:
        yield running


@pytest.fixture
def bank(tmp_path: Path) -> Generator[Teller]:
    with teller(tmp_path / "bank") as running:
        yield running


def clerk(rehearsal: Rehearsal, folder: Path, bank: Teller, **changes: Any) -> Session:
    """A session whose only tool is issue_refund."""
    fields: dict[str, Any] = {
        "grants": {REFUND},
        "hidden": [],
        "servers": {"billing": bank.config(bank.mandate("issue_refund"))},
        "approvals": {REFUND: bank.asking()},
    }
    return session(rehearsal, folder, wall_clock_s=40, **{**fields, **changes})


async def resumed(
    stopped: Session, result: SessionResult, bank: Teller, decision: Literal["approve", "reject"], heard: Heard
) -> SessionResult:
    """The session's continuation, after the approver's decision."""
    assert result.pending_approval
    decided = await bank.deciding().decide(result.pending_approval.approval.approval_id, decision, "as the policy says")
    return await run_session(replace(stopped, resumed_call=replace(result.pending_approval, approval=decided)), heard)


@pytest.mark.real_cli
async def test_a_refund_above_the_limit_waits_with_no_process_left(tmp_path: Path, bank: Teller) -> None:
    async with scripted(refund(), SAID) as rehearsal:
        heard = Heard()
        result = await run_session(clerk(rehearsal, tmp_path, bank), heard)
    assert result.failure is None
    assert result.pending_approval
    assert (result.pending_approval.server, result.pending_approval.tool) == ("billing", REFUND)
    assert (result.pending_approval.approval.state, result.pending_approval.approval.confirmation_text) == (
        "pending",
        "245.00 USD",
    )
    assert (heard.waited, heard.ended) == ([REFUND], [])
    assert bank.refunds() == []
    assert claude_processes(os.getpid()) == []


@pytest.mark.real_cli
async def test_once_approved_it_executes_once_without_another_turn(tmp_path: Path, bank: Teller) -> None:
    async with scripted(refund(), {"say": "{{ last.status }}"}) as rehearsal:
        heard, waits = Heard(), clerk(rehearsal, tmp_path, bank)
        first = await run_session(waits, heard)
        second = await resumed(waits, first, bank, "approve", heard)
        assert [shown.answer for shown in rehearsal.requests] == ["turn 1", "turn 2"]
    assert (second.failure, second.pending_approval, second.text) == (None, None, "succeeded")
    assert bank.refunds() == [(CHARGE, 24500)]
    assert (heard.started, heard.ended) == ([REFUND], [(REFUND, "ok")])
    whole = first.merge(second)
    assert whole.turns == first.turns + second.turns == 2
    assert whole.input_tokens == first.input_tokens + second.input_tokens
    assert whole.duration_s > second.duration_s


@pytest.mark.real_cli
async def test_the_cost_of_a_session_that_went_on_counts_each_part_once(tmp_path: Path, bank: Teller) -> None:
    small = {**refund(4000), "id": "small"}  # below the limit: the same turns without a wait
    async with scripted(small, SAID) as rehearsal:
        straight = await run_session(clerk(rehearsal, tmp_path / "one", bank), Heard())
    async with scripted(refund(10000, OTHER), SAID) as rehearsal:
        heard, waits = Heard(), clerk(rehearsal, tmp_path / "two", bank)
        first = await run_session(waits, heard)
        whole = first.merge(await resumed(waits, first, bank, "approve", heard))
    assert straight.cost_usd and first.cost_usd and whole.cost_usd
    assert first.cost_usd < whole.cost_usd
    assert whole.cost_usd == pytest.approx(straight.cost_usd, rel=0.15)  # the texts differ by a few tokens


@pytest.mark.real_cli
async def test_once_rejected_the_worker_hears_why_and_nothing_is_paid(tmp_path: Path, bank: Teller) -> None:
    async with scripted(refund(), {"say": "{{ errors.refund }}"}) as rehearsal:
        heard, waits = Heard(), clerk(rehearsal, tmp_path, bank)
        result = await resumed(waits, await run_session(waits, heard), bank, "reject", heard)
    assert result.failure is None
    assert "approval_rejected" in result.text
    assert "as the policy says" in result.text
    assert heard.ended == [(REFUND, "denied")]
    assert bank.refunds() == []


@pytest.mark.real_cli
async def test_of_two_calls_in_one_turn_the_second_is_asked_to_come_again(tmp_path: Path, bank: Teller) -> None:
    both = [{**refund(10000), "id": "one"}, {**refund(10000, OTHER), "id": "two"}]
    turns = [{"calls": both}, {"call": REFUND, "id": "again", "arguments": both[1]["arguments"]}, {"say": "Done."}]
    async with scripted(*turns) as rehearsal:
        heard, waits = Heard(), clerk(rehearsal, tmp_path, bank)
        first = await run_session(waits, heard)
        assert heard.errors == ["one_at_a_time"]
        second = await resumed(waits, first, bank, "approve", heard)
        assert (second.failure, bank.refunds()) == (None, [(CHARGE, 10000)])
        third = await resumed(waits, second, bank, "approve", heard)
    assert (third.failure, third.text) == (None, "Done.")
    assert bank.refunds() == [(CHARGE, 10000), (OTHER, 10000)]
    assert [status for _, status in heard.ended] == ["denied", "ok", "ok"]


@pytest.mark.real_cli
async def test_it_goes_on_from_where_it_waits_whatever_place_the_cli_has_marked(tmp_path: Path, bank: Teller) -> None:
    """Now and then the CLI marks where it is in the transcript: here at the call that waited first."""
    async with (
        scripted(refund(10000), refund(10000, OTHER), {"say": "Done."}) as rehearsal,
        await Journal.open(tmp_path) as journal,
    ):
        store = TranscriptStore(journal.database)  # pyright: ignore[reportAbstractUsage]  # the method it lacks is optional
        heard, waits = Heard(), clerk(rehearsal, tmp_path, bank, store=store)
        first = await run_session(waits, heard)
        key: SessionKey = {
            "project_key": project_key_for_directory(work_folder(tmp_path)),
            "session_id": waits.session_id,
        }
        found: list[Any] = await store.load(key) or []
        (leaf,) = [line["uuid"] for line in found if line.get("attachment", {}).get("type") == "hook_deferred_tool"]
        second = await resumed(waits, first, bank, "approve", heard)
        assert bank.refunds() == [(CHARGE, 10000)]
        mark: Any = {"type": "last-prompt", "lastPrompt": "…", "leafUuid": leaf, "sessionId": waits.session_id}
        await store.append(key, [mark])
        third = await resumed(waits, second, bank, "approve", heard)
    assert (third.failure, third.text) == (None, "Done.")
    assert bank.refunds() == [(CHARGE, 10000), (OTHER, 10000)]


async def test_a_refund_below_the_limit_does_not_wait(tmp_path: Path, bank: Teller) -> None:
    async with scripted(refund(4000), {"say": "{{ last.status }}"}) as rehearsal:
        result = await run_session(clerk(rehearsal, tmp_path, bank), Heard())
    assert (result.text, bank.refunds()) == ("succeeded", [(CHARGE, 4000)])


async def test_what_the_server_refuses_anyway_is_told_in_its_own_words(tmp_path: Path, open_teller: Teller) -> None:
    turns = [refund(24501), {"say": "{{ errors.refund.code }} {{ errors.refund.message }}"}]
    async with scripted(*turns) as rehearsal:
        heard = Heard()
        result = await run_session(clerk(rehearsal, tmp_path, open_teller), heard)
    assert result.pending_approval is None
    assert result.text.startswith("refund_refused")
    assert heard.ended == [(REFUND, "failed")]


async def test_a_call_whose_server_cannot_be_asked_is_not_made(tmp_path: Path, open_teller: Teller) -> None:
    nobody = approvals_over_http("billing", "http://127.0.0.1:9/mcp", lambda: "token", local=True)  # the discard port
    async with scripted(refund(4000), {"say": "{{ errors.refund }}"}) as rehearsal:
        heard = Heard()
        result = await run_session(clerk(rehearsal, tmp_path, open_teller, approvals={REFUND: nobody}), heard)
    assert "server_unavailable" in result.text
    assert heard.ended == [(REFUND, "denied")]
    assert open_teller.refunds() == []


async def test_a_session_that_asks_nobody_is_stopped_by_the_server(tmp_path: Path, bank: Teller) -> None:
    """What an orchestrator without any hook would do: the server alone decides what runs."""
    turns = [refund(), refund(10000), {"say": "{{ errors.refund }}"}]
    async with scripted(*turns) as rehearsal:
        heard = Heard()
        result = await run_session(clerk(rehearsal, tmp_path, bank, approvals={}), heard)
    assert "approval_required" in result.text
    assert heard.ended == [(REFUND, "failed")] * 2
    assert bank.refunds() == []


async def test_what_was_approved_cannot_be_changed_afterwards(tmp_path: Path, bank: Teller) -> None:
    async with scripted(refund(10000), SAID) as rehearsal:
        result = await run_session(clerk(rehearsal, tmp_path / "one", bank), Heard())
    assert result.pending_approval
    await bank.deciding().decide(result.pending_approval.approval.approval_id, "approve")
    changed = [refund(24500), {"say": "{{ errors.refund.code }}"}]
    async with scripted(*changed) as rehearsal:
        hostile = await run_session(clerk(rehearsal, tmp_path / "two", bank, approvals={}), Heard())
    assert hostile.text == "approval_mismatch"
    assert bank.refunds() == []


@pytest.mark.real_cli
async def test_a_decision_whose_call_is_never_made_is_a_failure(tmp_path: Path, bank: Teller) -> None:
    async with scripted(refund(), SAID) as rehearsal:
        waits = clerk(rehearsal, tmp_path, bank)
        first = await run_session(waits, Heard())
        assert first.pending_approval
        heard = Heard()
        await heard.call_started("toolu_another", REFUND, {})
        other = replace(first, pending_approval=replace(first.pending_approval, tool_use_id="toolu_another"))
        result = await resumed(waits, other, bank, "approve", heard)
    assert result.failure
    assert result.failure.code == "approval_lost"


@pytest.mark.real_cli
async def test_a_session_that_goes_on_has_only_the_turns_it_has_left(tmp_path: Path, bank: Teller) -> None:
    async with scripted(refund(), refund(), refund(), SAID) as rehearsal:
        heard, waits = Heard(), clerk(rehearsal, tmp_path, bank, max_turns=3)
        first = await run_session(waits, heard)
        result = await resumed(replace(waits, max_turns=1), first, bank, "approve", heard)
    assert result.failure
    assert result.failure.code == "turns_exceeded"
    assert bank.refunds() == [(CHARGE, 24500)]
