"""`flotilla decide`: a person answers what a step of a playbook asks; whoever may write to this home may."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import Failure
from ..sessions.decisions import STEP_QUESTIONS
from .arguments import home_folder, known_run, open_journal, print_answer
from .decision_prompts import describe

if TYPE_CHECKING:
    from ..fleet.approvals import Approval
    from ..journal.journal import Journal
    from ..sessions.decisions import DecisionRequest, Notify


async def decide(arguments: argparse.Namespace) -> int:
    """show · approve · reject"""
    from flotilla_kit.terminal.output import local_user

    from ..durable.workflow_store import database_url
    from ..runs import step_answers

    async with await open_journal(arguments, read_only=arguments.action == "show") as journal:
        run = await known_run(journal, arguments.run_id)
        span = await step_answers.question_span(journal, run.run_id, arguments.step)
        if arguments.action == "approve":
            _require_confirmation(arguments, step_answers.approval_of(run, span))
        if arguments.action != "show":
            url = database_url(home_folder(arguments))
            await step_answers.decide(journal, url, span, arguments.action, local_user(), arguments.reason)
            span = await step_answers.question_span(journal, run.run_id, arguments.step)
    approval = step_answers.approval_of(run, span)
    print_answer(arguments, approval.model_dump(), describe(STEP_QUESTIONS, approval), stream=sys.stdout)
    return 0


def with_step_approvals(ask: "Notify", journal: "Journal", home: Path) -> "Notify":
    """The approver of a rehearsal that also approves the questions of steps."""
    from ..durable.workflow_store import database_url
    from ..runs import step_answers
    from .approver_process import NAME

    async def approve(pending: "DecisionRequest") -> None:
        if pending.server != STEP_QUESTIONS:
            await ask(pending)
            return
        span = await step_answers.question_span(journal, pending.approval.run, pending.approval.tool)
        await step_answers.decide(journal, database_url(home), span, "approve", NAME, "rehearsal")

    return approve


def _require_confirmation(arguments: argparse.Namespace, approval: "Approval") -> None:
    """Raises Failure `not_confirmed` unless the person typed back what they approve."""
    from flotilla_kit.terminal.output import asked, has_person, tell

    typed = arguments.confirm or ""
    if arguments.confirm is None and approval.state == "pending" and has_person():
        tell(describe(STEP_QUESTIONS, approval))
        typed = asked("To approve this once, type the step back: ")
    if approval.state == "pending" and typed.strip().casefold() != approval.tool:
        message = f"{approval.approval_id} was not confirmed; nothing was changed."
        raise Failure("not_confirmed", message, f"Without a terminal, give --confirm {approval.tool}.")
