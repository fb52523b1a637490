"""The progress of a run on a console: a live tree on a terminal, else a line for each event."""

from collections.abc import Generator, Iterable
from contextlib import contextmanager
from typing import Self

from rich.console import Console, RenderableType
from rich.live import Live
from rich.text import Text

from ..journal.journal import Span
from .tree import span_label, tree


class Progress:
    """Follows a run on a console while its block lasts: a live tree on a terminal, else a line for each event."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._spans: dict[str, Span] = {}
        self._live: Live | None = None

    def __enter__(self) -> Self:
        if (
            self._console.is_terminal
        ):  # a new one each time: the old one would overwrite what was shown since it stopped
            self._live = Live(console=self._console, refresh_per_second=8, get_renderable=self._tree)
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._live.stop()

    @contextmanager
    def aside(self) -> Generator[None]:
        """Stop the live tree during the block, for a prompt."""
        self.__exit__()
        try:
            yield
        finally:
            self.__enter__()

    def recall(self, spans: Iterable[Span]) -> None:
        """Add spans from before this process resumed the run."""
        self._spans.update({span.span_id: span for span in spans})

    def __call__(self, span: Span) -> None:
        """Show a span that began, changed or ended."""
        begins = span.kind == "session" and span.span_id not in self._spans
        self._spans[span.span_id] = span
        if not self._console.is_terminal and (span.status != "running" or begins):
            depth = sum(1 for _ in self._ancestors(span))
            self._console.print(Text("  " * depth).append_text(span_label(span)), soft_wrap=True)

    def _ancestors(self, span: Span) -> Iterable[Span]:
        while span.parent_id and (span := self._spans[span.parent_id]):
            yield span

    def _tree(self) -> RenderableType:
        return tree(self._spans.values()) or Text("Starting the servers …", style="dim")
