"""A progress bar on standard error, where a person is watching."""

import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager

_EVERY_S = 0.1


@contextmanager
def progress_bar(
    description: str, position: Callable[[], tuple[int, int]], *, shown: bool = True
) -> Generator[Callable[[], None]]:
    """A bar while the block lasts, and what to call, from any thread and as often as one likes, when work was done.

    Args:
        description: printable text.
        position: how much is done, and of how much; 0 of a total that is not known.
        shown: nothing is shown either if standard error is no terminal.
    """
    if not shown or not sys.stderr.isatty():
        yield lambda: None
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(escape(description), total=None)
        due = 0.0

        def advance() -> None:
            nonlocal due
            if (now := time.monotonic()) < due:
                return
            due = now + _EVERY_S
            done, total = position()
            progress.update(task, completed=done, total=total or None)

        yield advance
