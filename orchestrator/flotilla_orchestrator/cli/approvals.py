"""`flotilla approvals`: a person decides, with a token of their own, on any server of the fleet."""

import argparse
import sys

from ..config.config import Config
from ..config.files import load
from ..config.fleet import Server
from ..errors import Failure
from ..fleet.approval_servers import approvals_of
from ..fleet.approvals import Approval, Approvals, ServerUnavailable
from .approver_token import approver_token
from .arguments import config_folder, environ_of, home_folder, print_answer, print_json
from .decision_prompts import describe


async def approvals(arguments: argparse.Namespace) -> int:
    """list · show ID · approve ID · reject ID"""
    config = load(config_folder(arguments))
    servers = _servers(config, arguments)
    if arguments.action == "list":
        return await _list(arguments, config, servers)
    if not arguments.approval_id:
        raise Failure("no_approval", f"Say which: flotilla approvals {arguments.action} ID.", "`list` shows them.")
    server, approval = await _find_approval(arguments, config, servers)
    if arguments.action == "approve":
        _require_confirmation(arguments, server, approval)
    if arguments.action != "show":
        approvals_client = _approvals_of(arguments, config, server)
        approval = await approvals_client.decide(approval.approval_id, arguments.action, arguments.reason)
    _show(arguments, server, approval)
    return 0


def _servers(config: Config, arguments: argparse.Namespace) -> list[str]:
    if arguments.url and not arguments.server:
        raise Failure("no_server", "--url needs --server NAME: tokens are for one server.")
    if arguments.server and not arguments.url and arguments.server not in config.fleet.servers:
        known = ", ".join(sorted(config.fleet.servers))
        raise Failure("unknown_server", f"There is no server `{arguments.server}`; known: {known}.")
    return [arguments.server] if arguments.server else sorted(config.fleet.servers)


def _approvals_of(arguments: argparse.Namespace, config: Config, name: str) -> Approvals:
    """A client of the server's approval tools, with the person's token."""
    server = config.fleet.servers.get(name) or Server(url=arguments.url)
    token = approver_token(name, server.audience or name, arguments.key)
    environ = environ_of(home_folder(arguments))
    return approvals_of(name, server, token, config.folder, environ, url=arguments.url)


async def _list(arguments: argparse.Namespace, config: Config, servers: list[str]) -> int:
    from flotilla_kit.terminal.output import table, tell, visible

    found: list[tuple[str, Approval]] = []
    problems: list[Failure] = []
    for name in servers:
        try:
            found += [(name, approval) for approval in await _approvals_of(arguments, config, name).list()]
        except Failure as failure:
            problems.append(failure)
    if len(problems) == len(servers):
        raise problems[0]
    for failure in problems:
        tell(f"flotilla: {failure.message}")
    if arguments.json:
        print_json({"items": [{"server": name, **approval.model_dump()} for name, approval in found]})
    elif found:
        rows = [
            (a.approval_id, name, a.tool, a.confirmation_text, a.requester, a.run, a.expires_at) for name, a in found
        ]
        head = ["ID", "SERVER", "TOOL", "WHAT", "ASKED BY", "RUN", "GOOD UNTIL"]
        lines = table([head, *([visible(cell)[:40] for cell in row] for row in rows)])
        print_answer(arguments, {}, lines, stream=sys.stdout)
    else:
        tell("None is pending.")
    return 0


async def _find_approval(arguments: argparse.Namespace, config: Config, servers: list[str]) -> tuple[str, Approval]:
    """The approval, and the first of these servers that knows it."""
    problems: list[Failure] = []
    for name in servers:
        try:
            return name, await _approvals_of(arguments, config, name).get(arguments.approval_id)
        except Failure as failure:
            problems.append(failure)
    # The answer of a server that could be reached is worth more than why others could not.
    raise min(problems, key=lambda failure: isinstance(failure, ServerUnavailable))


def _require_confirmation(arguments: argparse.Namespace, server: str, approval: Approval) -> None:
    """Raises Failure `not_confirmed` unless the person typed back what they approve."""
    from flotilla_kit.terminal.output import asked, has_person, tell, visible

    expected = visible(approval.confirmation_text).strip()
    if arguments.confirm is None and has_person():
        tell(describe(server, approval))
        typed = asked(f"To approve this once, type {'the amount' if 'amount' in approval.facts else 'the tool'} back: ")
    else:
        typed = arguments.confirm or ""
    if typed.strip().casefold() != expected.casefold():
        message = f"{approval.approval_id} was not confirmed; nothing was changed."
        raise Failure("not_confirmed", message, f"Without a terminal, give --confirm with what it is: `{expected}`.")


def _show(arguments: argparse.Namespace, server: str, approval: Approval) -> None:
    answer = {"server": server, **approval.model_dump()}
    print_answer(arguments, answer, describe(server, approval), stream=sys.stdout)
