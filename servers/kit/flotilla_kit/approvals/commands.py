"""`flotilla-NAME approvals list|show|approve|reject`, on the store itself: who may read and write it may decide.

Deciding takes a person at a terminal, and nothing gets around that. From elsewhere an approver's token does it.
"""

import argparse
import asyncio
import json
import re
from collections.abc import Callable, Sequence
from typing import Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection

from .. import audit, effects
from ..audit import Record
from ..audit.redaction import redacted
from ..identity.principal import Principal
from ..settings import ServerSettings, SettingsError
from ..storage import KIT_MIGRATIONS, Database
from ..storage.addresses import store_url
from ..terminal.arguments import add_actions, add_json, whole_number
from ..terminal.invocation import command_of
from ..terminal.output import asked, has_person, local_user, quoted, say, table, tell, visible
from . import requests
from .approval import Approval, Decision, State
from .errors import ApprovalDecided

P = ParamSpec("P")
T = TypeVar("T")
_STATES = ("pending", "approved", "rejected", "consumed", "expired", "all")
_LONGEST_REASON = 500  # as in decide_approval


def describe(parser: argparse.ArgumentParser) -> None:
    """Its actions and their arguments."""
    add = add_actions(parser)
    listing = add("list", "requests for approval, newest first")
    listing.add_argument("--state", choices=_STATES, default="pending", help="default: pending")
    listing.add_argument("--limit", type=whole_number, default=100, metavar="N", help="how many at most (default: 100)")
    add_json(listing)
    showing = add("show", "one request: its arguments, the facts, and where it stands")
    showing.add_argument("approval_id", type=_approval_id, metavar="ID")
    add_json(showing)
    approve = add("approve", "approve exactly what was asked, once; at a terminal, by typing the amount or name back")
    approve.add_argument(
        "approval_id", type=_approval_id, metavar="ID", nargs="?", help="not needed if only one request is pending"
    )
    reject = add("reject", "reject a request, or withdraw an approval that is not used yet; at a terminal")
    reject.add_argument("approval_id", type=_approval_id, metavar="ID")
    reject.add_argument("--reason", default="", metavar="TEXT", help="told to whoever asked")


def run(settings: ServerSettings, arguments: argparse.Namespace) -> int:
    """Do what the command line says.

    Raises:
        SettingsError: it takes a terminal, a store that can be written to, or an id where several requests are pending.
        NotFound, ApprovalDecided: there is nothing to decide.
    """
    match arguments.action:
        case "list":
            return _list(settings, arguments.state, arguments.limit, as_json=arguments.json)
        case "show":
            approval = _read(settings, requests.get, settings.server, arguments.approval_id)
            say(json.dumps(approval.model_dump(), indent=2) if arguments.json else described(approval))
            return 0
        case "approve":
            return _approve(settings, arguments.approval_id)
        case _:
            return _reject(settings, arguments.approval_id, arguments.reason)


def described(approval: Approval) -> str:
    """For whoever decides; the facts, which the server vouches for, come last: nearest to the question."""
    asked_by = f"{quoted(approval.requester)}{f' in run {quoted(approval.run)}' if approval.run else ''}"
    lines = [
        f"{approval.approval_id}: {visible(approval.tool)}, {approval.state}",
        f"  asked by {asked_by} at {approval.created_at}, good until {approval.expires_at}",
    ]
    if approval.decided_at:
        said = f": {quoted(approval.reason)}" if approval.reason else ""
        lines.append(f"  decided by {quoted(approval.decided_by)} at {approval.decided_at}{said}")
    lines.append("Arguments, as the caller wrote them:")
    lines += [f"  {visible(name)}: {quoted(value)}" for name, value in approval.arguments.items()]
    lines.append("Facts, as the server knows them:")
    lines += [f"  {visible(name)}: {visible(value)}" for name, value in approval.facts.items()]
    return "\n".join(lines)


def _list(settings: ServerSettings, state: str, limit: int, *, as_json: bool) -> int:
    wanted: State | None = None if state == "all" else state  # pyright: ignore[reportAssignmentType]  # a choice
    numbered = _read(settings, requests.find, settings.server, wanted, limit + 1, None)
    found: list[Approval] = [approval for _, approval in numbered[:limit]]
    if as_json:
        say(json.dumps([approval.model_dump() for approval in found], indent=2))
    elif found:
        say(table([["ID", "STATE", "TOOL", "AMOUNT", "ASKED BY", "RUN", "CREATED", "GOOD UNTIL"], *map(_row, found)]))
    else:
        tell("There are none." if state == "all" else f"None is {state}.")
    if len(numbered) > limit:
        tell("There are older ones; see them with a higher --limit.")
    return 0


