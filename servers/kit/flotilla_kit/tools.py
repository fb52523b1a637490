"""What a tool's function is written with: annotations, `declare`, and what it finds out about its call."""

from typing import Any

from fastmcp.server.dependencies import get_context

from .guard.call import effect, most_bytes, scope
from .guard.declaration import DESTROY, READ, WRITE, declare
from .guard.progress import progress

__all__ = ["DESTROY", "READ", "WRITE", "declare", "effect", "most_bytes", "progress", "scope", "store_of"]


def store_of() -> Any:
    """The server's store, for a tool's body. (FastMCP's `Depends` would cost a sixth of a read on every call.)"""
    return get_context().lifespan_context["store"]
