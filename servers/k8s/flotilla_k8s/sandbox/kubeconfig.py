"""The kubeconfig files of a running sandbox: one for each of its users."""

import base64
from pathlib import Path

import yaml

from .access.users import ADMIN, EDITOR, User, Users

CONTEXT = "sandbox"
_NAMESPACES = {EDITOR: "team-a"}


def write(file: Path, url: str, certificate: bytes, users: Users) -> dict[str, Path]:
    """Write the administrator's file at `file` and the others' beside it; returns them by user name.

    They hold tokens, so nobody else on this machine may read them.
    """
    files: dict[str, Path] = {}
    file.parent.mkdir(parents=True, exist_ok=True)
    for token, user in users.tokens.items():
        path = files[user.name] = file if user == ADMIN else file.with_name(f"{file.name}.{user.name}")
        path.unlink(missing_ok=True)
        path.touch(mode=0o600)
        path.write_text(_document(user, token, url, certificate))
    return files


def _document(user: User, token: str, url: str, certificate: bytes) -> str:
    cluster = {"server": url, "certificate-authority-data": base64.b64encode(certificate).decode()}
    context = {"cluster": CONTEXT, "user": user.name, "namespace": _NAMESPACES.get(user, "default")}
    return yaml.safe_dump(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": CONTEXT, "cluster": cluster}],
            "users": [{"name": user.name, "user": {"token": token}}],
            "contexts": [{"name": CONTEXT, "context": context}],
            "current-context": CONTEXT,
        },
        sort_keys=False,
    )
