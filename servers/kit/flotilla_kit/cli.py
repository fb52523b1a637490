"""The command of every server: `flotilla-NAME [flags]` serves, and sub-commands manage its store."""

import argparse
import asyncio
import gc
import importlib
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from .terminal.arguments import LateParser

if TYPE_CHECKING:
    from fastmcp import FastMCP

    from .exports import Exporter
    from .imports import Importer
    from .settings import ServerSettings
    from .storage import Store


_COMMANDS = {  # each in the room of that name, as `commands.py`
    "approvers": ("identity", "who may approve, each with a key of their own"),
    "approvals": ("approvals", "what waits for approval, and deciding it at a terminal"),
    "audit": ("audit", "check and export the record of every call"),
    "import": ("imports", "import a file into the store"),
    "export": ("exports", "write what the store holds into a new file or folder"),
}
_NO_FLAG = ("mandate",)  # a secret: on a command line every local user could read it


@dataclass(frozen=True)
class ServerSpec:
    """What the command needs to know of a server. `server.py` of each server holds one as `SPEC`."""

    create_store: "Callable[[Any], Store] | None"
    """None: it keeps nothing of its own."""
    create_server: "Callable[[Any, Any], FastMCP]"
    """Takes settings and the store, which a server that keeps nothing hands on to `build_server` too."""
    importers: "Sequence[Importer[Any, Any]] | Callable[[], Sequence[Importer[Any, Any]]]" = ()
    """One for each kind of file that `import` takes; a function that imports them is called for that command alone."""
    exporters: "Sequence[Exporter] | Callable[[], Sequence[Exporter]]" = ()
    """One for each kind of file that `export` writes; likewise."""
    import_options: Mapping[str, str] = field(default_factory=dict[str, str])
    """Flags of `import` and `export` that only this server has, such as `account`, with what each means."""

    def store(self, settings: "ServerSettings") -> "Store":
        """The server's store, not open yet."""
        from .storage import KitStore

        return (self.create_store or KitStore)(settings)


def main(package: str, argv: Sequence[str] | None = None, own: "Mapping[str, tuple[str, str]] | None" = None) -> int:
    """Run the command of a server: of a package with `settings.Settings` and `server.SPEC`, or a module with both.

    Args:
        own: sub-commands that only this server has and that need no settings: of each, the room of the package whose
            `command.py` describes and runs it (`describe(parser)`, `run(arguments) -> exit code`), and what it does.

    Returns:
        The exit code: 0 well, 1 failed, 2 wrong use or settings.
    """
    # FastMCP reads these when it is imported; a `.env` of the folder we happen to start in is none of its business.
    os.environ["FASTMCP_ENV_FILE"] = os.devnull
    os.environ["FASTMCP_LOG_ENABLED"] = "false"
    os.environ["FASTMCP_CHECK_FOR_UPDATES"] = "off"
    # The guard makes the spans of calls, and knows their outcomes; FastMCP's cost a sixth of a read, collected or not.
    # With "off" it still collects their attributes, for 3 %.
    os.environ.setdefault("FASTMCP_TELEMETRY_MODE", "propagation_only")
    # Starting makes hardly any garbage, and scanning for it is a tenth of the start. A server that is up enables it.
    gc.disable()
    settings_class = cast("type[ServerSettings]", _part(package, "settings").Settings)
    added = {command: (f"{package}.{room}.command", about) for command, (room, about) in (own or {}).items()}
    arguments = _parser(settings_class, lambda: _part(package, "server").SPEC, added).parse_args(argv)
    name = settings_class.server
    if arguments.command in added:
        return _run_own(added[arguments.command][0], name, arguments)
    spec = cast(ServerSpec, _part(package, "server").SPEC)
    from .errors import FlotillaError
    from .identity.keys import KeyRingError
    from .settings import SettingsError
    from .terminal.invocation import with_command

    try:
        return _run(spec, settings_class, arguments)
    except SettingsError as error:
        print(f"flotilla-{name}: {error}", file=sys.stderr)  # noqa: T201  for the person who starts it
        return 2
    except (FlotillaError, KeyRingError, OSError) as error:
        if isinstance(error, FlotillaError):
            with_command(error, name, local=True, asking="")
        said = f"{error.message} {error.suggestion}" if isinstance(error, FlotillaError) else error
        print(f"flotilla-{name}: {said}", file=sys.stderr)  # noqa: T201  for the person who starts it
        return 1


def _run_own(module: str, name: str, arguments: argparse.Namespace) -> int:
    gc.enable()
    try:
        return importlib.import_module(module).run(arguments)
    except OSError as error:
        print(f"flotilla-{name}: {error}", file=sys.stderr)  # noqa: T201  for the person who starts it
        return 1


