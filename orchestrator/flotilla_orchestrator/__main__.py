"""The `flotilla` command."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path


def main(argv: Sequence[str] | None = None) -> int:
    """Returns the exit code: 0 well, 1 the run failed, 2 wrong use or config, or no credential, 130 interrupted."""
    arguments = _parser().parse_args(argv)
    from . import commands

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
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)

    demo = commands.add_parser("demo", parents=[common], help="play a playbook's example on the sample company")
    demo.add_argument("playbook", nargs="?", default="billing-dispute")
    demo.add_argument("--live", action="store_true", help="with Claude instead of the scripted model; costs money")

    run = commands.add_parser("run", parents=[common], help="run a playbook on your own case and data")
    run.add_argument("playbook")
    run.add_argument("task", nargs="?", help="what the case is, in your words")
    run.add_argument("--task-file", type=Path, metavar="FILE", help="read the task from a text file")
    run.add_argument("--input", action="append", default=[], metavar="NAME=VALUE", help="an input of the playbook")
    run.add_argument("--rehearse", action="store_true", help="with the scripted model in place of Claude")

    commands.add_parser("check", parents=[common], help="check config, servers, tools and credential")
    for name, purpose in (("show", "show a run's task and result"), ("trace", "show a run's agents and calls")):
        command = commands.add_parser(name, parents=[common], help=purpose)
        command.add_argument("run_id", nargs="?", default="last", metavar="RUN", help="default: the last one")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
