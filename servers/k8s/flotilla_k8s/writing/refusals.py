"""Refusals of what a caller wrote, before a cluster is asked anything."""

from typing import Any

from flotilla_kit.errors import Conflict, FlotillaError


class InvalidManifest(FlotillaError):
    """The text is not one object that could be applied; `details` have the `line`, `column` or `path` at fault."""

    code = "invalid_manifest"

    def __init__(self, message: str, suggestion: str, **place: Any) -> None:
        super().__init__(message, suggestion=suggestion, details=place)


class InvalidName(FlotillaError):
    """A name that Kubernetes does not allow; `details.suggested` is one like it that it does."""

    code = "invalid_name"


class InvalidQuantity(FlotillaError):
    """Not an amount of CPU or memory; `details.suggested` is what was probably meant."""

    code = "invalid_quantity"


class ControlledByOther(Conflict):
    """Another object decides on this one."""

    code = "controlled_by_other"


class RolloutPaused(Conflict):
    """The rollout is paused: a change of it would wait."""

    code = "rollout_paused"
