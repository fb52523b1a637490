"""`flotilla work`: a process that works on queued runs."""

import argparse
import asyncio
import os
import re
import signal
import sys
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import TYPE_CHECKING

from .. import provider
from ..config.config import Config
from ..config.files import load
from ..errors import Failure
from .approver_token import TOKEN_VARIABLE
from .arguments import config_folder, home_folder, open_journal, print_answer

if TYPE_CHECKING:
    from ..journal.journal import Span
    from ..runs.queue_worker import QueueWorker

CONCURRENCY_VARIABLE = "MAX_CONCURRENT_WORKFLOWS"
_POLL_S = 0.5


async def work(arguments: argparse.Namespace) -> int:
    from ..fleet.restarts import RESTART_S
    from ..runs.queue_worker import executor_id, queue_worked
    from ..runs.run_queue import run_queue
    from .run_resources import ProcessResources
    from .telemetry import telemetry_opened

    os.environ.pop(TOKEN_VARIABLE, None)  # it may approve, and this process must not
    config, home = load(config_folder(arguments)), home_folder(arguments)
    concurrency = concurrency_of(arguments, config)
    listeners = [] if arguments.json else [_print_run]
    folder = home / "workers" / executor_id()
    with stop_signal() as stop, ExitStack() as stack:
        async with (
            telemetry_opened(arguments.metrics) as telemetry,
            await open_journal(arguments, [*listeners, *telemetry.listeners]) as journal,
            ProcessResources(config, home, folder, traces=telemetry.traces, restart_s=RESTART_S) as resources,
            queue_worked(
                home=home, journal=journal, opening=partial(resources.for_run, journal, None), concurrency=concurrency
            ) as worker,
            run_queue(home, journal),
        ):
            metrics_url = stack.enter_context(telemetry.metrics_served(config, journal))
            if not arguments.json:
                greeting = f"{worker.name} is at work: at most {concurrency} sessions at once, of all workers together."
                _print(f"{greeting}{credential_note()}")
                if metrics_url:
                    _print(f"metrics: {metrics_url}")
            waiting = await worked_until(stop, worker, arguments.until_idle)
    stopped = stop.is_set()
    text = "stopped; its runs resume with the next `flotilla work`" if stopped else f"idle; {len(waiting)} runs wait"
    answer = {"executor_id": worker.name, "stopped": stopped, "waiting": waiting}
    print_answer(arguments, answer, f"{worker.name} {text}", sys.stdout)
    return 0


def concurrency_of(arguments: argparse.Namespace, config: Config) -> int:
    """How many sessions may live at once: by the flag, else the variable, else `fleet.yaml`.

    Raises:
        Failure: `invalid_arguments`.
    """
    given = os.environ.get(CONCURRENCY_VARIABLE, "")
    if arguments.concurrency or not given:
        return arguments.concurrency or config.fleet.concurrency
    if not re.fullmatch(r"[1-9][0-9]{0,3}", given):
        raise Failure("invalid_arguments", f"{CONCURRENCY_VARIABLE} is {given!r}.", "Take a whole number above 0.")
    return int(given)


async def worked_until(stop: asyncio.Event, worker: "QueueWorker", idle: bool) -> list[str]:
    """Work until stopped, or (`idle`) until nothing is left to do; returns the runs that then wait for a person."""
    tasks = [asyncio.ensure_future(end) for end in (stop.wait(), worker.recover_others())]
    before = None
    try:
        while not (done := (await asyncio.wait(tasks, timeout=_POLL_S, return_when=asyncio.FIRST_COMPLETED))[0]):
            waiting = await worker.waiting_if_idle() if idle else None
            if waiting is not None and waiting == before:  # twice: a run may be between two of its sessions
                return waiting
            before = waiting
        for end in done:
            end.result()
    finally:
        for end in tasks:
            end.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return []


@contextmanager
def stop_signal() -> Generator[asyncio.Event]:
    """Set by the first SIGINT or SIGTERM; a second one does what it always does."""
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    signals = (signal.SIGINT, signal.SIGTERM)

    def ask() -> None:
        stop.set()
        for number in signals:
            loop.remove_signal_handler(number)

    for number in signals:
        loop.add_signal_handler(number, ask)
    try:
        yield stop
    finally:
        for number in signals:
            loop.remove_signal_handler(number)


def _print_run(span: "Span") -> None:
    """A line when a run begins, and one when it has ended."""
    if span.kind == "run":
        took = f" after {span.seconds:.1f} s" if span.ended_at else ""
        _print(f"{span.run_id} {span.name}: {span.status}{took}")


def _print(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()  # whoever reads a log wants to see it now


def credential_note() -> str:
    try:
        provider.live(os.environ)
    except Failure as failure:
        return f"\n{failure.message} Only rehearsals can be worked on."
    return ""