def _row(approval: Approval) -> Sequence[str]:
    amount = approval.facts.get("amount", "")
    cells = (approval.state, approval.tool, amount, approval.requester, approval.run)
    return [approval.approval_id, *(visible(cell)[:40] for cell in cells), approval.created_at, approval.expires_at]


def _approve(settings: ServerSettings, approval_id: str | None) -> int:
    _require_person(settings)
    if approval_id is None:
        approval = _only_pending(settings)
    else:
        approval = _read(settings, requests.get, settings.server, approval_id)
    if approval.state != "pending":
        raise ApprovalDecided(f"It is {approval.state} already; nothing was changed.")
    tell(described(approval))
    amount = visible(approval.facts.get("amount", "")).strip()
    expected, kind = (amount, "amount") if amount else (visible(approval.tool), "tool's name")
    if asked(f"To approve this once, type the {kind} back: ").casefold() != expected.casefold():
        tell(f"That is not the {kind}. Nothing was changed.")
        return 1
    done = _decide(settings, approval.approval_id, "approve", "")
    tell("The same call can now be made again, once.")
    return done


def _only_pending(settings: ServerSettings) -> Approval:
    """The one request that waits; its id is what the decision is about, whatever is asked for meanwhile."""
    found: list[Approval] = [one for _, one in _read(settings, requests.find, settings.server, "pending", 2, None)]
    if len(found) != 1:
        several = f"; say which: {command_of(settings.server, 'approvals', 'list')}" if found else ""
        raise SettingsError(f"{'several requests are' if found else 'no request is'} pending{several}")
    return found[0]


def _reject(settings: ServerSettings, approval_id: str, reason: str) -> int:
    _require_person(settings)
    if len(reason) > _LONGEST_REASON or not reason.isprintable():
        raise SettingsError(f"--reason is one line of at most {_LONGEST_REASON} characters")
    return _decide(settings, approval_id, "reject", reason)


def _require_person(settings: ServerSettings) -> None:
    if not has_person():
        raise SettingsError(
            "a person decides this at a terminal, and here is none; from elsewhere an approver decides with a token "
            f"({command_of(settings.server, 'approvers', '--help')})"
        )
    if settings.read_only:
        raise SettingsError("this server is read-only, so nothing can be decided here")


def _decide(settings: ServerSettings, approval_id: str, decision: Decision, reason: str) -> int:
    approver = Principal("approver", f"local:{local_user()}")
    arguments = {"approval_id": approval_id, "decision": decision, "reason": reason}
    record = Record(
        "decide_approval",
        approver.kind,
        approver.subject,
        arguments_digest=effects.digest(arguments),
        arguments=redacted(arguments, {"approval_id": True, "decision": True, "reason": False}, understood=True),
    )

    def decide(connection: Connection) -> Approval:
        decided = requests.decide(connection, settings.server, approval_id, approver, decision, reason)
        record.ended("ok")
        audit.append_in_effect(connection, record)
        return decided

    async def write() -> Approval:
        database = await _open(settings)
        try:
            return await database.write(decide)
        finally:
            await database.close()

    decided = asyncio.run(write())
    say(f"{decided.approval_id} is {decided.state} by {visible(approver.subject)}.")
    return 0


def _read(settings: ServerSettings, f: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Read in a moment: nothing is held while a person thinks."""

    async def read() -> T:
        database = await _open(settings, read_only=True)
        try:
            return await database.read(f, *args, **kwargs)
        finally:
            await database.close()

    return asyncio.run(read())


async def _open(settings: ServerSettings, *, read_only: bool = False) -> Database:
    """The store's database, without the store: this must not drive on what a server left unsettled."""
    return await Database.open(store_url(settings), [KIT_MIGRATIONS], read_only=read_only)


def _approval_id(text: str) -> str:
    if not re.fullmatch(r"apr_[0-9a-f]{20}", text):
        raise argparse.ArgumentTypeError("an approval's id is apr_ and 20 of 0-9 and a-f")
    return text
