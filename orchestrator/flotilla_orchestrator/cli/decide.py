"""`flotilla decide`: a person answers what a step of a playbook asks; whoever may write to this home may."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import Failure
from ..sessions.waiting import STEPS
from .arguments import home_folder, known_run, open_journal, say
from .asking import described

if TYPE_CHECKING:
    from ..records.journal import Journal
    from ..servers.approvals import Approval
    from ..sessions.waiting import Ask, Pending


async def decide(arguments: argparse.Namespace) -> int:
    """show · approve · reject"""
    from flotilla_kit.terminal.output import local_user

    from ..engine import answers
    from ..engine.kept import database_url

    async with await open_journal(arguments, read_only=arguments.action == "show") as journal:
        run = await known_run(journal, arguments.run_id)
        span = await answers.question_span(journal, run.run_id, arguments.step)
        if arguments.action == "approve":
            _confirmed(arguments, answers.approval_of(run, span))
        if arguments.action != "show":
            url = database_url(home_folder(arguments))
            await answers.decide(journal, url, span, arguments.action, local_user(), arguments.reason)
            span = await answers.question_span(journal, run.run_id, arguments.step)
    approval = answers.approval_of(run, span)
    say(arguments, approval.model_dump(), described(STEPS, approval), stream=sys.stdout)
    return 0


def rehearsed(ask: "Ask", journal: "Journal", home: Path) -> "Ask":
    """The approver of a rehearsal also says yes to what steps ask."""
    from ..engine import answers
    from ..engine.kept import database_url
    from .approver_process import NAME

    async def answer(pending: "Pending") -> None:
        if pending.server != STEPS:
            await ask(pending)
            return
        span = await answers.question_span(journal, pending.approval.run, pending.approval.tool)
        await answers.decide(journal, database_url(home), span, "approve", NAME, "rehearsal")

    return answer


def _confirmed(arguments: argparse.Namespace, approval: "Approval") -> None:
    """Raises Failure `not_confirmed` unless the person typed back what they approve."""
    from flotilla_kit.terminal.output import asked, has_person, tell

    typed = arguments.confirm or ""
    if arguments.confirm is None and approval.state == "pending" and has_person():
        tell(described(STEPS, approval))
        typed = asked("To approve this once, type the step back: ")
    if approval.state == "pending" and typed.strip().casefold() != approval.tool:
        message = f"{approval.approval_id} was not confirmed; nothing was changed."
        raise Failure("not_confirmed", message, f"Without a terminal, give --confirm {approval.tool}.")
