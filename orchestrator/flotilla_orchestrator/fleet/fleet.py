"""The servers of one run."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Self

from flotilla_rehearsal.suggestions import did_you_mean

from ..config.playbooks import Playbook
from ..config.workers import Worker
from ..errors import Failure
from ..mandates.claims import APPROVAL_TOOLS
from .connection import ServerConnection


class Fleet:
    """The running servers of a run, by name."""

    def __init__(self, servers: Mapping[str, ServerConnection]) -> None:
        self.servers = servers

    def with_headers(self, headers: Mapping[str, str]) -> Self:
        """The same, whose requests to servers that check mandates carry these, too; strangers are told nothing."""
        servers = {
            name: replace(server, headers={**server.headers, **headers}) if server.minter else server
            for name, server in self.servers.items()
        }
        return type(self)(servers)

    def require_tools(self, workers: Iterable[Worker], playbooks: Iterable[Playbook] = ()) -> None:
        """Check that the servers have every tool that the workers name, or that the playbooks call after a run.

        Raises:
            Failure: `missing_tools`, with each worker or playbook, the tool, and the closest name that exists.
        """
        known = {name: set(server.tools) - set(APPROVAL_TOOLS) for name, server in self.servers.items()}
        wanted = [
            (worker.name, server, tool)
            for worker in workers
            for server in worker.servers
            for tool in worker.tools_on(server)
        ]
        for playbook in playbooks:
            wanted += [(playbook.name, str(call.server), call.tool_name) for call in playbook.after.values()]
        problems = [
            f"{name}: the server {server} has no tool `{tool}`{did_you_mean(tool, known[server])}"
            for name, server, tool in wanted
            if tool not in self.servers[server].tools
        ]
        if problems:
            raise Failure(
                "missing_tools",
                "\n".join(problems),
                "Correct `tools` of the workers, or `after` of the playbooks, named.",
            )
