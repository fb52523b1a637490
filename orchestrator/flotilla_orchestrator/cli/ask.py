"""`flotilla ask`: from free words to the playbooks they are for, shown with the reason, and run."""

import argparse
import os
import sys
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import replace

from flotilla_kit.terminal.output import asked, has_person, quoted, tell, visible
from pydantic import JsonValue

from ..config.config import Config
from ..durable.leases import lease
from ..durable.workflow_store import database_url
from ..errors import Failure
from ..journal.journal import ASK, Run
from ..provider import Provider
from ..routing.decision import Request, Route, Unclear
from ..routing.router import route
from ..run_request import new_run_id, parse_pairs
from .approver_token import TOKEN_VARIABLE
from .arguments import given_task, home_folder, open_journal, print_json

RunPlaybook = Callable[[str, str, Mapping[str, JsonValue]], Awaitable[dict[str, object]]]
"""Runs a playbook with a task and inputs, as `flotilla run` does, and returns its record."""


async def ask(
    arguments: argparse.Namespace, config: Config, model: AbstractAsyncContextManager[Provider], play: RunPlaybook
) -> int:
    """Returns the exit code: 1 when a run failed or the router could not be asked."""
    os.environ.pop(TOKEN_VARIABLE, None)  # it may approve, and this process must not
    request = Request(given_task(arguments), dict(parse_pairs(arguments.input)))
    person = has_person() and not arguments.json
    async with model as provider:
        try:
            route_found = await _find_route(arguments, config, provider, request)
        except Unclear as unclear:
            if not (person and (answer := asked(f"{visible(unclear.message)}\n> "))):
                raise
            route_found = await _find_route(arguments, config, provider, replace(request, answer=answer))
    if not arguments.json:
        sys.stdout.write(_plan_text(route_found))
        sys.stdout.flush()
    if len(route_found.choices) > 1 and not arguments.yes_route:
        _confirm(route_found, person)
    records: list[dict[str, object]] = []
    for choice in route_found.choices:
        records.append(await play(choice.playbook, choice.task, choice.inputs))
        if records[-1]["status"] != "ok":
            break
    not_run = len(route_found.choices) - len(records)
    if not_run and not arguments.json:
        tell(f"Stopped: {not_run} more of the plan did not run.")
    if arguments.json:
        print_json({"route": route_found.as_dict(), "runs": records, "not_run": not_run})
    return 0 if records[-1]["status"] == "ok" else 1


async def _find_route(arguments: argparse.Namespace, config: Config, provider: Provider, request: Request) -> Route:
    home = home_folder(arguments)
    run = Run(new_run_id(), ASK, provider.model, request.words, {**request.given})
    folder = home / "runs" / run.run_id
    async with await open_journal(arguments) as journal:
        with lease(home, database_url(home), run.run_id):
            return await route(config, request, run, provider=provider, journal=journal, folder=folder)


def _plan_text(route_found: Route) -> str:
    """The plan for a person: which playbooks, with which inputs, and why."""
    why = f"{visible(route_found.reason)} (confidence {route_found.confidence:g}, model: {route_found.model})"
    if len(route_found.choices) == 1:
        (choice,) = route_found.choices
        return f"{choice.playbook}{_inputs_text(choice.inputs)}: {why}\n\n"
    steps = [
        f"{at}. {choice.playbook}{_inputs_text(choice.inputs)}: {quoted(choice.task)}"
        for at, choice in enumerate(route_found.choices, 1)
    ]
    return "\n".join([f"Plan: {why}", *steps, "\n"])


def _inputs_text(inputs: Mapping[str, JsonValue]) -> str:
    return "".join(f" {visible(name)}={quoted(value)}" for name, value in inputs.items())


def _confirm(route_found: Route, person: bool) -> None:
    """Raises Failure `plan_not_confirmed` unless a person says yes."""
    if person and asked(f"Run these {len(route_found.choices)}, one after the other? [y/N] ").lower() in ("y", "yes"):
        return
    details: dict[str, JsonValue] = {"route": route_found.as_dict()}
    message = f"The plan has {len(route_found.choices)} runs and nobody confirmed it; nothing was run."
    raise Failure("plan_not_confirmed", message, "Confirm it at a terminal, or add --yes-route.", details=details)
