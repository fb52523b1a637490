"""The `flotilla` command."""

import argparse
import gc
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

_METRICS = "serve Prometheus's /metrics there, to whoever reaches it (default: nowhere)"


def main(argv: Sequence[str] | None = None) -> int:
    """Returns the exit code: 0 well, 1 the run failed, 2 wrong use or config, or no credential, 130 interrupted."""
    arguments = _parser().parse_args(argv)
    # A start makes hardly any garbage: with Python's threshold of 700 the collector took a fifth of its time.
    gc.set_threshold(50_000, 20, 20)
    from .cli import commands

    try:
        return commands.execute(arguments)
    except KeyboardInterrupt:
        sys.stderr.write("flotilla: interrupted\n")
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="flotilla", description="Runs playbooks: one isolated Claude session per agent, on MCP servers."
    )
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--json", action="store_true", help="answer with one JSON object on standard output")
    common.add_argument(
        "--configs",
        type=Path,
        metavar="DIR",
        help="config folder (default: ./configs, else the one that comes with it)",
    )
    common.add_argument("--home", type=Path, help="folder for local data (default: FLOTILLA_HOME, else the platform's)")
    scripted = argparse.ArgumentParser(add_help=False)
    scripted.add_argument(
        "--record", type=Path, metavar="FILE", help="record the models' answers as a rehearsal script"
    )
    scripted.add_argument("--script", type=Path, metavar="FILE", help="rehearse this script, such as a recording")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)

    demo = commands.add_parser(
        "demo", parents=[common, scripted], help="run a playbook's example on the sample company"
    )
    demo.add_argument("playbook", nargs="?", default="billing-dispute")
    demo.add_argument("--input", action="append", default=[], metavar="NAME=VALUE", help="in place of the example's")
    demo.add_argument("--later", action="store_true", help="then its follow-up case, on the data of the first")
    demo.add_argument("--live", action="store_true", help="with Claude instead of the scripted model; costs money")

    run = commands.add_parser("run", parents=[common, scripted], help="run a playbook on your own case and data")
    run.add_argument("playbook")
    run.add_argument("task", nargs="?", help="what the case is, in your words")
    run.add_argument("--task-file", type=Path, metavar="FILE", help="read the task from a text file")
    run.add_argument("--input", action="append", default=[], metavar="NAME=VALUE", help="an input of the playbook")
    run.add_argument("--rehearse", action="store_true", help="with the scripted model in place of Claude")
    run.add_argument("--yes", action="store_true", help="with --rehearse: a separate process approves everything")

    how = run.add_mutually_exclusive_group()
    how.add_argument("--queue", action="store_true", help="only put it into the queue that `flotilla work` works on")
    run.add_argument("--priority", choices=("high", "normal", "low"), help="with --queue: which runs begin first")
    how.add_argument("--plan", action="store_true", help="only say what would be done: nothing is called or recorded")

    work = commands.add_parser("work", parents=[common], help="work on queued runs, until stopped")
    work.add_argument("--until-idle", action="store_true", help="end when every run has ended or waits for a person")
    work.add_argument(
        "--concurrency", type=_positive, metavar="N", help="sessions at once, of all workers (default: fleet.yaml's)"
    )
    work.add_argument("--metrics", metavar="HOST:PORT", help=_METRICS)
    _add_service(commands.add_parser, common)
    resume = commands.add_parser("resume", parents=[common], help="resume a paused run, or one whose process has ended")
    resume.add_argument("run_id", nargs="?", default="last", metavar="RUN", help="default: the last one")
    follow = commands.add_parser("follow", parents=[common], help="give the lead of a run that has ended one more turn")
    follow.add_argument("run_id", metavar="RUN")
    follow.add_argument("task", nargs="?", metavar="TEXT", help="what you want now")
    follow.add_argument("--task-file", type=Path, metavar="FILE", help="read it from a text file")
    pause = commands.add_parser("pause", parents=[common], help="stop a run in front of its next calls")
    pause.add_argument("run_id", metavar="RUN")
    cancel = commands.add_parser("cancel", parents=[common], help="end a run; what was done before stays done")
    cancel.add_argument("run_id", metavar="RUN")
    tell = commands.add_parser("tell", parents=[common], help="send a message to the lead of a run that is at work")
    tell.add_argument("run_id", metavar="RUN")
    tell.add_argument("task", nargs="?", metavar="TEXT", help="what you want it to know")
    tell.add_argument("--task-file", type=Path, metavar="FILE", help="read it from a text file")
    ask = commands.add_parser(
        "ask", parents=[common], help="find the playbooks for a request in your words, and run them"
    )
    ask.add_argument("task", nargs="?", metavar="REQUEST", help="what you want, in your words")
    ask.add_argument("--task-file", type=Path, metavar="FILE", help="read the request from a text file")
    ask.add_argument("--input", action="append", default=[], metavar="NAME=VALUE", help="an input of the playbooks")
    ask.add_argument("--yes-route", action="store_true", help="run a plan of several playbooks without being asked")
    ask.add_argument("--rehearse", action="store_true", help="with the scripted model, also for finding the playbooks")
    ask.add_argument("--yes", action="store_true", help="with --rehearse: a separate process approves everything")

    commands.add_parser("check", parents=[common], help="check config, servers, tools and credential")
    approvals = commands.add_parser("approvals", parents=[common], help="decide, as an approver, what calls wait for")
    approvals.add_argument("action", nargs="?", choices=["list", "show", "approve", "reject"], default="list")
    approvals.add_argument("approval_id", nargs="?", metavar="ID")
    approvals.add_argument("--server", metavar="NAME", help="one of fleet.yaml (default: all of them)")
    approvals.add_argument("--url", help="where the server is, if not where fleet.yaml says")
    approvals.add_argument("--key", type=Path, metavar="FILE", help="your private key; else FLOTILLA_APPROVER_KEY")
    approvals.add_argument("--reason", default="", help="for whoever asked (with reject)")
    approvals.add_argument("--confirm", metavar="TEXT", help="the amount, or the tool's name, where no terminal asks")
    decide = commands.add_parser("decide", parents=[common], help="answer what a step of a run asks")
    decide.add_argument("run_id", metavar="RUN", help="`last`: the last one")
    decide.add_argument("step", metavar="STEP")
    decide.add_argument("action", nargs="?", choices=["show", "approve", "reject"], default="show")
    decide.add_argument("--reason", default="", help="recorded, and given to the steps that need it")
    decide.add_argument("--confirm", metavar="STEP", help="to approve where no terminal asks: the step once more")
    keys = commands.add_parser("keys", parents=[common], help="the keys that sign mandates for servers elsewhere")
    keys.add_argument("action", nargs="?", choices=["list", "rotate", "retire"], default="list")
    keys.add_argument("kid", nargs="?", metavar="KID", help="the key to retire")
    mandate = commands.add_parser("mandate", parents=[common], help="show what a worker can do, and what it costs")
    mandate.add_argument("worker")
    mandate.add_argument("--playbook", metavar="NAME", help="default: the only one that the worker is in")
    mandate.add_argument("--input", action="append", default=[], metavar="NAME=VALUE", help="an input of the playbook")
    runs = commands.add_parser("runs", parents=[common], help="list runs, newest first; with --prune remove old ones")
    states = ["queued", "running", "waiting", "paused", "ok", "failed", "interrupted", "cancelled"]
    runs.add_argument("--state", choices=states)
    runs.add_argument("--limit", type=_positive, default=20, metavar="N", help="the newest N (default: 20)")
    runs.add_argument("--prune", action="store_true", help="remove runs that ended long ago: rows, transcripts, logs")
    runs.add_argument(
        "--older-than", metavar="AGE", help="such as 12h, 30d, 2w (default: transcripts_days of fleet.yaml)"
    )
    runs.add_argument("--dry-run", action="store_true", help="with --prune: only say which")
    purposes = {
        "show": "show a run's task and result",
        "trace": "show a run's agents and calls",
        "audit": "the audit files of a run's sessions, and whether they are whole",
    }
    for name, purpose in purposes.items():
        command = commands.add_parser(name, parents=[common], help=purpose)
        command.add_argument("run_id", nargs="?", default="last", metavar="RUN", help="default: the last one")
        if name == "show":
            command.add_argument("--artifact", metavar="NAME", help="print one of the run's artifacts instead")
        if name == "trace":
            command.add_argument("--html", metavar="FILE", help="write one page that needs nothing else; `-`: print it")
    stats = commands.add_parser("stats", parents=[common], help="success, latency and cost by playbook, worker, tool")
    stats.add_argument("--days", type=_positive, metavar="N", help="runs started in the last N days (default: all)")
    stats.add_argument("--playbook", metavar="NAME", help="its runs only")
    return parser


