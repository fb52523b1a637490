"""`flotilla keys`: the keys that sign mandates. `flotilla mandate`: what a worker may do, as its servers list it."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from flotilla_rehearsal.suggestions import did_you_mean

from ..config.config import Config
from ..config.files import load
from ..config.playbooks import Playbook
from ..config.workers import Worker
from ..errors import Failure
from .arguments import (
    config_folder,
    environ_of,
    home_folder,
    keys_folder,
    named_playbook,
    new_check_id,
    print_answer,
    print_json,
)

if TYPE_CHECKING:
    from flotilla_kit.identity.keys import KeyRing

    from ..views.show_mandate import MandateView


async def keys(arguments: argparse.Namespace) -> int:
    """List, add or retire keys; servers notice a change of `public.json` without a restart."""
    from flotilla_kit.identity.keys import KeyRing, KeyRingError, UnknownKey

    ring = KeyRing(keys_folder(home_folder(arguments)))
    if (arguments.action == "retire") != (arguments.kid is not None):
        raise Failure("invalid_arguments", "`flotilla keys retire KID` names one key; list and rotate take none.")
    try:
        changes = _change(ring, arguments.action, arguments.kid)
        listed = ring.list()
    except UnknownKey as error:
        raise Failure("unknown_key", f"{error}.", "See `flotilla keys`.") from error
    except KeyRingError as error:
        raise Failure("bad_keys", f"{error}.", "Nothing was changed.") from error
    lines = [
        *changes,
        *(f"{key.kid}  created {key.created_at}{'  current: signs' if key.current else ''}" for key in listed),
        f"public keys, for --mandate-keys of servers elsewhere: {ring.public_file}"
        if listed
        else "There is no key yet; `flotilla keys rotate` makes the first.",
    ]
    answer = {"keys": [key._asdict() for key in listed], "public_file": str(ring.public_file)}
    print_answer(arguments, answer, "\n".join(lines), stream=sys.stdout)
    return 0


def _change(ring: "KeyRing", action: str, kid: str | None) -> list[str]:
    match action, kid:
        case "rotate", _:
            return [f"{ring.rotate().kid} signs from now on; older keys can be retired in an hour."]
        case "retire", str():
            ring.retire(kid)
            return [f"{kid} is retired: what it signed is refused from now on."]
        case _:
            return []


async def mandate(arguments: argparse.Namespace) -> int:
    """What the worker's servers list for the very mandates that a session would get."""
    config = load(config_folder(arguments))
    if arguments.worker not in config.workers:
        closest = did_you_mean(arguments.worker, config.workers)
        raise Failure(
            "unknown_worker", f"There is no worker `{arguments.worker}`{closest}", f"See {config.folder}/workers."
        )
    worker = config.workers[arguments.worker]
    playbook = _playbook(config, worker, arguments.playbook)
    shown = await _mandate_view(config, worker, playbook, arguments.input, home_folder(arguments))
    if arguments.json:
        print_json(shown.as_dict())
    else:
        from rich.console import Console

        console = Console()
        console.print(shown.view(), soft_wrap=not console.is_terminal)
    return 0


async def _mandate_view(
    config: Config, worker: Worker, playbook: Playbook | None, given: list[str], home: Path
) -> "MandateView":
    from ..fleet.lookups import look_up
    from ..fleet.run_mandates import RunMandates
    from ..fleet.server_pool import running_fleet
    from ..mandates.claims import RunFacts
    from ..run_request import check_input_values, parse_inputs
    from ..views.show_mandate import show

    inputs = parse_inputs(given, playbook.inputs if playbook else {})
    if playbook:
        check_input_values(playbook, inputs)
    lookups = [lookup.server for lookup in playbook.lookups.values() if lookup.server] if playbook else []
    servers = sorted({*worker.servers, *lookups})
    async with running_fleet(
        config, servers, run_id=new_check_id(), logs=home / "check", keys=keys_folder(home), environ=environ_of(home)
    ) as fleet:
        fleet.require_tools([worker])
        facts = await look_up(playbook, fleet, inputs) if playbook else RunFacts(inputs)
        mandates = RunMandates(config, fleet, facts, playbook, [worker])
        return await show(config, worker, playbook, fleet, mandates)


def _playbook(config: Config, worker: Worker, name: str | None) -> Playbook | None:
    """The playbook whose scope applies: the one named, else the only one whose team the worker is in."""
    if name is not None:
        playbook = named_playbook(config, name)
        if worker not in config.team(playbook):
            raise Failure("invalid_arguments", f"{worker.name} is not in the team of {name}.")
        return playbook
    found = [playbook for playbook in config.playbooks.values() if worker in config.team(playbook)]
    if len(found) > 1:
        names = ", ".join(playbook.name for playbook in found)
        raise Failure("invalid_arguments", f"{worker.name} is in several playbooks.", f"Give --playbook: {names}.")
    return found[0] if found else None
