"""A worker's client of a Kubernetes server, over stdio as the server sees it: by a mandate in its settings."""

from pathlib import Path
from typing import Any

from flotilla_kit.identity.keys import SigningKey, write_jwks

from .tokens import worker_claims


def mandate(home: Path, scope: dict[str, str], *tools: str) -> dict[str, Any]:
    """Settings of a server whose caller has a mandate for these tools within that scope."""
    key = SigningKey.generate("issuer")
    write_jwks(home / "keys.json", [key.public_jwk()])
    details = [{"type": "mcp_tool", "tool": tool} for tool in tools]
    token = key.sign(worker_claims(aud="k8s", authorization_details=details, scope=scope))
    return {"mandate": token, "mandate_keys": str(home / "keys.json")}
