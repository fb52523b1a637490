"""A hundred calls wait for a person, are approved and go on, all at once: each is executed once, none is lost.

Every tenth is resumed by two processes at the same time, as after a crash of who looks after it.
"""

import asyncio
import os
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from flotilla_orchestrator.sessions.session import run_session
from flotilla_orchestrator.sessions.types import PendingApproval, Session
from support.proofs import FULL, draw
from support.sessions import Heard, claude_processes, scripted, session
from support.teller import CHARGE, REFUND, refund, teller

CALLS = 100 if FULL else 5
AT_ONCE = 6  # sessions on two cores: enough that start-ups, hooks and re-issued calls meet in every order


@dataclass(frozen=True)
class Call:
    amount_minor: int  # its own, so that the books tell which was paid
    session: Session
    waiting: PendingApproval


@pytest.mark.prove
@pytest.mark.cli_double
async def test_every_deferred_call_is_executed_once(tmp_path: Path) -> None:
    amounts = range(100, 100 + CALLS)
    turns = [refund("{{ task | regex('\\d+') | int }}"), {"say": "{{ last.status }}"}]
    slots = asyncio.Semaphore(AT_ONCE)
    with teller(tmp_path / "bank", "--calls-per-second", "1000") as bank:
        async with scripted(*turns) as rehearsal:

            async def stop(amount_minor: int) -> Call:
                run = f"run_{amount_minor}"
                mandate = bank.mandate("issue_refund", run=run, approval="required")
                stopped = session(
                    rehearsal,
                    tmp_path / run,
                    wall_clock_s=3600,  # from now on, so the time in the queue counts
                    prompt=f"Pay back {amount_minor}.",
                    grants={REFUND},
                    hidden=[],
                    servers={"billing": bank.config(mandate)},
                    approvals={REFUND: bank.asking(run, approval="required")},
                )
                async with slots:
                    result = await run_session(stopped, Heard())
                assert result.pending_approval, result
                return Call(amount_minor, stopped, result.pending_approval)

            async def go_on(call: Call, resumers: int) -> list[str]:
                async with slots:
                    decided = await bank.deciding().decide(call.waiting.approval.approval_id, "approve")
                    resumed = replace(call.session, resumed_call=replace(call.waiting, approval=decided))
                    results = await asyncio.gather(*[run_session(resumed, announced(call)) for _ in range(resumers)])
                return [result.failure.code if result.failure else result.text for result in results]

            calls = await asyncio.gather(*map(stop, amounts))
            assert claude_processes(os.getpid()) == []
            assert bank.refunds() == []
            draw("deferred calls").shuffle(calls)
            heard = await asyncio.gather(*[go_on(call, 1 if n % 10 else 2) for n, call in enumerate(calls)])
        paid = Counter(bank.refunds())
    assert paid == Counter({(CHARGE, amount): 1 for amount in amounts})
    assert {said for one in heard for said in one} == {"succeeded"}


def announced(call: Call) -> Heard:
    """An observer that has heard of the call before it had to wait."""
    heard = Heard()
    heard.announce(call.waiting.tool_use_id, call.waiting.tool)
    return heard
