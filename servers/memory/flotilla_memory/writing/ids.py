"""Ids that callers see, and content hashes by which the same thing said again is known."""

import hashlib
import json
import secrets

from ..retrieval import words


def new(prefix: str) -> str:
    """`mem_`, `ep_` or `ent_` and 20 random hex digits."""
    return f"{prefix}_{secrets.token_hex(10)}"


def content_hash(*parts: str | None) -> str:
    """Of texts as `folded` has them."""
    said = [None if part is None else folded(part) for part in parts]
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()[:32]


def folded(text: str) -> str:
    """Lower case, no marks, single spaces: how names and texts are compared."""
    return " ".join(words.fold(text).split())
