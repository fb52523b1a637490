"""`flotilla audit`: the audit files of a run's sessions, and whether they are whole."""

import argparse
import sys

from .arguments import home_folder, known_run, open_journal, print_answer


async def audit(arguments: argparse.Namespace) -> int:
    """Returns the exit code: 1 if a line was changed or is missing."""
    from ..sessions.session_audit import check_audits
    from .run_resources import run_folder

    async with await open_journal(arguments, read_only=True) as journal:
        run = await known_run(journal, arguments.run_id)
        spans = await journal.spans(run.run_id)
    checked = [*check_audits(run_folder(home_folder(arguments), run.run_id), spans)]
    lines = [f"{one.agent}: {one.lines} lines, {one.problem or 'whole'}  {one.path}" for one in checked]
    files = [{"agent": one.agent, "file": str(one.path), "lines": one.lines, "problem": one.problem} for one in checked]
    answer = {"run_id": run.run_id, "files": files}
    print_answer(arguments, answer, "\n".join(lines) or "No session has begun.", sys.stdout)
    return 1 if any(one.problem for one in checked) else 0
