"""Named places in a mutation where the crash proofs end the process. In production `point` does nothing."""

from collections.abc import Callable


def _nothing(name: str) -> None:
    del name


hook: Callable[[str], None] = _nothing


def point(name: str) -> None:
    """Mark a place where a crash must be survivable."""
    hook(name)
