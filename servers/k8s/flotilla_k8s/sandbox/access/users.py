"""The identities that callers have: static bearer tokens, and whom an administrator acts as."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from ..status import ApiError, unauthorized

MASTERS = "system:masters"


@dataclass(frozen=True)
class User:
    name: str
    groups: tuple[str, ...] = ()

    @property
    def is_master(self) -> bool:
        return MASTERS in self.groups


ADMIN = User("sandbox-admin", (MASTERS, "system:authenticated"))
VIEWER = User("viewer", ("viewers", "system:authenticated"))
EDITOR = User("team-a-editor", ("team-a-editors", "system:authenticated"))


class Users:
    """The users by their tokens, which are drawn when the sandbox starts."""

    def __init__(self) -> None:
        self.tokens = {secrets.token_urlsafe(24): user for user in (ADMIN, VIEWER, EDITOR)}

    def caller(self, headers: Mapping[str, str]) -> User:
        """Who makes a request.

        Raises:
            ApiError: 401 without a token of ours; 403 for acting as someone without being an administrator.
        """
        kind, _, token = headers.get("authorization", "").partition(" ")
        user = self.tokens.get(token) if kind.lower() == "bearer" else None
        if user is None:
            raise unauthorized()
        if (name := headers.get("impersonate-user")) is None:
            return user
        if not user.is_master:
            message = f'users "{name}" is forbidden: User "{user.name}" cannot impersonate resource "users" in API group "" at the cluster scope'  # noqa: E501  as the server says it
            raise ApiError(403, "Forbidden", message, {"name": name, "kind": "users"})
        groups = headers.get("impersonate-group")
        return User(name, (*([groups] if groups else []), "system:authenticated"))
