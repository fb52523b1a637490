"""Where the approvals of a server of the fleet are decided, for a person with a token of their own."""

from collections.abc import Mapping
from pathlib import Path

from ..config.fleet import Server
from ..provider import server_environment
from .approvals import Approvals, approvals_over_http, approvals_over_stdio
from .processes import executable


def approvals_of(
    name: str, server: Server, token: str, folder: Path, environ: Mapping[str, str], *, url: str | None = None
) -> Approvals:
    """The server's approval tools, called with this token; a local server is started for each call.

    Args:
        folder: of the config, in which local servers are started.
        url: where the server is, if not where the fleet says.
    """
    if address := url or server.url:
        return approvals_over_http(name, address, lambda: token, local=False)
    from flotilla_kit.settings import MANDATE_VARIABLE

    assert server.command, "a server has a command or a URL"
    program, *given = server.command
    environment = server_environment(environ, name, server.env)
    command = [executable(program), *given, "--audience", server.audience or name]
    return approvals_over_stdio(name, command, {**environment, MANDATE_VARIABLE: token}, folder)
