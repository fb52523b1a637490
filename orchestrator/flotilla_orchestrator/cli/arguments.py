"""Arguments that several commands read, and their output."""

import argparse
import json
import os
import secrets
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from ..config.config import Config
from ..config.playbooks import Playbook
from ..errors import Failure

if TYPE_CHECKING:
    from ..journal.journal import Journal, Run, Span

_LARGEST_TASK_FILE = 1024 * 1024


def config_folder(arguments: argparse.Namespace) -> Path:
    local = Path("configs")
    bundled = Path(__file__).parent.parent / "configs"
    return arguments.configs or (local if (local / "fleet.yaml").is_file() else bundled)


def environ_of(home: Path) -> dict[str, str]:
    """The environment, with the home that local servers keep their data in."""
    return {**os.environ, "FLOTILLA_HOME": str(home)}


def keys_folder(home: Path) -> Path:
    """The key ring that signs mandates for servers elsewhere."""
    return home / "keys"


def home_folder(arguments: argparse.Namespace) -> Path:
    from flotilla_kit.settings import default_home

    return (arguments.home or default_home()).absolute()


def shared_database() -> str | None:
    """The address of the PostgreSQL database with the runs; None: they are in files of the home."""
    return os.environ.get("DATABASE_URL") or None


async def open_journal(
    arguments: argparse.Namespace, listeners: "Sequence[Callable[[Span], None]]" = (), *, read_only: bool = False
) -> "Journal":
    """The one that the command works on (see `Journal.open`)."""
    from ..journal.journal import Journal

    return await Journal.open(home_folder(arguments), listeners, url=shared_database(), read_only=read_only)


async def known_run(journal: "Journal", run_id: str) -> "Run":
    """Raises Failure `unknown_run`."""
    if found := await journal.run(run_id):
        return found
    raise Failure("unknown_run", f"There is no run {run_id}.", "See --home.")


def new_check_id() -> str:
    """The `run` of mandates that no run presents."""
    return f"check_{secrets.token_hex(5)}"


def named_playbook(config: Config, name: str) -> Playbook:
    if name not in config.playbooks:
        from flotilla_rehearsal.suggestions import did_you_mean

        known = did_you_mean(name, config.playbooks)
        raise Failure("unknown_playbook", f"There is no playbook `{name}`{known}", f"See {config.folder}/playbooks.")
    return config.playbooks[name]


def given_task(arguments: argparse.Namespace) -> str:
    if (arguments.task is None) == (arguments.task_file is None):
        raise Failure("no_task", "Say what the case is: either as text, or with --task-file FILE.")
    if arguments.task is not None:
        return arguments.task
    try:
        if arguments.task_file.stat().st_size > _LARGEST_TASK_FILE:
            raise Failure("bad_task_file", f"{arguments.task_file} is larger than 1 MiB.")
        return arguments.task_file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Failure("bad_task_file", f"{arguments.task_file} cannot be read as UTF-8 text: {error}") from error


def print_answer(
    arguments: argparse.Namespace, answer: Mapping[str, object], text: str, stream: TextIO = sys.stderr
) -> None:
    if arguments.json:
        print_json(answer)
    else:
        stream.write(f"{text}\n")


def print_json(answer: Mapping[str, object]) -> None:
    print(json.dumps(answer, ensure_ascii=False, indent=2))  # noqa: T201  a command's answer
