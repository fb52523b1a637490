"""Where the model's answers come from, and which environment variables a session is given for it.

A live session and a rehearsed one differ by base address and key alone.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from .errors import Failure

# What any program needs to run and to reach the network from where it is.
_BASICS = ("PATH", "LANG", "LC_ALL", "TZ", "TMPDIR")
_NETWORK = (
    "HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy",
    "SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS", "NODE_USE_SYSTEM_CA",
)  # fmt: skip
_SETTINGS = ("ANTHROPIC_BASE_URL", "CLAUDE_CODE_ENABLE_FINE_GRAINED_TOOL_STREAMING")
_CREDENTIALS = ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "CLAUDE_CODE_OAUTH_TOKEN")
# By switch: a cloud's variables pass only when the switch is on.
_CLOUDS = {
    "CLAUDE_CODE_USE_BEDROCK": (
        "AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_BEARER_TOKEN_BEDROCK",
        "AWS_PROFILE", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "ANTHROPIC_BEDROCK_BASE_URL",
    ),
    "CLAUDE_CODE_USE_VERTEX": (
        "CLOUD_ML_REGION", "ANTHROPIC_VERTEX_PROJECT_ID", "ANTHROPIC_VERTEX_BASE_URL", "GOOGLE_APPLICATION_CREDENTIALS",
    ),
}  # fmt: skip
_LOOPBACK = "127.0.0.1,localhost,::1"  # local servers are never reached through a proxy


@dataclass(frozen=True)
class Provider:
    """A source of model answers. `model` is recorded; `address` gives each agent its own address in a rehearsal."""

    model: Literal["claude", "rehearsal"]
    variables: Mapping[str, str]
    address: Callable[[str], str] | None = None

    def environment(self, agent: str) -> dict[str, str]:
        """All the environment that a session of `agent` inherits; the session adds only its own settings."""
        if self.address is None:
            return dict(self.variables)
        return {**self.variables, "ANTHROPIC_BASE_URL": self.address(agent), "ANTHROPIC_API_KEY": "rehearsal"}


def live(environ: Mapping[str, str]) -> Provider:
    """Claude, with the credentials found in `environ`.

    Raises:
        Failure: `no_credential`, saying what to set.
    """
    clouds = [switch for switch in _CLOUDS if environ.get(switch, "") not in ("", "0", "false")]
    if not clouds and not any(environ.get(name) for name in _CREDENTIALS):
        raise Failure(
            "no_credential",
            "No credential for Claude is set.",
            "Set ANTHROPIC_API_KEY or CLAUDE_CODE_OAUTH_TOKEN (or the Bedrock or Vertex variables), "
            "or pass --rehearse to play the case with the scripted model.",
        )
    names = [*_BASICS, *_NETWORK, *_CREDENTIALS, *_SETTINGS]
    for switch in clouds:
        names += [switch, *_CLOUDS[switch]]
    return Provider("claude", {**_selected(environ, names), "NO_PROXY": _no_proxy(environ)})


def rehearsal(environ: Mapping[str, str], address: Callable[[str], str]) -> Provider:
    """The scripted model at `address(agent)`: no credential, provider setting or proxy of `environ` passes."""
    return Provider("rehearsal", {**_selected(environ, _BASICS), "NO_PROXY": _LOOPBACK}, address)


def server_environment(environ: Mapping[str, str], server: str, extra: list[str]) -> dict[str, str]:
    """What a local server is given: the basics, the fleet's own settings, its own `FLOTILLA_NAME_*`, and `extra`."""
    own = f"FLOTILLA_{server.upper().replace('-', '_')}_"
    names = [*_BASICS, *_NETWORK, "NO_PROXY", "no_proxy", "HOME", "FLOTILLA_HOME", "DATABASE_URL", *extra]
    names += [name for name in environ if name.startswith((own, "OTEL_")) and name != "OTEL_SERVICE_NAME"]
    return _selected(environ, names)


def _selected(environ: Mapping[str, str], names: list[str] | tuple[str, ...]) -> dict[str, str]:
    return {name: environ[name] for name in names if name in environ}


def _no_proxy(environ: Mapping[str, str]) -> str:
    named = environ.get("NO_PROXY") or environ.get("no_proxy")
    return f"{named},{_LOOPBACK}" if named else _LOOPBACK
