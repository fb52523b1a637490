"""The kubeconfig files of a running sandbox: one for each of its users."""

import base64
from pathlib import Path

import yaml

from .access.users import ADMIN, EDITOR, VIEWER, User, Users

CONTEXT = "sandbox"
_NAMESPACES = {EDITOR: "team-a"}


def write(file: Path, url: str, certificate: bytes, users: Users) -> dict[str, Path]:
    """Write the administrator's file at `file` and the others' beside it; returns them by user name.

    They hold tokens, so nobody else on this machine may read them.
    """
    files = {ADMIN.name: file} | {user.name: file.with_name(f"{file.name}.{user.name}") for user in (VIEWER, EDITOR)}
    file.parent.mkdir(parents=True, exist_ok=True)
    for user in (ADMIN, VIEWER, EDITOR):
        path = files[user.name]
        path.unlink(missing_ok=True)
        path.touch(mode=0o600)
        path.write_text(_document(user, url, certificate, users))
    return files


def _document(user: User, url: str, certificate: bytes, users: Users) -> str:
    cluster = {"server": url, "certificate-authority-data": base64.b64encode(certificate).decode()}
    context = {"cluster": CONTEXT, "user": user.name, "namespace": _NAMESPACES.get(user, "default")}
    return yaml.safe_dump(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": CONTEXT, "cluster": cluster}],
            "users": [{"name": user.name, "user": {"token": users.token_of(user)}}],
            "contexts": [{"name": CONTEXT, "context": context}],
            "current-context": CONTEXT,
        },
        sort_keys=False,
    )
