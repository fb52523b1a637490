"""The environment variables of a session of the Claude CLI whose model is on this machine."""

from collections.abc import Mapping
from pathlib import Path

_LOOPBACK = "127.0.0.1"
# An empty value counts as unset; each of these would lead a session elsewhere, or add to what it sends.
_OVERRIDDEN = (
    "ANTHROPIC_AUTH_TOKEN",
    "ANTHROPIC_CUSTOM_HEADERS",
    "CLAUDE_CODE_OAUTH_TOKEN",
    "CLAUDE_CODE_USE_BEDROCK",
    "CLAUDE_CODE_USE_FOUNDRY",
    "CLAUDE_CODE_USE_VERTEX",
)


def session_environment(base_url: str, config_folder: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """What to add to `environ`, which the session inherits."""
    unproxied = {
        name: f"{environ[name]},{_LOOPBACK}" if environ.get(name) else _LOOPBACK for name in ("NO_PROXY", "no_proxy")
    }
    return {
        **{name: "" for name in _OVERRIDDEN if environ.get(name)},
        **unproxied,
        "ANTHROPIC_BASE_URL": base_url,
        "ANTHROPIC_API_KEY": "rehearsal",
        "CLAUDE_CONFIG_DIR": str(config_folder),
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "DISABLE_AUTOUPDATER": "1",
    }
