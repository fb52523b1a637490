"""`flotilla-NAME approvers add|list|remove|token`."""

import argparse
import json
from dataclasses import asdict

from .approvers import Approvers, mint, read_key
from .settings import ServerSettings
from .terminal import say, table, tell


def run_approvers(settings: ServerSettings, arguments: argparse.Namespace) -> int:
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
        f"A token to approve with, from any MCP client:  flotilla-{settings.server} approvers token --key FILE"
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