def _part(package: str, name: str) -> Any:
    """A module of a server's package, or the server itself if it is one file."""
    server = importlib.import_module(package)
    return importlib.import_module(f"{package}.{name}") if hasattr(server, "__path__") else server


def _parser(
    settings_class: "type[ServerSettings]",
    spec: Callable[[], ServerSpec],
    added: Mapping[str, tuple[str, str]],
) -> argparse.ArgumentParser:
    name = settings_class.server
    parser = argparse.ArgumentParser(
        prog=f"flotilla-{name}",
        allow_abbrev=False,
        description=f"The {name} MCP server. With no sub-command it serves over stdio, or HTTP with --http.",
    )
    parser.add_argument("--version", action="version", version=_version())
    parser.add_argument("--http", metavar="HOST:PORT", help="serve streamable HTTP at /mcp; port 0 takes a free one")
    parser.add_argument("--auth", choices=["none"], help="none: let every local user call (loopback addresses only)")
    parser.add_argument("--exit-with-stdin", action="store_true", help="stop when standard input ends (with --http)")
    parser.add_argument("--config", type=Path, metavar="FILE", help=f"settings file (default: {name}.toml in --home)")
    for setting, described in settings_class.model_fields.items():
        if setting in _NO_FLAG:
            continue
        switch: dict[str, Any] = {"action": "store_const", "const": True} if described.annotation is bool else {}
        parser.add_argument(f"--{setting.replace('_', '-')}", help=described.description, **switch)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", parser_class=LateParser)
    commands.add_parser("tools", allow_abbrev=False, help="list the tools and the bytes each costs a model")
    for command, (room, description) in _COMMANDS.items():
        late = commands.add_parser(command, allow_abbrev=False, help=description, description=description)
        late.describe = lambda parser, room=room: _describe(parser, room, spec)
    for command, (module, description) in added.items():
        late = commands.add_parser(command, allow_abbrev=False, help=description, description=description)
        late.describe = lambda parser, module=module: importlib.import_module(module).describe(parser)
    return parser


def _describe(parser: argparse.ArgumentParser, room: str, spec: Callable[[], ServerSpec]) -> None:
    # Only these two differ from server to server, and importing a server takes a second.
    own = [spec().import_options] if room in ("imports", "exports") else []
    _commands_of(room).describe(parser, *own)


def _commands_of(room: str) -> Any:
    return importlib.import_module(f"{__package__}.{room}.commands")


def _version() -> str:
    from . import __version__

    return __version__


def _run(spec: ServerSpec, settings_class: "type[ServerSettings]", arguments: argparse.Namespace) -> int:
    from .telemetry import logs
    from .terminal import invocation

    names = [name for name in settings_class.model_fields if name not in _NO_FLAG]
    flags = {name: value for name in names if (value := getattr(arguments, name)) is not None}
    settings = settings_class.load(flags, arguments.config)
    invocation.remember(
        invocation.Invocation(settings_class.__module__.partition(".")[0], settings, flags, arguments.config)
    )
    logs.configure(settings.log_level)
    if arguments.command in _COMMANDS:
        return _manage(spec, settings, arguments)

    def create() -> "tuple[Store, FastMCP]":
        store = spec.store(settings)
        return store, spec.create_server(settings, store)

    if arguments.http is not None and arguments.command is None:
        from .http.command import serve

        tokens, stop = arguments.auth != "none", arguments.exit_with_stdin
        return serve(create, settings, arguments.http, ask_for_tokens=tokens, exit_with_stdin=stop)
    _, server = create()
    if arguments.command == "tools":
        return asyncio.run(_tools(server))
    # Reading stdin cannot be interrupted, and the store is safe to kill at any time: stop at once.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    from .event_loop import run
    from .stdio import serve_stdio

    run(serve_stdio(server))
    return 0


def _manage(spec: ServerSpec, settings: "ServerSettings", arguments: argparse.Namespace) -> int:
    """A sub-command of a room. Exit code 1: refused, or not sound."""
    gc.enable()
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a caller's own stream need not
            stream.reconfigure(errors="backslashreplace")  # pyright: ignore  # as asked
    room, _ = _COMMANDS[arguments.command]
    try:
        if room == "imports":
            importers = spec.importers() if callable(spec.importers) else spec.importers
            return _commands_of(room).run(importers, spec.store, settings, arguments)
        if room == "exports":
            exporters = spec.exporters() if callable(spec.exporters) else spec.exporters
            return _commands_of(room).run(exporters, spec.store, settings, arguments)
        if room == "audit":
            return _commands_of(room).run(spec.store, settings, arguments)
        return _commands_of(room).run(settings, arguments)
    except BrokenPipeError:  # whoever read the answer has seen enough, such as `head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


async def _tools(server: "FastMCP") -> int:
    from .guard.surface import tool_table

    print(await tool_table(server))  # noqa: T201  a sub-command's answer, no protocol runs
    return 0
