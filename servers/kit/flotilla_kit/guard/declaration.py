"""What a tool's function says of itself: its annotations, when it needs an approval, how its records are narrowed,
how long it may take."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from mcp_types import ToolAnnotations

from ..settings import MOST_TIMEOUT_S

READ = ToolAnnotations(read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False)
WRITE = ToolAnnotations(read_only_hint=False, destructive_hint=False, idempotent_hint=True, open_world_hint=False)
DESTROY = ToolAnnotations(read_only_hint=False, destructive_hint=True, idempotent_hint=True, open_world_hint=False)

Function = Callable[..., Any]
F = TypeVar("F", bound=Function)
_ATTRIBUTE = "__flotilla__"


@dataclass(frozen=True)
class Declaration:
    """What a tool says of itself that its annotations cannot say."""

    approval: Literal["always", "never", "rule"] | None = None
    """Of a tool that changes something: whether its effect waits for a person. With `rule`, its store decides."""
    scoped: str = ""
    """How the store narrows records to the caller's scope, where no argument of the tool says which they are."""
    effect: bool = True
    """False: it changes something that is no effect to be made once, such as a request."""
    timeout_s: float | None = None
    """Seconds that a call may take, where the setting `tool_timeout_s` would be too few; once set, that is the most."""

    @classmethod
    def of(cls, function: Function) -> "Declaration":
        """What a function was declared, or that it declares nothing."""
        return function.__dict__.get(_ATTRIBUTE, cls())


def declare(
    *,
    approval: Literal["always", "never", "rule"] | None = None,
    scoped: str = "",
    effect: bool = True,
    timeout_s: float | None = None,
) -> Callable[[F], F]:
    """Attach a `Declaration` to a tool's function.

    Raises:
        ValueError: `timeout_s` is none that a server may have.
    """
    if timeout_s is not None and not 0 < timeout_s <= MOST_TIMEOUT_S:
        raise ValueError(f"timeout_s is {timeout_s}; {MOST_TIMEOUT_S} is the most")

    def attach(function: F) -> F:
        function.__dict__[_ATTRIBUTE] = Declaration(approval, scoped, effect, timeout_s)
        return function

    return attach