def _add_service(add_parser: Callable[..., argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    serve = add_parser("serve", parents=[common], help="serve the HTTP API, and work on queued runs")
    serve.add_argument(
        "--http", default="127.0.0.1:8100", metavar="HOST:PORT", help="where to listen (default: 127.0.0.1:8100)"
    )
    serve.add_argument(
        "--concurrency",
        type=_positive,
        metavar="N",
        help="sessions at once, of all workers (default: MAX_CONCURRENT_WORKFLOWS, else fleet.yaml's)",
    )
    serve.add_argument(
        "--backlog", type=_positive, default=1000, metavar="N", help="runs that may wait (default: 1000)"
    )
    serve.add_argument(
        "--rate-limit", type=_positive, default=20, metavar="N", help="requests a second of each caller (default: 20)"
    )
    serve.add_argument(
        "--auth", choices=["tokens", "none"], default="tokens", help="none: everybody on this machine may do everything"
    )
    serve.add_argument(
        "--issuer-jwks", metavar="FILE_OR_URL", help="keys of an OIDC issuer whose tokens are taken, too"
    )
    serve.add_argument("--issuer", metavar="ISS", help="its `iss`")
    serve.add_argument("--audience", metavar="AUD", help="the `aud` by which its tokens are for this service")
    serve.add_argument("--metrics", metavar="HOST:PORT", help=_METRICS)
    serve.add_argument("--openapi", action="store_true", help="print the description of the API, and end")
    tokens = add_parser("tokens", parents=[common], help="the bearer tokens that `flotilla serve` takes")
    tokens.add_argument("action", nargs="?", choices=["add", "list", "remove"], default="list")
    tokens.add_argument("name", nargs="?", metavar="NAME", help="whose token it is")
    tokens.add_argument("--scope", action="append", default=[], choices=["run", "read", "approve"], help="what it may")
    tokens.add_argument("--expires-days", type=_positive, metavar="N", help="for how long (default: until removed)")


def _positive(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or not 1 <= int(text) <= 10_000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 to 10000")
    return int(text)


if __name__ == "__main__":
    raise SystemExit(main())
