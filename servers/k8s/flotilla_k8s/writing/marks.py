"""The mark that a change leaves on what it changed: a hash of its key, in an annotation, by which it is found again.

An annotation keeps the last few, the newest first, so that a later change does not hide that an earlier one happened.
There are two, because to an API server whoever applies and whoever patches are two owners, also under one name: were
it one annotation, the first apply after a patch would conflict with it.
"""

import hashlib
from collections.abc import Mapping
from typing import Any, Literal

from ..cluster.names import APPLIED_ANNOTATION, EFFECT_ANNOTATION
from ..objects import text

KEPT = 5
_LENGTH = 10


def mark_of(key: str) -> str:
    """The mark of the effect with this key."""
    return hashlib.sha256(key.encode()).hexdigest()[:_LENGTH]


def is_marked(live: Mapping[str, Any] | None, mark: str) -> bool:
    """Whether the change with this mark is among the last ones of an object."""
    return live is not None and any(mark in _marks(live, name) for name in (APPLIED_ANNOTATION, EFFECT_ANNOTATION))


def is_made(live: Mapping[str, Any], mark: str) -> bool:
    """Whether the change with this mark has made the object: no change is known that it was made over."""
    found = [_marks(live, name) for name in (APPLIED_ANNOTATION, EFFECT_ANNOTATION)]
    return any(marks[-1] == mark for marks in found if marks)


def marked(live: Mapping[str, Any] | None, mark: str, by: Literal["apply", "patch"]) -> dict[str, str]:
    """The annotation to write with a change of an object; with None, of one that is not there yet."""
    name = APPLIED_ANNOTATION if by == "apply" else EFFECT_ANNOTATION
    others = [one for one in _marks(live or {}, name) if one != mark]
    return {name: ".".join([mark, *others][:KEPT])}


def _marks(live: Mapping[str, Any], name: str) -> list[str]:
    said = text(live, "metadata", "annotations", name)
    return [one for one in said[:200].split(".") if len(one) == _LENGTH]
