"""`flotilla serve`: the HTTP API, the console, and a worker of the queue; `flotilla tokens`: who may call it."""

import argparse
import json
import logging
import os
import sys
from contextlib import AsyncExitStack
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING

from ..config.files import load
from ..errors import Failure
from .approver_token import TOKEN_VARIABLE
from .arguments import config_folder, environ_of, home_folder, open_journal, print_answer, print_json
from .work import concurrency_of, credential_note, stop_signal, worked_until

if TYPE_CHECKING:
    from pathlib import Path

    from ..service.authentication import Authentication
    from ..service.tokens import Token
    from ..sessions.decisions import DecisionRequest

logger = logging.getLogger(__name__)


async def serve(arguments: argparse.Namespace) -> int:
    if arguments.openapi:
        from ..service.app import create_app

        print_json(create_app(None).openapi())
        return 0
    os.environ.pop(TOKEN_VARIABLE, None)  # it may approve, and this process must not
    config, home = load(config_folder(arguments)), home_folder(arguments)
    concurrency = concurrency_of(arguments, config)
    from flotilla_kit.http.addresses import is_loopback, listen, parse_address
    from flotilla_kit.settings import SettingsError
    from flotilla_kit.telemetry.logs import add_fields, configure

    try:
        host, port = parse_address(arguments.http)
    except SettingsError as error:
        raise Failure("invalid_arguments", f"{error}.") from error
    authentication = _authentication(arguments, home, loopback=is_loopback(host))
    configure("info")
    logging.getLogger("dbos").setLevel(logging.WARNING)
    from ..console.app import console_app, with_console
    from ..fleet.restarts import RESTART_S
    from ..runs.queue_worker import executor_id, queue_worked
    from ..runs.run_queue import run_queue
    from ..service.app import service_app
    from ..service.listener import serving
    from ..service.resources import ServiceResources
    from ..service.webhooks import webhook_secrets, webhooks_delivered
    from .run_resources import ProcessResources
    from .telemetry import log_fields, telemetry_opened

    webhooks = config.fleet.webhooks
    secrets = webhook_secrets(webhooks, os.environ)
    async with AsyncExitStack() as stack:
        telemetry = await stack.enter_async_context(telemetry_opened(arguments.metrics))
        add_fields(partial(log_fields, telemetry.traces is not None))
        stop = stack.enter_context(stop_signal())
        listener, url = listen(host, port)
        stack.callback(listener.close)
        journal = await stack.enter_async_context(await open_journal(arguments, telemetry.listeners))
        folder, traces = home / "workers" / executor_id(), telemetry.traces
        opened = ProcessResources(config, home, folder, notify=_log_pending, traces=traces, restart_s=RESTART_S)
        of_runs = await stack.enter_async_context(opened)
        opening = partial(of_runs.for_run, journal, None)
        working = queue_worked(home=home, journal=journal, opening=opening, concurrency=concurrency)
        worker = await stack.enter_async_context(working)
        queue = await stack.enter_async_context(run_queue(home, journal, arguments.backlog))
        if metrics_url := stack.enter_context(telemetry.metrics_served(config, journal)):
            logger.info("metrics", extra={"url": metrics_url})
        resources = ServiceResources(config, home, journal, queue, environ_of(home), of_runs.connection, traces=traces)
        service = service_app(resources, authentication, arguments.rate_limit, telemetry.observers)
        console = console_app(resources, authentication, arguments.rate_limit, telemetry.observers)
        app = with_console(service, console)
        await stack.enter_async_context(webhooks_delivered(journal, webhooks, secrets))
        await stack.enter_async_context(serving(app, listener))
        begun = {"url": url, "executor_id": worker.name, "concurrency": concurrency}
        text = (
            f"{url} serves; {worker.name} works on the queue: at most {concurrency} sessions at once, of all workers."
        )
        sys.stdout.write(f"{json.dumps(begun) if arguments.json else text + credential_note()}\n")
        sys.stdout.flush()
        try:
            await worked_until(stop, worker, idle=False)
        finally:
            resources.stopping.set()
    return 0


async def _log_pending(pending: "DecisionRequest") -> None:
    approval = pending.approval
    said = {"server": pending.server, "approval_id": approval.approval_id, "run": approval.run, "tool": approval.tool}
    logger.info("approval_pending", extra=said)


def _authentication(arguments: argparse.Namespace, home: "Path", *, loopback: bool) -> "Authentication":
    """Raises Failure `invalid_arguments`, or `no_authentication`: anybody who reaches the address could do anything."""
    from ..service.authentication import BearerTokens, NoAuthentication, issuer_of
    from ..service.tokens import Tokens

    named = [arguments.issuer_jwks, arguments.issuer, arguments.audience]
    if any(named) and not all(named):
        raise Failure("invalid_arguments", "--issuer-jwks, --issuer and --audience go together.", "Give all three.")
    if arguments.auth == "none":
        if any(named):
            raise Failure("invalid_arguments", "--auth none takes no issuer.", "Leave one of them out.")
        if not loopback:
            message = f"{arguments.http} can be reached from elsewhere, and nobody would be asked who they are."
            raise Failure("no_authentication", message, "Leave --auth out, or listen on 127.0.0.1.")
        return NoAuthentication()
    tokens = Tokens(home)
    if not tokens.all() and not any(named) and not loopback:
        message = f"{arguments.http} can be reached from elsewhere, and there is no token yet."
        suggestion = "Make one with `flotilla tokens add NAME --scope run --scope read`, or name an issuer."
        raise Failure("no_authentication", message, suggestion)
    return BearerTokens(tokens, issuer_of(*named) if all(named) else None)


async def tokens(arguments: argparse.Namespace) -> int:
    """add NAME · list · remove NAME"""
    from ..service.tokens import Tokens

    known = Tokens(home_folder(arguments))
    if arguments.action == "list":
        found = known.all()
        lines = [f"{one.name}  {' '.join(one.scopes)}  {one.expires_at or 'never expires'}" for one in found]
        answer = {"tokens": [_shown(token) for token in found]}
        print_answer(arguments, answer, "\n".join(lines) or "There are no tokens yet.", sys.stdout)
        return 0
    if not arguments.name:
        raise Failure("invalid_arguments", f"Say whose: flotilla tokens {arguments.action} NAME.")
    if arguments.action == "remove":
        known.remove(arguments.name)
        print_answer(arguments, {"removed": arguments.name}, f"{arguments.name} is taken no more.", sys.stdout)
        return 0
    token, secret = known.add(arguments.name, arguments.scope, arguments.expires_days)
    if not arguments.json:
        sys.stderr.write("Keep it: only its hash is kept here, and it is not shown again.\n")
    print_answer(arguments, {**_shown(token), "token": secret}, secret, sys.stdout)
    return 0


def _shown(token: "Token") -> dict[str, object]:
    return {name: value for name, value in asdict(token).items() if name != "sha256"}
