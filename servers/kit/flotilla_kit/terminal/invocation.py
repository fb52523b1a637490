"""The command line of the server that runs here, as a person can paste it for one of its sub-commands.

A client starts a server by a path, from an environment or with `uvx`; no `flotilla-NAME` need be on anybody's PATH. All
of it is worked out when an error first asks for it: a start pays nothing.
"""

import importlib.metadata
import importlib.util
import os
import re
import shlex
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import platformdirs

from ..settings import ServerSettings, default_home

if TYPE_CHECKING:
    from ..errors import FlotillaError

_UV_CACHES = ("archive-v", "environments-v")  # folders of uv's cache that hold what `uvx` runs
_NO_SECRET = re.compile(r"\w+://([\w.-]+@)?[\w.-]*(:\d+)?(/[^?#@:]*)?")  # an address with no place for a password


@dataclass(frozen=True, repr=False)  # a flag may be a secret
class Invocation:
    """How a server's command was called: the package it belongs to, its settings, and which of them were flags."""

    package: str
    settings: ServerSettings
    flags: Mapping[str, Any]
    config: Path | None

    def command(self, *words: str) -> str:
        """The line, quoted for a shell, that runs `words` as the same installation on the same store."""
        return quoted_line(*self._program, *self._options, *words)

    def installing_postgres(self) -> str:
        """How this installation gets the driver for PostgreSQL: what the extra requires, and no package of ours."""
        extra = [line for line in importlib.metadata.requires("flotilla-kit") or () if "extra == 'postgres'" in line]
        wanted = [line.partition(";")[0].strip() for line in extra]
        if Path(sys.prefix).parent.name.startswith(_UV_CACHES):
            return f"give uvx {quoted_line(*(word for line in wanted for word in ('--with', line)))}"
        if importlib.util.find_spec("pip"):
            return quoted_line(sys.executable, "-m", "pip", "install", *wanted)
        return quoted_line("uv", "pip", "install", "--python", sys.executable, *wanted)

    @property
    def note(self) -> str:
        """What the line needs besides, because it must not be printed; empty if it stands for itself."""
        _, secret = self._database
        return " with this server's DATABASE_URL in the environment" if secret else ""

    @property
    def _program(self) -> tuple[str, ...]:
        script, own = self.package.replace("_", "-"), Path(sys.executable).parent
        found = shutil.which(script)
        # What an activated environment, or uvx, adds to PATH is not there in the next terminal.
        if found and Path(found).parent != own and _is_same(Path(found), own / Path(found).name):
            return (script,)
        # Also out of uv's cache: a second `uvx --from …` resolves anew, and would need the network and the first one's
        # flags for it. -P: a folder that agents write to must not lend the command its modules.
        return (sys.executable, "-P", "-m", self.package)

    @property
    def _options(self) -> tuple[str, ...]:
        settings, name = self.settings, f"{self.settings.server}.toml"
        options: list[str] = []
        if settings.home.absolute() != platformdirs.user_data_path("flotilla"):
            options += ["--home", str(settings.home.absolute())]
        read = self.config or Path(self.flags.get("home") or default_home()) / name
        if self.config or (read.is_file() and read.absolute() != (settings.home / name).absolute()):
            options += ["--config", str(read.absolute())]
        address, _ = self._database
        return (*options, *(("--database-url", address) if address else ()))

    @property
    def _database(self) -> tuple[str, bool]:
        """The database's address, if it has to be said; and whether it has to be, but is a secret."""
        url = self.settings.database_url
        if url is None or not ("database_url" in self.flags or os.environ.get("DATABASE_URL")):
            return "", False  # the default, or in the settings file
        address = url.get_secret_value()
        return (address, False) if _NO_SECRET.fullmatch(address) else ("", True)


_started: Invocation | None = None


def remember(invocation: Invocation) -> None:
    """Say how the server of this process was started; its command does, once."""
    global _started
    _started = invocation


def started() -> Invocation | None:
    """How the server of this process was started; nothing where a program made it itself."""
    return _started


def command_of(server: str, *words: str) -> str:
    """The line that runs a sub-command of the server that runs here; `flotilla-NAME …` if it has no command."""
    if _started is None or _started.settings.server != server:
        return quoted_line(f"flotilla-{server}", *words)
    return _started.command(*words)


def with_command(
    error: "FlotillaError", server: str, *, local: bool, asking: str = "Ask the user to "
) -> "FlotillaError":
    """The error as it is told, with the command it asks a person to run, if it does.

    Args:
        local: it goes to the owner at this host, who may know its paths; others get the plain name of the command.
        asking: in front of what to do; nothing where the person themselves reads it.
    """
    if error.command is not None:
        line = command_of(server, *error.command) if local else quoted_line(f"flotilla-{server}", *error.command)
        note = _started.note if local and _started else ""
        serves = not error.command or error.command[0].startswith("--")
        how = f"start the server as `{line}`" if serves else f"run `{line}` in a terminal"
        sentence = f"{asking}{how}{note}. {error.suggestion}".rstrip()
        error.suggestion = sentence[0].upper() + sentence[1:]
        if local:
            error.details = error.details | {"command": line}
    return error


def quoted_line(*words: str) -> str:
    """Words as one line for the shell of this system."""
    if sys.platform == "win32":
        import subprocess

        return subprocess.list2cmdline(words)
    return shlex.join(words)


def _is_same(one: Path, other: Path) -> bool:
    return other.exists() and one.samefile(other)
