"""The one-shot service of compose.yaml: makes the keys, passwords and tokens that are missing, each where it belongs.

    docker compose run --rm setup                       what `docker compose up` does first; does nothing twice
    docker compose run --rm setup rotate                a new key for mandates, which servers know before it signs
    docker compose run --rm setup retire KID            an old one is refused from now on
    docker compose run --rm setup approver NAME         a person's keys, one for each server
    docker compose run --rm setup approver-token NAME   their tokens, for the header Flotilla-Approver-Token
    docker compose run --rm setup mandate SERVER TOOL…  a worker's token for an MCP client of your own, for an hour

It is the only container that sees all of them, and nobody else is in its network.
"""

import argparse
import secrets
import shutil
import sys
import time
from pathlib import Path
from typing import ClassVar

from flotilla_kit.identity.approvers import Approvers, mint
from flotilla_kit.identity.keys import KeyRing, write_jwks
from flotilla_kit.settings import ServerSettings
from flotilla_orchestrator.service.tokens import Tokens
from pydantic import JsonValue

SERVERS = ("billing", "crm", "k8s", "memory")
LOOKED_AT_S = 3  # within which servers have noticed a change of a file
MANDATE_S = 3600  # servers take none that lives longer


class Setup:
    """The volumes, as they are mounted in the service."""

    def __init__(self, home: Path, credentials: Path, host: str = "postgres") -> None:
        self._home, self._host = home, host
        self._ring = KeyRing(home / "keys")
        self._mandates = credentials / "mandates" / "public.json"
        self._approvers = credentials / "approvers"
        self._passwords = credentials / "passwords"
        self._databases = credentials / "databases"

    def prepare(self) -> None:
        self._ring.current()
        self._publish(self._ring.public_file)
        for role in ("postgres", "orchestrator", *SERVERS):
            self._password(role)
        for server in SERVERS:
            if not (file := settings_of(server, self._approvers).approvers_file).exists():
                write_jwks(file, [])
        tokens = Tokens(self._home)
        if not tokens.all():
            _, secret = tokens.add("operator", ["run", "read"])
            _write(self._home / "operator-token", secret, 0o600)

    def rotate(self) -> str:
        """A new current key, which servers know before the first mandate is signed with it; returns its name."""
        staged = KeyRing(self._home / "keys.next")
        shutil.rmtree(staged.folder, ignore_errors=True)
        shutil.copytree(self._ring.folder, staged.folder)
        key = staged.rotate()
        self._publish(staged.public_file)
        time.sleep(LOOKED_AT_S)
        (staged.folder / f"{key.kid}.jwk").rename(self._ring.folder / f"{key.kid}.jwk")
        self._ring.current()
        shutil.rmtree(staged.folder)
        return key.kid

    def retire(self, kid: str) -> None:
        self._ring.retire(kid)
        self._publish(self._ring.public_file)

    def approver(self, name: str) -> None:
        for server in SERVERS:
            Approvers(settings_of(server, self._approvers)).add(name)

    def approver_tokens(self, name: str, minutes: float) -> list[str]:
        found = {server: settings_of(server, self._approvers) for server in SERVERS}
        return [
            mint(Approvers(each).key(name), issuer=each.approvers_issuer, audience=server, minutes=minutes)
            for server, each in found.items()
        ]

    def mandate(self, server: str, tools: list[str]) -> str:
        now = int(time.time())
        claims = {"iss": "flotilla", "aud": server, "sub": "client", "run": "", "jti": secrets.token_hex(16)}
        granted: list[JsonValue] = [{"type": "mcp_tool", "tool": tool} for tool in tools]
        times = {"iat": now, "exp": now + MANDATE_S}
        return self._ring.current().sign({**claims, **times, "authorization_details": granted})

    def _publish(self, public: Path) -> None:
        _write(self._mandates, public.read_text(), 0o644)

    def _password(self, role: str) -> None:
        """PostgreSQL reads it where it makes the role; whoever has the role, in a file that libpq reads."""
        file = self._passwords / role
        if not file.exists():
            _write(file, secrets.token_urlsafe(32), 0o444)  # only this container and PostgreSQL mount it
        if role != "postgres":
            line = f"{self._host}:5432:{role}:{role}:{file.read_text()}\n"
            _write(self._databases / role / "pgpass", line, 0o600)


def settings_of(name: str, home: Path) -> ServerSettings:
    """As the server's own, as far as approvers go."""

    class Settings(ServerSettings):
        server: ClassVar[str] = name

    return Settings(home=home)


def _write(file: Path, text: str, mode: int) -> None:
    """At once: whoever reads it sees the old text or the new one."""
    new = file.with_name(f".{file.name}.new")
    new.unlink(missing_ok=True)
    new.touch(mode=0o600)
    new.write_text(text)
    new.chmod(mode)
    new.replace(file)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0], allow_abbrev=False)
    actions = parser.add_subparsers(dest="action", required=True)
    actions.add_parser("prepare")
    actions.add_parser("rotate")
    actions.add_parser("retire").add_argument("kid")
    actions.add_parser("approver").add_argument("name")
    token = actions.add_parser("approver-token")
    token.add_argument("name")
    token.add_argument("--minutes", type=float, default=10)
    mandate = actions.add_parser("mandate")
    mandate.add_argument("server", choices=SERVERS)
    mandate.add_argument("tools", nargs="+")
    arguments = parser.parse_args()
    setup = Setup(Path("/data"), Path("/credentials"))
    match arguments.action:
        case "rotate":
            print(f"{setup.rotate()} signs from now on; older keys can be retired in an hour.")
        case "retire":
            setup.retire(arguments.kid)
        case "approver":
            setup.approver(arguments.name)
        case "approver-token":
            print(",".join(setup.approver_tokens(arguments.name, arguments.minutes)))
        case "mandate":
            print(setup.mandate(arguments.server, arguments.tools))
        case _:
            setup.prepare()
    return 0


if __name__ == "__main__":
    sys.exit(main())
