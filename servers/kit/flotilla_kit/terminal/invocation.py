"""The command line of the server that runs here, as a person can paste it for one of its sub-commands.

A client starts a server by a path, from an environment or with `uvx`; no `flotilla-NAME` need be on anybody's PATH. All
of it is worked out when an error first asks for it: a start pays nothing.
"""

import importlib.metadata
import importlib.util
import json
import os
import re
import shlex
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

import platformdirs

from ..settings import ServerSettings, default_home

if TYPE_CHECKING:
    from ..errors import FlotillaError

_KIT = "flotilla-kit"
_POSTGRES = "postgres"
_UV_CACHES = ("archive-v", "environments-v")  # folders of uv's cache that hold what `uvx` runs
_NO_SECRET = re.compile(r"\w+://([\w.-]+@)?[\w.-]*(:\d+)?(/[^?#@:]*)?")  # an address with no place for a password


@dataclass(frozen=True)
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
        """The line that makes the driver for PostgreSQL available to this installation."""
        if source := self._uvx(_POSTGRES):
            return quoted_line(*source, *self._options)
        wanted = [line for line in importlib.metadata.requires(_KIT) or () if f"extra == '{_POSTGRES}'" in line]
        if importlib.util.find_spec("pip"):
            install = (sys.executable, "-m", "pip", "install")
        else:
            install = ("uv", "pip", "install", "--python", sys.executable)
        return quoted_line(*install, *(line.partition(";")[0].strip() for line in wanted))

    @property
    def note(self) -> str:
        """What the line needs besides, because it must not be printed; empty if it stands for itself."""
        _, secret = self._database
        return " with this server's DATABASE_URL in the environment" if secret else ""

    @property
    def _script(self) -> str:
        return self.package.replace("_", "-")

    @cached_property
    def _program(self) -> tuple[str, ...]:
        if source := self._uvx(_POSTGRES if importlib.util.find_spec("psycopg") else None):
            return source
        own = Path(sys.executable).parent
        found = shutil.which(self._script)
        # What an activated environment adds to PATH is not there in the next terminal.
        if found and Path(found).parent != own and _is_same(Path(found), own / Path(found).name):
            return (self._script,)
        # -P: a folder that agents write to must not lend the command its modules.
        return (sys.executable, "-P", "-m", self.package)

    def _uvx(self, extra: str | None) -> tuple[str, ...] | None:
        """`uvx --from …` as this was installed; nothing unless it runs from uv's cache and says where it is from."""
        if not Path(sys.prefix).parent.name.startswith(_UV_CACHES):
            return None
        source, kit = _source(self._script), _source(_KIT)
        if source is None:
            return None  # the name alone could be anybody's package
        beside = ("--with", kit) if kit and kit.endswith(".whl") else ()
        if extra:
            source = f"{self._script}[{extra}] @ {source if '://' in source else Path(source).as_uri()}"
        uvx = "uvx" if shutil.which("uvx") else str(Path(os.environ.get("UV", "uv")).with_name("uvx"))
        return (uvx, "--from", source, *beside, self._script)

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


def _source(distribution: str) -> str | None:
    """Where a distribution was installed from, as `uvx --from` takes it; nothing if from an index, or with a secret."""
    try:
        said = importlib.metadata.distribution(distribution).read_text("direct_url.json")
    except importlib.metadata.PackageNotFoundError:
        return None
    if said is None:
        return None
    origin = json.loads(said)
    address = urlsplit(str(origin["url"]))
    if address.password or (address.username and address.scheme != "ssh"):
        return None
    below = f"#subdirectory={origin['subdirectory']}" if origin.get("subdirectory") else ""
    if vcs := origin.get("vcs_info"):
        # The commit: the store's schema is this version's, and uv need not look for a newer one.
        return f"{vcs['vcs']}+{origin['url']}@{vcs['commit_id']}{below}"
    if address.scheme == "file" and not below:
        return url2pathname(address.path)
    return f"{origin['url']}{below}"


def _is_same(one: Path, other: Path) -> bool:
    return other.exists() and one.samefile(other)
