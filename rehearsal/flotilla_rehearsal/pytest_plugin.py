"""The pytest fixture `rehearsal`, there wherever this package is installed."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, TypeAlias

import pytest

if TYPE_CHECKING:
    from flotilla_rehearsal.script import ScriptSource
    from flotilla_rehearsal.server import Rehearsal

PlayScript: TypeAlias = "Callable[[ScriptSource], Rehearsal]"
"""The fixture's type."""


@pytest.fixture
def rehearsal() -> "Iterator[PlayScript]":
    """Plays a script (YAML text, a file, or data) until the test ends: `model = rehearsal(SCRIPT)`.

    It answers in a thread of its own, so tests may be synchronous or run any event loop.

    Raises:
        ScriptError: from the call, with every problem of the script.
    """
    # Every test run imports this module, and few tests need these.
    from anyio.from_thread import start_blocking_portal

    from flotilla_rehearsal.script import read
    from flotilla_rehearsal.server import Rehearsal

    with ExitStack() as stack:

        def play(script: "ScriptSource") -> Rehearsal:
            scripts = read(script)
            portal = stack.enter_context(start_blocking_portal())
            return stack.enter_context(portal.wrap_async_context_manager(Rehearsal(scripts)))

        yield play
