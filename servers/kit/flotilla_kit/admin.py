"""Sub-commands of every server beside serving: who may approve, what waits for approval, and the audit.

Every start of a server reads this file, so whatever a sub-command needs is imported when it runs.
"""

import argparse
import gc
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .cli import ServerSpec
    from .settings import ServerSettings

STATES = ("pending", "approved", "rejected", "consumed", "expired", "all")
COMMANDS = ("approvers", "approvals", "audit")

Add = Callable[..., argparse.ArgumentParser]


def add_commands(add: Add) -> None:
    """Describe the sub-commands; `add` is the `add_parser` of where they belong."""
    _approvers(_actions(add, "approvers", "who may approve, each with a key of their own"))
    _approvals(_actions(add, "approvals", "what waits for approval, and deciding it at a terminal"))
    _audit(_actions(add, "audit", "check and export the record of every call"))


def run(spec: "ServerSpec", settings: "ServerSettings", arguments: argparse.Namespace) -> int:
    """Do what the command line says.

    Returns:
        The exit code: 0 well, 1 refused or not sound, 2 wrong use.

    Raises:
        FlotillaError, KeyRingError, OSError: it cannot be done; the message is for the person.
    """
    gc.enable()
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a caller's own stream need not
            stream.reconfigure(errors="backslashreplace")  # pyright: ignore  # as asked
    try:
        match arguments.command:
            case "approvers":
                from .admin_approvers import run_approvers

                return run_approvers(settings, arguments)
            case "approvals":
                from .admin_approvals import run_approvals

                return run_approvals(settings, arguments)
            case _:
                from .admin_audit import run_audit

                return run_audit(spec, settings, arguments)
    except BrokenPipeError:  # whoever read the answer has seen enough, such as `head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _actions(add: Add, command: str, description: str) -> Add:
    parser = add(command, allow_abbrev=False, help=description, description=description)
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)

    def add_action(name: str, description: str) -> argparse.ArgumentParser:
        return actions.add_parser(name, allow_abbrev=False, help=description, description=description)

    return add_action


def _approvers(add: Add) -> None:
    add("add", "make a key for a person and let them approve").add_argument("name", metavar="NAME")
    _json(add("list", "everyone who may approve"))
    add("remove", "let a person approve no more, and delete their key").add_argument("name", metavar="NAME")
    token = add("token", "print a short-lived token to approve with")
    whose = token.add_mutually_exclusive_group(required=True)
    whose.add_argument("name", metavar="NAME", nargs="?", help="an approver whose key is on this machine")
    whose.add_argument("--key", type=Path, metavar="FILE", help="the approver's key file")
    token.add_argument("--minutes", type=float, default=10, help="how long it is valid, at most 59 (default: 10)")


def _approvals(add: Add) -> None:
    listing = add("list", "requests for approval, newest first")
    listing.add_argument("--state", choices=STATES, default="pending", help="default: pending")
    listing.add_argument("--limit", type=_count, default=100, metavar="N", help="how many at most (default: 100)")
    _json(listing)
    showing = add("show", "one request: its arguments, the facts, and where it stands")
    showing.add_argument("approval_id", type=_approval_id, metavar="ID")
    _json(showing)
    approve = add("approve", "approve exactly what was asked, once; at a terminal, by typing the amount or name back")
    approve.add_argument("approval_id", type=_approval_id, metavar="ID")
    reject = add("reject", "reject a request, or withdraw an approval that is not used yet; at a terminal")
    reject.add_argument("approval_id", type=_approval_id, metavar="ID")
    reject.add_argument("--reason", default="", metavar="TEXT", help="told to whoever asked")


def _audit(add: Add) -> None:
    verifying = add("verify", "check the whole chain for any changed, missing or moved record")
    verifying.add_argument("--anchor", type=Path, metavar="FILE", help="heads noted outside (default: --audit-anchor)")
    _json(verifying)
    exporting = add("export", "print every record as a line of JSON")
    exporting.add_argument("--after", type=_count, default=0, metavar="SEQ", help="only the records after this one")
    add("head", "print the last record's number and hash, to note it outside")


def _json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="answer as JSON")


def _approval_id(text: str) -> str:
    if not re.fullmatch(r"apr_[0-9a-f]{20}", text):
        raise argparse.ArgumentTypeError("an approval's id is apr_ and 20 of 0-9 and a-f")
    return text


def _count(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or len(text) > 15:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0")
    return int(text)
