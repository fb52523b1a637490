"""`flotilla-NAME approvers add|list|remove|token`: who may approve, each with a key of their own."""

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from ..settings import ServerSettings
from ..terminal.arguments import add_actions, add_json
from ..terminal.invocation import command_of
from ..terminal.output import say, table, tell
from .approvers import Approvers, mint, read_key


def describe(parser: argparse.ArgumentParser) -> None:
    """Its actions and their arguments."""
    add = add_actions(parser)
    add("add", "make a key for a person and let them approve").add_argument("name", metavar="NAME")
    add_json(add("list", "everyone who may approve"))
    add("remove", "let a person approve no more, and delete their key").add_argument("name", metavar="NAME")
    token = add("token", "print a short-lived token to approve with")
    whose = token.add_mutually_exclusive_group(required=True)
    whose.add_argument("name", metavar="NAME", nargs="?", help="an approver whose key is on this machine")
    whose.add_argument("--key", type=Path, metavar="FILE", help="the approver's key file")
    token.add_argument("--minutes", type=float, default=10, help="how long it is valid, at most 59 (default: 10)")


def run(settings: ServerSettings, arguments: argparse.Namespace) -> int:
    """Do what the command line says.

    Raises:
        ApproverError: it cannot be done.
    """
    approvers = Approvers(settings)
    match arguments.action:
        case "add":
            _add(settings, approvers, arguments.name)
        case "remove":
            approvers.remove(arguments.name)
            say(f"{arguments.name} may not approve any more, and the key is deleted.")
        case "list":
            _list(approvers, as_json=arguments.json)
        case _:
            key = read_key(arguments.key) if arguments.key else approvers.key(arguments.name)
            audience = settings.audience or settings.server
            say(mint(key, issuer=settings.approvers_issuer, audience=audience, minutes=arguments.minutes))
    return 0


def _add(settings: ServerSettings, approvers: Approvers, name: str) -> None:
    path = approvers.add(name)
    say(
        f"{name} may approve for {settings.server}. The private key is {path}:\n"
        "move it to where they work; who can read it can approve, so keep it from agents and whatever runs them.\n"
        f"A token to approve with, from any MCP client:  {command_of(settings.server, 'approvers', 'token')} --key FILE"
    )
    if settings.approver_keys not in (None, str(settings.approvers_file)):
        tell(f"This server reads approvers' keys from {settings.approver_keys}, not from {settings.approvers_file}.")


def _list(approvers: Approvers, *, as_json: bool) -> None:
    found = approvers.list()
    if as_json:
        say(json.dumps([{"kid": one.name, **asdict(one)} for one in found], indent=2))
    elif found:
        names = ["NAME", "KID", "CREATED", "PUBLISHED", "PRIVATE KEY HERE"]
        said = {True: "yes", False: "no"}
        rows = [[o.name, o.name, o.created_at, said[o.published], said[o.private_key_here]] for o in found]
        say(table([names, *rows]))
    else:
        tell("Nobody is an approver. Add one with: approvers add NAME")
