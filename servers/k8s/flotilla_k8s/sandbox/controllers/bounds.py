"""How many pods a rollout may have more, or fewer, than its deployment asks for."""

import math
from typing import Any

from ..objects import Object, get


def surge(deployment: Object) -> int:
    return _portion(
        get(deployment, "spec", "strategy", "rollingUpdate", "maxSurge", default="25%"), deployment, up=True
    )


def unavailable(deployment: Object) -> int:
    """How many pods may be missing during a rollout."""
    limit = get(deployment, "spec", "strategy", "rollingUpdate", "maxUnavailable", default="25%")
    if get(deployment, "spec", "strategy", "type") == "Recreate":
        limit = 0
    allowed = _portion(limit, deployment, up=False)
    return 1 if not allowed and not surge(deployment) else allowed


def _portion(value: Any, deployment: Object, *, up: bool) -> int:
    if isinstance(value, int):
        return value
    share = int(str(value).rstrip("%")) * get(deployment, "spec", "replicas", default=1) / 100
    return math.ceil(share) if up else math.floor(share)
