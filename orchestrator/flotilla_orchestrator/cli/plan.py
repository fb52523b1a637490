"""`flotilla run --plan`: what a run would do, said before anything is started."""

import argparse
import os
import shutil
from pathlib import Path

from .. import provider
from ..config.config import Config
from ..config.fleet import Server
from ..errors import Failure
from ..run_request import RunRequest, checked_request
from ..views.plan import Check, plan_of
from .arguments import environ_of, home_folder, print_json


def show_plan(arguments: argparse.Namespace, config: Config, request: RunRequest, script: Path) -> int:
    """Print it; no server is reached, and nothing recorded.

    Args:
        script: what a rehearsal plays.

    Raises:
        Failure: the run would refuse its inputs, or what they fill.
    """
    request, _ = checked_request(config, request)
    environ = environ_of(home_folder(arguments))
    checks = [_model(request, script)]
    for name in config.servers(config.playbooks[request.playbook]):
        checks.append(_server(config, name, config.fleet.servers[name], environ))
    plan = plan_of(config, request, checks)
    if arguments.json:
        print_json(plan.as_dict())
    else:
        from ..views.show_plan import plan_view
        from ..views.tables import console

        console().print(plan_view(plan))
    return 0


def _model(request: RunRequest, script: Path) -> Check:
    if request.model != "rehearsal":
        try:
            provider.live(os.environ)
        except Failure as failure:
            return Check("a credential for Claude", failure.message, failure.suggestion)
        return Check("a credential for Claude")
    from flotilla_rehearsal.script import ScriptError, load

    try:
        load(script)
    except (ScriptError, OSError) as error:
        return Check(f"the rehearsal {script}", f"it cannot be played: {error}")
    return Check(f"the rehearsal {script}")


def _server(config: Config, name: str, server: Server, environ: dict[str, str]) -> Check:
    """That it can be started, or what is needed to reach it; then every run asks it for the tools that files name."""
    from ..fleet.connection import header_values
    from ..fleet.processes import executable

    if server.command:
        program = server.command[0]
        found = shutil.which(executable(program)) or (config.folder / program).is_file()
        missing = None if found else f"there is no command `{program}`."
        return Check(f"{name} is started: {' '.join(server.command)}", missing, "" if found else "See fleet.yaml.")
    reached = f"{name} is reached at {server.url}"
    try:
        header_values(name, server, environ)
    except Failure as failure:
        return Check(reached, failure.message, failure.suggestion)
    return Check(reached)
