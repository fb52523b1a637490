"""A request that the API has answered, as traces and metrics tell it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class ServedRequest:
    """Attributes:
    route: the path's template; empty: there is none of that path.
    streamed: its answer was a stream of events, which lasts as long as somebody listens.
    new_run: the id of the run that it has started.
    """

    method: str
    route: str
    status: int
    began_ns: int
    """Unix time."""
    ended_ns: int
    headers: Mapping[str, str]
    caller: str | None
    streamed: bool
    new_run: str | None

    @property
    def seconds(self) -> float:
        return (self.ended_ns - self.began_ns) / 1e9


RequestObserver = Callable[[ServedRequest], None]
