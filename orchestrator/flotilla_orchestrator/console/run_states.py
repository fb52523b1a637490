"""The states of runs, as people filter them and as pages tell them apart."""

from typing import get_args

from ..service.bodies import RunState

STATES: tuple[str, ...] = get_args(RunState)
ENDED = ("ok", "failed", "cancelled")
