"""What each sub-command of `flotilla` does."""

import argparse
import asyncio
import os
import sys
from typing import TYPE_CHECKING

from .. import provider
from ..config.config import Config, ConfigError
from ..config.files import load
from ..errors import Failure
from .arguments import config_folder, environ_of, home_folder, keys_folder, new_check_id, open_journal, print_answer

if TYPE_CHECKING:
    from ..fleet.circuit_breaker import Circuit


def execute(arguments: argparse.Namespace) -> int:
    """Run the command that was parsed; returns the exit code."""
    from . import approvals as commands_approvals
    from . import audit as commands_audit
    from . import decide as commands_decide
    from . import journal as commands_journal
    from . import keys as commands_keys
    from . import runs as commands_runs
    from . import serve as commands_serve
    from . import steering
    from . import work as commands_work

    command = {
        "demo": commands_runs.demo,
        "run": commands_runs.run,
        "ask": commands_runs.ask,
        "resume": commands_runs.resume,
        "follow": commands_runs.follow,
        "pause": steering.pause,
        "cancel": steering.cancel,
        "tell": steering.tell,
        "work": commands_work.work,
        "serve": commands_serve.serve,
        "tokens": commands_serve.tokens,
        "check": _check,
        "runs": commands_journal.runs,
        "show": commands_journal.show,
        "trace": commands_journal.trace,
        "stats": commands_journal.stats,
        "approvals": commands_approvals.approvals,
        "audit": commands_audit.audit,
        "decide": commands_decide.decide,
        "keys": commands_keys.keys,
        "mandate": commands_keys.mandate,
    }[arguments.command]
    try:
        return asyncio.run(command(arguments))
    except ConfigError as error:
        problems = [{"file": str(p.file), "line": p.line, "message": p.message} for p in error.problems]
        print_answer(arguments, {"error": {"code": "invalid_config", "problems": problems}}, str(error))
    except Failure as failure:
        text = f"flotilla: {failure.message}\n{failure.suggestion}".rstrip()
        print_answer(arguments, {"error": failure.as_dict()}, text)
    except OSError as error:
        print_answer(arguments, {"error": Failure("os_error", str(error)).as_dict()}, f"flotilla: {error}")
    except Exception as error:
        from flotilla_kit.errors import StoreUnavailable

        if not isinstance(error, StoreUnavailable):
            raise
        print_answer(
            arguments, {"error": error.as_dict()}, f"flotilla: the journal: {error.message} {error.suggestion}"
        )
    return 2


async def _check(arguments: argparse.Namespace) -> int:
    """Config, then servers and tools; a missing credential is reported, but is no error: a rehearsal needs none."""
    config = load(config_folder(arguments))
    from ..fleet.server_pool import running_fleet
    from ..mandates.claims import APPROVAL_TOOLS

    home = home_folder(arguments)
    names = sorted(config.fleet.servers)
    circuits = await _circuits(arguments, config)
    try:
        async with running_fleet(
            config, names, run_id=new_check_id(), logs=home / "check", keys=keys_folder(home), environ=environ_of(home)
        ) as fleet:
            fleet.require_tools(config.workers.values(), config.playbooks.values())
            tools = {name: sorted(set(server.tools) - set(APPROVAL_TOOLS)) for name, server in fleet.servers.items()}
            checking = {name: server.minter is not None for name, server in fleet.servers.items()}
    except Failure as failure:
        failure.message = "\n".join([failure.message, *map(str, circuits)])
        failure.details |= {"circuits": [circuit.as_dict() for circuit in circuits]}
        raise
    try:
        credential = bool(provider.live(os.environ))
    except Failure:
        credential = False
    notes = [str(note) for note in config.notes]
    lines = [
        *notes,
        f"{len(config.playbooks)} playbooks, {len(config.workers)} workers: well formed, every name resolves",
        *(f"{name}: {_server_summary(found, checking[name])}" for name, found in tools.items()),
        *map(str, circuits),
        "credential for Claude: set" if credential else "credential for Claude: not set (rehearsals need none)",
    ]
    answer = {"playbooks": sorted(config.playbooks), "workers": sorted(config.workers), "tools": tools, "notes": notes}
    answer |= {"mandates": checking, "credential": credential}
    answer |= {"circuits": [circuit.as_dict() for circuit in circuits]}
    print_answer(arguments, answer, "\n".join(lines), stream=sys.stdout)
    return 0


async def _circuits(arguments: argparse.Namespace, config: Config) -> "list[Circuit]":
    """The circuits of servers of this fleet that have failed since they last answered."""
    from ..fleet.circuit_breaker import CircuitBreaker

    async with await open_journal(arguments) as journal:
        found = await CircuitBreaker(journal.database, config.fleet.limits.breaker).circuits()
    return [circuit for circuit in found if circuit.server in config.fleet.servers]


def _server_summary(tools: list[str], mandates: bool) -> str:
    if mandates:
        return f"answers, checks mandates, has all {len(tools)} tools that the files name"
    return f"answers, {len(tools)} tools; it checks no mandates: only the session keeps workers from the others"
