"""Ids that callers see, and content hashes by which the same thing said again is known."""

import hashlib
import json
import secrets

from ..retrieval import words


def new(prefix: str) -> str:
    """`mem_`, `ep_` or `ent_` and 20 random hex digits."""
    return f"{prefix}_{secrets.token_hex(10)}"


def content_hash(*parts: str | None) -> str:
    """Of texts as `words.folded` has them."""
    said = [None if part is None else words.folded(part) for part in parts]
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()[:32]
