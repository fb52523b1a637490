"""The states of runs, as people filter them and as pages tell them apart."""

from typing import get_args

from ..service.bodies import RunState

STATES: tuple[str, ...] = get_args(RunState)
ENDED = ("ok", "failed", "cancelled")
AT_WORK = ("running", "interrupted")
"""As the journal has it: such a run may be paused, and may wait for a person."""
UNENDED = ("queued", *AT_WORK)
