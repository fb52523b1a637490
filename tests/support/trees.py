"""The tree of a run as people see it."""

from collections.abc import Sequence

from flotilla_orchestrator.journal.journal import Span
from flotilla_orchestrator.views.tree import tree
from rich.console import Console


def shown(spans: Sequence[Span]) -> str:
    """As `flotilla trace` prints it on a wide terminal."""
    console = Console(width=400)
    with console.capture() as captured:
        console.print(tree(spans))
    return captured.get()
