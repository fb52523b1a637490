"""A call to which no answer came, because its server was killed under it: what the model is told of it.

The connection is the CLI's, so nobody but the model can make the call again; and its repeat is another call, with an id
of its own. Under the first one's id as its key, what it changes happens once all the same.
"""

from collections.abc import Mapping
from typing import Any

from ..fleet.approvals import ServerUnavailable
from ..fleet.circuit_breaker import is_lost
from ..fleet.connection import ServerConnection

_KEY = "idempotency_key"


async def advice(
    server: ServerConnection, tool: str, arguments: Mapping[str, Any], call_id: str, error: str
) -> str | None:
    """Wait until the server answers again, as runs wait for its restart, and say how to make the call again.

    None: it was answered, the server stays away, or the call must not be made again.
    """
    listed = server.tools[tool]
    keyed = _KEY in listed.schema.get("properties", {})
    if not is_lost(error) or not (listed.read_only or keyed):
        return None
    try:
        await server.answers()
    except ServerUnavailable:
        return None
    said = f"No answer came from {server.name}, which answers now. Make exactly this call again"
    if listed.read_only:
        return f"{said}."
    key = arguments.get(_KEY) or call_id
    return f'{said}, with {_KEY} "{key}": what it did before, if it did, is not done twice.'
